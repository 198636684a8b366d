package scale_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// clusters are one of each shape.
var clusters = map[string]func() *policy.Cluster{
	"nothing":       scale.Size{}.Cluster,
	"one pod":       scale.Size{Pods: 1, Policies: 1}.Cluster,
	"no pods":       scale.Size{Policies: 7}.Cluster,
	"S":             scale.S.Cluster,
	"tiny":          scale.Size{Pods: 12, Policies: 40}.Cluster,
	"many policies": scale.Size{Pods: 100, Policies: 250}.Cluster,
	"M":             scale.M.Cluster,
	"below nothing": scale.Size{Pods: -1, Policies: -1}.Cluster,
	"one namespace": func() *policy.Cluster { return scale.OneNamespace(100) },
	"unique labels": func() *policy.Cluster { return scale.UniqueLabels(215) },
	"blocks":        func() *policy.Cluster { return scale.Blocks(200, 1) },
	"more blocks":   func() *policy.Cluster { return scale.Blocks(50, 20) },
	"no blocks":     func() *policy.Cluster { return scale.Blocks(0, 3) },
	"no namespace":  func() *policy.Cluster { return scale.OneNamespace(-1) },
	"no labels":     func() *policy.Cluster { return scale.UniqueLabels(0) },
}

// Every cluster passes the checks, compiles, and gives few reasons for warnings.
func TestValid(t *testing.T) {
	for name, cluster := range clusters {
		t.Run(name, func(t *testing.T) {
			c := cluster()
			_, err := c.Model()
			require.NoError(t, err)
			g, err := reach.Compile(c)
			require.NoError(t, err)
			var pods, rest []policy.Warning
			for _, w := range g.Warnings() {
				if w.Code == "selects-nothing" && len(c.Pods) < 20 {
					pods = append(pods, w) // there are policies for pods that there is no room for
				} else {
					rest = append(rest, w)
				}
			}
			assert.LessOrEqual(t, len(rest), (len(c.Policies)+len(c.Services))/10, "%v", rest)
			assert.LessOrEqual(t, len(pods), len(c.Policies))
		})
	}
}

// The same is made every time, whatever was made before.
func TestSameEveryTime(t *testing.T) {
	for name, cluster := range clusters {
		for _, w := range writers {
			some := func() *policy.Cluster {
				c := cluster()
				if w.dump {
					c.Pods = c.Pods[:min(20, len(c.Pods))]
				}
				return c
			}
			assert.Equal(t, hash(t, w.write, some()), hash(t, w.write, some()), "%s %s", name, w.name)
		}
	}
	assert.NotEqual(t, hash(t, scale.WriteJSON, scale.S.Cluster()), hash(t, scale.WriteJSON, scale.S.Times(2).Cluster()))
}

func hash(t *testing.T, write func(io.Writer, *policy.Cluster) error, c *policy.Cluster) string {
	t.Helper()
	h := sha256.New()
	require.NoError(t, write(h, c))
	return fmt.Sprintf("%x", h.Sum(nil))
}

func TestSizes(t *testing.T) {
	for _, s := range []scale.Size{{}, {1, 0}, {1, 1}, {3, 3}, {17, 2}, {91, 200}, scale.S, scale.M, scale.L, scale.M.Times(0.5)} {
		c := s.Cluster()
		assert.Len(t, c.Pods, s.Pods, "%v", s)
		assert.Len(t, c.Policies, s.Policies, "%v", s)
	}
	assert.Equal(t, scale.Size{Pods: 500, Policies: 100}, scale.M.Times(0.5))
	assert.Equal(t, scale.L, scale.M.Times(10))
	assert.Equal(t, "pods=1000/policies=200", scale.M.String())
	assert.Panics(t, func() { scale.Size{Pods: 1_000_001}.Cluster() })

	c := scale.OneNamespace(30)
	assert.Len(t, c.Namespaces, 1)
	assert.Len(t, c.Pods, 30)
	assert.Len(t, c.Policies, 30)
	c = scale.UniqueLabels(95)
	assert.Len(t, c.Pods, 95)
	assert.Len(t, c.Policies, 10)
	c = scale.Blocks(40, 3)
	assert.Len(t, c.Policies, 3)
	for _, np := range c.Policies {
		require.Len(t, np.Spec.Ingress[0].From, 40)
		assert.Equal(t, c.Policies[0].Spec.Ingress, np.Spec.Ingress)
	}
}

