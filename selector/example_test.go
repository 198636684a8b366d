package selector_test

import (
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/polreach/polreach/selector"
)

func ExampleNew() {
	s, err := selector.New(metav1.LabelSelector{
		MatchLabels: map[string]string{"app": "shop"},
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "tier", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"test", "canary"}},
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(s)
	fmt.Println(s.Matches(map[string]string{"app": "shop"}))
	fmt.Println(s.Matches(map[string]string{"app": "shop", "tier": "canary"}))
	// Output:
	// app=shop,tier notin (canary,test)
	// true
	// false
}

func ExampleNew_errors() {
	_, err := selector.New(metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpIn},
			{Key: "replicas", Operator: "Gt", Values: []string{"3"}},
		},
	})
	fmt.Println(err)
	// Output:
	// matchExpressions[0].values: Required value: operator In needs at least one value
	// matchExpressions[1].operator: Invalid value: "Gt": unknown selector operator, must be In, NotIn, Exists or DoesNotExist
}

func ExampleSelector_Equal() {
	a, _ := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{"app": "shop"}})
	b, _ := selector.New(metav1.LabelSelector{
		MatchExpressions: []metav1.LabelSelectorRequirement{
			{Key: "app", Operator: metav1.LabelSelectorOpExists},
			{Key: "app", Operator: metav1.LabelSelectorOpIn, Values: []string{"shop", "bank"}},
			{Key: "app", Operator: metav1.LabelSelectorOpNotIn, Values: []string{"bank"}},
		},
	})
	fmt.Println(a.Equal(b), b)
	// Output: true app=shop
}

func ExamplePartition() {
	db, _ := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{"tier": "db"}})
	pods := []map[string]string{
		{"tier": "web", "pod-template-hash": "5d4f8c7b9"},
		{"tier": "db", "statefulset.kubernetes.io/pod-name": "db-0"},
		{"tier": "db", "statefulset.kubernetes.io/pod-name": "db-1"},
		{"tier": "cache"},
	}
	p := selector.NewPartition([]selector.Selector{db}, pods)
	fmt.Println(p.Len(), "classes of", len(pods), "pods")
	for i := range pods {
		c := p.Class(i)
		fmt.Println(i, c, p.In(c, 0))
	}
	// Output:
	// 2 classes of 4 pods
	// 0 0 false
	// 1 1 true
	// 2 1 true
	// 3 0 false
}
