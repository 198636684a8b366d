package reach_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// The scenarios of testdata/e2e, as world.yaml there explains them.
type (
	e2eFile struct {
		Reading map[string]string `json:"reading"`
		Counts  struct {
			Scenarios int `json:"scenarios"`
			Steps     int `json:"steps"`
			Tables    int `json:"tables"`
		} `json:"counts"`
		World e2eWorld `json:"world"`
	}

	e2eWorld struct {
		Order      []string                     `json:"order"`
		Namespaces map[string]map[string]string `json:"namespaces"`
		Pods       map[string]e2ePod            `json:"pods"`
		Ports      []e2ePort                    `json:"ports"`
	}

	e2ePod struct {
		IP     string            `json:"ip"`
		Labels map[string]string `json:"labels"`
	}

	e2ePort struct {
		Name     string          `json:"name"`
		Number   int32           `json:"number"`
		Protocol corev1.Protocol `json:"protocol"`
	}

	e2eScenario struct {
		ID      string    `json:"id"`
		Name    string    `json:"name"`
		About   string    `json:"about"`
		Note    string    `json:"note"`
		Rules   []string  `json:"rules"`
		Uniform bool      `json:"uniform"`
		Steps   []e2eStep `json:"steps"`
	}

	e2eStep struct {
		Step    string            `json:"step"`
		Apply   []json.RawMessage `json:"apply"`
		Delete  []string          `json:"delete"`
		Relabel []e2eRelabel      `json:"relabel"`
		Expect  []e2eTable        `json:"expect"`
		Derived []e2eTable        `json:"derived"`
	}

	e2eRelabel struct {
		Pod       string            `json:"pod"`
		Namespace string            `json:"namespace"`
		Set       map[string]string `json:"set"`
		Replace   bool              `json:"replace"`
	}

	e2eTable struct {
		Probe   string            `json:"probe"`
		Default string            `json:"default"`
		Facts   []string          `json:"facts"`
		Grid    map[string]string `json:"grid"`
	}
)

// A podPair is an ordered pair of pods.
type podPair struct{ from, to string }

// TestE2E replays what the end-to-end tests of Kubernetes do and see.
func TestE2E(t *testing.T) {
	file, scenarios := readE2E(t)
	for _, s := range scenarios {
		t.Run(s.ID+" "+s.Name, func(t *testing.T) {
			c := newE2ECluster(t, file.World)
			for _, step := range s.Steps {
				t.Run(cmp.Or(step.Step, "only step"), func(t *testing.T) {
					c.change(t, step)
					g := c.compile(t, s.ID)
					for _, table := range slices.Concat(step.Expect, step.Derived) {
						want := table.pairs(t, file.World.Order)
						for _, port := range table.ports(t, s, file.World) {
							checkE2E(t, g, port, file.World.Order, want)
						}
					}
				})
			}
		})
	}
}

// checkE2E asks g for every ordered pair of pods on port.
func checkE2E(t *testing.T, g *reach.Graph, port policy.Port, pods []string, want map[podPair]bool) {
	t.Helper()
	for _, from := range pods {
		for _, to := range pods {
			f := reach.Flow{From: g.MustLookup("pod:" + from), To: g.MustLookup("pod:" + to), Port: port}
			allow := from == to || want[podPair{from, to}] // itself: SEM-200
			v := g.Explain(f)
			assert.Equal(t, allow, v.Allowed, "%v", v)
			assert.Equal(t, v.Allowed, g.Allows(f), "Allows differs from Explain:\n%v", v)
		}
	}
}

