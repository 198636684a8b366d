package reach_test

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// doorsYAML is a cluster of two nodes, with Services of each kind in front of
// x/web, which runs on n1 and lets only pods labeled app=client in.
const doorsYAML = `apiVersion: v1
kind: Node
metadata: {name: n1}
status: {addresses: [{type: InternalIP, address: 192.168.0.1}]}
---
apiVersion: v1
kind: Node
metadata: {name: n2}
status: {addresses: [{type: InternalIP, address: 192.168.0.2}]}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: x, labels: {app: web}}
spec: {nodeName: n1, containers: [{name: main, ports: [{name: http, containerPort: 8080}]}]}
status: {podIP: 10.0.0.1}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: x, labels: {app: client}}
spec: {nodeName: n2}
status: {podIP: 10.0.0.2}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: web, namespace: x}
spec:
  podSelector: {matchLabels: {app: web}}
  ingress:
  - from: [{podSelector: {matchLabels: {app: client}}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.7
  selector: {app: web}
  loadBalancerSourceRanges: [203.0.113.0/24]
  ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 198.51.100.5}]}}
---
apiVersion: v1
kind: Service
metadata: {name: proxied, namespace: x}
spec:
  type: LoadBalancer
  clusterIP: 10.96.0.8
  externalTrafficPolicy: Local
  selector: {app: web}
  ports: [{port: 80, targetPort: http, nodePort: 30081}]
status: {loadBalancer: {ingress: [{hostname: lb.example.com}]}}
---
apiVersion: v1
kind: Service
metadata: {name: local, namespace: x}
spec: {clusterIP: 10.96.0.9, internalTrafficPolicy: Local, selector: {app: web}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: v1
kind: Service
metadata: {name: idle, namespace: x}
spec: {clusterIP: 10.96.0.10, selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: done, namespace: x}
status: {phase: Succeeded}
---
apiVersion: v1
kind: Service
metadata: {name: alias, namespace: x}
spec: {type: ExternalName, externalName: db.example.com}
`

