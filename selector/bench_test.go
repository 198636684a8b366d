package selector_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/polreach/polreach/selector"
)

func BenchmarkMatches(b *testing.B) {
	s, err := selector.New(metav1.LabelSelector{
		MatchLabels: map[string]string{"app": "shop", "component": "db"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"back", "middle"}},
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	labels := map[string]string{
		"app": "shop", "component": "db", "tier": "back", "env": "prod", "pod-template-hash": "7c9f6d5b4",
	}
	for b.Loop() {
		if !s.Matches(labels) {
			b.Fatal("no match")
		}
	}
}

func BenchmarkNew(b *testing.B) {
	ls := metav1.LabelSelector{
		MatchLabels: map[string]string{"app": "shop"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"back", "middle"}},
		},
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := selector.New(ls); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewPartition(b *testing.B) {
	for _, size := range []struct{ sets, selectors int }{
		{30, 10},
		{1_000, 100},
		{100_000, 10_000},
	} {
		b.Run(fmt.Sprintf("sets=%d/selectors=%d", size.sets, size.selectors), func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(1, 2))
			sets := pods(rnd, size.sets)
			selectors := policies(b, rnd, size.selectors, sets)
			b.ReportAllocs()
			for b.Loop() {
				selector.NewPartition(selectors, sets)
			}
			b.ReportMetric(float64(selector.NewPartition(selectors, sets).Len()), "classes")
		})
	}
}

// pods returns the labels of n pods as workloads give them: some twenty pods to
// an app, each with a label of its own.
func pods(rnd *rand.Rand, n int) []map[string]string {
	apps := n/20 + 1
	sets := make([]map[string]string, n)
	for i := range sets {
		app := rnd.IntN(apps)
		component := []string{"web", "db", "cache", "worker"}[rnd.IntN(4)]
		sets[i] = map[string]string{
			"app.kubernetes.io/name":      fmt.Sprintf("app-%d", app),
			"app.kubernetes.io/component": component,
			"tier":                        []string{"front", "middle", "back"}[app%3],
			"env":                         []string{"prod", "test"}[app%2],
			"version":                     fmt.Sprintf("v%d", rnd.IntN(5)),
		}
		if component == "db" {
			sets[i]["statefulset.kubernetes.io/pod-name"] = fmt.Sprintf("db-%d", i)
		} else {
			sets[i]["pod-template-hash"] = fmt.Sprintf("%x", rnd.Uint32())
		}
	}
	return sets
}

// policies returns n selectors as policies write them: most name an app and a
// component, some name one pod, some are wide.
func policies(tb testing.TB, rnd *rand.Rand, n int, sets []map[string]string) []selector.Selector {
	selectors := make([]selector.Selector, n)
	for i := range selectors {
		of := sets[rnd.IntN(len(sets))]
		ls := metav1.LabelSelector{MatchLabels: map[string]string{}}
		pick := func(keys ...string) {
			for _, k := range keys {
				if v, ok := of[k]; ok {
					ls.MatchLabels[k] = v
				}
			}
		}
		switch rnd.IntN(10) {
		case 0, 1, 2:
			pick("app.kubernetes.io/name")
		case 3, 4, 5:
			pick("app.kubernetes.io/name", "app.kubernetes.io/component")
		case 6:
			pick("tier", "env", "app.kubernetes.io/component")
		case 7:
			pick("statefulset.kubernetes.io/pod-name", "app.kubernetes.io/name")
		case 8:
			pick("env")
			ls.MatchExpressions = []metav1.LabelSelectorRequirement{{
				Key: "app.kubernetes.io/name", Operator: metav1.LabelSelectorOpNotIn,
				Values: []string{of["app.kubernetes.io/name"], "app-1"},
			}}
		case 9:
			ls.MatchExpressions = []metav1.LabelSelectorRequirement{{
				Key: "statefulset.kubernetes.io/pod-name", Operator: metav1.LabelSelectorOpDoesNotExist,
			}, {
				Key: "tier", Operator: metav1.LabelSelectorOpIn, Values: []string{"front", of["tier"]},
			}}
		}
		var err error
		if selectors[i], err = selector.New(ls); err != nil {
			tb.Fatal(err)
		}
	}
	return selectors
}
