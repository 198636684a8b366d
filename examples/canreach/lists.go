package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"

	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/polreach/polreach/reach/report"
	"github.com/polreach/polreach/selector"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// doors answers doors POD.
func doors(w io.Writer, g *reach.Graph, text string) (int, error) {
	pod, err := g.Lookup(text)
	if err != nil {
		return noAnswer, err
	}
	result := no
	exposures := g.Exposures(pod)
	if len(exposures) == 0 {
		fmt.Fprintf(w, "no Service leads from outside to %v\n", pod)
	}
	for _, x := range exposures {
		fmt.Fprintln(w, x)
		switch {
		case !x.Clients.IsEmpty():
			result = yes
		case !x.Unknown.IsEmpty() && result == no:
			result = noAnswer
		}
	}
	return result, nil
}

// ingress answers ingress [SELECTOR], for the controllers that it picks.
func ingress(w io.Writer, g *reach.Graph, words []string, opts options) (int, error) {
	var controllers []reach.Endpoint
	for _, text := range words {
		parsed, err := metav1.ParseToLabelSelector(text)
		if err != nil {
			return noAnswer, err
		}
		pods, err := selector.New(*parsed)
		if err != nil {
			return noAnswer, err
		}
		if controllers = g.Select(selector.Selector{}, pods); len(controllers) == 0 {
			return noAnswer, fmt.Errorf("%s picks no pod", text)
		}
	}
	result := yes
	for _, r := range g.Routes(controllers...) {
		fmt.Fprintln(w, r)
		var paths []reach.Path
		for _, t := range r.Traces {
			paths = append(paths, t.Paths...)
		}
		if s := status(r.Outcome(), paths, opts.all); s != yes && result != no {
			result = s
		}
	}
	return result, nil
}

// matrix answers no question: it shows who reaches whom. It is nil if there is no such
// form.
func matrix(format string) question {
	form := report.Format(cmp.Or(format, string(report.Text)))
	if !slices.Contains(report.Formats(), form) {
		return nil
	}
	return func(w io.Writer, g *reach.Graph) (int, error) {
		m, err := report.Of(g, report.Options{})
		if err != nil {
			return noAnswer, err
		}
		return yes, m.Write(w, form)
	}
}

// findings answers audit [CHECK...]. It is nil if there is no such form.
func findings(format string, checks []string) question {
	write := map[string]func(io.Writer, []audit.Finding) error{
		"": audit.Text, "text": audit.Text, "json": audit.JSON, "sarif": audit.SARIF,
	}[format]
	if write == nil {
		return nil
	}
	return func(w io.Writer, g *reach.Graph) (int, error) {
		list, err := audit.Run(g, checks...)
		if err != nil {
			return noAnswer, err
		}
		result := yes
		if slices.ContainsFunc(list, func(f audit.Finding) bool { return f.Severity > audit.Note }) {
			result = no
		}
		return result, write(w, list)
	}
}