// The text of a Trace tells each step: the door, the backend, whom the policies
// see, and who decided.
func TestTraceText(t *testing.T) {
	cluster := parse(t, "doors.yaml", doorsYAML)
	seen := make(map[string]bool) // Reasons and Notes, Outcomes, and fields of Profile
	for _, tt := range []struct {
		name, why      string
		from, to, port string
		family         reach.Family
		profile        reach.Profile
		want           string
	}{
		{
			name: "a pod and a ClusterIP", why: "http of x/web is 8080, and kube-proxy keeps the source",
			from: "x/client", to: "svc:x/web", port: "http",
			want: `
x/client -> svc:x/web 80/TCP: allowed
  ClusterIP 80/TCP of svc:x/web, to x/web 8080/TCP over IPv4: allowed
    egress of x/client: passes, no policy isolates it
    ingress of x/web: passes
      isolated by x/web
      allowed by x/web ingress[0] (doors.yaml:29), from[0]
  note: plugins differ here; the outcome could be another with ServiceSNAT`,
		},
		{
			name: "a pod and an address of the Service", why: "the balancer is short-circuited on n2, which hides the pod; the ranges do not hold it",
			from: "x/client", to: "198.51.100.5", port: "80",
			want: `
x/client -> 198.51.100.5 80/TCP: refused, the source ranges of the Service do not hold the client
  LoadBalancer 198.51.100.5 80/TCP of svc:x/web over IPv4: refused, the source ranges of the Service do not hold the client`,
		},
		{
			name: "from outside through every door", why: "n1 is the node of x/web, so the policy that denies the client has no say there",
			from: "203.0.113.9", to: "svc:x/web", port: "http",
			want: `
203.0.113.0/24 -> svc:x/web 80/TCP: allowed on some paths
  NodePort 30080/TCP of svc:x/web at node:n1, to x/web 8080/TCP over IPv4: allowed
    the policies of x/web see node:n1 -> x/web 8080/TCP over IPv4
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: passes, the other end is its own node
      isolated by x/web
    note: the policies would not let the client in, but they see the pod's own node, which they cannot keep out
  NodePort 30080/TCP of svc:x/web at node:n2, to x/web 8080/TCP over IPv4: denied
    the policies of x/web see node:n2 -> x/web 8080/TCP over IPv4
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: no rule allows it
      isolated by x/web
      near miss: x/web ingress[0] (doors.yaml:29): the port matches, but no peer
        from[0] is pods [app=client] in x: it does not count as a pod, and selectors match only pods
  LoadBalancer 198.51.100.5 80/TCP of svc:x/web at node:n1, to x/web 8080/TCP over IPv4: allowed
    the policies of x/web see node:n1 -> x/web 8080/TCP over IPv4
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: passes, the other end is its own node
      isolated by x/web
    note: the policies would not let the client in, but they see the pod's own node, which they cannot keep out
  LoadBalancer 198.51.100.5 80/TCP of svc:x/web at node:n2, to x/web 8080/TCP over IPv4: denied
    the policies of x/web see node:n2 -> x/web 8080/TCP over IPv4
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: no rule allows it
      isolated by x/web
      near miss: x/web ingress[0] (doors.yaml:29): the port matches, but no peer
        from[0] is pods [app=client] in x: it does not count as a pod, and selectors match only pods
  note: plugins differ here; the outcome could be another with ServiceSNAT`,
		},
		{
			name: "a pod and the node port of another node", why: "it leaves its node with the address of the other, which then hides it",
			from: "x/client", to: "node:n1", port: "30080",
			want: `
x/client -> node:n1 30080/TCP: allowed
  NodePort 192.168.0.1 30080/TCP of svc:x/web at node:n1, to x/web 8080/TCP over IPv4: allowed
    the policies of x/client see x/client -> node:n1 30080/TCP over IPv4
    the policies of x/web see node:n1 -> x/web 8080/TCP over IPv4
    egress of x/client: passes, no policy isolates it
    ingress of x/web: passes, the other end is its own node
      isolated by x/web
    note: the policies would not let the client in, but they see the pod's own node, which they cannot keep out`,
		},
		{
			name: "a hairpin", why: "x/web does not let itself in, but its plugin does",
			from: "x/web", to: "svc:x/web", port: "80",
			want: `
x/web -> svc:x/web 80/TCP: allowed
  ClusterIP 80/TCP of svc:x/web, to x/web 8080/TCP over IPv4: allowed
    a pod that reaches itself through a Service is let through
  note: plugins differ here; the outcome could be another with Hairpin`,
		},
		{
			name: "no local endpoint", why: "x/client is on n2 and x/web on n1",
			from: "x/client", to: "svc:x/local", port: "80",
			want: `
x/client -> svc:x/local 80/TCP: dropped, the Service has no local endpoints there
  ClusterIP 80/TCP of svc:x/local over IPv4: dropped, the Service has no local endpoints there`,
		},
		{
			name: "no endpoint", why: "no pod is labeled app=nobody",
			from: "x/client", to: "svc:x/idle", port: "80",
			want: `
x/client -> svc:x/idle 80/TCP: refused, the Service has no endpoints
  ClusterIP 80/TCP of svc:x/idle: refused, the Service has no endpoints`,
		},
		{
			name: "no such port", why: "8080 is the port at the backend",
			from: "x/client", to: "svc:x/web", port: "8080",
			want: `
x/client -> svc:x/web 8080/TCP: the Service has no such port
  ClusterIP 8080/TCP of svc:x/web: the Service has no such port`,
		},
		{
			name: "no common family", why: "the Service has an IPv4 address only",
			from: "x/client", to: "svc:x/web", port: "80", family: reach.IPv6,
			want: `
x/client -> svc:x/web 80/TCP over IPv6: there is no address family that both sides have
  ClusterIP 80/TCP of svc:x/web: there is no address family that both sides have`,
		},
		{
			name: "a pod that has terminated", why: "it has left the network, so it asks for nothing",
			from: "x/done", to: "svc:x/web", port: "80",
			want: `
x/done -> svc:x/web 80/TCP: an end is a pod that has terminated
  nowhere: an end is a pod that has terminated`,
		},
		{
			name: "not exposed", why: "nothing leads to x/idle from outside",
			from: "203.0.113.9", to: "svc:x/idle", port: "80",
			want: `
203.0.113.0/24 -> svc:x/idle 80/TCP: the Service is not exposed outside the cluster
  svc:x/idle: the Service is not exposed outside the cluster`,
		},
		{
			name: "a name without addresses", why: "x/client is not isolated, so any address will do",
			from: "x/client", to: "svc:x/alias", port: "443",
			want: `
x/client -> svc:x/alias 443/TCP: allowed
  ExternalName 443/TCP of svc:x/alias, to outside:* 443/TCP over IPv4: allowed
    egress of x/client: passes, no policy isolates it
    ingress of outside:*: passes, no policy isolates it`,
		},
		{
			name: "a balancer that proxies", why: "what address x/web sees is not known, and no rule admits all",
			from: "203.0.113.9", to: "svc:x/proxied", port: "80", profile: reach.Profile{ServiceSNAT: reach.SNATNever},
			want: `
203.0.113.0/24 -> svc:x/proxied 80/TCP: unknown
  NodePort 30081/TCP of svc:x/proxied at node:n1, to x/web 8080/TCP over IPv4: denied
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: no rule allows it
      isolated by x/web
      near miss: x/web ingress[0] (doors.yaml:29): the port matches, but no peer
        from[0] is pods [app=client] in x: it does not count as a pod, and selectors match only pods
  LoadBalancer 80/TCP of svc:x/proxied, to x/web 8080/TCP over IPv4: unknown, what is missing is the address from which the load balancer connects
    the policies of x/web see outside:* -> x/web 8080/TCP over IPv4
    egress of 203.0.113.0/24: passes, no policy isolates it
    ingress of x/web: no rule allows it
      isolated by x/web
      near miss: x/web ingress[0] (doors.yaml:29): the port matches, but no peer
        from[0] is pods [app=client] in x: it does not count as a pod, and selectors match only pods
  note: plugins differ here; the outcome could be another with ServiceSNAT`,
		},
		{
			name: "no Service", why: "a pod is reached as it is",
			from: "x/client", to: "x/web", port: "http",
			want: `
x/client -> x/web 8080/TCP: allowed
  egress of x/client: passes, no policy isolates it
  ingress of x/web: passes
    isolated by x/web
    allowed by x/web ingress[0] (doors.yaml:29), from[0]`,
		},
		{
			name: "no Service, and denied", why: "the Graph tells the same of the flow",
			from: "203.0.113.9", to: "x/web", port: "8080",
			want: `
203.0.113.0/24 -> x/web 8080/TCP: denied
  egress of 203.0.113.0/24: passes, no policy isolates it
  ingress of x/web: no rule allows it
    isolated by x/web
    near miss: x/web ingress[0] (doors.yaml:29): the port matches, but no peer
      from[0] is pods [app=client] in x: it does not count as a pod, and selectors match only pods`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g, err := tt.profile.Compile(cluster)
			require.NoError(t, err)
			to := g.MustTarget(tt.to)
			port, err := to.Port(tt.port)
			require.NoError(t, err)
			trace := g.Trace(reach.Connection{From: g.MustLookup(tt.from), To: to, Port: port, Family: tt.family})
			assert.Equal(t, strings.TrimPrefix(tt.want, "\n"), trace.String(), tt.why)

			seen[string(trace.Outcome)] = true
			for _, p := range trace.Paths {
				seen[string(p.Verdict.Reason)] = true
				for _, n := range p.Verdict.Notes {
					seen[string(n)] = true
				}
			}
			for _, field := range trace.DependsOn {
				seen[field] = true
			}
		})
	}
	for _, what := range []string{
		"all", "some", "none", "unknown", "outside-source-ranges", "no-local-endpoints", "no-endpoints",
		"no-common-family", "no-such-port", "not-exposed", "terminated",
		string(reach.HairpinPasses), string(reach.HiddenByOwnNode), "Hairpin", "ServiceSNAT",
	} {
		assert.True(t, seen[what], "no row has %s", what)
	}
}

