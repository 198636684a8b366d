package audit

import "github.com/polreach/polreach/reach"

// Opened returns of which pods the checks of exposure speak, by check, each finding
// once, with its proof.
func Opened(g *reach.Graph) (map[string]map[reach.Endpoint]bool, []Finding, error) {
	s, err := newSubject(g)
	if err != nil {
		return nil, nil, err
	}
	list, err := s.openings()
	pods := make(map[string]map[reach.Endpoint]bool)
	var findings []Finding
	for _, o := range list {
		findings = append(findings, o.Finding)
		if pods[o.Check] == nil {
			pods[o.Check] = make(map[reach.Endpoint]bool)
		}
		for _, pod := range o.pods {
			pods[o.Check][pod.end] = true
		}
	}
	return pods, findings, err
}

// Behind returns the pods behind doors in the groups that are asked about together.
func Behind(g *reach.Graph) ([][]reach.Endpoint, error) {
	s, err := newSubject(g)
	if err != nil {
		return nil, err
	}
	x, err := newExposer(s)
	if err != nil {
		return nil, err
	}
	var groups [][]reach.Endpoint
	for _, e := range x.exposed() {
		var group []reach.Endpoint
		for _, pod := range e.pods {
			group = append(group, pod.end)
		}
		groups = append(groups, group)
	}
	return groups, nil
}
