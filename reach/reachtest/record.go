package reachtest

import (
	"sync"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

// A record is what assertions have asked.
type record struct {
	mu    sync.Mutex
	asked []question
}

// A question is a pair of endpoints of a Graph and the ports that an assertion was
// about, each pair of classes once for each assertion.
type question struct {
	graph    *reach.Graph
	from, to reach.Endpoint
	ports    policy.PortSet
}

// recorder returns a new record, or nil if none is wanted.
func recorder() *record { return nil }

func (c *Cluster) note(from, to reach.Endpoint, ports policy.PortSet) {
	if c.asked != nil {
		c.asked.mu.Lock()
		defer c.asked.mu.Unlock()
		c.asked.asked = append(c.asked.asked, question{c.graph, from, to, ports})
	}
}