// serviceFields are the fields of a Profile that only connections through
// Services can depend on.
func isServiceField(name string) bool {
	field, ok := reflect.TypeFor[reach.Profile]().FieldByName(name)
	return ok && (strings.HasPrefix(field.Name, "Service") || field.Name == "Hairpin" || field.Name == "DenyServiceExternalIPs")
}

// Exposures say in one line each who gets in and how.
func TestExposureText(t *testing.T) {
	g, err := reach.Compile(parse(t, "doors.yaml", doorsYAML))
	require.NoError(t, err)
	var got []string
	for _, x := range g.Exposures(g.MustLookup("x/web")) {
		got = append(got, x.String())
	}
	assert.Equal(t, []string{
		"NodePort 30081/TCP of svc:x/proxied, to x/web 8080/TCP, where policies see the client: lets nobody in",
		"LoadBalancer 80/TCP of svc:x/proxied, to x/web 8080/TCP, where policies see the balancer: unknown for 0.0.0.0/0, ::/0, what is missing is the address from which the load balancer connects",
		"NodePort 30080/TCP of svc:x/web, to x/web 8080/TCP, where policies see the node: lets in 0.0.0.0/0 (some only because the node that hides them is the pod's own)",
		"LoadBalancer 198.51.100.5 80/TCP of svc:x/web, to x/web 8080/TCP, where policies see the node: lets in 203.0.113.0/24 (some only because the node that hides them is the pod's own)",
	}, got)
	assert.Empty(t, g.Exposures(g.MustLookup("x/client")), "no Service leads to it")
	assert.Empty(t, g.Exposures(g.MustLookup("203.0.113.9")), "what is outside is not exposed")
}

