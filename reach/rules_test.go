package reach_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/yaml"
)

// A ruleCase is one document of testdata/rules, whose form the file README.md
// of testdata describes.
type ruleCase struct {
	Rule ruleNumbers `json:"rule"`
	Name string      `json:"name"`
	Why  string      `json:"why"`

	World     string        `json:"world"`
	Manifests string        `json:"manifests"`
	JSON      string        `json:"json"`
	Load      policy.Loader `json:"load"`
	Profile   profileChoice `json:"profile"`

	Flows    []string      `json:"flows"`
	Ports    []string      `json:"ports"`
	Under    []underChoice `json:"under"`
	Errors   []wantError   `json:"errors"`
	Warnings []wantWarning `json:"warnings"`
	Lookups  []wantLookup  `json:"lookups"`
	Same     string        `json:"same"`
}

type underChoice struct {
	Profile profileChoice `json:"profile"`
	Flows   []string      `json:"flows"`
}

// A field left out of a wantError or a wantWarning is not compared.
type wantError struct {
	Line   int     `json:"line"`
	Object string  `json:"object"`
	Field  string  `json:"field"`
	Type   *string `json:"type"`
	Says   string  `json:"says"`
}

type wantWarning struct {
	Code  string `json:"code"`
	Line  int    `json:"line"`
	Field string `json:"field"`
	Says  string `json:"says"`
}

type wantLookup struct {
	Text string `json:"text"`
	Says string `json:"says"`
}

// ruleNumbers is one rule number or a list of them.
type ruleNumbers []string

func (n *ruleNumbers) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*n = ruleNumbers{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(n))
}

// profileChoice is a reach.Profile in words.
type profileChoice struct{ reach.Profile }

func (c *profileChoice) UnmarshalJSON(data []byte) error {
	type words struct {
		IPBlockSkipsPods       bool
		IPBlockSkipsNodes      bool
		HostNetworkAsPods      bool
		EgressToOwnNodeAllowed bool
		EndPortIgnored         bool
		SCTP                   string
		NamedPorts             string
		NamedPortFirst         bool
		NotEnforced            bool
	}
	var w words
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&w); err != nil {
		return err
	}
	sctp, ok := map[string]reach.SCTPHandling{
		"": reach.SCTPEnforced, "dropped": reach.SCTPDropped, "bypasses": reach.SCTPBypasses,
	}[w.SCTP]
	if !ok {
		return fmt.Errorf("SCTP: unknown choice %q", w.SCTP)
	}
	named, ok := map[string]reach.NamedPortSource{
		"": reach.NamedPortsOfSidecars, "containers": reach.NamedPortsOfContainers, "all": reach.NamedPortsOfAllContainers,
	}[w.NamedPorts]
	if !ok {
		return fmt.Errorf("NamedPorts: unknown choice %q", w.NamedPorts)
	}
	c.Profile = reach.Profile{
		IPBlockSkipsPods:       w.IPBlockSkipsPods,
		IPBlockSkipsNodes:      w.IPBlockSkipsNodes,
		HostNetworkAsPods:      w.HostNetworkAsPods,
		EgressToOwnNodeAllowed: w.EgressToOwnNodeAllowed,
		EndPortIgnored:         w.EndPortIgnored,
		SCTP:                   sctp,
		NamedPorts:             named,
		NamedPortFirst:         w.NamedPortFirst,
		NotEnforced:            w.NotEnforced,
	}
	return nil
}

// errorTypes are the words of the cases for the kinds of errors.
var errorTypes = map[string]field.ErrorType{
	"":             "",
	"Invalid":      field.ErrorTypeInvalid,
	"Required":     field.ErrorTypeRequired,
	"Forbidden":    field.ErrorTypeForbidden,
	"NotSupported": field.ErrorTypeNotSupported,
	"Duplicate":    field.ErrorTypeDuplicate,
	"Type":         field.ErrorTypeTypeInvalid,
	"Unknown":      "FieldValueUnknown",
}

// TestRules checks each case of testdata/rules.
func TestRules(t *testing.T) {
	for _, file := range ruleFiles(t) {
		for _, c := range readRuleCases(t, file) {
			t.Run(c.title(), func(t *testing.T) {
				t.Cleanup(func() {
					if t.Failed() {
						t.Logf("%s: why: %s", file, c.Why)
					}
				})
				c.check(t)
			})
		}
	}
}

