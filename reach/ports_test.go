package reach

import (
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// The pages of ports say of every port in which class it is.
func TestPropertyPortPages(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := rapid.OneOf(
			rapid.Int32Range(1, keyOther),
			rapid.SampledFrom([]int32{255, 256, 257, 511, 512, 1 << 16, 1<<16 + 1, keyOther - 1, keyOther}),
			rapid.Int32Range(8000, 8600),
		)
		first := append(rapid.SliceOfN(key, 0, 255).Draw(t, "first"), 0)
		slices.Sort(first)
		first = slices.Compact(first)
		pages := portPages(first)
		if pages == nil {
			if len(first) < 100 {
				t.Fatalf("no pages for %d classes", len(first))
			}
			return
		}
		g := &Graph{ports: pages, table: []int32{}}
		for k := range int32(keyOther + 1) {
			class, found := slices.BinarySearch(first, k)
			if !found {
				class--
			}
			if got := g.port(k); got != int32(class) {
				t.Fatalf("key %d is in class %d, not in %d", k, class, got)
			}
		}
	})
}

// With the table and without it, a profile has the same row for a port.
func TestPortTable(t *testing.T) {
	g, err := Compile(scale.M.Cluster())
	require.NoError(t, err)
	require.NotNil(t, g.table)
	for p := range int32(len(g.profiles) - 1) {
		for _, s := range g.stepsOf(p) {
			for _, k := range []int32{s.from - 1, s.from, s.from + 1} {
				if 0 <= k && k <= keyOther {
					assert.Equal(t, g.stepAt(p, k), g.row(p, k), "profile %d, key %d", p, k)
				}
			}
		}
	}
}

// Where there are too many classes of ports for a table, the steps tell.
func TestManyPorts(t *testing.T) {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "odd", Namespace: "a"}}
	np.Spec.Ingress = make([]networkingv1.NetworkPolicyIngressRule, 1)
	for port := int32(1); port < 600; port += 2 {
		n := intstr.FromInt32(port)
		np.Spec.Ingress[0].Ports = append(np.Spec.Ingress[0].Ports, networkingv1.NetworkPolicyPort{Port: &n})
	}
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "p", Namespace: "a"}}
	g, err := Compile(&policy.Cluster{Pods: []*corev1.Pod{pod}, Policies: []*networkingv1.NetworkPolicy{np}})
	require.NoError(t, err)
	assert.Nil(t, g.table)
	f := Flow{From: g.MustLookup("192.0.2.1"), To: g.MustLookup("a/p")}
	for port := uint16(1); port <= 700; port++ {
		f.Port = policy.TCP.Port(port)
		assert.Equal(t, port%2 == 1 && port < 600, g.Allows(f), "port %d", port)
	}
	f.Port = policy.UDP.Port(1)
	assert.False(t, g.Allows(f))
}
