package reachtest

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Mutants are what has become of a cluster by one dangerous edit each, and whether
// a suite of assertions notices. [Mutate] returns them.
type Mutants struct {
	Killed     int      // some assertion fails
	Equivalent int      // the same ports are open between all endpoints, so there is nothing to notice
	Survivors  []Mutant // something has changed, and no assertion fails
}

// A Mutant is a cluster after one edit.
type Mutant struct {
	Name  string        // what the edit does: "NetworkPolicy shop/db: drop spec.ingress[0].from[1]"
	Edits []policy.Edit // for [Cluster.With]

	// What the edit does to one flow, of perhaps many.
	From, To string
	Port     policy.Port
	Family   reach.Family // AnyFamily, unless it does so over one family only
	Opened   bool         // else the edit has closed it
	More     int          // how many further ports it does the same to, between these ends

	before, after []metav1.Object
}

// Mutate tells which mistakes in the configuration of c a suite of assertions does
// not notice. It makes one edit at a time, and runs the suite on the cluster after
// the edit:
//
//   - A policy is dropped, or moved to each other namespace, where there is a policy
//     or a Namespace and none of its name.
//   - Of a policy, a rule, a peer, a port, all ports of a rule, an exception of a
//     block or one of its policyTypes is dropped. A list that becomes empty means
//     what Kubernetes says: a rule without peers is for everyone.
//   - One requirement of a selector is dropped, or all.
//   - A peer with two selectors is split in two, as by one dash too many.
//   - A block is widened by one bit, or to all addresses of its family. A range of
//     ports gets one more port at either end.
//   - A label of pods that some policy looks at gets another key, in their template
//     or on all pods of one owner.
//
// Edits that make an object that no API server takes are passed over.
//
// The suite must make its assertions about the Cluster and to the TB that it is
// given. It ends at the first failure, also of Errorf; a panic is a failure, and what
// failures say is not told. It runs on several goroutines at once. A suite that fails
// on c ends the test t, as does one that asserts nothing, and a cluster in which no
// edit changes what is reachable.
//
// An assertion that holds for c takes next to no time where the edit changes nothing
// that it looks at, and otherwise about as much as there are pods of which it does.
func Mutate(t TB, c *Cluster, suite func(t TB, c *Cluster)) *Mutants {
	t.Helper()
	list := alterations(c.objects)
	f, err := newField(c, list)
	if err != nil {
		fatal(t, "the mutants cannot be made:\n%v", err)
		return nil
	}
	first, before := &trial{words: true}, f.rehearsed()
	first.run(func() { suite(first, before) })
	if first.failed() {
		fatal(t, "the suite fails without any edit:\n%s", first.text)
		return nil
	}
	fates := make([]fate, len(list))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(len(list)); i = next.Add(1) - 1 {
				fates[i] = f.try(&list[i], suite)
			}
		})
	}
	wg.Wait()

	all := &Mutants{}
	for _, fate := range fates {
		switch {
		case fate.refused:
		case fate.killed:
			all.Killed++
		case fate.survivor == nil:
			all.Equivalent++
		default:
			all.Survivors = append(all.Survivors, *fate.survivor)
		}
	}
	switch {
	case all.Killed+len(all.Survivors) == 0:
		fatal(t, "no edit changes what is reachable, so there is nothing to notice")
		return nil
	case all.Killed == 0 && !first.helped:
		fatal(t, "the suite asserts nothing")
		return nil
	}
	return all
}

// A fate is what has become of a mutant.
type fate struct {
	refused  bool
	killed   bool
	survivor *Mutant // nil if it is equivalent
}

func (f *field) try(a *alteration, suite func(TB, *Cluster)) fate {
	c, ok := f.mutant(a)
	if !ok {
		return fate{refused: true}
	}
	t := &trial{}
	if t.run(func() { suite(t, c) }); t.failed() {
		return fate{killed: true}
	}
	ch, same := reach.Equivalent(f.base.graph, c.graph)
	if same {
		return fate{}
	}
	return fate{survivor: f.survivor(a, ch)}
}