// A DNS and a Route explain themselves by their traces.
func TestDNSAndRouteText(t *testing.T) {
	c := parse(t, "dns.yaml", `apiVersion: v1
kind: Pod
metadata: {name: client, namespace: x}
---
apiVersion: v1
kind: Pod
metadata: {name: coredns, namespace: kube-system, labels: {k8s-app: kube-dns}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: x}
spec: {selector: {app: web}, ports: [{name: http, port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: udp, namespace: kube-system}
spec: {podSelector: {}, ingress: [{ports: [{port: 53, protocol: UDP}]}]}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: x}
spec:
  rules:
  - host: shop.example.com
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /api, pathType: Prefix, backend: {service: {name: wev, port: {number: 80}}}}
      - {path: /v2, pathType: Prefix, backend: {service: {name: web, port: {number: 81}}}}
`)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	client := g.MustLookup("x/client")
	d, err := g.DNS(client)
	require.NoError(t, err)
	assert.True(t, d.Resolves(), "UDP is enough")
	assert.Equal(t, `x/client -> kube-system/coredns 53/UDP: allowed
  egress of x/client: passes, no policy isolates it
  ingress of kube-system/coredns: passes
    isolated by kube-system/udp
    allowed by kube-system/udp ingress[0] (dns.yaml:17), ports[0]
x/client -> kube-system/coredns 53/TCP: denied
  egress of x/client: passes, no policy isolates it
  ingress of kube-system/coredns: no rule allows it
    isolated by kube-system/udp
    near miss: kube-system/udp ingress[0] (dns.yaml:17): a peer matches, but no port
      ports[0] is 53/UDP: it is for another protocol`, d.String())

	var unknown, known []string
	for _, r := range g.Routes() {
		unknown = append(unknown, r.String())
	}
	for _, r := range g.Routes(client) {
		known = append(known, r.String())
	}
	assert.Equal(t, []string{
		"Ingress x/web, shop.example.com/, to svc:x/web http: unknown, what is missing is the controller",
		"Ingress x/web, shop.example.com/api: leads nowhere, the cluster has no Service x/wev; did you mean svc:x/web?",
		"Ingress x/web, shop.example.com/v2: leads nowhere, svc:x/web has no TCP port 81, only http (80/TCP)",
	}, unknown)
	assert.Equal(t, `Ingress x/web, shop.example.com/, to svc:x/web http: refused, the Service has no endpoints
  x/client -> svc:x/web 80/TCP: refused, the Service has no endpoints
    to its backends: refused, the Service has no endpoints`, known[0])
	assert.Equal(t, unknown[1:], known[1:], "a fault stays one")

	_, err = g.DNS(client, g.MustTarget("svc:x/web"))
	assert.NoError(t, err, "the caller may name any server")
	c.Pods = c.Pods[:1]
	g, err = reach.Compile(c)
	require.NoError(t, err)
	_, err = g.DNS(g.MustLookup("x/client"))
	assert.ErrorContains(t, err, "no DNS Service", "without a server there is no answer")
}

