package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const shop = "../../testdata/shop/manifests"

func canreach(stdin string, args ...string) (status int, stdout, stderr string) {
	var out, err bytes.Buffer
	status = run(args, strings.NewReader(stdin), &out, &err)
	return status, out.String(), err.String()
}

func TestCanReach(t *testing.T) {
	for _, tt := range []struct {
		why    string
		args   []string
		status int
		stdout string // part of it
		stderr string // part of it
	}{
		{"the api is a client of the database", []string{"-f", shop, "shop/api", "data/postgres", "5432"}, 0, "shop/api -> data/postgres 5432/TCP: allowed", ""},
		{"the frontend is none", []string{"-f", shop, "shop/frontend", "data/postgres", "5432"}, 1, "denied", ""},
		{"an explanation says where the rule stands", []string{"-f", shop, "shop/api", "data/postgres", "5432"}, 0, "data/policies.yaml:", ""},
		{"a workload to itself is from pod to pod", []string{"-f", shop, "data/redis", "data/redis", "6379"}, 1, "replica:data/redis", ""},
		{"on several ports, too", []string{"-f", shop, "data/redis", "data/redis", "6379-6380/TCP"}, 1, "data/redis -> replica:data/redis 6379-6380/TCP: none", ""},
		{"addresses are endpoints", []string{"-f", shop, "shop/payments", "198.51.100.7", "443/TCP"}, 0, "allowed", ""},
		{"nodes are endpoints", []string{"-f", shop, "node-of:shop/payments", "shop/payments", "8080"}, 0, "its own node", ""},
		{"several sources are one cluster", []string{"-f", shop + "/shop", "-f", shop + "/data", "shop/api", "data/postgres", "5432"}, 0, "allowed", ""},
		{"without enforcement all is allowed", []string{"-f", shop, "-plugin", "flannel", "shop/frontend", "data/postgres", "5432"}, 0, "no plugin enforces", ""},
		{"a Service stands for its backends", []string{"-f", shop, "shop/cart", "svc:data/redis", "redis"}, 0, "to data/redis 6379/TCP: allowed", ""},
		{"none of the backends of a Service", []string{"-f", shop, "shop/frontend", "svc:data/redis", "redis"}, 1, "denied", ""},
		{"a Service without the port", []string{"-f", shop, "shop/cart", "svc:data/redis", "6380"}, 1, "the Service has no such port", ""},
		{"a misspelled Service is no answer", []string{"-f", shop, "shop/cart", "svc:data/redid", "6379"}, 2, "", "did you mean svc:data/redis?"},
		{"a misspelled port name is no answer", []string{"-f", shop, "shop/cart", "svc:data/redis", "reddis"}, 2, "", "only redis (6379/TCP)"},
		{"pods have named ports, too", []string{"-f", shop, "shop/api", "data/postgres", "postgres"}, 0, "5432/TCP: allowed", ""},
		{"a range of which only a part is open", []string{"-f", shop, "shop/api", "data/postgres", "5430-5440/TCP"}, 1, "5430-5440/TCP: 5432/TCP", ""},
		{"all of a range", []string{"-f", shop, "shop/api", "data/postgres", "5432/TCP,5432/TCP"}, 0, "5432/TCP: 5432/TCP", ""},
		{"a name without addresses is no answer", []string{"-f", shop, "shop/payments", "gateway.example.com", "443"}, 2, "", "Cluster.Hosts"},
		{"with its address it is", []string{"-f", shop, "-host", "gateway.example.com=198.51.100.7", "shop/payments", "gateway.example.com", "443"}, 0, "allowed", ""},
		{"one address of two is enough", []string{"-f", shop, "-host", "gw.example.com=198.51.100.7", "-host", "gw.example.com=203.0.113.9", "shop/payments", "gw.example.com", "443"}, 0, "allowed on some paths", ""},
		{"unless all are asked for", []string{"-f", shop, "-all", "-host", "gw.example.com=198.51.100.7", "-host", "gw.example.com=203.0.113.9", "shop/payments", "gw.example.com", "443"}, 1, "allowed on some paths", ""},
		{"a host is a name and an address", []string{"-f", shop, "-host", "gw.example.com", "shop/payments", "gw.example.com", "443"}, 2, "", "NAME=ADDRESS"},
		{"names are resolved by the cluster's DNS", []string{"-f", shop, "shop/api", "dns"}, 0, "svc:kube-system/kube-dns 53/UDP: allowed", ""},
		{"or by a server that the question names", []string{"-f", shop, "shop/api", "dns", "svc:data/redis"}, 1, "svc:data/redis 53/UDP: the Service has no such port", ""},
		{"which must be known", []string{"-f", shop, "shop/api", "dns", "svc:data/redid"}, 2, "", "did you mean svc:data/redis?"},
		{"a balancer has an address", []string{"-f", shop, "-balancer", "lb", "203.0.113.9", "svc:ingress/controller", "443"}, 2, "", "usage"},
		{"who resolves names must be known", []string{"-f", shop, "shop/apis", "dns"}, 2, "", "did you mean"},
		{"the ingress controller is open to all", []string{"-f", shop, "doors", "ingress/controller"}, 0, "lets in 0.0.0.0/0", ""},
		{"nothing leads from outside to the database", []string{"-f", shop, "doors", "data/postgres"}, 1, "no Service leads from outside to data/postgres", ""},
		{"several ports are for pods only", []string{"-f", shop, "203.0.113.9", "node-of:shop/api", "80-90"}, 2, "", "ask node-of:shop/api for one"},
		{"a Service has one port in a question", []string{"-f", shop, "shop/api", "svc:data/redis", "80-90"}, 2, "", "ask svc:data/redis for one"},
		{"no port is no question", []string{"-f", shop, "shop/api", "data/redis", "none"}, 2, "", "none"},
		{"without Ingress objects there is nothing to deny", []string{"-f", shop, "ingress"}, 0, "", ""},
		{"a selector that picks nothing is no answer", []string{"-f", shop, "ingress", "app=nobody"}, 2, "", "picks no pod"},
		{"a selector must be one", []string{"-f", shop, "ingress", "app in"}, 2, "", "app"},
		{"the matrix comes with warnings", []string{"-f", shop}, 0, "# All else is closed.", "warning: "},
		{"in the form of a graph, too", []string{"-f", shop, "-o", "dot"}, 0, "digraph", ""},
		{"code scanning has a form of its own", []string{"-f", shop, "-o", "sarif", "audit"}, 1, `"version": "2.1.0"`, ""},
		{"a check must be one", []string{"-f", shop, "audit", "rule-shadwed"}, 2, "", "rule-shadowed"},
		{"findings are no picture", []string{"-f", shop, "-o", "svg", "audit"}, 2, "", "usage"},
		{"a form must be one", []string{"-f", shop, "-o", "pdf"}, 2, "", "usage"},
		{"an answer to a question has but one form", []string{"-f", shop, "-o", "dot", "shop/api", "data/postgres", "5432"}, 2, "", "usage"},
		{"a misspelled name is no answer", []string{"-f", shop, "shop/frontend", "data/postgre", "5432"}, 2, "", "did you mean data/postgres?"},
		{"both misspelled names are reported", []string{"-f", shop, "shop/apis", "data/postgre", "5432"}, 2, "", "shop/apis"},
		{"a port is a number", []string{"-f", shop, "shop/api", "data/postgres", "0"}, 2, "", "port"},
		{"a folder that is not there is no answer", []string{"-f", shop + "/nowhere", "shop/api", "data/postgres", "5432"}, 2, "", "nowhere"},
		{"a question has three words", []string{"-f", shop, "shop/api", "data/postgres"}, 2, "", "usage"},
		{"no manifests, no answer", []string{"shop/api", "data/postgres", "5432"}, 2, "", "usage"},
		{"a plugin has a name that is known", []string{"-f", shop, "-plugin", "calcio"}, 2, "", "usage"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			status, stdout, stderr := canreach("", tt.args...)
			assert.Equal(t, tt.status, status, "%s%s", stdout, stderr)
			assert.Contains(t, stdout, tt.stdout)
			assert.Contains(t, stderr, tt.stderr)
			if tt.status == 2 {
				assert.Empty(t, stdout)
			}
		})
	}
}

