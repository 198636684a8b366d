package reachtest

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"sync"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// A Coverage tells which parts of policies the assertions about some Clusters
// depend on. The parts, or items, are that a policy isolates its pods for a
// direction, each rule, and each item of from, to and ports.
//
// To take an item away means here: the policy no longer isolates for the direction,
// or no longer has the rule, or the rule no longer matches what this one of its
// items alone matches. All else stays; a list that becomes empty matches nothing.
//
// An assertion is about the flows that it asks for: of every pair of endpoints and
// on every port that the items of policies tell apart, whether it holds or not. A
// connection to a Service is the flows to its backends. Where it is enough that one
// flow is allowed, as with some of the clients of [Cluster.IsReachedOnlyBy] and of
// the servers of [Cluster.ResolvesDNS], the assertion turns if the last one does.
// [Cluster.NeverReaches] is about the flows of pods that there could be, and counts
// if it holds. An item is
//
//   - [Covered] if some assertion turns when the item alone is taken away: the only
//     rule that lets a flow in, the only policy that isolates the end that denies
//     one;
//   - [Shared] if flows that are asserted match it, or are denied at an end that it
//     isolates, but others do the same for each of them, so that nothing turns:
//     other rules, other policies, or the other end, which denies as well;
//   - [Uncovered] otherwise: no assertion would notice that it is gone.
//
// What [Cluster.With] changes is not covered: assertions about a Cluster after edits
// count for the policies that are as they were before.
//
// The zero Coverage is empty, and ready for use. A Coverage must not be copied. It
// is safe for concurrent use.
//
// A whole run of tests is covered without a Coverage, and without a change of the
// tests, if POLREACH_COVER is the name of a folder:
//
//	POLREACH_COVER=$PWD/cover go test -count=1 ./...
//
// Then the test binary of every package that reads manifests with [FS] and [Text]
// writes there a report as text and one as HTML, about all of them together, under
// the name of the package. They are complete when the tests have ended. Policies
// that were made in Go do not count: property tests make many.
type Coverage struct {
	mu      sync.Mutex
	entries map[string]*entry // by what makes them the same
	texts   map[[sha256.Size]byte][]byte
	changes int
	run     *run // of which it is, or nil
}

// A Level tells how assertions depend on an item. Higher ones are better.
type Level uint8

// The levels, see [Coverage].
const (
	Uncovered Level = iota
	Shared
	Covered
)

// String returns "not covered", "covered only together with others" or "covered".
func (l Level) String() string {
	switch l {
	case Shared:
		return "covered only together with others"
	case Covered:
		return "covered"
	}
	return "not covered"
}

// A Kind is a kind of items of policies.
type Kind uint8

// The kinds of items.
const (
	Isolation Kind = iota // that a policy isolates its pods for a direction
	Rule
	Peer // an item of from or to
	Port // an item of ports
)

// String returns the kind in the plural: "rules".
func (k Kind) String() string {
	return [...]string{"isolations", "rules", "peers", "port items"}[k]
}

// An Item is a part of a policy that can be covered.
type Item struct {
	Kind      Kind
	Direction policy.Direction
	Place     policy.Place // of an Isolation, the item of policyTypes, or if there is none, the spec
	Level     Level
}

// String returns where the item stands, and of an Isolation also what it is.
func (it Item) String() string {
	if it.Kind == Isolation {
		return fmt.Sprintf("%v: isolation for %v", it.Place, it.Direction)
	}
	return it.Place.String()
}

// An entry is a policy that is to be covered.
type entry struct {
	ref    reach.PolicyRef
	object *networkingv1.NetworkPolicy
	text   [sha256.Size]byte // of its file; zero if there is none
	items  []Item
	index  map[item]int // by what a record calls them, without the policy
}

// Watch returns c with assertions that cov records, as well as those about what
// With, Under and Require make of it. The policies that c has are to be covered.
// Those with the same text in the same file of another Cluster are the same.
func (cov *Coverage) Watch(c *Cluster) *Cluster {
	n := *c
	n.asked = c.asked.watch(&n, cov.watch(c, func(policy.Place) bool { return true }))
	return &n
}

