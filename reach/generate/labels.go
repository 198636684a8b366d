package generate

import (
	"fmt"
	"maps"
	"slices"

	"github.com/polreach/polreach/selector"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/selection"
)

// labelSelector returns the API object for the text of a [selector.Selector].
func labelSelector(text string) metav1.LabelSelector {
	requirements, err := requirementsOf(text)
	if err != nil {
		panic("cannot happen: a Selector prints what kubectl reads: " + err.Error())
	}
	var ls metav1.LabelSelector
	for _, r := range requirements {
		if r.Operator != metav1.LabelSelectorOpIn || len(r.Values) > 1 {
			ls.MatchExpressions = append(ls.MatchExpressions, r)
			continue
		}
		if ls.MatchLabels == nil {
			ls.MatchLabels = make(map[string]string)
		}
		ls.MatchLabels[r.Key] = r.Values[0]
	}
	return ls
}

// parseSelector returns the Selector for a text as kubectl reads it.
func parseSelector(text string) (selector.Selector, error) {
	requirements, err := requirementsOf(text)
	if err != nil {
		return selector.Selector{}, fmt.Errorf("%q is no label selector: %w", text, err)
	}
	return selector.New(metav1.LabelSelector{MatchExpressions: requirements})
}

func requirementsOf(text string) ([]metav1.LabelSelectorRequirement, error) {
	parsed, err := labels.Parse(text)
	if err != nil {
		return nil, err
	}
	var list []metav1.LabelSelectorRequirement
	requirements, _ := parsed.Requirements()
	for _, r := range requirements {
		operator, ok := operators[r.Operator()]
		if !ok {
			return nil, fmt.Errorf("policies know no operator %q", r.Operator())
		}
		list = append(list, metav1.LabelSelectorRequirement{Key: r.Key(), Operator: operator, Values: slices.Sorted(maps.Keys(r.Values()))})
	}
	return list, nil
}

// operators are those of label selectors by what they are in a text.
var operators = map[selection.Operator]metav1.LabelSelectorOperator{
	selection.Equals:       metav1.LabelSelectorOpIn,
	selection.DoubleEquals: metav1.LabelSelectorOpIn,
	selection.In:           metav1.LabelSelectorOpIn,
	selection.NotEquals:    metav1.LabelSelectorOpNotIn,
	selection.NotIn:        metav1.LabelSelectorOpNotIn,
	selection.Exists:       metav1.LabelSelectorOpExists,
	selection.DoesNotExist: metav1.LabelSelectorOpDoesNotExist,
}