// What the documentation says of a realistic cluster.
func TestRealistic(t *testing.T) {
	c := scale.M.Cluster()
	seen := make(map[string]int)
	count := func(name string, is bool) {
		if is {
			seen[name]++
		}
	}
	addrs, hashes := make(map[string]bool), make(map[string]string)
	for _, p := range c.Pods {
		require.NotEmpty(t, p.OwnerReferences, p.Name)
		count(p.OwnerReferences[0].Kind, true)
		count("host network", p.Spec.HostNetwork)
		count("named ports", p.Spec.Containers[0].Ports[0].Name != "")
		if p.Spec.HostNetwork {
			continue
		}
		count("dual-stack", len(p.Status.PodIPs) == 2)
		for _, ip := range p.Status.PodIPs {
			assert.False(t, addrs[ip.IP], "%s is given twice", ip.IP)
			addrs[ip.IP] = true
		}
		if h := p.Labels["pod-template-hash"]; h != "" {
			set := p.Namespace + "/" + p.OwnerReferences[0].Name
			assert.Contains(t, []string{"", set}, hashes[h], "a hash belongs to one ReplicaSet")
			hashes[h] = set
		}
	}
	assert.Equal(t, 1000, seen["named ports"])
	assert.InDelta(t, 200, seen["dual-stack"], 20)
	assert.InDelta(t, 33, seen["host network"], 10)
	assert.Greater(t, seen["ReplicaSet"], 600)
	assert.Greater(t, seen["StatefulSet"], 100)
	assert.Greater(t, seen["DaemonSet"], 50)

	for _, s := range c.Services {
		count("headless", s.Spec.ClusterIP == corev1.ClusterIPNone)
		count("kube-dns", s.Name == "kube-dns" && s.Namespace == "kube-system")
		count(string(s.Spec.Type), true)
	}
	selectors, expressions := 0, 0
	selector := func(ls *metav1.LabelSelector) {
		if ls != nil && (ls.MatchLabels != nil || ls.MatchExpressions != nil) {
			selectors++
			count("expressions", ls.MatchExpressions != nil)
			if ls.MatchExpressions != nil {
				expressions++
			}
		}
	}
	ports := func(list []networkingv1.NetworkPolicyPort) {
		for _, p := range list {
			count("port names", p.Port != nil && p.Port.Type == intstr.String)
			count("endPort", p.EndPort != nil)
			count("UDP", *p.Protocol == corev1.ProtocolUDP)
		}
	}
	peers := func(list []networkingv1.NetworkPolicyPeer) {
		for _, p := range list {
			selector(p.NamespaceSelector)
			selector(p.PodSelector)
			count("except", p.IPBlock != nil && p.IPBlock.Except != nil)
			count("IPv6", p.IPBlock != nil && strings.Contains(p.IPBlock.CIDR, ":"))
			count("other namespaces", p.NamespaceSelector != nil)
		}
	}
	for _, np := range c.Policies {
		selector(&np.Spec.PodSelector)
		count("deny", np.Spec.Ingress == nil && np.Spec.Egress == nil)
		count("first pod", np.Spec.PodSelector.MatchLabels["statefulset.kubernetes.io/pod-name"] != "")
		for _, r := range np.Spec.Ingress {
			peers(r.From)
			ports(r.Ports)
			count("anyone", r.From == nil)
		}
		for _, r := range np.Spec.Egress {
			peers(r.To)
			ports(r.Ports)
		}
	}
	for _, name := range []string{
		"headless", "kube-dns", "NodePort", "LoadBalancer", "ClusterIP",
		"port names", "endPort", "UDP", "except", "IPv6", "other namespaces", "deny", "first pod", "anyone", "expressions",
	} {
		assert.Positive(t, seen[name], name)
	}
	assert.InDelta(t, 0.05, float64(expressions)/float64(selectors), 0.01)
}

// Policies mean something: some pods talk and most do not.
func TestFlows(t *testing.T) {
	g, err := reach.Compile(scale.S.Cluster())
	require.NoError(t, err)
	open := make(map[string]bool)
	for e := range g.Edges() {
		open[e.From.String()+" "+e.To.String()] = true
	}
	pods := g.Pods()
	allowed, denied := 0, 0
	for _, from := range pods {
		for _, to := range pods {
			switch {
			case from == to:
			case open[from.String()+" "+to.String()]:
				allowed++
			default:
				denied++
			}
		}
	}
	assert.Greater(t, allowed, 100)
	assert.Greater(t, denied, 100)
}