// TestEveryRuleHasACase compares the rules in semantics.md with those that the
// cases name, both ways.
func TestEveryRuleHasACase(t *testing.T) {
	text, err := os.ReadFile("semantics.md")
	require.NoError(t, err)
	rules := make(map[string]bool)
	for _, m := range regexp.MustCompile(`(?m)^\*\*(SEM-\d{3})\*\*`).FindAllStringSubmatch(string(text), -1) {
		assert.False(t, rules[m[1]], "semantics.md has %s twice", m[1])
		rules[m[1]] = true
	}
	require.NotEmpty(t, rules)

	named := make(map[string]bool)
	titles := make(map[string]string)
	for _, file := range ruleFiles(t) {
		for _, c := range readRuleCases(t, file) {
			assert.Empty(t, titles[c.title()], "%s: %q is there already", file, c.title())
			titles[c.title()] = file
			for _, rule := range c.Rule {
				assert.True(t, rules[rule], "%s: %q: semantics.md has no %s", file, c.Name, rule)
				named[rule] = true
			}
		}
	}
	var missing []string
	for rule := range rules {
		if !named[rule] {
			missing = append(missing, rule)
		}
	}
	slices.Sort(missing)
	assert.Empty(t, missing, "rules without a case")
}

func ruleFiles(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("../testdata/rules/*.yaml")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	return files
}

// readRuleCases reads the cases of a file.
func readRuleCases(t *testing.T, file string) []ruleCase {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var cases []ruleCase
	line := 1
	for doc := range strings.SplitSeq(string(text), "\n---\n") {
		c, err := parseRuleCase(doc)
		require.NoError(t, err, "%s: document at line %d", file, line)
		cases = append(cases, c)
		line += strings.Count(doc, "\n") + 2
	}
	return cases
}

// parseRuleCase reads a case and refuses one that is misspelled or cannot fail.
func parseRuleCase(doc string) (ruleCase, error) {
	var c ruleCase
	if err := yaml.UnmarshalStrict([]byte(doc), &c); err != nil {
		return ruleCase{}, err
	}
	return c, c.valid()
}

func (c *ruleCase) title() string {
	if len(c.Rule) == 0 {
		return c.Name
	}
	return c.Rule[0] + " " + c.Name
}

// valid reports what a case lacks to be worth running.
func (c *ruleCase) valid() error {
	answers := len(c.Flows) + len(c.Ports) + len(c.Under) + len(c.Warnings) + len(c.Lookups) + len(c.Same)
	for _, u := range c.Under {
		if len(u.Flows) == 0 {
			return fmt.Errorf("under %+v without flows", u.Profile)
		}
	}
	for _, e := range c.Errors {
		if e == (wantError{}) {
			return fmt.Errorf("an error without expectations")
		}
		if e.Type != nil {
			if _, ok := errorTypes[*e.Type]; !ok {
				return fmt.Errorf("unknown type of error %q", *e.Type)
			}
		}
	}
	for _, w := range c.Warnings {
		if w.Code == "" {
			return fmt.Errorf("a warning without code")
		}
	}
	for _, l := range c.Lookups {
		if l.Text == "" || l.Says == "" {
			return fmt.Errorf("a lookup without text or says")
		}
	}
	switch {
	case len(c.Rule) == 0 || c.Name == "" || c.Why == "":
		return fmt.Errorf("a case needs rule, name and why")
	case c.Manifests != "" && c.JSON != "":
		return fmt.Errorf("manifests and json exclude each other")
	case c.World != "" && c.World != "xyz":
		return fmt.Errorf("there is no world %q", c.World)
	case answers == 0 && len(c.Errors) == 0:
		return fmt.Errorf("the case asserts nothing")
	case answers != 0 && len(c.Errors) != 0:
		return fmt.Errorf("a faulty cluster has no answers to compare")
	}
	return nil
}

func (c *ruleCase) check(t *testing.T) {
	name, text := "case.yaml", c.Manifests
	if c.JSON != "" {
		name, text = "case.json", c.JSON
	}
	cluster, err := c.read(name, text)
	if err != nil {
		c.checkErrors(t, name, err)
		return
	}
	g, err := c.Profile.Compile(cluster)
	if err != nil || len(c.Errors) > 0 {
		c.checkErrors(t, name, err)
		return
	}

	checkQuestions(t, g, newNaive(cluster, c.Profile.Profile), c.Flows)
	for _, line := range c.Ports {
		checkPorts(t, g, line)
	}
	for _, u := range c.Under {
		under, err := u.Profile.Compile(cluster)
		require.NoError(t, err)
		checkQuestions(t, under, newNaive(cluster, u.Profile.Profile), u.Flows)
	}
	for _, want := range c.Warnings {
		if !slices.ContainsFunc(g.Warnings(), want.matches) {
			t.Errorf("no warning like %+v among:\n%s", want, lines(g.Warnings()))
		}
	}
	for _, want := range c.Lookups {
		_, err := g.Lookup(want.Text)
		assert.ErrorContains(t, err, want.Says, "Lookup(%q)", want.Text)
	}
	if c.Same != "" {
		other, err := c.read("same.yaml", c.Same)
		require.NoError(t, err, "same")
		h, err := c.Profile.Compile(other)
		require.NoError(t, err, "same")
		checkSame(t, g, h)
	}
}

