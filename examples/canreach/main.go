// Canreach tells whether one endpoint of a cluster can reach another, and why.
//
//	kubectl get ns,nodes,pods,netpol -A -o yaml | canreach -f - shop/web 203.0.113.9 443
//
// It exits with 0 if the policies allow the flow, 1 if they deny it and 2 if
// there is no answer. Without a question it prints who reaches whom on what.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

const usage = "usage: canreach -f FILE|FOLDER|- [-f ...] [-plugin NAME] [FROM TO PORT]"

var plugins = map[string]reach.Profile{"": {}, "antrea": reach.Antrea(), "calico": reach.Calico(),
	"cilium": reach.Cilium(), "flannel": reach.Flannel(), "kube-network-policies": reach.KubeNetworkPolicies()}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	allowed, err := answer(args, stdin, stdout, stderr)
	switch {
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 2
	case !allowed:
		return 1
	}
	return 0
}

func answer(args []string, stdin io.Reader, stdout, stderr io.Writer) (allowed bool, _ error) {
	var paths []string
	flags := flag.NewFlagSet("canreach", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("f", "", func(path string) error { paths = append(paths, path); return nil })
	plugin := flags.String("plugin", "", "")
	if err := flags.Parse(args); err != nil {
		return false, fmt.Errorf("%w\n%s", err, usage)
	}
	profile, known := plugins[*plugin]
	if n := flags.NArg(); !known || len(paths) == 0 || n != 0 && n != 3 {
		return false, errors.New(usage)
	}
	cluster, err := read(paths, stdin)
	if err != nil {
		return false, err
	}
	g, err := profile.Compile(cluster)
	if err != nil {
		return false, err
	}
	for _, w := range g.Warnings() {
		if w.Code != "unknown-address" || flags.NArg() == 0 { // the verdict says where that matters
			fmt.Fprintln(stderr, "warning:", w)
		}
	}
	if flags.NArg() == 0 {
		return true, printMatrix(stdout, g)
	}
	from, errFrom := g.Lookup(flags.Arg(0))
	to, errTo := g.Lookup(flags.Arg(1))
	port, errPort := policy.ParsePort(flags.Arg(2))
	if err := errors.Join(errFrom, errTo, errPort); err != nil {
		return false, err
	}
	if other, err := g.Lookup("replica:" + flags.Arg(1)); err == nil && from == to {
		to = other // from a workload to itself means from one of its pods to another
	}
	v := g.Explain(reach.Flow{From: from, To: to, Port: port})
	fmt.Fprintln(stdout, v)
	return v.Allowed, nil
}

func read(paths []string, stdin io.Reader) (*policy.Cluster, error) {
	clusters, errs := make([]*policy.Cluster, len(paths)), make([]error, len(paths))
	for i, path := range paths {
		dir, name := ".", filepath.ToSlash(filepath.Clean(path))
		if !filepath.IsLocal(path) {
			dir, name = filepath.Dir(name), filepath.Base(name)
		}
		if path == "-" {
			clusters[i], errs[i] = policy.Parse("standard input", stdin)
		} else {
			clusters[i], errs[i] = policy.ParseFS(os.DirFS(dir), name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return policy.Join(clusters...), nil
}

func printMatrix(w io.Writer, g *reach.Graph) error {
	ends := append(g.Pods(), g.Outside()...)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprint(t, "from \\ to")
	for _, to := range ends {
		fmt.Fprintf(t, "\t%v", to)
	}
	for _, from := range ends {
		fmt.Fprintf(t, "\n%v", from)
		for _, to := range ends {
			fmt.Fprint(t, "\t", strings.ReplaceAll(g.Ports(from, to).String(), ", ", ","))
		}
	}
	fmt.Fprintln(t)
	return t.Flush()
}