// TestE2EData checks the data by itself: nothing is missing, every step has an
// answer for every port, and the grids, which were taken from upstream, agree
// with the facts, which were written down by hand.
func TestE2EData(t *testing.T) {
	file, scenarios := readE2E(t)
	world := file.World
	require.Len(t, world.Order, len(world.Pods))

	steps, tables, answers := 0, 0, map[bool]int{}
	seen := map[string]bool{}
	for _, s := range scenarios {
		t.Run(s.ID+" "+s.Name, func(t *testing.T) {
			assert.NotEmpty(t, s.About)
			assert.NotEmpty(t, s.Rules)
			assert.False(t, seen[s.ID] || seen[s.Name], "the scenario comes twice")
			seen[s.ID], seen[s.Name] = true, true
			for _, step := range s.Steps {
				steps++
				ports := map[policy.Port]bool{}
				for _, table := range step.Expect {
					tables++
					want := table.pairs(t, world.Order)
					assert.Equal(t, gridOf(want, world.Order), table.Grid, "the grid of %s", table.Probe)
					for _, allow := range want {
						answers[allow]++
					}
				}
				for _, table := range slices.Concat(step.Expect, step.Derived) {
					for _, p := range table.ports(t, s, world) {
						ports[p] = true
					}
				}
				assert.Len(t, ports, len(world.Ports), "ports with an answer")
			}
		})
	}
	assert.Equal(t, file.Counts.Scenarios, len(scenarios))
	assert.Equal(t, file.Counts.Steps, steps)
	assert.Equal(t, file.Counts.Tables, tables)
	assert.Equal(t, []int{48, 58, 65}, []int{len(scenarios), steps, tables}, "what upstream has")
	assert.Greater(t, answers[true], 1000)
	assert.Greater(t, answers[false], 500)
}

