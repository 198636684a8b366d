package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"
	"text/tabwriter"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A hostFlag holds the addresses of DNS names.
type hostFlag map[string][]netip.Addr

func (h hostFlag) set(text string) error {
	name, addr, _ := strings.Cut(text, "=")
	a, err := netip.ParseAddr(addr)
	if err != nil || name == "" {
		return fmt.Errorf("%q is not NAME=ADDRESS", text)
	}
	h[name] = append(h[name], a)
	return nil
}

type question func(io.Writer, *reach.Graph) (status int, err error)

// questionOf returns the question that words ask, or nil.
func questionOf(words []string, all bool) question {
	switch {
	case len(words) == 0:
		return matrix
	case len(words) == 3:
		return func(w io.Writer, g *reach.Graph) (int, error) { return connect(w, g, words, all) }
	case len(words) == 2 && words[1] == "dns":
		return func(w io.Writer, g *reach.Graph) (int, error) { return dns(w, g, words[0]) }
	case len(words) == 2 && words[0] == "doors":
		return func(w io.Writer, g *reach.Graph) (int, error) { return doors(w, g, words[1]) }
	case len(words) <= 2 && words[0] == "ingress":
		return func(w io.Writer, g *reach.Graph) (int, error) { return ingress(w, g, words[1:]) }
	}
	return nil
}

// connect answers FROM TO PORT.
func connect(w io.Writer, g *reach.Graph, words []string, all bool) (int, error) {
	from, errFrom := g.Lookup(words[0])
	to, errTo := g.Target(words[1])
	if err := errors.Join(errFrom, errTo); err != nil {
		return noAnswer, err
	}
	if other, err := g.Lookup("replica:" + words[1]); err == nil && from.Target() == to {
		to = other.Target() // from a workload to itself means from one of its pods to another
	}
	port, err := to.Port(words[2])
	if asked, errSet := policy.ParsePortSet(words[2]); err != nil && errSet == nil {
		return ports(w, g, from, words[1], asked)
	}
	if err != nil {
		return noAnswer, err
	}
	t := g.Trace(reach.Connection{From: from, To: to, Port: port})
	fmt.Fprintln(w, t)
	return status(t.Outcome, all), nil
}

func status(o reach.Outcome, all bool) int {
	switch {
	case o == reach.All, o == reach.Some && !all:
		return yes
	case o == reach.Unknown:
		return noAnswer
	}
	return no
}

// ports answers FROM TO 8000-8080/TCP.
func ports(w io.Writer, g *reach.Graph, from reach.Endpoint, text string, asked policy.PortSet) (int, error) {
	to, err := g.Lookup(text)
	if err != nil {
		return noAnswer, err
	}
	open := g.Ports(from, to).Intersect(asked)
	fmt.Fprintf(w, "%v -> %v %v: %v\n", from, to, asked, open)
	if open.Equal(asked) {
		return yes, nil
	}
	return no, nil
}

// dns answers FROM dns.
func dns(w io.Writer, g *reach.Graph, text string) (int, error) {
	from, err := g.Lookup(text)
	if err != nil {
		return noAnswer, err
	}
	d, err := g.DNS(from)
	if err != nil {
		return noAnswer, err
	}
	fmt.Fprintln(w, d)
	if d.Resolves() {
		return yes, nil
	}
	return no, nil
}

// doors answers doors POD.
func doors(w io.Writer, g *reach.Graph, text string) (int, error) {
	pod, err := g.Lookup(text)
	if err != nil {
		return noAnswer, err
	}
	result := no
	for _, x := range g.Exposures(pod) {
		fmt.Fprintln(w, x)
		switch {
		case !x.Clients.IsEmpty():
			result = yes
		case !x.Unknown.IsEmpty() && result == no:
			result = noAnswer
		}
	}
	return result, nil
}

// ingress answers ingress [SELECTOR], for the controllers that it picks.
func ingress(w io.Writer, g *reach.Graph, words []string) (int, error) {
	var controllers []reach.Endpoint
	for _, text := range words {
		parsed, err := metav1.ParseToLabelSelector(text)
		if err != nil {
			return noAnswer, err
		}
		pods, err := selector.New(*parsed)
		if err != nil {
			return noAnswer, err
		}
		if controllers = g.Select(selector.Selector{}, pods); len(controllers) == 0 {
			return noAnswer, fmt.Errorf("%s picks no pod", text)
		}
	}
	result := yes
	for _, r := range g.Routes(controllers...) {
		fmt.Fprintln(w, r)
		if s := status(r.Outcome(), false); s != yes && result != no {
			result = s
		}
	}
	return result, nil
}

// matrix answers no question: it prints who reaches whom.
func matrix(w io.Writer, g *reach.Graph) (int, error) {
	ends := append(g.Pods(), g.Outside()...)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "from \\ to")
	for _, to := range ends {
		fmt.Fprintf(t, "\t%v", to)
	}
	for _, from := range ends {
		fmt.Fprintf(t, "\n%v", from)
		for _, to := range ends {
			fmt.Fprint(t, "\t", strings.ReplaceAll(g.Ports(from, to).String(), ", ", ","))
		}
	}
	fmt.Fprintln(t)
	return yes, t.Flush()
}
