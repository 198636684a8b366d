// Canreach tells whether one endpoint of a cluster can reach another, and why.
//
//	canreach -f manifests/ shop/web data/postgres 5432
//	kubectl get ns,nodes,pods,netpol -A -o yaml | canreach -f - shop/web 203.0.113.9 443/TCP
//	canreach -f manifests/
//
// It exits with 0 if the policies allow the flow, 1 if they deny it, and 2 if
// there is no answer. Without a question it prints who reaches whom on which
// ports.
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

var plugins = map[string]func() reach.Profile{
	"upstream":              func() reach.Profile { return reach.Profile{} },
	"antrea":                reach.Antrea,
	"calico":                reach.Calico,
	"cilium":                reach.Cilium,
	"flannel":               reach.Flannel,
	"kube-network-policies": reach.KubeNetworkPolicies,
}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	allowed, err := answer(args, stdin, stdout, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 2
	case err != nil:
		fmt.Fprintln(stderr, err)
		return 2
	case !allowed:
		return 1
	}
	return 0
}

func answer(args []string, stdin io.Reader, stdout, stderr io.Writer) (allowed bool, err error) {
	var all policy.Cluster
	flags := flag.NewFlagSet("canreach", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: canreach -f FILE|FOLDER|- ... [-plugin NAME] [FROM TO PORT]")
		flags.PrintDefaults()
	}
	flags.Func("f", "read manifests from a file, a folder or standard input (-); may be repeated", func(path string) error {
		c, err := read(path, stdin)
		if err == nil {
			all = *policy.Join(&all, c)
		}
		return err
	})
	plugin := flags.String("plugin", "upstream", "behave like antrea, calico, cilium, flannel or kube-network-policies")
	if err := flags.Parse(args); err != nil {
		return false, flag.ErrHelp // Parse has printed err
	}
	profile, known := plugins[*plugin]
	if n := flags.NArg(); !known || n != 0 && n != 3 {
		flags.Usage()
		return false, flag.ErrHelp
	}
	g, err := profile().Compile(&all)
	if err != nil {
		return false, err
	}
	for _, w := range g.Warnings() {
		fmt.Fprintln(stderr, "warning:", w)
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
	_, err = fmt.Fprintln(stdout, v)
	return v.Allowed, err
}

func read(path string, stdin io.Reader) (*policy.Cluster, error) {
	if path == "-" {
		return policy.Parse("standard input", stdin)
	}
	dir, name := ".", filepath.ToSlash(filepath.Clean(path))
	if !filepath.IsLocal(path) {
		dir, name = filepath.Split(filepath.Clean(path))
	}
	return policy.ParseFS(os.DirFS(dir), name)
}

// printMatrix prints a row for each source and a column for each destination.
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
