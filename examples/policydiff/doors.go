package main

import (
	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/reach"
)

// A door is what lets clients outside the cluster get to a pod by a Service, and did
// not before.
type door struct {
	exposure reach.Exposure
	clients  cidr.Set // who did not get in before
	missing  string   // or what the input lacks to know it
}

// newDoors returns what is let in through Services and was not before. What is not
// known may be new.
func newDoors(before, after *reach.Graph) []door {
	type way struct {
		door, pod, port string
	}
	of := func(x reach.Exposure) way { return way{x.Door.String(), x.Pod.String(), x.Port.String()} }
	clients, unknown := make(map[way]cidr.Set), make(map[way]cidr.Set)
	for _, pod := range before.Pods() {
		for _, x := range before.Exposures(pod) {
			clients[of(x)] = clients[of(x)].Union(x.Clients)
			unknown[of(x)] = unknown[of(x)].Union(x.Unknown)
		}
	}
	var list []door
	for _, pod := range after.Pods() {
		for _, x := range after.Exposures(pod) {
			known := clients[of(x)]
			if more := x.Clients.Minus(known); !more.IsEmpty() {
				list = append(list, door{exposure: x, clients: more})
			}
			if more := x.Unknown.Minus(known).Minus(unknown[of(x)]); !more.IsEmpty() {
				list = append(list, door{x, more, x.Missing})
			}
		}
	}
	return list
}