// checkQuestions asks g each of lines. The evaluator that serves the property
// tests as oracle must know the answers too.
func checkQuestions(t *testing.T, g *reach.Graph, oracle *naive, lines []string) {
	t.Helper()
	for _, line := range lines {
		q, err := parseQuestion(line)
		if !assert.NoError(t, err) {
			continue
		}
		q.check(t, g)
		assert.Equal(t, q.Allow, oracle.allows(q.From, q.To, q.Port, q.Family), "the oracle: %s", line)
	}
}

// read reads text and puts it after the world of c.
func (c *ruleCase) read(name, text string) (*policy.Cluster, error) {
	world := new(policy.Cluster)
	if c.World != "" {
		var err error
		if world, err = worldXYZ(); err != nil {
			return nil, err
		}
	}
	own := new(policy.Cluster)
	if text != "" {
		var err error
		if own, err = c.Load.Parse(name, strings.NewReader(text)); err != nil {
			return nil, err
		}
	}
	return policy.Join(world, own), nil
}

// worldXYZ returns the world of most cases. Nothing changes a Cluster, so they
// share it.
var worldXYZ = sync.OnceValues(func() (*policy.Cluster, error) {
	const name = "xyz.yaml"
	text, err := os.ReadFile("../testdata/worlds/" + name)
	if err != nil {
		return nil, err
	}
	return policy.Parse(name, bytes.NewReader(text))
})

// checkErrors compares err with what c expects, one by one.
func (c *ruleCase) checkErrors(t *testing.T, file string, err error) {
	t.Helper()
	got := policy.Errors(err)
	if len(got) != len(c.Errors) {
		t.Errorf("want %d errors, got %d:\n%s", len(c.Errors), len(got), lines(got))
		return
	}
	for i, want := range c.Errors {
		e := got[i]
		if want.Line != 0 {
			assert.Equal(t, fmt.Sprint(file, ":", want.Line), fmt.Sprint(e.File, ":", e.Line), "place of error %d: %v", i, e)
		}
		if want.Object != "" {
			assert.Equal(t, want.Object, e.Object, "object of error %d: %v", i, e)
		}
		if want.Field != "" {
			assert.Equal(t, want.Field, e.Field, "field of error %d: %v", i, e)
		}
		if want.Type != nil {
			assert.Equal(t, errorTypes[*want.Type], e.Type, "type of error %d: %v", i, e)
		}
		assert.Contains(t, e.Err.Error(), want.Says, "text of error %d: %v", i, e)
	}
}

func (want wantWarning) matches(w policy.Warning) bool {
	return w.Code == want.Code &&
		(want.Line == 0 || w.Line == want.Line) &&
		(want.Field == "" || w.Field == want.Field) &&
		strings.Contains(w.Text, want.Says)
}

// checkPorts checks a line such as "x/a -> y/a: 80/TCP, 53/UDP".
func checkPorts(t *testing.T, g *reach.Graph, line string) {
	t.Helper()
	ends, want, ok := strings.Cut(line, ": ")
	require.True(t, ok, "%q: want FROM -> TO: PORTS", line)
	from, to, ok := strings.Cut(ends, " -> ")
	require.True(t, ok, "%q: want FROM -> TO: PORTS", line)
	f, err := g.Lookup(from)
	require.NoError(t, err, line)
	e, err := g.Lookup(to)
	require.NoError(t, err, line)
	assert.Equal(t, want, g.Ports(f, e).String(), line)
}

