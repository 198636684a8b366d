// Policydiff tells what a change of manifests opens and closes, as Markdown for the
// comment on a pull request, and fails if that breaks a rule.
//
//	policydiff main/deploy branch/deploy > comment.md
//
// It exits with 0 if the rule holds, 1 if it is broken, and 2 if there is no answer.
// The rule is -fail outside (the default): nothing new may get in from outside the
// cluster, be it by address or through a Service; or -fail opened: nothing at all may
// open; or -fail any: no answer may change; or -fail never.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/report"
)

const usage = `usage: policydiff [-fail outside|opened|any|never] [-plugin NAME] [-o FORMAT] BEFORE AFTER
where BEFORE and AFTER are folders, and FORMAT is one of`

// The exit statuses.
const (
	holds = iota
	broken
	noAnswer
)

var rules = []string{"outside", "opened", "any", "never"}

var plugins = map[string]reach.Profile{"": {}, "antrea": reach.Antrea(), "calico": reach.Calico(),
	"cilium": reach.Cilium(), "flannel": reach.Flannel(), "kube-network-policies": reach.KubeNetworkPolicies()}

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, stdout, stderr io.Writer) int {
	status, err := answer(args, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return noAnswer
	}
	return status
}

func answer(args []string, stdout, stderr io.Writer) (status int, _ error) {
	flags := flag.NewFlagSet("policydiff", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	rule := flags.String("fail", "outside", "")
	plugin := flags.String("plugin", "", "")
	format := flags.String("o", "", "")
	if err := flags.Parse(args); err != nil {
		return noAnswer, fmt.Errorf("%w\n%s %v", err, usage, report.Formats())
	}
	profile, known := plugins[*plugin]
	if !known || flags.NArg() != 2 || !slices.Contains(rules, *rule) || *format != "" && !slices.Contains(report.Formats(), report.Format(*format)) {
		return noAnswer, fmt.Errorf("%s %v", usage, report.Formats())
	}
	var graphs [2]*reach.Graph
	var errs [2]error
	for i, dir := range flags.Args() {
		graphs[i], errs[i] = compile(dir, profile, stderr)
	}
	if err := errors.Join(errs[:]...); err != nil {
		return noAnswer, err
	}
	d := reach.Compare(graphs[0], graphs[1])
	in := newDoors(graphs[0], graphs[1])
	status = verdict(*rule, d, in)
	if *format == "" {
		return status, comment(stdout, d, in, *rule, status)
	}
	m, err := report.OfDiff(d, report.Options{})
	if err != nil {
		return noAnswer, err
	}
	return status, m.Write(stdout, report.Format(*format))
}

// compile reads and compiles a folder, and prints what is suspicious in it.
func compile(dir string, p reach.Profile, stderr io.Writer) (*reach.Graph, error) {
	c, err := policy.ParseFS(os.DirFS(dir), ".")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	g, err := p.Compile(c)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	for _, w := range g.Warnings() {
		fmt.Fprintf(stderr, "warning: %s: %v\n", dir, w)
	}
	return g, nil
}

// verdict tells whether a rule holds.
func verdict(rule string, d *reach.Diff, in []door) int {
	isBroken := false
	switch rule {
	case "outside":
		isBroken = len(in) > 0 || slices.ContainsFunc(d.Opened, isFromOutside)
	case "opened":
		isBroken = len(in)+len(d.Opened) > 0
	case "any":
		isBroken = len(in)+len(d.Opened)+len(d.Closed) > 0
	}
	if isBroken {
		return broken
	}
	return holds
}

func isFromOutside(c reach.Change) bool { return !c.From.Outside().IsEmpty() }
