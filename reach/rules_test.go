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

	Hosts map[string][]netip.Addr `json:"hosts"` // Cluster.Hosts

	Flows     []string       `json:"flows"`
	Traces    []wantTrace    `json:"traces"`
	Ports     []string       `json:"ports"`
	Under     []underChoice  `json:"under"`
	Errors    []wantError    `json:"errors"`
	Warnings  []wantWarning  `json:"warnings"`
	Lookups   []wantLookup   `json:"lookups"`
	Targets   []wantTarget   `json:"targets"`
	PortNames []wantPortName `json:"portnames"`
	Exposures []wantExposure `json:"exposures"`
	DNS       []string       `json:"dns"`
	Routes    []wantRoute    `json:"routes"`
	Same      string         `json:"same"`
}

type underChoice struct {
	Profile profileChoice `json:"profile"`
	Flows   []string      `json:"flows"`
	Traces  []wantTrace   `json:"traces"`
}

// Paths that are left out are not compared.
type wantTrace struct {
	Ask      string     `json:"ask"`
	Balancer netip.Addr `json:"balancer"`
	Paths    []string   `json:"paths"`
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

// A wantTarget has either Says, a part of the error, or Is.
type wantTarget struct {
	Text string `json:"text"`
	Says string `json:"says"`
	Is   string `json:"is"`
}

// A wantPortName has either Says, a part of the error, or Port.
type wantPortName struct {
	To   string `json:"to"`
	Text string `json:"text"`
	Port string `json:"port"`
	Says string `json:"says"`
}

// What is empty is not compared. The Door "none" says that there is none at all.
type wantExposure struct {
	Of       string       `json:"of"`
	Pod      string       `json:"pod"`
	Door     string       `json:"door"`
	Service  string       `json:"service"`
	Addr     string       `json:"addr"`
	DoorPort string       `json:"doorPort"`
	Proxied  *bool        `json:"proxied"`
	Port     string       `json:"port"`
	SeenAs   string       `json:"seenAs"`
	In       []netip.Addr `json:"in"`
	Out      []netip.Addr `json:"out"`
	Unknown  []netip.Addr `json:"unknown"`
	Says     string       `json:"says"`
	OwnNode  *bool        `json:"ownNode"`
}

// Outcome has a word for each controller, and none if there is a Fault. All
// else that is left out is not compared.
type wantRoute struct {
	Controllers []string `json:"controllers"`
	Ingress     string   `json:"ingress"`
	Line        int      `json:"line"`
	Host        *string  `json:"host"`
	Path        *string  `json:"path"`
	Service     string   `json:"service"`
	Port        string   `json:"port"`
	Fault       string   `json:"fault"`
	Outcome     string   `json:"outcome"`
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
		Hairpin                string
		ServiceSNAT            string
		ServiceAddressPoliced  bool
		DenyServiceExternalIPs bool
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
	hairpin, ok := map[string]reach.Hairpin{
		"": reach.HairpinAllowed, "masqueraded": reach.HairpinMasqueraded, "policed": reach.HairpinPoliced,
	}[w.Hairpin]
	if !ok {
		return fmt.Errorf("Hairpin: unknown choice %q", w.Hairpin)
	}
	snat, ok := map[string]reach.ServiceSNAT{
		"": reach.SNATKubeProxy, "never": reach.SNATNever, "always": reach.SNATAlways,
	}[w.ServiceSNAT]
	if !ok {
		return fmt.Errorf("ServiceSNAT: unknown choice %q", w.ServiceSNAT)
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
		Hairpin:                hairpin,
		ServiceSNAT:            snat,
		ServiceAddressPoliced:  w.ServiceAddressPoliced,
		DenyServiceExternalIPs: w.DenyServiceExternalIPs,
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
	answers := len(c.Flows) + len(c.Traces) + len(c.Ports) + len(c.Under) + len(c.Warnings) + len(c.Lookups) +
		len(c.Targets) + len(c.PortNames) + len(c.Exposures) + len(c.DNS) + len(c.Routes) + len(c.Same)
	traces := c.Traces
	for _, u := range c.Under {
		if len(u.Flows)+len(u.Traces) == 0 {
			return fmt.Errorf("under %+v without flows and traces", u.Profile)
		}
		traces = slices.Concat(traces, u.Traces)
	}
	for _, w := range traces {
		q, err := parseQuestion(w.Ask)
		if err != nil {
			return err
		}
		if q.Outcome == "" {
			return fmt.Errorf("the question of a trace must have an outcome: %q", w.Ask)
		}
		for _, line := range w.Paths {
			if _, err := parsePath(line); err != nil {
				return err
			}
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
	for _, w := range c.Targets {
		if w.Text == "" || (w.Says == "") == (w.Is == "") {
			return fmt.Errorf("a target needs text, and either says or is")
		}
	}
	for _, w := range c.PortNames {
		if w.To == "" || w.Text == "" || (w.Says == "") == (w.Port == "") {
			return fmt.Errorf("a port name needs to and text, and either says or port")
		}
	}
	for _, x := range c.Exposures {
		if x.Of == "" || x.Door != "none" && !slices.Contains(doorWords[1:], x.Door) {
			return fmt.Errorf("an exposure needs of and the kind of a door, or none")
		}
	}
	for _, line := range c.DNS {
		if _, err := parseDNS(line); err != nil {
			return err
		}
	}
	for _, r := range c.Routes {
		if r.Ingress == "" || r.Fault != "" && r.Outcome != "" {
			return fmt.Errorf("a route needs ingress, and has no outcome if it has a fault")
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

	checkQuestions(t, g, newNaive(cluster, c.Profile.Profile), c.Flows, c.Traces)
	for _, line := range c.Ports {
		checkPorts(t, g, line)
	}
	for _, u := range c.Under {
		under, err := u.Profile.Compile(cluster)
		require.NoError(t, err)
		checkQuestions(t, under, newNaive(cluster, u.Profile.Profile), u.Flows, u.Traces)
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
	for _, want := range c.Targets {
		want.check(t, g)
	}
	for _, want := range c.PortNames {
		want.check(t, g)
	}
	checkExposures(t, g, c.Exposures)
	for _, line := range c.DNS {
		checkDNS(t, g, line)
	}
	checkRoutes(t, g, c.Routes)
	if c.Same != "" {
		other, err := c.read("same.yaml", c.Same)
		require.NoError(t, err, "same")
		h, err := c.Profile.Compile(other)
		require.NoError(t, err, "same")
		checkSame(t, g, h)
	}
}

// checkQuestions asks g each of lines and traces. The evaluator that serves the
// property tests as oracle must know the answers too.
func checkQuestions(t *testing.T, g *reach.Graph, oracle *naive, lines []string, traces []wantTrace) {
	t.Helper()
	for _, line := range lines {
		q, err := parseQuestion(line)
		if !assert.NoError(t, err) {
			continue
		}
		q.check(t, g)
		q.checkOracle(t, g, oracle, netip.Addr{})
	}
	for _, want := range traces {
		q, err := parseQuestion(want.Ask)
		if !assert.NoError(t, err) {
			continue
		}
		trace, ok := q.trace(t, g, want.Balancer)
		if ok && want.Paths != nil {
			checkPaths(t, g, trace, want.Paths)
		}
		q.checkOracle(t, g, oracle, want.Balancer)
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
	cluster := policy.Join(world, own)
	cluster.Hosts = c.Hosts
	return cluster, nil
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

func (want wantTarget) check(t *testing.T, g *reach.Graph) {
	t.Helper()
	target, err := g.Target(want.Text)
	if want.Says != "" {
		assert.ErrorContains(t, err, want.Says, "Target(%q)", want.Text)
		return
	}
	if assert.NoError(t, err, "Target(%q)", want.Text) {
		assert.Equal(t, want.Is, target.String(), "Target(%q)", want.Text)
	}
}

func (want wantPortName) check(t *testing.T, g *reach.Graph) {
	t.Helper()
	to, err := g.Target(want.To)
	require.NoError(t, err)
	port, err := to.Port(want.Text)
	if want.Says != "" {
		assert.ErrorContains(t, err, want.Says, "port %q of %s", want.Text, want.To)
		return
	}
	if assert.NoError(t, err, "port %q of %s", want.Text, want.To) {
		assert.Equal(t, want.Port, port.String(), "port %q of %s", want.Text, want.To)
	}
}

// checkExposures compares the exposures of each pod that want names with want,
// one by one.
func checkExposures(t *testing.T, g *reach.Graph, want []wantExposure) {
	t.Helper()
	byPod := make(map[string][]wantExposure)
	var pods []string
	for _, x := range want {
		if !slices.Contains(pods, x.Of) {
			pods = append(pods, x.Of)
		}
		if x.Door != "none" {
			byPod[x.Of] = append(byPod[x.Of], x)
		}
	}
	for _, pod := range pods {
		e, err := g.Lookup(pod)
		require.NoError(t, err)
		got := g.Exposures(e)
		if len(got) != len(byPod[pod]) {
			t.Errorf("want %d exposures of %s, got %d:\n%s", len(byPod[pod]), pod, len(got), lines(got))
			continue
		}
		for i, x := range byPod[pod] {
			x.check(t, got[i])
		}
	}
}

// check compares got with want.
func (want wantExposure) check(t *testing.T, got reach.Exposure) {
	t.Helper()
	given := func(want, has, what string) {
		t.Helper()
		if want != "" {
			assert.Equal(t, want, has, "%s: %v", what, got)
		}
	}
	given(want.Door, string(got.Door.Kind), "door")
	given(want.Service, got.Door.Service.String(), "service")
	given(want.Addr, got.Door.Addr.String(), "address")
	given(want.DoorPort, got.Door.Port.String(), "port of the door")
	given(want.Port, got.Port.String(), "port")
	given(want.Pod, got.Pod.String(), "pod")
	given(want.SeenAs, string(got.SeenAs), "seen as")
	if want.Proxied != nil {
		assert.Equal(t, *want.Proxied, got.Door.Proxied, "proxied: %v", got)
	}
	if want.OwnNode != nil {
		assert.Equal(t, *want.OwnNode, got.OwnNode, "own node: %v", got)
	}
	assert.Contains(t, got.Missing, want.Says, "missing: %v", got)
	for _, a := range want.In {
		assert.True(t, got.Clients.Contains(a), "%v gets in: %v", a, got)
	}
	for _, a := range want.Out {
		assert.False(t, got.Clients.Contains(a) || got.Unknown.Contains(a), "%v stays out: %v", a, got)
	}
	for _, a := range want.Unknown {
		assert.True(t, got.Unknown.Contains(a) && !got.Clients.Contains(a), "%v is unknown: %v", a, got)
	}
}

// A wantDNS is a line such as "x/a resolves UDP all TCP none via svc:x/dns".
type wantDNS struct {
	From     string
	Answer   string // resolves, fails or error
	UDP, TCP []reach.Outcome
	Via      []string
}

func parseDNS(line string) (wantDNS, error) {
	bad := fmt.Errorf("dns %q: want CLIENT resolves|fails|error [UDP OUTCOME...] [TCP OUTCOME...] [via TARGET...]", line)
	text, _, _ := strings.Cut(line, " #")
	words := strings.Fields(text)
	if len(words) < 2 || !slices.Contains([]string{"resolves", "fails", "error"}, words[1]) {
		return wantDNS{}, bad
	}
	w := wantDNS{From: words[0], Answer: words[1]}
	list := ""
	for _, word := range words[2:] {
		switch {
		case word == "UDP" || word == "TCP" || word == "via":
			list = word
		case list == "via":
			w.Via = append(w.Via, word)
		case list == "" || !slices.Contains(outcomeWords, reach.Outcome(word)):
			return wantDNS{}, bad
		case list == "UDP":
			w.UDP = append(w.UDP, reach.Outcome(word))
		default:
			w.TCP = append(w.TCP, reach.Outcome(word))
		}
	}
	return w, nil
}

// checkDNS checks a line that parseDNS reads.
func checkDNS(t *testing.T, g *reach.Graph, line string) {
	t.Helper()
	want, err := parseDNS(line)
	require.NoError(t, err)
	from, err := g.Lookup(want.From)
	require.NoError(t, err, line)
	var servers []reach.Target
	for _, text := range want.Via {
		server, err := g.Target(text)
		require.NoError(t, err, line)
		servers = append(servers, server)
	}
	got, err := g.DNS(from, servers...)
	if want.Answer == "error" {
		assert.Error(t, err, line)
		return
	}
	if !assert.NoError(t, err, line) {
		return
	}
	assert.Equal(t, want.Answer == "resolves", got.Resolves(), "%s\n%v", line, got)
	if want.UDP != nil {
		assert.Equal(t, want.UDP, outcomesOf(got.UDP), "%s\n%v", line, got)
	}
	if want.TCP != nil {
		assert.Equal(t, want.TCP, outcomesOf(got.TCP), "%s\n%v", line, got)
	}
}

func outcomesOf(traces []reach.Trace) []reach.Outcome {
	var list []reach.Outcome
	for _, trace := range traces {
		list = append(list, trace.Outcome)
	}
	return list
}

// checkRoutes compares the routes for each list of controllers that want names
// with want, one by one.
func checkRoutes(t *testing.T, g *reach.Graph, want []wantRoute) {
	t.Helper()
	byControllers := make(map[string][]wantRoute)
	for _, r := range want {
		key := strings.Join(r.Controllers, " ")
		byControllers[key] = append(byControllers[key], r)
	}
	for key, want := range byControllers {
		var controllers []reach.Endpoint
		for _, text := range strings.Fields(key) {
			e, err := g.Lookup(text)
			require.NoError(t, err)
			controllers = append(controllers, e)
		}
		got := g.Routes(controllers...)
		if len(got) != len(want) {
			t.Errorf("want %d routes of %q, got %d:\n%s", len(want), key, len(got), lines(got))
			continue
		}
		for i, r := range want {
			r.check(t, got[i])
		}
	}
}

// check compares got with want.
func (want wantRoute) check(t *testing.T, got reach.Route) {
	t.Helper()
	assert.Equal(t, want.Ingress, got.Ingress.String(), "ingress: %v", got)
	if want.Line != 0 {
		assert.Equal(t, want.Line, got.Place.Line, "line: %v", got)
	}
	if want.Host != nil {
		assert.Equal(t, *want.Host, got.Host, "host: %v", got)
	}
	if want.Path != nil {
		assert.Equal(t, *want.Path, got.Path, "path: %v", got)
	}
	if want.Service != "" {
		assert.Equal(t, want.Service, got.Service.String(), "service: %v", got)
	}
	if want.Port != "" {
		assert.Equal(t, want.Port, got.Port, "port: %v", got)
	}
	if want.Fault == "" {
		assert.Empty(t, got.Fault, "fault: %v", got)
	} else {
		assert.Contains(t, got.Fault, want.Fault, "fault: %v", got)
	}
	var outcomes []reach.Outcome
	for word := range strings.FieldsSeq(want.Outcome) {
		outcomes = append(outcomes, reach.Outcome(word))
	}
	assert.Equal(t, outcomes, outcomesOf(got.Traces), "outcomes: %v", got)
}

// checkSame checks that g and h hold the same pods and nodes and answer alike
// for all pairs of these and of some addresses, and for the Services that both
// hold.
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
	families := []reach.Family{reach.AnyFamily, reach.IPv4, reach.IPv6}
	for _, from := range pairs {
		for _, to := range pairs {
			if a, b := g.Ports(from[0], to[0]), h.Ports(from[1], to[1]); !a.Equal(b) {
				t.Errorf("ports from %v to %v: %v, but for the same in other words %v", from[0], to[0], a, b)
			}
			for _, port := range ports {
				for _, family := range families {
					f := reach.Flow{From: from[0], To: to[0], Port: port, Family: family}
					a, b := g.Allows(f), h.Allows(reach.Flow{From: from[1], To: to[1], Port: port, Family: family})
					if a != b {
						t.Errorf("%v over family %d: %t, but for the same in other words %t", f, family, a, b)
					}
				}
			}
		}
		for _, to := range g.Services() {
			other, err := h.Target(to.String())
			if err != nil {
				continue
			}
			for _, port := range ports {
				for _, family := range families {
					c := reach.Connection{From: from[0], To: to, Port: port, Family: family}
					a := g.Trace(c).Outcome
					b := h.Trace(reach.Connection{From: from[1], To: other, Port: port, Family: family}).Outcome
					if a != b {
						t.Errorf("%v over family %d: %s, but for the same in other words %s", c, family, a, b)
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
		{head + "traces: [{ask: x/b -> svc:x/s 80 some, paths: [x/a 80/TCP from x/b allow]}]", "a trace asserts something"},
		{head + "under: [{traces: [{ask: x/b -> svc:x/s 80 unknown, balancer: 198.51.100.5}]}]", "also under another profile"},
		{head + "targets: [{text: svc:x/t, says: near}]\nhosts: {a.example: [203.0.113.9]}", "so does a target"},
		{head + "portnames: [{to: svc:x/s, text: web, port: 80/TCP}]", "and the name of a port"},
		{head + "exposures: [{of: x/a, door: none}]", "that there is no door asserts something"},
		{head + "exposures: [{of: x/a, door: NodePort, in: [203.0.113.9], ownNode: false}]", "and one that there is"},
		{head + "dns:\n- x/a resolves UDP all TCP some none via svc:x/dns 10.0.1.1 # why", "a line about DNS may have every part"},
		{head + "routes: [{ingress: x/web}]", "a route without controllers has no outcome"},
		{head + "profile: {Hairpin: policed, ServiceSNAT: never, ServiceAddressPoliced: true}\nsame: x", "Services have choices"},
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
		{head + "under: [{profile: {NotEnforced: true}}]", "without flows and traces", "another profile without a question asserts nothing"},
		{head + "errors: [{}]", "without expectations", "any error would do"},
		{head + "errors: [{type: Wrong}]", "unknown type", "the type of the error is misspelled"},
		{head + "errors: [{line: 1}]\nflows: [x/a -> x/b 80/TCP allow]", "no answers", "there is a graph or there are errors"},
		{head + "warnings: [{line: 1}]", "without code", "any warning would do"},
		{head + "lookups: [{text: x/a}]", "without text or says", "any error would do"},
		{head + "traces: [{ask: x/b -> x/a 80/TCP allow}]", "must have an outcome", "a flow has no paths"},
		{head + "traces: [{ask: x/b -> svc:x/s 80 most}]", "nor an outcome", "the outcome is misspelled"},
		{head + "traces: [{ask: x/b -> svc:x/s 80 all, paths: [x/a 80/TCP]}]", "want BACKEND", "the path has no verdict"},
		{head + "under: [{traces: [{ask: x/b -> x/a 80/TCP deny}]}]", "must have an outcome", "nor under another profile"},
		{head + "targets: [{text: svc:x/t}]", "either says or is", "any target would do"},
		{head + "targets: [{text: svc:x/t, is: svc:x/t, says: near}]", "either says or is", "it is one of the two"},
		{head + "portnames: [{to: svc:x/s, text: web}]", "either says or port", "any port would do"},
		{head + "exposures: [{of: x/a}]", "kind of a door", "any door would do"},
		{head + "exposures: [{of: x/a, door: Nodeport}]", "kind of a door", "the door is misspelled"},
		{head + "dns: [x/a]", "want CLIENT", "the answer is missing"},
		{head + "dns: [x/a resolves all]", "want CLIENT", "the protocol is missing"},
		{head + "dns: [x/a resolves UDP many]", "want CLIENT", "the outcome is misspelled"},
		{head + "routes: [{controllers: [z/i], outcome: all}]", "needs ingress", "any route would do"},
		{head + "routes: [{ingress: x/w, fault: f, outcome: all}]", "no outcome", "a route with a fault leads nowhere"},
		{head + "profile: {Hairpin: maybe}\nsame: x", "unknown choice", "the choice is misspelled"},
		{head + "profile: {ServiceSNAT: maybe}\nsame: x", "unknown choice", "this one too"},
		{head + "world: abc\nsame: x", "no world", "the world is misspelled"},
		{head + "manifests: a\njson: b\nsame: x", "exclude each other", "one of the two would be left out"},
	}
	for _, row := range bad {
		_, err := parseRuleCase(row.doc)
		assert.ErrorContains(t, err, row.says, "%s: %s", row.why, row.doc)
	}
}