// Of the two endpoints one is let in, and of the other it is not known who it is.
func TestAllOfWhatIsUnknown(t *testing.T) {
	const pod = "---\n{apiVersion: v1, kind: Pod, metadata: {name: %s, namespace: x}, spec: {containers: [{name: c}]}, status: {podIP: 10.0.0.1}}\n"
	manifests := strings.ReplaceAll(pod, "%s", "one") + strings.ReplaceAll(pod, "%s", "two") + `---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: x}
spec: {containers: [{name: c}]}
---
apiVersion: v1
kind: Service
metadata: {name: s, namespace: x}
spec: {clusterIP: 10.96.0.1, ports: [{port: 80}]}
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: s-1, namespace: x, labels: {kubernetes.io/service-name: s}}
addressType: IPv4
endpoints: [{addresses: [10.0.0.1]}, {addresses: [203.0.113.5]}]
ports: [{port: 80}]
`
	status, stdout, stderr := canreach(manifests, "-f", "-", "x/client", "svc:x/s", "80")
	assert.Zero(t, status, "%s%s", stdout, stderr)
	status, stdout, stderr = canreach(manifests, "-f", "-", "-all", "x/client", "svc:x/s", "80")
	assert.Equal(t, 2, status, "%s%s", stdout, stderr)
}