// survivor returns what is told of a mutant that no assertion kills.
func (f *field) survivor(a *alteration, ch reach.Change) *Mutant {
	m := &Mutant{Name: a.name, Edits: a.edits, before: a.before, after: a.after, Opened: ch.Opened, Family: ch.Family, More: -1}
	flow := ch.Flow()
	m.From, m.To, m.Port = nameOf(flow.From, ch.From), nameOf(flow.To, ch.To), flow.Port
	// A port that something mentions says more.
	for r := range ch.Ports.Intersect(f.origin.declared()).Ranges() {
		m.Port = r.Protocol.Port(r.First)
		break
	}
	for r := range ch.Ports.Ranges() {
		m.More += int(r.Last-r.First) + 1
	}
	return m
}

// examples are addresses that a reader knows for what they are.
var examples = [...]netip.Addr{
	netip.AddrFrom4([4]byte{203, 0, 113, 9}), netip.AddrFrom4([4]byte{198, 51, 100, 9}),
	netip.AddrFrom4([4]byte{192, 0, 2, 9}), netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: 9}),
}

// nameOf returns the name of one of ends, or an address of those outside.
func nameOf(e reach.Endpoint, of reach.Ends) string {
	addrs := of.Outside()
	if e.Name().Name != "" || addrs.IsEmpty() {
		return e.String()
	}
	for _, a := range examples {
		if addrs.Contains(a) {
			return a.String()
		}
	}
	return addrs.First().String()
}

// String returns the name of m, a flow that its edit opens or closes, and the edit.
func (m Mutant) String() string {
	verb := "closes"
	if m.Opened {
		verb = "opens"
	}
	s := fmt.Sprintf("%s\n%s %s -> %s %v", m.Name, verb, m.From, m.To, m.Port)
	if m.Family != reach.AnyFamily {
		s += " over " + m.Family.String()
	}
	switch {
	case m.More == 1:
		s += " and 1 more port"
	case m.More > 1:
		s += fmt.Sprintf(" and %d more ports", m.More)
	}
	return s + "\n" + strings.TrimSuffix(m.Diff(), "\n")
}

// String returns how many mutants there are, and the survivors.
func (m *Mutants) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%d mutants: %d killed, %d equivalent, %d survive", m.Killed+m.Equivalent+len(m.Survivors), m.Killed, m.Equivalent, len(m.Survivors))
	for _, x := range m.Survivors {
		fmt.Fprintf(&s, "\n\n%v", x)
	}
	return s.String()
}

// An Accepted is a mutant that may survive, by its name, and the reason.
type Accepted struct{ Mutant, Why string }

// NoneSurvives asserts that each survivor is accepted, and that all that is accepted
// does survive, each with a reason.
func (m *Mutants) NoneSurvives(t TB, accepted ...Accepted) bool {
	t.Helper()
	may := make(map[string]bool)
	var faults []string
	for _, a := range accepted {
		if strings.TrimSpace(a.Why) == "" {
			faults = append(faults, "accepted without a reason: "+a.Mutant)
		}
		may[a.Mutant] = true
	}
	rest := &Mutants{Killed: m.Killed, Equivalent: m.Equivalent}
	for _, x := range m.Survivors {
		if !may[x.Name] {
			rest.Survivors = append(rest.Survivors, x)
		}
		delete(may, x.Name)
	}
	for _, a := range accepted {
		if may[a.Mutant] {
			faults = append(faults, "accepted, but it does not survive: "+a.Mutant)
		}
	}
	if len(rest.Survivors) > 0 {
		faults = append(faults, "no assertion notices some edits\n"+rest.String())
	}
	if len(faults) > 0 {
		t.Errorf("%s", strings.Join(faults, "\n"))
	}
	return len(faults) == 0
}