// readE2E reads testdata/e2e, refusing what the types above do not know.
func readE2E(t *testing.T) (e2eFile, []e2eScenario) {
	t.Helper()
	var file e2eFile
	text, err := os.ReadFile("../testdata/e2e/world.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.UnmarshalStrict(text, &file))

	text, err = os.ReadFile("../testdata/e2e/scenarios.yaml")
	require.NoError(t, err)
	var scenarios []e2eScenario
	for doc := range bytes.SplitSeq(text, []byte("\n---\n")) {
		var s e2eScenario
		require.NoError(t, yaml.UnmarshalStrict(doc, &s), "%s", doc)
		scenarios = append(scenarios, s)
	}
	return file, scenarios
}

// pairs returns the verdict for every ordered pair of different pods.
func (table e2eTable) pairs(t *testing.T, pods []string) map[podPair]bool {
	t.Helper()
	want := map[podPair]bool{}
	for _, from := range pods {
		for _, to := range pods {
			if from != to {
				want[podPair{from, to}] = isAllow(t, table.Default)
			}
		}
	}
	for _, fact := range table.Facts {
		w := strings.Fields(fact)
		require.True(t, len(w) == 4 && w[1] == "->", "a fact is FROM -> TO VERDICT: %q", fact)
		concerns := 0
		for p := range want {
			if matchesPod(w[0], p.from) && matchesPod(w[2], p.to) {
				want[p] = isAllow(t, w[3])
				concerns++
			}
		}
		require.Positive(t, concerns, "pairs that the fact %q concerns", fact)
	}
	return want
}

// ports returns the ports that the table holds for.
func (table e2eTable) ports(t *testing.T, s e2eScenario, w e2eWorld) []policy.Port {
	t.Helper()
	probe, err := policy.ParsePort(table.Probe)
	require.NoError(t, err)
	if !s.Uniform {
		return []policy.Port{probe}
	}
	numbers := map[corev1.Protocol]policy.Protocol{
		corev1.ProtocolTCP: policy.TCP, corev1.ProtocolUDP: policy.UDP, corev1.ProtocolSCTP: policy.SCTP,
	}
	var all []policy.Port
	for _, p := range w.Ports {
		all = append(all, numbers[p.Protocol].Port(uint16(p.Number)))
	}
	require.Contains(t, all, probe)
	return all
}

func isAllow(t *testing.T, verdict string) bool {
	t.Helper()
	require.Contains(t, []string{"allow", "deny"}, verdict)
	return verdict == "allow"
}

// matchesPod reports whether pattern, such as "*", "x/*" or "x/a", means pod.
func matchesPod(pattern, pod string) bool {
	namespace, all := strings.CutSuffix(pattern, "*")
	return pattern == pod || all && strings.HasPrefix(pod, namespace)
}

// gridOf draws want in the way of the data.
func gridOf(want map[podPair]bool, pods []string) map[string]string {
	grid := map[string]string{}
	for _, from := range pods {
		for _, to := range pods {
			switch {
			case from == to:
				grid[from] += "="
			case want[podPair{from, to}]:
				grid[from] += "."
			default:
				grid[from] += "X"
			}
		}
	}
	return grid
}

// An e2eCluster is the state of the cluster between two steps.
type e2eCluster struct {
	world      e2eWorld
	namespaces map[string]map[string]string // labels
	pods       map[string]map[string]string // labels
	policies   map[string]json.RawMessage
}

func newE2ECluster(t *testing.T, w e2eWorld) *e2eCluster {
	t.Helper()
	c := &e2eCluster{
		world:      w,
		namespaces: map[string]map[string]string{},
		pods:       map[string]map[string]string{},
		policies:   map[string]json.RawMessage{},
	}
	for name, labels := range w.Namespaces {
		c.namespaces[name] = maps.Clone(labels)
	}
	for name, pod := range w.Pods {
		c.pods[name] = maps.Clone(pod.Labels)
	}
	return c
}

// change does what step says.
func (c *e2eCluster) change(t *testing.T, step e2eStep) {
	t.Helper()
	for _, object := range step.Apply {
		var meta metav1.PartialObjectMetadata
		require.NoError(t, json.Unmarshal(object, &meta))
		c.policies[meta.Namespace+"/"+meta.Name] = object
	}
	for _, name := range step.Delete {
		if name == "*" {
			require.NotEmpty(t, c.policies)
			clear(c.policies)
			continue
		}
		require.Contains(t, c.policies, name)
		delete(c.policies, name)
	}
	for _, r := range step.Relabel {
		labels, name := c.pods, r.Pod
		if r.Namespace != "" {
			labels, name = c.namespaces, r.Namespace
		}
		require.Contains(t, labels, name)
		if r.Replace || labels[name] == nil {
			labels[name] = map[string]string{}
		}
		maps.Copy(labels[name], r.Set)
	}
}

// compile writes the cluster as manifests, reads them and compiles the result.
func (c *e2eCluster) compile(t *testing.T, name string) *reach.Graph {
	t.Helper()
	var text bytes.Buffer
	write := func(object any) {
		doc, err := yaml.Marshal(object)
		require.NoError(t, err)
		text.WriteString("---\n")
		text.Write(doc)
	}
	for _, name := range slices.Sorted(maps.Keys(c.namespaces)) {
		write(&corev1.Namespace{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Namespace"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Labels: c.namespaces[name]},
		})
	}
	for _, name := range c.world.Order {
		write(c.pod(name))
	}
	for _, name := range slices.Sorted(maps.Keys(c.policies)) {
		write(c.policies[name])
	}
	cluster, err := policy.Parse(name, &text)
	require.NoError(t, err)
	require.Len(t, cluster.Pods, len(c.pods))
	require.Len(t, cluster.Policies, len(c.policies))
	g, err := reach.Compile(cluster)
	require.NoError(t, err)
	return g
}

func (c *e2eCluster) pod(name string) *corev1.Pod {
	namespace, short, _ := strings.Cut(name, "/")
	container := corev1.Container{Name: "server", Image: "example.com/server:1"}
	for _, p := range c.world.Ports {
		container.Ports = append(container.Ports, corev1.ContainerPort{
			Name: p.Name, ContainerPort: p.Number, Protocol: p.Protocol,
		})
	}
	ip := c.world.Pods[name].IP
	return &corev1.Pod{
		TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Pod"},
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: short, Labels: c.pods[name]},
		Spec:       corev1.PodSpec{Containers: []corev1.Container{container}},
		Status:     corev1.PodStatus{Phase: corev1.PodRunning, PodIP: ip, PodIPs: []corev1.PodIP{{IP: ip}}},
	}
}