// checkSame checks that g and h hold the same pods and nodes and answer alike
// for all pairs of these and of some addresses.
func checkSame(t *testing.T, g, h *reach.Graph) {
	t.Helper()
	require.Equal(t, texts(g.Pods()), texts(h.Pods()))
	require.Equal(t, texts(g.Nodes()), texts(h.Nodes()))
	pairs := make([][2]reach.Endpoint, 0, len(g.Pods())+len(g.Nodes())+2)
	for i, e := range g.Pods() {
		pairs = append(pairs, [2]reach.Endpoint{e, h.Pods()[i]})
	}
	for i, e := range g.Nodes() {
		pairs = append(pairs, [2]reach.Endpoint{e, h.Nodes()[i]})
	}
	for _, text := range []string{"203.0.113.9", "2001:db8::9"} {
		a := netip.MustParseAddr(text)
		e, err := g.Addr(a)
		require.NoError(t, err)
		f, err := h.Addr(a)
		require.NoError(t, err)
		pairs = append(pairs, [2]reach.Endpoint{e, f})
	}
	ports := []policy.Port{
		policy.TCP.Port(80), policy.TCP.Port(81), policy.TCP.Port(8080), policy.UDP.Port(53), policy.UDP.Port(80),
		policy.SCTP.Port(80), {Protocol: policy.ICMP},
	}
	for _, from := range pairs {
		for _, to := range pairs {
			if a, b := g.Ports(from[0], to[0]), h.Ports(from[1], to[1]); !a.Equal(b) {
				t.Errorf("ports from %v to %v: %v, but for the same in other words %v", from[0], to[0], a, b)
			}
			for _, port := range ports {
				for _, family := range []reach.Family{reach.AnyFamily, reach.IPv4, reach.IPv6} {
					f := reach.Flow{From: from[0], To: to[0], Port: port, Family: family}
					a, b := g.Allows(f), h.Allows(reach.Flow{From: from[1], To: to[1], Port: port, Family: family})
					if a != b {
						t.Errorf("%v over family %d: %t, but for the same in other words %t", f, family, a, b)
					}
				}
			}
		}
	}
}

func texts(ends []reach.Endpoint) []string {
	var all []string
	for _, e := range ends {
		all = append(all, e.String())
	}
	return all
}

// lines prints each of list on a line of its own.
func lines[T any](list []T) string {
	var b strings.Builder
	for _, v := range list {
		fmt.Fprintf(&b, "%v\n", v)
	}
	return b.String()
}

func TestParseRuleCase(t *testing.T) {
	const head = "rule: SEM-001\nname: n\nwhy: w\n"
	good := []struct{ doc, why string }{
		{head + "flows: [x/a -> x/b 80/TCP allow]", "a question asserts something"},
		{head + "errors: [{line: 1}]", "so does an error"},
		{head + "profile: {SCTP: dropped, NamedPorts: all, NotEnforced: true}\nsame: x", "a profile may have any field"},
		{"rule: [SEM-001, SEM-002]\nname: n\nwhy: w\nsame: x", "a case may be about several rules"},
	}
	for _, row := range good {
		_, err := parseRuleCase(row.doc)
		assert.NoError(t, err, "%s: %s", row.why, row.doc)
	}

	bad := []struct{ doc, says, why string }{
		{"name: n\nwhy: w\nsame: x", "needs rule", "the rule is missing"},
		{"rule: SEM-001\nwhy: w\nsame: x", "needs rule, name", "the name is missing"},
		{"rule: SEM-001\nname: n\nsame: x", "name and why", "the reason is missing"},
		{head + "world: xyz", "asserts nothing", "a cluster alone is no assertion"},
		{head + "flows: []", "asserts nothing", "nor is an empty list"},
		{head + "flow: [x/a -> x/b 80/TCP allow]", "unknown field", "the key is misspelled"},
		{head + "same: x\nsame: y", "already set", "the key is there twice"},
		{head + "profile: {Sctp: none}\nsame: x", "unknown choice", "the choice is misspelled"},
		{head + "profile: {IPBlocks: true}\nsame: x", "unknown field", "the field of the profile is misspelled"},
		{head + "under: [{profile: {NotEnforced: true}}]", "without flows", "another profile without a question asserts nothing"},
		{head + "errors: [{}]", "without expectations", "any error would do"},
		{head + "errors: [{type: Wrong}]", "unknown type", "the type of the error is misspelled"},
		{head + "errors: [{line: 1}]\nflows: [x/a -> x/b 80/TCP allow]", "no answers", "there is a graph or there are errors"},
		{head + "warnings: [{line: 1}]", "without code", "any warning would do"},
		{head + "lookups: [{text: x/a}]", "without text or says", "any error would do"},
		{head + "world: abc\nsame: x", "no world", "the world is misspelled"},
		{head + "manifests: a\njson: b\nsame: x", "exclude each other", "one of the two would be left out"},
	}
	for _, row := range bad {
		_, err := parseRuleCase(row.doc)
		assert.ErrorContains(t, err, row.says, "%s: %s", row.why, row.doc)
	}
}