func TestStandardInput(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("../../testdata/web-api/manifests", firstFile(t)))
	require.NoError(t, err)
	status, stdout, stderr := canreach(string(text), "-f", "-")
	assert.Zero(t, status, stderr)
	assert.Contains(t, stdout, "from \\ to")

	status, _, stderr = canreach("kind: [", "-f", "-")
	assert.Equal(t, 2, status)
	assert.Contains(t, stderr, "standard input:1")

	// What a command that fails writes is no cluster in which all is well.
	for _, nothing := range []string{"", "\r\n"} {
		status, stdout, stderr = canreach(nothing, "-f", "-", "audit")
		assert.Equal(t, 2, status)
		assert.Empty(t, stdout)
		assert.Contains(t, stderr, "standard input is empty")
	}
}

func firstFile(t *testing.T) string {
	t.Helper()
	files, err := os.ReadDir("../../testdata/web-api/manifests")
	require.NoError(t, err)
	return files[0].Name()
}

// The matrix of the recipe shows that its claim is wrong: foo reaches DNS only,
// and not the web service.
func TestMatrix(t *testing.T) {
	status, stdout, stderr := canreach("", "-f", "../../testdata/recipe-deny-external/manifests")
	require.Zero(t, status, stderr)
	rows := make(map[string]map[string]string)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	cellsOf := func(line string) []string {
		cells := strings.Split(line, "|")
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		return cells
	}
	columns := cellsOf(lines[0])
	for _, line := range lines[1:] {
		cells := cellsOf(line)
		require.Len(t, cells, len(columns), line)
		rows[cells[0]] = make(map[string]string)
		for i, c := range columns {
			rows[cells[0]][c] = cells[i]
		}
	}
	const others = "default/resolver and 1 more" // the other is default/web
	assert.Equal(t, "-", rows["default/foo"][others])
	assert.Equal(t, "-", rows["default/foo"]["outside"])
	assert.Equal(t, "53,53/UDP", rows["default/foo"]["kube-system/coredns"])
	assert.Equal(t, "all", rows[others]["default/foo"])
}
