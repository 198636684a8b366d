package policy_test

import (
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestClusterWith(t *testing.T) {
	pod := func(namespace, name, label string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name, Labels: map[string]string{"is": label}}}
	}
	is := func(c *policy.Cluster) (labels []string) {
		for _, p := range c.Pods {
			labels = append(labels, p.Labels["is"])
		}
		return labels
	}
	c := &policy.Cluster{Pods: []*corev1.Pod{pod("", "a", "a"), nil, pod("x", "a", "xa")}}
	for _, tt := range []struct {
		why   string
		edits []policy.Edit
		want  []string
	}{
		{"nothing changes nothing", []policy.Edit{{}}, []string{"a", "xa"}},
		{"a new object comes last", []policy.Edit{policy.Put(pod("x", "b", "xb"))}, []string{"a", "xa", "xb"}},
		{"no namespace is the default one", []policy.Edit{policy.Put(pod("default", "a", "new"))}, []string{"new", "xa"}},
		{"what has the name is replaced", []policy.Edit{policy.Put(pod("x", "a", "new"))}, []string{"a", "new"}},
		{"and is taken away", []policy.Edit{policy.Remove("Pod", "x", "a")}, []string{"a"}},
		{"a label changes", []policy.Edit{policy.Relabel("Pod", "", "a", map[string]string{"is": "other"})}, []string{"other", "xa"}},
		{"one edit follows the other", []policy.Edit{policy.Put(pod("x", "b", "xb")), policy.Remove("Pod", "x", "b")}, []string{"a", "xa"}},
		{"a name to be generated is a new one", []policy.Edit{policy.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "a", Labels: map[string]string{"is": "g"}}})}, []string{"a", "xa", "g"}},
	} {
		t.Run(tt.why, func(t *testing.T) {
			d, err := c.With(tt.edits...)
			require.NoError(t, err)
			d.Pods = append(d.Pods[:1:1], without(d.Pods[1:])...)
			assert.Equal(t, tt.want, is(d))
			assert.Equal(t, "a", c.Pods[0].Labels["is"], "the old Cluster stays as it is")
			assert.Len(t, c.Pods, 3)
		})
	}
}

func without(pods []*corev1.Pod) (rest []*corev1.Pod) {
	for _, p := range pods {
		if p != nil {
			rest = append(rest, p)
		}
	}
	return rest
}

func TestClusterWithErrors(t *testing.T) {
	c := &policy.Cluster{
		Policies:   []*networkingv1.NetworkPolicy{{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "database"}}},
		Namespaces: []*corev1.Namespace{{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}},
	}
	d, err := c.With(
		policy.Remove("NetworkPolicy", "shop", "databse"),
		policy.Relabel("Namespace", "", "shops", nil),
		policy.Remove("NetworkPolicies", "shop", "database"),
		policy.Remove("NetworkPolicy", "shop", "database"),
	)
	assert.Nil(t, d)
	assert.EqualError(t, err, "remove NetworkPolicy shop/databse: the cluster has none: did you mean shop/database?\n"+
		"relabel Namespace shops: the cluster has none: did you mean shop?\n"+
		"remove NetworkPolicies shop/database: a Cluster holds no kind \"NetworkPolicies\": did you mean NetworkPolicy?")
	assert.Len(t, c.Policies, 1)
	assert.Panics(t, func() { policy.Put(&corev1.Secret{}) })
	assert.Equal(t, "put NetworkPolicy shop/database", policy.Put(c.Policies[0]).String())
	assert.Equal(t, "no edit", policy.Edit{}.String())
}

// EditsTo tells only what differs, and its edits make one cluster of the other.
func TestClusterEditsTo(t *testing.T) {
	pod := func(name, label string) *corev1.Pod {
		return &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: name, Labels: map[string]string{"is": label}}}
	}
	ns := func(name string) *corev1.Namespace {
		return &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}}
	}
	nameless := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{GenerateName: "a-"}}
	c := &policy.Cluster{Namespaces: []*corev1.Namespace{ns("x")}, Pods: []*corev1.Pod{pod("gone", ""), nil, pod("same", ""), pod("changed", "a")}}
	d := &policy.Cluster{Namespaces: []*corev1.Namespace{ns("y"), ns("x")}, Pods: []*corev1.Pod{pod("new", ""), pod("changed", "b"), nameless, pod("same", "")}}
	edits := c.EditsTo(d)
	var texts []string
	for _, e := range edits {
		texts = append(texts, e.String())
	}
	assert.Equal(t, []string{"put Namespace y", "put Pod x/changed", "remove Pod x/gone", "put Pod x/new"}, texts)
	e, err := c.With(edits...)
	require.NoError(t, err)
	assert.Empty(t, e.EditsTo(d))
	assert.Empty(t, d.EditsTo(d))

	obj, ok := d.Object("Pod", types.NamespacedName{Namespace: "x", Name: "changed"})
	require.True(t, ok)
	assert.Equal(t, "b", obj.GetLabels()["is"])
	for _, kind := range []string{"Pod", "Namespace", "NoKind"} {
		_, ok := d.Object(kind, types.NamespacedName{Namespace: "x", Name: "nothing"})
		assert.False(t, ok, kind)
	}
}
