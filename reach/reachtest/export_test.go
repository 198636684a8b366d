package reachtest

import "strings"

// SetText returns the members of a set, and the addresses that are meant.
func (c *Cluster) SetText(text string) (string, error) {
	s, err := c.set(text)
	var list []string
	for _, e := range s.members {
		name := e.String()
		if part := s.meant(e); part != "" {
			name = part
		}
		list = append(list, name)
	}
	return strings.Join(list, "; "), err
}