// No two objects share what one could change in the other.
func TestSharesNothing(t *testing.T) {
	for name, cluster := range clusters {
		seen := make(map[memory]string)
		c := cluster()
		walk := func(name string, list any) { shares(t, seen, name, reflect.ValueOf(list)) }
		walk(name+" namespaces", c.Namespaces)
		walk(name+" nodes", c.Nodes)
		walk(name+" pods", c.Pods)
		walk(name+" services", c.Services)
		walk(name+" policies", c.Policies)
	}
}

// A memory is a place in memory, as what it is used.
type memory struct {
	as reflect.Type
	at uintptr
}

func shares(t *testing.T, seen map[memory]string, at string, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Map, reflect.Slice, reflect.Pointer:
		if v.IsNil() || v.Kind() == reflect.Slice && v.Cap() == 0 {
			return
		}
		m := memory{v.Type(), v.Pointer()}
		if first, ok := seen[m]; ok {
			t.Fatalf("%s is shared with %s", at, first)
		}
		seen[m] = at
	}
	switch v.Kind() {
	case reflect.Slice:
		for i := range v.Len() {
			shares(t, seen, fmt.Sprintf("%s[%d]", at, i), v.Index(i))
		}
	case reflect.Pointer:
		shares(t, seen, at, v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				shares(t, seen, at+"."+v.Type().Field(i).Name, v.Field(i))
			}
		}
	}
}

var writers = []struct {
	name  string
	dump  bool
	write func(io.Writer, *policy.Cluster) error
}{
	{"cluster.yaml", false, scale.WriteYAML},
	{"cluster.json", false, scale.WriteJSON},
	{"pods.yaml", true, scale.DumpYAML},
	{"pods.json", true, scale.DumpJSON},
}

// What is written is read again as it was, as far as reading looks at it.
func TestRoundTrip(t *testing.T) {
	for name, cluster := range clusters {
		for _, w := range writers {
			t.Run(name+"/"+w.name, func(t *testing.T) {
				want := cluster()
				if w.dump {
					want.Pods = want.Pods[:min(20, len(want.Pods))] // dumps are slow to read
				}
				var b bytes.Buffer
				require.NoError(t, w.write(&b, want))
				got, err := policy.Parse(w.name, &b)
				require.NoError(t, err)
				assert.Empty(t, got.Warnings)
				assert.Empty(t, got.Skipped)
				require.Len(t, got.Pods, len(want.Pods))
				for i := range want.Pods {
					require.Equal(t, readable(want.Pods[i], w.dump), readable(got.Pods[i], w.dump))
				}
				if w.dump {
					return
				}
				require.Equal(t, want.Namespaces, got.Namespaces)
				require.Equal(t, want.Nodes, got.Nodes)
				require.Equal(t, want.Services, got.Services)
				require.Equal(t, want.Policies, got.Policies)
			})
		}
	}
}

// readable returns a copy of a pod without what is not read, and without what a
// dump adds to what is.
func readable(pod *corev1.Pod, dump bool) *corev1.Pod {
	pod = pod.DeepCopy()
	for i := range pod.OwnerReferences {
		pod.OwnerReferences[i].BlockOwnerDeletion = nil
	}
	for i := range pod.Spec.Containers {
		pod.Spec.Containers[i].Image = ""
	}
	if dump {
		pod.GenerateName = ""
		pod.Status.Conditions = nil
	}
	return pod
}

// A dump is as large as those of real clusters.
func TestDumpSize(t *testing.T) {
	c := scale.M.Times(0.1).Cluster()
	for _, tt := range []struct {
		name  string
		write func(io.Writer, *policy.Cluster) error
		want  int
	}{
		{"YAML", scale.DumpYAML, 8 << 10},
		{"JSON", scale.DumpJSON, 20 << 10},
	} {
		var b bytes.Buffer
		require.NoError(t, tt.write(&b, c))
		assert.InEpsilon(t, tt.want, b.Len()/len(c.Pods), 0.1, tt.name)
	}
}

// A writer that fails is told of.
func TestWriteErrors(t *testing.T) {
	for _, w := range writers {
		assert.ErrorIs(t, w.write(broken{}, scale.S.Cluster()), io.ErrShortWrite, w.name)
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func BenchmarkCluster(b *testing.B) {
	for _, s := range []scale.Size{scale.S, scale.M, scale.L, scale.XL} {
		b.Run(s.String(), func(b *testing.B) {
			for b.Loop() {
				s.Cluster()
			}
		})
	}
}

func BenchmarkWrite(b *testing.B) {
	c := scale.M.Cluster()
	for _, w := range writers {
		b.Run(w.name+"/"+scale.M.String(), func(b *testing.B) {
			for b.Loop() {
				var text bytes.Buffer
				if err := w.write(&text, c); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(int64(text.Len()))
			}
		})
	}
}
