// Canreach tells whether one endpoint of a cluster can reach another, and why.
//
//	kubectl get ns,nodes,pods,svc,endpointslices,ing,netpol -A -o yaml | canreach -f - shop/web svc:shop/db postgres
//
// It exits with 0 if some path is allowed (with -all, every path), 1 if not, and
// 2 if there is no answer. Without a question it prints who reaches whom on what, as a
// table or in another form: -o html is a page, -o svg a picture, -o dot a graph.
// Other questions are FROM dns [SERVER...] (can it resolve names), doors POD (how
// can clients outside get to it), and ingress [SELECTOR] (where do Ingress objects
// lead from the controllers that it picks), and audit [CHECK...] (what is wrong; it
// exits with 1 if there is more than notes).
package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

const usage = `usage: canreach -f FILE|FOLDER|- [-f ...] [-plugin NAME] [-host NAME=ADDRESS ...]
    [-balancer ADDRESS] [-all] [-o FORMAT] QUESTION
where QUESTION is FROM TO PORT, FROM dns [SERVER...], doors POD, ingress [SELECTOR], audit [CHECK...],
or nothing. FORMAT is text, markdown, csv, json, html, svg, dot or mermaid if it is nothing, and text,
json or sarif for audit`

// The exit statuses.
const (
	yes = iota
	no
	noAnswer
)

var plugins = map[string]reach.Profile{"": {}, "antrea": reach.Antrea(), "calico": reach.Calico(),
	"cilium": reach.Cilium(), "flannel": reach.Flannel(), "kube-network-policies": reach.KubeNetworkPolicies()}

func main() { os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int) {
	status, err := answer(args, stdin, stdout, stderr)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return noAnswer
	}
	return status
}

func answer(args []string, stdin io.Reader, stdout, stderr io.Writer) (status int, _ error) {
	var paths []string
	hosts := make(hostFlag)
	flags := flag.NewFlagSet("canreach", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("f", "", func(path string) error { paths = append(paths, path); return nil })
	flags.Func("host", "", hosts.set)
	plugin := flags.String("plugin", "", "")
	var opts options
	flags.StringVar(&opts.format, "o", "", "")
	flags.BoolVar(&opts.all, "all", false, "")
	flags.TextVar(&opts.balancer, "balancer", netip.Addr{}, "")
	if err := flags.Parse(args); err != nil {
		return noAnswer, fmt.Errorf("%w\n%s", err, usage)
	}
	words := flags.Args()
	profile, known := plugins[*plugin]
	question := questionOf(words, opts)
	if !known || len(paths) == 0 || question == nil {
		return noAnswer, errors.New(usage)
	}
	cluster, err := read(paths, stdin)
	if err != nil {
		return noAnswer, err
	}
	cluster.Hosts = hosts
	g, err := profile.Compile(cluster)
	if err != nil {
		return noAnswer, err
	}
	for _, w := range g.Warnings() {
		if w.Code != "unknown-address" || len(words) == 0 { // the verdict says where that matters
			fmt.Fprintln(stderr, "warning:", w)
		}
	}
	return question(stdout, g)
}

func read(paths []string, stdin io.Reader) (*policy.Cluster, error) {
	clusters, errs := make([]*policy.Cluster, len(paths)), make([]error, len(paths))
	for i, path := range paths {
		dir, name := ".", filepath.ToSlash(filepath.Clean(path))
		if !filepath.IsLocal(path) {
			dir, name = filepath.Dir(name), filepath.Base(name)
		}
		if path == "-" {
			clusters[i], errs[i] = readPipe(stdin)
		} else {
			clusters[i], errs[i] = policy.ParseFS(os.DirFS(dir), name)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return policy.Join(clusters...), nil
}

// readPipe reads what a command has written, which is nothing if it failed.
func readPipe(r io.Reader) (*policy.Cluster, error) {
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, errors.New("standard input is empty: has the command that writes to it failed?")
	}
	return policy.Parse("standard input", bytes.NewReader(data))
}