// watch returns a watcher of the policies at some places.
func (cov *Coverage) watch(c *Cluster, counts func(policy.Place) bool) watcher {
	cov.mu.Lock()
	defer cov.mu.Unlock()
	if cov.entries == nil {
		cov.entries, cov.texts = make(map[string]*entry), make(map[[sha256.Size]byte][]byte)
	}
	w := watcher{coverage: cov, policies: make(map[*networkingv1.NetworkPolicy]*entry)}
	sums := make(map[string][sha256.Size]byte) // of files
	for _, np := range c.objects.Policies {
		if np == nil || !counts(c.objects.Place(np, "")) {
			continue
		}
		e, err := newEntry(c.objects, np)
		if err != nil {
			continue // what is compiled has no error
		}
		key := fmt.Sprintf("%#v", e.ref)
		if file := e.ref.Place.File; file != "" && c.files != nil {
			sum, ok := sums[file]
			if !ok {
				if text, err := fs.ReadFile(c.files, file); err == nil {
					sum = sha256.Sum256(text)
					cov.texts[sum] = text
				}
				sums[file] = sum
			}
			e.text = sum
		}
		if e.text == [sha256.Size]byte{} {
			key += string(e.yaml())
		} else {
			key += string(e.text[:])
		}
		if same := cov.entries[key]; same != nil {
			e = same
		} else {
			cov.entries[key] = e
			cov.changes++
		}
		w.policies[np] = e
	}
	return w
}

// ruleField returns the path of a rule in a policy.
func ruleField(d policy.Direction, i int) string { return fmt.Sprintf("spec.%v[%d]", d, i) }

func newEntry(c *policy.Cluster, np *networkingv1.NetworkPolicy) (*entry, error) {
	p, err := policy.New(np)
	if err != nil {
		return nil, err
	}
	e := &entry{object: np, index: make(map[item]int)}
	e.ref = reach.PolicyRef{Name: p.Name, Place: c.Place(np, "")}
	add := func(it item, field string) {
		e.index[it] = len(e.items)
		e.items = append(e.items, Item{Kind: it.kind, Direction: it.direction, Place: c.Place(np, field)})
	}
	for _, d := range [...]policy.Direction{policy.Ingress, policy.Egress} {
		h := p.Half(d)
		if !h.Isolates {
			continue
		}
		field := "spec"
		for i, t := range np.Spec.PolicyTypes {
			if strings.EqualFold(string(t), d.String()) {
				field = fmt.Sprintf("spec.policyTypes[%d]", i)
			}
		}
		add(item{direction: d, kind: Isolation}, field)
		for i, rule := range h.Rules {
			at, peers := ruleField(d, i), "to"
			if d == policy.Ingress {
				peers = "from"
			}
			it := item{direction: d, kind: Rule, rule: int32(i)}
			add(it, at)
			for j, peer := range rule.Peers {
				if it.kind, it.index = Peer, int32(j); peer != (policy.Anyone{}) {
					add(it, fmt.Sprintf("%s.%s[%d]", at, peers, j))
				}
			}
			for j, port := range rule.Ports {
				if it.kind, it.index = Port, int32(j); port != (policy.PortItem{}) {
					add(it, fmt.Sprintf("%s.ports[%d]", at, j))
				}
			}
		}
	}
	return e, nil
}

// yaml returns the policy as a manifest, with what has a bearing.
func (e *entry) yaml() []byte {
	text, err := yaml.Marshal(&networkingv1.NetworkPolicy{
		TypeMeta: metav1.TypeMeta{APIVersion: "networking.k8s.io/v1", Kind: "NetworkPolicy"},
		ObjectMeta: metav1.ObjectMeta{
			Name: e.object.Name, GenerateName: e.object.GenerateName, Namespace: e.object.Namespace, Labels: e.object.Labels,
		},
		Spec: e.object.Spec,
	})
	if err != nil {
		return []byte("# " + err.Error())
	}
	return text
}

// raise takes over how a verdict depends on items.
func (cov *Coverage) raise(entries []*entry, by effect) {
	cov.mu.Lock()
	defer cov.mu.Unlock()
	for it, level := range by.levels {
		e := entries[it.policy]
		if e == nil {
			continue
		}
		it.policy = 0
		if i, ok := e.index[it]; ok && e.items[i].Level < level {
			e.items[i].Level = level
			cov.changes++
		}
	}
}

// A snapshot is a Coverage at one time.
type snapshot struct {
	files []coveredFile
	tally [4][3]int // by Kind and Level
}

// A coveredFile is the policies of a file, or one that has none.
type coveredFile struct {
	name     string
	text     []byte // as it is shown
	policies []coveredPolicy
}

type coveredPolicy struct {
	place policy.Place
	line  int // in the text that is shown
	items []Item
	lines []int // of items in the text that is shown
}

