package generate

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

// worldOf returns a world with a pod for each set of labels, in one namespace.
func worldOf(t require.TestingT, sets []labels.Set, workloads ...metav1.LabelSelector) (*world, *namespace) {
	c := &policy.Cluster{}
	for i, set := range sets {
		p := &corev1.Pod{}
		p.Namespace, p.Name, p.Labels = "x", fmt.Sprintf("p%04d", i), set
		p.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
		c.Pods = append(c.Pods, p)
	}
	for i, ls := range workloads {
		d := &appsv1.Deployment{}
		d.Namespace, d.Name = "x", fmt.Sprintf("d%d", i)
		d.Spec.Selector = &ls
		d.Spec.Template.Labels = map[string]string{}
		for k, v := range ls.MatchLabels {
			d.Spec.Template.Labels[k] = v
		}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Name: "c", Image: "i"}}
		d.Spec.Template.Spec.HostNetwork = true // its own pods are none that policies select
		c.Deployments = append(c.Deployments, d)
	}
	g, err := reach.Compile(c)
	require.NoError(t, err)
	w, err := newWorld(g)
	require.NoError(t, err)
	return w, w.namespaces["x"]
}

func parseSets(t *testing.T, text string) []labels.Set {
	var sets []labels.Set
	for _, part := range strings.Fields(text) {
		if part == "-" {
			sets = append(sets, labels.Set{})
			continue
		}
		set, err := labels.ConvertSelectorToLabelsMap(part)
		require.NoError(t, err)
		sets = append(sets, set)
	}
	return sets
}

func TestPick(t *testing.T) {
	for _, tt := range []struct {
		reason  string
		in, out string // labels of pods; - is none
		want    string // selectors, separated by semicolons
	}{
		{"one label is enough", "app=web,tier=front", "app=db,tier=back", "app=web"},
		{"the label that tells them apart is taken, be it little known", "app=web,color=red", "app=web,color=blue", "color=red"},
		{"of as many labels, those that people know", "app=web,a=1", "app=db,a=2", "app=web"},
		{"two labels, neither of which is enough", "app=web,tier=front", "app=web,tier=back app=db,tier=front", "app=web,tier=front"},
		{"as many labels as it takes", "a=1,b=1,c=1,d=1", "a=2,b=1,c=1,d=1 a=1,b=2,c=1,d=1 a=1,b=1,c=2,d=1 a=1,b=1,c=1,d=2", "a=1,b=1,c=1,d=1"},
		{"labels come before expressions, even two before one", "app=web,a=1,b=1 app=db,a=1,b=1", "app=x,a=1,b=2 app=y,a=2,b=1", "a=1,b=1"},
		{"pods that share no label are listed by their values", "app=web app=db", "app=x app=y", "app in (db,web)"},
		{"what is not there is said of pods without a label", "-", "app=x app=y", "!app"},
		{"others that lack a label are told apart by its being there", "app=a app=b", "tier=x", "app in (a,b)"},
		{"pods with and without the label are told apart by the values of others", "app=a -", "app=b", "app!=b"},
		{"of many values, those of others are listed if they are fewer", "a=1 a=2 a=3 a=4 a=5 a=6", "a=7", "a!=7"},
		{"and that the label is there, if others lack it", "a=1 a=2 a=3 a=4 a=5 a=6", "a=7 -", "a,a!=7"},
		{"and that alone, if all others lack it", "a=1 a=2 a=3 a=4 a=5 a=6", "-", "a"},
		{"two selectors where none picks both", "a=1,b=1 a=2,b=2", "a=1,b=2 a=2,b=1", "a=1,b=1;a=2,b=2"},
		{"labels of controllers do not count", "app=web,pod-template-hash=1", "app=db,pod-template-hash=2", "app=web"},
		{"but where nothing else tells pods apart", "app=web,statefulset.kubernetes.io/pod-name=web-0", "app=web,statefulset.kubernetes.io/pod-name=web-1",
			"statefulset.kubernetes.io/pod-name=web-0"},
		{"equal labels cannot be told apart", "app=web", "app=web app=db", "app=web"},
		{"pods that share no label are all, if there are no others", "app=web app=db", "", ""},
		{"pods that share one are not", "app=web,tier=x app=web,tier=y", "", "app=web"},
		{"a single pod that has no labels is all", "-", "", ""},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			in := parseSets(t, tt.in)
			w, ns := worldOf(t, append(in, parseSets(t, tt.out)...))
			list := make([]int, len(in))
			for i := range in {
				list[i] = i
			}
			var got []string
			for _, s := range w.pick(ns, list, nil) {
				got = append(got, s.String())
			}
			assert.Equal(t, tt.want, strings.Join(got, ";"))
		})
	}
}

// A workload knows its pods best, even if fewer labels would do.
func TestPickTakesWorkload(t *testing.T) {
	sets := parseSets(t, "app=web,release=a app=db,release=a")
	w, ns := worldOf(t, sets, metav1.LabelSelector{MatchLabels: map[string]string{"app": "web", "release": "a"}})
	first := 1 // after the Deployment
	assert.Equal(t, "app=web,release=a", w.pick(ns, []int{first}, nil)[0].String())
	assert.Equal(t, "app=db", w.pick(ns, []int{first + 1}, nil)[0].String())
}

// A wish is taken if it picks exactly the pods.
func TestPickTakesWish(t *testing.T) {
	w, ns := worldOf(t, parseSets(t, "app=web,tier=a app=db,tier=b"))
	for wish, want := range map[string]string{"tier=a": "tier=a", "tier": "app=web", "": "app=web"} {
		s, err := parseSelector(wish)
		require.NoError(t, err)
		assert.Equal(t, want, w.pick(ns, []int{0}, &s)[0].String(), wish)
	}
}

// What is picked is exactly the pods that are asked for, and those with the same labels.
func TestPickIsExact(t *testing.T) {
	value := rapid.SampledFrom([]string{"1", "2", "3"})
	key := rapid.SampledFrom([]string{"app", "a", "b", "pod-template-hash"})
	set := rapid.Custom(func(t *rapid.T) labels.Set { return labels.Set(rapid.MapOfN(key, value, 0, 3).Draw(t, "labels")) })
	rapid.Check(t, func(t *rapid.T) {
		sets := rapid.SliceOfN(set, 1, 8).Draw(t, "sets")
		w, ns := worldOf(t, sets)
		var list []int
		asked := make(map[string]bool)
		for i := range sets {
			if rapid.Bool().Draw(t, "in") || i == len(sets)-1 && len(list) == 0 {
				list = append(list, i)
				asked[sets[i].String()] = true
			}
		}
		picked := w.pick(ns, list, nil)
		for _, set := range sets {
			is := false
			for _, s := range picked {
				is = is || s.Matches(set)
			}
			assert.Equal(t, asked[set.String()], is, "%v picked by %v", set, picked)
		}
	})
}
