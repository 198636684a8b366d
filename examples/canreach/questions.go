package main

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
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

type options struct {
	format   string     // of the answer; empty for text
	all      bool       // every path must be allowed
	balancer netip.Addr // see reach.Connection
}

type question func(io.Writer, *reach.Graph) (status int, err error)

// questionOf returns the question that words ask, or nil.
func questionOf(words []string, opts options) question {
	switch {
	case len(words) == 0:
		return matrix(opts.format)
	case words[0] == "audit":
		return findings(opts.format, words[1:])
	case opts.format != "":
		return nil // the other answers are text
	case len(words) >= 2 && words[1] == "dns":
		return func(w io.Writer, g *reach.Graph) (int, error) { return dns(w, g, words[0], words[2:]) }
	case len(words) == 3:
		return func(w io.Writer, g *reach.Graph) (int, error) { return connect(w, g, words, opts) }
	case len(words) == 2 && words[0] == "doors":
		return func(w io.Writer, g *reach.Graph) (int, error) { return doors(w, g, words[1]) }
	case len(words) <= 2 && words[0] == "ingress":
		return func(w io.Writer, g *reach.Graph) (int, error) { return ingress(w, g, words[1:], opts) }
	}
	return nil
}

// connect answers FROM TO PORT.
func connect(w io.Writer, g *reach.Graph, words []string, opts options) (int, error) {
	from, errFrom := g.Lookup(words[0])
	to, errTo := g.Target(words[1])
	if err := errors.Join(errFrom, errTo); err != nil {
		return noAnswer, err
	}
	toText := words[1]
	if other, err := g.Lookup("replica:" + toText); err == nil && from.Target() == to {
		to, toText = other.Target(), other.String() // from a workload to itself means from one of its pods to another
	}
	port, err := to.Port(words[2])
	if asked, errSet := policy.ParsePortSet(words[2]); err != nil && errSet == nil && !asked.IsEmpty() {
		return ports(w, g, from, toText, asked)
	}
	if err != nil {
		return noAnswer, err
	}
	t := g.Trace(reach.Connection{From: from, To: to, Port: port, Balancer: opts.balancer})
	fmt.Fprintln(w, t)
	return status(t.Outcome, t.Paths, opts.all), nil
}

// status is that of an outcome, to which paths came.
func status(o reach.Outcome, paths []reach.Path, all bool) int {
	denied := func(p reach.Path) bool { return p.Stop == "" && !p.Verdict.Allowed }
	switch {
	case o == reach.All, o == reach.Some && !all:
		return yes
	case o == reach.Unknown, o == reach.Some && !slices.ContainsFunc(paths, denied):
		return noAnswer
	}
	return no
}

// ports answers FROM TO 8000-8080/TCP.
func ports(w io.Writer, g *reach.Graph, from reach.Endpoint, text string, asked policy.PortSet) (int, error) {
	to, err := g.Lookup(text)
	if err != nil || to.Name().Namespace == "" {
		return noAnswer, fmt.Errorf("%v: several ports at once are for pods; ask %s for one", asked, text)
	}
	open := g.Ports(from, to).Intersect(asked)
	fmt.Fprintf(w, "%v -> %v %v: %v\n", from, to, asked, open)
	if open.Equal(asked) {
		return yes, nil
	}
	return no, nil
}

// dns answers FROM dns [SERVER...].
func dns(w io.Writer, g *reach.Graph, text string, names []string) (int, error) {
	from, err := g.Lookup(text)
	servers := make([]reach.Target, len(names))
	for i, name := range names {
		var errServer error
		servers[i], errServer = g.Target(name)
		err = errors.Join(err, errServer)
	}
	if err != nil {
		return noAnswer, err
	}
	d, err := g.DNS(from, servers...)
	if err != nil {
		return noAnswer, err
	}
	fmt.Fprintln(w, d)
	result := no
	for _, t := range d.UDP {
		if t.Outcome == reach.Unknown {
			result = noAnswer
		}
	}
	if d.Resolves() {
		result = yes
	}
	return result, nil
}