func (cov *Coverage) snapshot() snapshot {
	cov.mu.Lock()
	defer cov.mu.Unlock()
	var s snapshot
	index := make(map[string]int)
	for key, e := range cov.entries {
		p := coveredPolicy{place: e.ref.Place, line: e.ref.Place.Line, items: slices.Clone(e.items)}
		name, text := e.ref.Place.File, cov.texts[e.text]
		if text == nil {
			name, text = e.ref.Place.String(), e.yaml()
			p.line, p.lines = 1, linesIn(text, p.items)
		} else {
			key = name + "\x00" + string(e.text[:])
			for _, it := range p.items {
				p.lines = append(p.lines, it.Place.Line)
			}
		}
		i, ok := index[key]
		if !ok {
			i = len(s.files)
			index[key] = i
			s.files = append(s.files, coveredFile{name: name, text: text})
		}
		s.files[i].policies = append(s.files[i].policies, p)
		for _, it := range p.items {
			s.tally[it.Kind][it.Level]++
		}
	}
	slices.SortFunc(s.files, func(a, b coveredFile) int {
		return cmp.Or(cmp.Compare(a.name, b.name), bytes.Compare(a.text, b.text))
	})
	same := 1
	for i := range s.files {
		f := &s.files[i]
		slices.SortFunc(f.policies, func(a, b coveredPolicy) int {
			return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.place.Object, b.place.Object))
		})
		if same++; i == 0 || f.name != s.files[i-1].name {
			same = 1
			continue
		}
		// Texts in tests are all called the same.
		name := fmt.Sprintf("%s (%d)", f.name, same)
		for n := range f.policies {
			p := &f.policies[n]
			if p.place.File == "" {
				continue
			}
			p.place.File = name
			for i := range p.items {
				p.items[i].Place.File = name
			}
		}
	}
	return s
}

// linesIn returns the lines of items in a manifest of their policy.
func linesIn(text []byte, items []Item) []int {
	lines := make([]int, len(items))
	if c, err := policy.Parse("", bytes.NewReader(text)); err == nil && len(c.Policies) == 1 {
		for i, it := range items {
			lines[i] = c.Place(c.Policies[0], it.Place.Field).Line
		}
	}
	return lines
}

// Items returns all items, those of a file in the order of their lines.
func (cov *Coverage) Items() []Item {
	var all []Item
	for _, f := range cov.snapshot().files {
		for _, p := range f.policies {
			all = append(all, p.items...)
		}
	}
	return all
}

// String returns the report as text: the items that are not covered and those that
// are only together with others, one a line, and how many there are. What holds for
// all of a policy or of a rule is said once.
func (cov *Coverage) String() string { return cov.snapshot().String() }

func (s snapshot) String() string {
	var b strings.Builder
	for _, level := range [...]Level{Uncovered, Shared} {
		var lines []string
		for _, f := range s.files {
			for _, p := range f.policies {
				for _, it := range p.faults(level) {
					lines = append(lines, it.text)
				}
			}
		}
		if len(lines) > 0 {
			fmt.Fprintf(&b, "%s:\n%s\n\n", capital(level.String()), strings.Join(lines, "\n"))
		}
	}
	fmt.Fprintf(&b, "%-12s %8s %8s %8s\n", "", "covered", "shared", "not")
	sum := s.sum()
	for k, n := range s.tally {
		fmt.Fprintf(&b, "%-12s %8d %8d %8d\n", Kind(k), n[Covered], n[Shared], n[Uncovered])
	}
	fmt.Fprintf(&b, "%-12s %8d %8d %8d\n", "all", sum[Covered], sum[Shared], sum[Uncovered])
	return b.String()
}

func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// sum returns how many items there are of each Level.
func (s snapshot) sum() (n [3]int) {
	for _, t := range s.tally {
		for l := range n {
			n[l] += t[l]
		}
	}
	return n
}

// A gap is an item that is not covered, or all of a policy.
type gap struct {
	text string
	line int // in the text that is shown
}

// faults returns the items of a Level other than Covered. Where all items of the
// policy have it there is one for all of them, and where a rule has it none for its
// items that have it too.
func (p coveredPolicy) faults(level Level) []gap {
	if !slices.ContainsFunc(p.items, func(it Item) bool { return it.Level != level }) {
		return []gap{{p.place.String(), p.line}}
	}
	var all []gap
	rule := Covered
	for i, it := range p.items {
		if it.Kind == Rule {
			rule = it.Level
		}
		if it.Level == level && (it.Kind == Isolation || it.Kind == Rule || rule != level) {
			all = append(all, gap{it.String(), p.lines[i]})
		}
	}
	slices.SortStableFunc(all, func(a, b gap) int { return cmp.Compare(a.line, b.line) })
	return all
}