// An admission plugin refuses each Service with external IPs, by name.
func TestDenyServiceExternalIPs(t *testing.T) {
	c := parse(t, "services.yaml", `apiVersion: v1
kind: Service
metadata: {name: b, namespace: x}
spec:
  ports: [{port: 80}]
  externalIPs: [198.51.100.9, 198.51.100.10]
---
apiVersion: v1
kind: Service
metadata: {name: a, namespace: x}
spec:
  externalIPs: [198.51.100.9]
  ports: [{port: 81}]
---
apiVersion: v1
kind: Service
metadata: {name: c, namespace: x}
spec: {ports: [{port: 80}]}
`)
	_, err := reach.Profile{DenyServiceExternalIPs: true}.Compile(c)
	var got []string
	for _, e := range policy.Errors(err) {
		got = append(got, e.Error())
	}
	assert.Equal(t, []string{
		"services.yaml:6: Service x/b: spec.externalIPs: [198.51.100.9 198.51.100.10]: the cluster admits no Service with external IPs (DenyServiceExternalIPs)",
		"services.yaml:12: Service x/a: spec.externalIPs: [198.51.100.9]: the cluster admits no Service with external IPs (DenyServiceExternalIPs)",
	}, got, "in the order of the input")
	_, err = reach.Compile(c)
	assert.NoError(t, err, "without the plugin they are honored")
}

// A balancer that proxies shows its own address, if the caller knows it.
func TestBalancer(t *testing.T) {
	c := parse(t, "doors.yaml", doorsYAML)
	np := readPolicy(t, `apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: balancer, namespace: x}
spec: {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 198.51.100.77/32}}]}]}
`)
	c.Policies = append(c.Policies, np...)
	g, err := reach.Compile(c)
	require.NoError(t, err)
	for _, tt := range []struct {
		balancer string
		want     reach.Outcome
		why      string
	}{
		{"198.51.100.77", reach.Some, "the policy admits it; the node port lets nobody in"},
		{"::ffff:198.51.100.77", reach.Some, "the same address"},
		{"198.51.100.78", reach.None, "another one is not admitted"},
		{"2001:db8::77", reach.Unknown, "which address it has over IPv4 is not said"},
	} {
		q := reach.Connection{
			From: g.MustLookup("203.0.113.9"), To: g.MustTarget("svc:x/proxied"), Port: policy.TCP.Port(80),
			Balancer: netip.MustParseAddr(tt.balancer),
		}
		assert.Equal(t, tt.want, g.Reaches(q), tt.why)
		assert.Equal(t, tt.want, g.Trace(q).Outcome, tt.why)
	}
}
