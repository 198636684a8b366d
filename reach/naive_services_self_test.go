//lint:file-ignore SA1019 What Endpoints hold still counts for Services, deprecated or not.

package reach_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// String returns the path in one line.
func (p naivePath) String() string {
	s := ""
	if p.node != "" {
		s = "by " + p.node + " "
	}
	switch {
	case p.backend == "":
		return s + string(p.stop)
	case p.stop != "":
		return fmt.Sprintf("%sto %s %s from %s %s", s, p.backend, p.port, p.source, p.stop)
	}
	return fmt.Sprintf("%sto %s %s from %s", s, p.backend, p.port, p.source)
}

// TestNaiveTable checks every row of the table of SEM-271: the local backend is
// y/a on n1, the remote one y/b on n2, and the clients are x/a on n1, n1 itself
// and an address outside.
func TestNaiveTable(t *testing.T) {
	const clusterIP, nodePort, balancer = "10.96.0.1", "node:n1", "198.51.100.5"
	for _, row := range []struct {
		client, to string
		policies   []string // traffic policies that are Local, each alone
		paths      string
	}{
		{"x/a", clusterIP, []string{"", "external"}, "by node:n1 to pod:y/a from pod:x/a, by node:n1 to pod:y/b from pod:x/a"},
		{"x/a", "svc:y/s", []string{"", "external"}, "by node:n1 to pod:y/a from pod:x/a, by node:n1 to pod:y/b from pod:x/a"},
		{"x/a", clusterIP, []string{"internal", "both"}, "by node:n1 to pod:y/a from pod:x/a"},
		{"x/a", nodePort, []string{"", "internal"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"x/a", balancer, []string{"", "internal"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"x/a", nodePort, []string{"external", "both"}, "by node:n1 to pod:y/a from pod:x/a, by node:n1 to pod:y/b from pod:x/a"},
		{"x/a", balancer, []string{"external", "both"}, "by node:n1 to pod:y/a from pod:x/a, by node:n1 to pod:y/b from pod:x/a"},
		{"node:n1", clusterIP, []string{"", "external"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"node:n1", clusterIP, []string{"internal", "both"}, "by node:n1 to pod:y/a from node:n1"},
		{"node:n1", nodePort, []string{"", "external", "internal", "both"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"node:n1", balancer, []string{"", "external", "internal", "both"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"203.0.113.9", clusterIP, []string{"", "external"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1, by node:n2 to pod:y/a from node:n2, by node:n2 to pod:y/b from node:n2"},
		{"203.0.113.9", clusterIP, []string{"internal", "both"}, "by node:n1 to pod:y/a from node:n1, by node:n2 to pod:y/b from node:n2"},
		{"203.0.113.9", nodePort, []string{"", "internal"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1"},
		{"203.0.113.9", nodePort, []string{"external", "both"}, "by node:n1 to pod:y/a from 203.0.113.9"},
		{"203.0.113.9", balancer, []string{"", "internal"}, "by node:n1 to pod:y/a from node:n1, by node:n1 to pod:y/b from node:n1, by node:n2 to pod:y/a from node:n2, by node:n2 to pod:y/b from node:n2"},
		{"203.0.113.9", balancer, []string{"external", "both"}, "by node:n1 to pod:y/a from 203.0.113.9, by node:n2 to pod:y/b from 203.0.113.9"},
		{"x/a", "node:n2", []string{"", "internal"}, "by node:n2 to pod:y/a from node:n2, by node:n2 to pod:y/b from node:n2"},
		{"x/a", "node:n2", []string{"external", "both"}, "by node:n2 to pod:y/b from pod:x/a"},
		{"node:n1", "node:n2", []string{"", "internal"}, "by node:n2 to pod:y/a from node:n2, by node:n2 to pod:y/b from node:n2"},
		{"node:n1", "node:n2", []string{"external", "both"}, "by node:n2 to pod:y/b from node:n1"},
	} {
		for _, local := range row.policies {
			for _, snat := range []reach.ServiceSNAT{reach.SNATKubeProxy, reach.SNATNever, reach.SNATAlways} {
				t.Run(fmt.Sprintf("%s to %s, %s local, snat %d", row.client, row.to, local, snat), func(t *testing.T) {
					c := newXYZ()
					podOf(c, "y", "b").Spec.NodeName = "n2"
					podOf(c, "y", "b").Labels["app"], podOf(c, "y", "a").Labels["app"] = "s", "s"
					svc := serviceOf(t, "y/s: {type: LoadBalancer, clusterIP: 10.96.0.1, selector: {app: s}, ports: [{port: 80, targetPort: 81, nodePort: 30080}]}")
					balanced(svc, "198.51.100.5")
					if local == "internal" || local == "both" {
						svc.Spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
					}
					if local == "external" || local == "both" {
						svc.Spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
					}
					c.Services = append(c.Services, svc)
					port := policy.TCP.Port(80)
					if strings.HasPrefix(row.to, "node:") {
						port.Number = 30080
					}
					client := row.client
					if client == "x/a" {
						client = "pod:x/a"
					}
					var want []string
					for _, text := range strings.Split(row.paths, ", ") {
						way, source, _ := strings.Cut(text, " from ")
						node, _, _ := strings.Cut(strings.TrimPrefix(way, "by "), " ")
						switch snat {
						case reach.SNATNever:
							source = client
						case reach.SNATAlways:
							source = node
						}
						if snat == reach.SNATNever && strings.Count(row.paths, " pod:y/a") == 2 {
							_, way, _ = strings.Cut(way, node+" ") // by whatever node
						}
						want = append(want, way+" 81/TCP from "+source)
					}
					slices.Sort(want)
					want = slices.Compact(want)
					got := newNaive(c, reach.Profile{ServiceSNAT: snat}).trace(row.client, row.to, port, reach.IPv4, netip.Addr{})
					var paths []string
					for _, p := range got.paths {
						paths = append(paths, p.String())
						assert.True(t, p.allowed, p.String())
					}
					assert.ElementsMatch(t, want, paths)
					assert.Equal(t, reach.All, got.outcome)
				})
			}
		}
	}
}

// serviceOf reads a Service from a line with its namespace, name and spec.
func serviceOf(t *testing.T, line string) *corev1.Service {
	t.Helper()
	var specs map[string]corev1.ServiceSpec
	require.NoError(t, yaml.UnmarshalStrict([]byte(line), &specs), line)
	require.Len(t, specs, 1, line)
	for name, spec := range specs {
		svc := &corev1.Service{Spec: spec}
		svc.Namespace, svc.Name, _ = strings.Cut(name, "/")
		return svc
	}
	return nil
}

// balanced gives a Service these balancers: addresses, with a star in front if
// the balancer is a proxy, or host names.
func balanced(svc *corev1.Service, balancers ...string) {
	for _, text := range balancers {
		in := corev1.LoadBalancerIngress{IP: strings.TrimPrefix(text, "*")}
		if strings.HasPrefix(text, "*") {
			in.IPMode = new(corev1.LoadBalancerIPModeProxy)
		}
		if _, err := netip.ParseAddr(in.IP); err != nil {
			in.IP, in.Hostname = "", text
		}
		svc.Status.LoadBalancer.Ingress = append(svc.Status.LoadBalancer.Ingress, in)
	}
}

// A serviceCase is one example of a rule: Services and policies in the world of
// newXYZ, each a line, and what they answer, each a line "all x/b > svc:y/s
// 80/TCP # why".
type serviceCase struct {
	rule     string
	profile  reach.Profile
	services string
	change   func(*policy.Cluster)
	policies string
	answers  string
}

const (
	plain    = "y/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}\n"
	nodePort = "y/s: {type: NodePort, clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80, nodePort: 30080}]}\n"
	balancer = "y/s: {type: LoadBalancer, clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80, nodePort: 30080}]}\n"
)

func closed(ns string) string { return "'" + ns + "': {podSelector: {}, policyTypes: [Ingress]}\n" }

func fromTo(ns, from string) string {
	return "'" + ns + "': {podSelector: {}, policyTypes: [Ingress], ingress: [{from: [" + from + "]}]}\n"
}

// onNode moves a pod; the empty node is none that is known.
func onNode(ns, name, node string) func(*policy.Cluster) {
	return func(c *policy.Cluster) { podOf(c, ns, name).Spec.NodeName = node }
}

// with makes several changes.
func with(changes ...func(*policy.Cluster)) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		for _, change := range changes {
			change(c)
		}
	}
}

// readiness sets the Ready condition of a pod, and whether it is being deleted.
func readiness(ns, name string, ready corev1.ConditionStatus, leaving bool) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		pod := podOf(c, ns, name)
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		if leaving {
			pod.DeletionTimestamp = &metav1.Time{}
		}
	}
}

func withBalancers(balancers ...string) func(*policy.Cluster) {
	return func(c *policy.Cluster) { balanced(c.Services[0], balancers...) }
}

// slice lists an endpoint of the Service y/s.
func slice(addr, portName string, port int32, conditions discoveryv1.EndpointConditions, node string) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		s := &discoveryv1.EndpointSlice{AddressType: discoveryv1.AddressTypeIPv4}
		s.Namespace, s.Name = "y", fmt.Sprintf("s-%d", len(c.EndpointSlices))
		s.Labels = map[string]string{discoveryv1.LabelServiceName: "s"}
		e := discoveryv1.Endpoint{Addresses: []string{addr}, Conditions: conditions}
		if node != "" {
			e.NodeName = &node
		}
		s.Endpoints = []discoveryv1.Endpoint{e}
		s.Ports = []discoveryv1.EndpointPort{{Name: &portName, Port: &port}}
		c.EndpointSlices = append(c.EndpointSlices, s)
	}
}

var serviceCases = []serviceCase{
	{rule: "SEM-250", services: "y/s: {clusterIP: 10.96.0.1, selector: {app: s}, ports: [{port: 80}]}",
		change:   with(labelPod("y", "a", "app", "s"), labelPod("y", "b", "app", "s")),
		policies: "'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}", answers: `
		some x/a > svc:y/s 80/TCP # y/a is open and y/b is not
		some x/a > 10.96.0.1 80/TCP # SEM-286: the same by address
		some x/a > s.y.svc 80/TCP # SEM-290: the same by DNS
		some x/a > S.Y.svc.Cluster.Local. 80/TCP # SEM-290: letters and dots do not matter`},
	{rule: "SEM-251", services: plain, policies: fromTo("y", "{namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}"), answers: `
		all x/b > svc:y/s 80/TCP # the backend sees the client
		none x/c > svc:y/s 80/TCP # and no other`},
	{rule: "SEM-252, SEM-254", services: "y/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{name: a, port: 443, targetPort: 8443}, {name: b, port: 80}]}",
		policies: toX("{ports: [{port: 8443}]}"), answers: `
		all x/a > svc:y/s 443/TCP # the port at the pod is 8443
		none x/a > svc:y/s 80/TCP # without targetPort it is that of the Service
		no-such-port x/a > svc:y/s 8443/TCP # SEM-259: the Service lists no such port`},
	{rule: "SEM-253", services: "y/s: {clusterIP: 10.96.0.1, selector: {app: s}, ports: [{port: 80, targetPort: web}]}",
		change: with(labelPod("y", "a", "app", "s"), labelPod("y", "b", "app", "s"), labelPod("y", "c", "app", "s"),
			declare("y", "a", "web", 8080), declare("y", "b", "web", 9090), declare("y", "c", "web", 7070, corev1.ProtocolUDP)),
		policies: "'y': {podSelector: {matchLabels: {pod: c}}, policyTypes: [Ingress]}\n" + toX("{ports: [{port: 8080}, {port: 9090}]}"), answers: `
		all x/a > svc:y/s 80/TCP # 8080 at y/a, 9090 at y/b; y/c has no such port of TCP`},
	{rule: "SEM-253", services: "y/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80, targetPort: metrics}]}",
		change: func(c *policy.Cluster) {
			pod := podOf(c, "y", "a")
			always := corev1.ContainerRestartPolicyAlways
			pod.Spec.InitContainers = []corev1.Container{
				{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9000}}},
				{Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 8099}}, RestartPolicy: &always},
			}
		}, policies: toX("{ports: [{port: 8099}]}"), answers: `
		all x/a > svc:y/s 80/TCP # of init containers only sidecars count`},
	{rule: "SEM-255", services: plain, policies: toX("{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}"), answers: `
		none x/a > svc:y/s 80/TCP # egress policies see the backend`},
	{rule: "SEM-255", services: plain, profile: reach.Profile{ServiceAddressPoliced: true}, policies: toX("{to: [{ipBlock: {cidr: 10.96.0.0/12}}], ports: [{port: 80}]}"), answers: `
		all x/a > svc:y/s 80/TCP # egress policies see the Service
		none x/a > y/a 80/TCP # the backend itself is no Service`},
	{rule: "SEM-255", services: "y/s: {selector: {pod: a}, ipFamilies: [IPv4], ports: [{port: 80}]}", profile: reach.Profile{ServiceAddressPoliced: true}, policies: toX("{to: [{ipBlock: {cidr: 10.96.0.0/12}}]}"), answers: `
		unknown x/a > svc:y/s 80/TCP # SEM-281: its address is not assigned yet`},
	{rule: "SEM-256, SEM-260", services: plain, change: readiness("y", "a", corev1.ConditionFalse, false), answers: `
		no-endpoints x/a > svc:y/s 80/TCP # the pod is not ready`},
	{rule: "SEM-256", services: plain, change: func(c *policy.Cluster) { podOf(c, "y", "a").Status.Phase = corev1.PodSucceeded }, answers: `
		no-endpoints x/a > svc:y/s 80/TCP # the pod has ended`},
	{rule: "SEM-256", services: plain, change: func(c *policy.Cluster) { podOf(c, "y", "a").Status.Phase = corev1.PodPending }, answers: `
		no-endpoints x/a > svc:y/s 80/TCP # Pending without condition is not ready`},
	{rule: "SEM-256", services: plain, change: with(addrsOfPod("y", "a"), func(c *policy.Cluster) { podOf(c, "x", "b").Spec.NodeName = "" }), answers: `
		all x/a > svc:y/s 80/TCP # the address is not known, but there is one`},
	{rule: "SEM-256", services: "x/w: {clusterIP: 10.96.0.1, selector: {app: w}, ports: [{port: 80}]}", change: addDeployment, answers: `
		all x/a > svc:x/w 80/TCP # a workload is a backend`},
	{rule: "SEM-257", services: "y/s: {clusterIP: 10.96.0.1, selector: {app: s}, ports: [{port: 80}]}\n" + "y/h: {clusterIP: None, ipFamilies: [IPv4], selector: {app: s}, ports: [{port: 80}]}",
		change: with(labelPod("y", "a", "app", "s"), labelPod("y", "b", "app", "s"),
			readiness("y", "a", corev1.ConditionTrue, true), readiness("y", "b", corev1.ConditionFalse, true)),
		policies: "'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}", answers: `
		all x/a > svc:y/s 80/TCP # y/a terminates but serves, y/b does not
		no-endpoints x/a > svc:y/h 80/TCP # the DNS names no pod that terminates`},
	{rule: "SEM-257", services: "y/s: {clusterIP: 10.96.0.1, selector: {app: s}, ports: [{port: 80}]}",
		change:   with(labelPod("y", "a", "app", "s"), labelPod("y", "b", "app", "s"), readiness("y", "a", corev1.ConditionTrue, true)),
		policies: "'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}", answers: `
		none x/a > svc:y/s 80/TCP # y/b is ready, so y/a is not used`},
	{rule: "SEM-258", services: "y/s: {clusterIP: 10.96.0.1, publishNotReadyAddresses: true, selector: {pod: a}, ports: [{port: 80}]}",
		change: readiness("y", "a", corev1.ConditionFalse, true), answers: `
		all x/a > svc:y/s 80/TCP # counts as ready`},
	{rule: "SEM-259", services: plain, answers: `
		no-such-port x/a > svc:y/s 80/UDP # another protocol
		no-such-port x/a > 10.96.0.1 81/TCP # also by address
		no-such-port x/a > svc:y/s ICMP # nothing without ports is forwarded`},
	{rule: "SEM-262", services: "y/s: {clusterIP: None, ipFamilies: [IPv4], selector: {pod: a}, ports: [{port: 80, targetPort: 8080}]}", policies: toX("{ports: [{port: 80}, {port: 99}]}"), answers: `
		all x/a > svc:y/s 80/TCP # the target port is not applied
		all x/a > svc:y/s 99/TCP # listed or not
		none x/a > svc:y/s 8080/TCP # the policy sees what the client chose
		not-exposed 203.0.113.9 > svc:y/s 80/TCP # SEM-285: no door leads outside`},
	{rule: "SEM-262, SEM-200", services: "x/s: {clusterIP: None, ipFamilies: [IPv4], selector: {pod: a}}", profile: reach.Profile{Hairpin: reach.HairpinPoliced}, policies: denyAll, answers: `
		all x/a > svc:x/s 80/TCP # it connects to its own address`},
	{rule: "SEM-263", services: "y/s: {type: ExternalName, externalName: db.example.com}\ny/t: {type: ExternalName, externalName: gone.example.com}\n" +
		"y/l: {type: ExternalName, externalName: l.y.svc.cluster.local}\ny/a: {type: ExternalName, externalName: p.y.svc.cluster.local}\n" +
		"y/b: {type: ExternalName, externalName: p.y.svc}\ny/c: {type: ExternalName, externalName: gone.y.svc.cluster.local}\ny/p: {clusterIP: 10.96.0.2, selector: {pod: a}, ports: [{port: 80}]}",
		change: func(c *policy.Cluster) {
			c.Hosts = map[string][]netip.Addr{"db.example.com": addrsOfTexts("203.0.113.9"), "two.example.com": addrsOfTexts("203.0.113.9", "8.8.8.8")}
		},
		policies: toX("{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}"), answers: `
		all x/a > svc:y/s 80/TCP # its address was supplied
		unknown x/a > svc:y/t 80/TCP # its address was not
		all z/a > svc:y/t 80/TCP # every address would be allowed
		unknown x/a > svc:y/l 80/TCP # it leads back to itself
		unknown z/a > svc:y/l 80/TCP # which no policy can help
		unknown x/a > svc:y/b 80/TCP # only full names lead to Services
		unknown z/a > svc:y/c 80/TCP # this Service is missing
		none x/a > svc:y/a 80/TCP # it leads to a Service, whose backend is in no block
		all z/a > svc:y/a 80/TCP # which z/a may reach
		no-such-port z/a > svc:y/a 81/TCP # and which does not list this port
		some x/a > two.example.com 80/TCP # SEM-290: several addresses are several paths
		not-exposed 203.0.113.9 > svc:y/s 80/TCP # SEM-285: no door leads outside`},
	{rule: "SEM-264", services: "y/s: {clusterIP: 10.96.0.1, ports: [{port: 80}]}", change: slice("203.0.113.9", "", 5432, discoveryv1.EndpointConditions{}, ""),
		policies: toX("{to: [{ipBlock: {cidr: 203.0.113.9/32}}], ports: [{port: 5432}]}"), answers: `
		all x/a > svc:y/s 80/TCP # policies see the address and port behind the Service
		none x/a > 203.0.113.9 80/TCP # without the Service the port is another`},
	{rule: "SEM-264", services: "y/s: {clusterIP: 10.96.0.1, ports: [{name: web, port: 80}]}",
		change: with(slice("10.0.2.1", "other", 80, discoveryv1.EndpointConditions{}, ""), slice("10.0.2.2", "web", 80, discoveryv1.EndpointConditions{Ready: new(bool)}, ""),
			slice("10.0.2.3", "web", 80, discoveryv1.EndpointConditions{Ready: new(bool), Terminating: new(true)}, "")),
		policies: "'y': {podSelector: {matchLabels: {pod: a}}, policyTypes: [Ingress]}\n'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}", answers: `
		all x/a > svc:y/s 80/TCP # y/a is behind another port, y/b is not ready, y/c still serves`},
	{rule: "SEM-264", services: "y/s: {clusterIP: 10.96.0.1, ports: [{port: 80}]}", change: func(c *policy.Cluster) {
		c.Endpoints = append(c.Endpoints, &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Namespace: "y", Name: "s"}, Subsets: []corev1.EndpointSubset{{
			Addresses: []corev1.EndpointAddress{{IP: "10.0.2.1"}}, NotReadyAddresses: []corev1.EndpointAddress{{IP: "10.0.2.2"}}, Ports: []corev1.EndpointPort{{Port: 81}}}}})
	}, policies: "'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}\n" + toX("{ports: [{port: 81}]}"), answers: `
		all x/a > svc:y/s 80/TCP # y/a is ready, y/b is not`},
	{rule: "SEM-265", services: nodePort, change: onNode("y", "b", "n2"), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		none 203.0.113.9 > node:n2 30080/TCP # the backend sees n2
		all 203.0.113.9 > node:n1 30080/TCP # SEM-272: the backend sees its own node
		some 203.0.113.9 > svc:y/s 80/TCP # SEM-282: by any node
		all 203.0.113.9 > y/a 80/TCP # without the Service it sees the client`},
	{rule: "SEM-265, SEM-278", services: nodePort, profile: reach.Profile{ServiceSNAT: reach.SNATNever}, policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		all 203.0.113.9 > node:n2 30080/TCP # the backend sees the client
		none 198.51.100.1 > node:n1 30080/TCP # wherever it comes by`},
	{rule: "SEM-266", services: strings.Replace(nodePort, "{", "{externalTrafficPolicy: Local, ", 1), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		all 203.0.113.9 > node:n1 30080/TCP # the client is seen
		none 198.51.100.1 > node:n1 30080/TCP # whoever it is
		no-local-endpoints 203.0.113.9 > node:n2 30080/TCP # n2 has no backend
		all 203.0.113.9 > svc:y/s 80/TCP # SEM-282: only n1 receives`},
	{rule: "SEM-267", services: balancer, change: with(withBalancers("198.51.100.5"), onNode("x", "b", "n2")),
		policies: fromTo("y", "{namespaceSelector: {}, podSelector: {matchLabels: {pod: b}}}"), answers: `
		none x/b > 198.51.100.5 80/TCP # the backend sees n2
		all x/c > 198.51.100.5 80/TCP # SEM-272: n1 is its own node
		all x/b > svc:y/s 80/TCP # by the ClusterIP it sees x/b
		all x/b > 198.51.100.5 81/TCP # SEM-286: another port is not translated`},
	{rule: "SEM-268", services: balancer, change: withBalancers("*198.51.100.5"), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		unknown 203.0.113.9 > 198.51.100.5 80/TCP # it is not known what address the balancer has
		some 198.51.100.1 > 198.51.100.5 80/TCP balancer 203.0.113.1 # whatever it has, a node hides it, and n1 is let in
		some 203.0.113.9 > 198.51.100.5 80/TCP balancer 198.51.100.1 # likewise`},
	{rule: "SEM-268", services: strings.Replace(balancer, "{", "{externalTrafficPolicy: Local, ", 1), change: with(withBalancers("*198.51.100.5"), onNode("y", "a", "")), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		unknown 203.0.113.9 > 198.51.100.5 80/TCP # it is not known what address the balancer has
		all 198.51.100.1 > 198.51.100.5 80/TCP balancer 203.0.113.1 # it has this one
		none 203.0.113.9 > 198.51.100.5 80/TCP balancer 198.51.100.1 # it has this one`},
	{rule: "SEM-268", services: "y/s: {type: LoadBalancer, clusterIP: 10.96.0.1, allocateLoadBalancerNodePorts: false, selector: {pod: a}, ports: [{port: 80}]}",
		change: withBalancers("*198.51.100.5"), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		all 198.51.100.1 > 198.51.100.5 80/TCP balancer 203.0.113.1 # without node ports it connects to y/a
		none 203.0.113.9 > 198.51.100.5 80/TCP balancer 198.51.100.1 # likewise
		none node:n2 > 198.51.100.5 80/TCP balancer 192.168.0.2 # the balancer is n2
		all node:n2 > 198.51.100.5 80/TCP balancer 192.168.0.1 # the balancer is the node of y/a`},
	{rule: "SEM-268", services: balancer, change: withBalancers("lb.example.com"), policies: toX("{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}"), answers: `
		all 203.0.113.9 > svc:y/s 80/TCP # whoever the balancer is`},
	{rule: "SEM-268", services: balancer, change: withBalancers("*203.0.113.5", "*198.51.100.5"), policies: toX("{to: [{ipBlock: {cidr: 203.0.113.0/24}}]}"), answers: `
		all x/a > 203.0.113.5 80/TCP # the client sees the balancer
		none x/a > 198.51.100.5 80/TCP # also here`},
	{rule: "SEM-269", services: "y/s: {clusterIP: 10.96.0.1, externalIPs: [198.51.100.9, 192.168.0.2], externalTrafficPolicy: Local, selector: {pod: a}, ports: [{port: 80}]}\n" +
		"z/s: {clusterIP: 10.96.0.2, externalIPs: [198.51.100.9], selector: {pod: a}, ports: [{port: 80}]}",
		policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}") + closed("z") + toX("{to: [{namespaceSelector: {}}]}"), answers: `
		all 203.0.113.9 > svc:y/s 80/TCP # the client is seen
		some 203.0.113.9 > 198.51.100.9 80/TCP # two Services claim it, one is closed but for n1
		all 203.0.113.9 > 198.51.100.9 81/TCP # another port is not translated
		all 198.51.100.1 > 192.168.0.2 80/TCP # n2 alone receives it, has no backend, and may answer itself
		none x/a > 192.168.0.2 80/TCP # x/a may not go to nodes, and y/a does not admit x/a`},
	{rule: "SEM-270", services: strings.Replace(plain, "{", "{internalTrafficPolicy: Local, ", 1), change: with(onNode("x", "b", "n2"), onNode("x", "c", "")), answers: `
		all x/a > svc:y/s 80/TCP # y/a is on n1 too
		no-local-endpoints x/b > svc:y/s 80/TCP # x/b is not
		unknown x/c > svc:y/s 80/TCP # nobody knows
		all node-of:y/a > svc:y/s 80/TCP # the node itself`},
	{rule: "SEM-270", services: strings.Replace(plain, "{", "{internalTrafficPolicy: Local, ", 1), change: onNode("y", "a", ""), answers: `
		unknown x/a > svc:y/s 80/TCP # nobody knows where y/a is
		all node-of:y/a > svc:y/s 80/TCP # but here`},
	{rule: "SEM-272", services: nodePort, policies: closed("y"), answers: `
		all 203.0.113.9 > node:n1 30080/TCP # the own node of y/a
		none 203.0.113.9 > node:n2 30080/TCP # another one`},
	{rule: "SEM-273", services: strings.Replace(balancer, "{", "{loadBalancerSourceRanges: [203.0.113.0/24, 192.168.0.2/32], ", 1), change: withBalancers("198.51.100.5"), answers: `
		all 203.0.113.9 > 198.51.100.5 80/TCP # in the ranges
		outside-source-ranges 198.51.100.1 > 198.51.100.5 80/TCP # not in the ranges
		outside-source-ranges x/b > 198.51.100.5 80/TCP # not even from inside
		outside-source-ranges node:n1 > 198.51.100.5 80/TCP # nodes neither
		all node:n2 > 198.51.100.5 80/TCP # but this one
		all 198.51.100.1 > node:n1 30080/TCP # node ports are not concerned`},
	{rule: "SEM-273", services: "y/s: {type: LoadBalancer, clusterIPs: [10.96.0.1, 'fd02::1'], loadBalancerSourceRanges: ['fd00::/8'], selector: {pod: a}, ports: [{port: 80}]}", change: withBalancers("198.51.100.5"), answers: `
		all 203.0.113.9 > 198.51.100.5 80/TCP # ranges of IPv6 do not restrict IPv4`},
	{rule: "SEM-274, SEM-201", services: "x/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}", policies: denyAll, answers: `
		all x/a > svc:x/s 80/TCP # the policies have no say
		none x/b > svc:x/s 80/TCP # for others they do`},
	{rule: "SEM-201", services: "x/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}", profile: reach.Profile{Hairpin: reach.HairpinMasqueraded}, policies: denyIn, answers: `
		all x/a > svc:x/s 80/TCP # its ingress sees its own node`},
	{rule: "SEM-201", services: "x/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}", profile: reach.Profile{Hairpin: reach.HairpinMasqueraded}, policies: denyOut, answers: `
		none x/a > svc:x/s 80/TCP # its egress sees itself`},
	{rule: "SEM-201", services: "x/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}", profile: reach.Profile{Hairpin: reach.HairpinPoliced}, policies: denyIn, answers: `
		none x/a > svc:x/s 80/TCP # its ingress sees itself`},
	{rule: "SEM-201", services: "x/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{port: 80}]}", profile: reach.Profile{Hairpin: reach.HairpinPoliced}, policies: fromX("{from: [{podSelector: {}}]}"), answers: `
		all x/a > svc:x/s 80/TCP # which it admits`},
	{rule: "SEM-275, SEM-128", services: "y/s: {clusterIPs: ['fd02::1'], selector: {pod: a}, ports: [{port: 80}]}\ny/t: {clusterIPs: [10.96.0.2], selector: {pod: b}, ports: [{port: 80}]}\n" +
		"y/u: {selector: {pod: a}, ports: [{port: 80}]}\ny/v: {selector: {pod: c}, ports: [{port: 80}]}\ny/w: {ipFamilyPolicy: PreferDualStack, selector: {pod: a}, ports: [{port: 80}]}",
		change: with(addrsOfPod("x", "a", "10.0.1.1", "fd00::11"), addrsOfPod("x", "b"), addrsOfPod("y", "a", "10.0.2.1", "fd00::21"), addrsOfPod("y", "c")), answers: `
		all x/a > svc:y/s 80/TCP # both have IPv6
		no-common-family x/c > svc:y/s 80/TCP # x/c has not
		no-common-family x/a > svc:y/s 80/TCP over IPv4 # the Service has not
		all x/a > svc:y/u 80/TCP # it has one family, and either will do
		all x/b > svc:y/v 80/TCP # either will do for addresses that are not known
		unknown x/c > svc:y/u 80/TCP # which of them matters: y/a has both, and x/c has not
		unknown x/a > svc:y/u 80/TCP over IPv4 # which of them matters
		all x/a > svc:y/w 80/TCP over IPv6 # it has both
		all x/c > svc:y/w 80/TCP # IPv4 is enough`},
	{rule: "SEM-276", services: "y/s: {clusterIP: 10.96.0.1, selector: {app: hn}, ports: [{port: 80}]}",
		change:   with(hostPod("n2", "192.168.0.2"), func(c *policy.Cluster) { podOf(c, "y", "hn").Labels = map[string]string{"app": "hn"} }),
		policies: toX("{to: [{namespaceSelector: {}}]}"), answers: `
		none x/a > svc:y/s 80/TCP # the backend is a node
		all z/a > svc:y/s 80/TCP # which z/a may reach`},
	{rule: "SEM-277", services: "y/s: {clusterIP: 10.96.0.1, sessionAffinity: ClientIP, selector: {app: s}, ports: [{port: 80}]}",
		change:   with(labelPod("y", "a", "app", "s"), labelPod("y", "b", "app", "s")),
		policies: "'y': {podSelector: {matchLabels: {pod: b}}, policyTypes: [Ingress]}", answers: `
		some x/a > svc:y/s 80/TCP # every backend is judged`},
	{rule: "SEM-278", services: plain, profile: reach.Profile{ServiceSNAT: reach.SNATAlways}, change: onNode("x", "b", "n2"),
		policies: fromTo("y", "{namespaceSelector: {}}"), answers: `
		none x/b > svc:y/s 80/TCP # the backend sees n2
		all x/a > svc:y/s 80/TCP # the backend sees n1, its own node`},
	{rule: "SEM-281, SEM-222", services: plain + "y/t: {clusterIP: 10.96.0.2, ports: [{port: 80}]}\ny/u: {type: ExternalName, externalName: gone.example.com}",
		change: func(c *policy.Cluster) {
			podOf(c, "x", "a").Status.Phase, podOf(c, "z", "a").Status.Phase = corev1.PodSucceeded, corev1.PodFailed
		}, answers: `
		terminated x/a > svc:y/s 80/TCP # the client has left the network
		terminated x/a > svc:y/s 81/TCP # whatever it asks for
		terminated x/a > svc:y/t 80/TCP # also of a Service without backends
		terminated x/a > svc:y/u 80/TCP # and of a name of which nothing is known
		terminated x/a > 203.0.113.9 80/TCP # or of an address
		terminated x/b > z/a 80/TCP # so has the pod that is asked for
		terminated node:n1 > z/a 80/TCP # for its node, too
		all x/b > 10.0.3.1 80/TCP # its address is nobody's`},
	{rule: "SEM-281", services: nodePort, change: onNode("y", "a", ""), policies: closed("y"), answers: `
		unknown 203.0.113.9 > node:n1 30080/TCP # y/a may be on n1
		none node:n1 > y/a 80/TCP # SEM-213: a flow without a Service is another node's
		none x/a > y/a 80/TCP # x/a is no node`},
	{rule: "SEM-281, SEM-213", services: strings.Replace(nodePort, "{", "{externalTrafficPolicy: Local, ", 1), change: onNode("x", "b", ""), policies: toX("{to: [{namespaceSelector: {}}]}"), answers: `
		unknown x/b > node:n1 30080/TCP # x/b may be on n1, and then sees y/a
		unknown node-of:x/b > node:n1 30080/TCP # likewise
		all x/a > node:n1 30080/TCP # x/a is there, and y/a is open`},
	{rule: "SEM-282", services: "x/w: {type: NodePort, clusterIP: 10.96.0.1, selector: {app: w}, ports: [{port: 80, nodePort: 30080}]}",
		change: with(addDeployment, func(c *policy.Cluster) { c.Nodes, c.Pods = nil, nil }), policies: denyIn, answers: `
		some 203.0.113.9 > svc:x/w 80/TCP # by its own node, and not by the others
		all 203.0.113.9 > node-of:x/w 30080/TCP # by its own node`},
	{rule: "SEM-283", services: balancer, change: withBalancers("198.51.100.5"), policies: toX("{to: [{ipBlock: {cidr: 192.168.0.2/32}}], ports: [{port: 30080}]}"), answers: `
		none x/b > 198.51.100.5 80/TCP # the policies of x/b see y/a
		all x/b > node:n2 30080/TCP # they see n2, and y/a is open
		none x/b > node:n1 30080/TCP # n1 is its own node, so they see y/a`},
	{rule: "SEM-284", services: nodePort, change: with(onNode("y", "c", "n3"), func(c *policy.Cluster) {
		c.Nodes[1].Status.Addresses = append([]corev1.NodeAddress{{Type: corev1.NodeExternalIP, Address: "203.0.113.2"}}, c.Nodes[1].Status.Addresses...)
	}), policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		none 203.0.113.9 > node:n2 30080/TCP # it has a second address, but masquerades by the first
		unknown 203.0.113.9 > node:n3 30080/TCP # no address of n3 is known
		some 203.0.113.9 > svc:y/s 80/TCP # by n1`},
	{rule: "SEM-284", services: nodePort, change: onNode("y", "c", "n3"), policies: closed("y"), answers: `
		none 203.0.113.9 > node:n3 30080/TCP # whatever address n3 has`},
	{rule: "SEM-285", services: plain + "y/t: {type: LoadBalancer, clusterIP: 10.96.0.2, allocateLoadBalancerNodePorts: false, externalTrafficPolicy: Local, selector: {pod: a}, ports: [{port: 80}]}\n" +
		"y/u: {type: NodePort, clusterIP: 10.96.0.3, selector: {pod: a}, ports: [{port: 80}]}",
		policies: fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"), answers: `
		not-exposed 203.0.113.9 > svc:y/s 80/TCP # a ClusterIP leads nowhere outside
		not-exposed 203.0.113.9 > svc:y/s 99/TCP # whatever the port
		all 203.0.113.9 > svc:y/t 80/TCP # an address that is not assigned yet counts
		none 198.51.100.1 > svc:y/t 80/TCP # and there are no node ports
		some 203.0.113.9 > svc:y/u 80/TCP # a node port that is not assigned yet counts
		some 203.0.113.9 > 10.96.0.1 80/TCP # SEM-271: routed to a node
		all 198.51.100.1 > node:n1 80/TCP # SEM-286: no node port`},
	{rule: "SEM-287", services: "x/w: {clusterIP: 10.96.0.1, selector: {app: w}, ports: [{port: 80}]}", change: addDeployment, policies: denyIn, answers: `
		some x/w > svc:x/w 80/TCP # itself, but no replica
		some replica:x/w > svc:x/w 80/TCP # likewise
		none x/a > svc:x/w 80/TCP # neither`},
}

// TestNaiveServices checks the naive evaluator on examples of the rules about
// Services.
func TestNaiveServices(t *testing.T) {
	outcomes, noted := map[reach.Outcome]int{}, map[string]bool{}
	for i, tc := range serviceCases {
		t.Run(fmt.Sprintf("%s/%d", tc.rule, i), func(t *testing.T) {
			c := newXYZ()
			for line := range strings.Lines(strings.TrimSpace(tc.services)) {
				c.Services = append(c.Services, serviceOf(t, line))
			}
			addPolicies(t, c, tc.policies)
			if tc.change != nil {
				tc.change(c)
			}
			n := newNotingNaive(c, tc.profile)
			for line := range strings.Lines(strings.TrimSpace(tc.answers)) {
				text, why, _ := strings.Cut(line, " #")
				require.NotEmpty(t, strings.TrimSpace(why), line)
				f := strings.Fields(text)
				require.GreaterOrEqual(t, len(f), 5, line)
				port, err := policy.ParsePort(f[4])
				require.NoError(t, err, line)
				fam, balancer := reach.AnyFamily, netip.Addr{}
				for rest := f[5:]; len(rest) > 0; rest = rest[2:] {
					switch rest[0] {
					case "over":
						fam = map[string]reach.Family{"IPv4": reach.IPv4, "IPv6": reach.IPv6}[rest[1]]
					case "balancer":
						balancer = netip.MustParseAddr(rest[1])
					default:
						t.Fatal(line)
					}
				}
				got := n.trace(f[1], f[3], port, fam, balancer)
				assert.Equal(t, reach.Outcome(f[0]), got.outcome, "%s\n%v", line, got.paths)
				outcomes[reach.Outcome(f[0])]++
			}
			for _, rule := range ruleNumber.FindAllString(tc.rule, -1) {
				noted[rule] = noted[rule] || slices.Contains(n.notes, rule)
			}
		})
	}
	for rule, is := range noted {
		if _, exempt := exemptServiceRules[rule]; !exempt {
			assert.True(t, is, "%s is not noted in its examples", rule)
		}
	}
	for _, o := range allOutcomes {
		assert.Positive(t, outcomes[o], o)
	}
}

// addPolicies adds the policies of the lines, each with its namespace and spec.
func addPolicies(t *testing.T, c *policy.Cluster, lines string) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(lines)) {
		var specs map[string]networkingv1.NetworkPolicySpec
		require.NoError(t, yaml.Unmarshal([]byte(line), &specs), line)
		for ns, spec := range specs {
			np := &networkingv1.NetworkPolicy{Spec: spec}
			np.Namespace, np.Name = ns, fmt.Sprintf("p%d", len(c.Policies))
			c.Policies = append(c.Policies, np)
		}
	}
}

var allOutcomes = []reach.Outcome{
	reach.All, reach.Some, reach.None, reach.Unknown, reach.OutsideSourceRanges, reach.NoLocalEndpoints,
	reach.NoEndpoints, reach.NoFamily, reach.NoServicePort, reach.Gone, reach.NotExposed,
}

// exemptServiceRules are the rules about Services that no note can show, and
// why.
var exemptServiceRules = map[string]string{
	"SEM-277": "about what makes no difference",
}

// TestNaiveExposures checks the doors of a pod (SEM-289).
func TestNaiveExposures(t *testing.T) {
	c := newXYZ()
	local := strings.Replace(strings.Replace(balancer, "y/s", "y/t", 1), "{", "{externalTrafficPolicy: Local, loadBalancerSourceRanges: [203.0.113.0/25], ", 1)
	c.Services = append(c.Services, serviceOf(t, nodePort), serviceOf(t, local), serviceOf(t, strings.Replace(plain, "y/s", "y/u", 1)))
	balanced(c.Services[1], "198.51.100.5", "*198.51.100.6")
	addPolicies(t, c, fromTo("y", "{ipBlock: {cidr: 203.0.113.0/24}}"))
	n := newNaive(c, reach.Profile{})
	sample := addrsOfTexts("203.0.113.9", "203.0.113.200", "8.8.8.8")
	type row struct {
		door    string
		in      []string
		unknown int
		ownNode bool
	}
	var got []row
	for _, x := range n.exposures("y/a", sample) {
		r := row{door: fmt.Sprintf("%s %s %s", x.service, x.kind, x.addr), unknown: len(x.unknown), ownNode: x.ownNode}
		for _, a := range x.in {
			r.in = append(r.in, a.String())
		}
		got = append(got, r)
	}
	assert.Equal(t, []row{
		{door: "y/s NodePort invalid IP", in: []string{"203.0.113.9", "203.0.113.200", "8.8.8.8"}, ownNode: true}, // n1 hides them
		{door: "y/t NodePort invalid IP", in: []string{"203.0.113.9", "203.0.113.200"}},                           // the policy sees them
		{door: "y/t LoadBalancer 198.51.100.5", in: []string{"203.0.113.9"}},                                      // the ranges hold one
		{door: "y/t LoadBalancer 198.51.100.6", unknown: 3},                                                       // nobody knows the balancer
	}, got)
	assert.Empty(t, n.exposures("y/b", sample), "a backend of none")
}

// TestNaiveDNS checks which servers there are and who can ask them (SEM-279).
func TestNaiveDNS(t *testing.T) {
	c := newXYZ()
	addPolicies(t, c, toX("{to: [{namespaceSelector: {}}], ports: [{port: 53, protocol: UDP}]}"))
	n := newNaive(c, reach.Profile{})
	assert.Empty(t, n.dnsServers())
	podOf(c, "y", "a").Labels["k8s-app"] = "coredns"
	assert.Equal(t, []string{"pod:y/a"}, newNaive(c, reach.Profile{}).dnsServers(), "pods, without Services")
	c.Services = append(c.Services,
		serviceOf(t, "kube-system/kube-dns: {clusterIP: 10.96.0.10, ports: [{name: a, port: 53, protocol: UDP}]}"),
		serviceOf(t, "y/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{name: a, port: 53, protocol: UDP}, {name: b, port: 53}]}"))
	c.Services[1].Labels = map[string]string{"dns.operator.openshift.io/owning-dns": "default"}
	n = newNaive(c, reach.Profile{})
	assert.Equal(t, []string{"svc:kube-system/kube-dns", "svc:y/s"}, n.dnsServers())
	udp, tcp, resolves := n.dns("x/a", n.dnsServers())
	assert.Equal(t, []reach.Outcome{reach.NoEndpoints, reach.All}, udp)
	assert.Equal(t, []reach.Outcome{reach.NoServicePort, reach.None}, tcp)
	assert.True(t, resolves, "over UDP it does")
	_, _, resolves = n.dns("x/a", n.dnsServers()[:1])
	assert.False(t, resolves)
}

// TestNaiveRoutes checks what Ingress objects forward (SEM-288).
func TestNaiveRoutes(t *testing.T) {
	c := newXYZ()
	c.Services = append(c.Services, serviceOf(t, "y/s: {clusterIP: 10.96.0.1, selector: {pod: a}, ports: [{name: web, port: 80, targetPort: 81}]}"))
	addPolicies(t, c, fromTo("y", "{namespaceSelector: {matchLabels: {team: z}}}")+toX("{ports: [{port: 80}]}"))
	in := &networkingv1.Ingress{}
	in.Namespace, in.Name = "y", "i"
	require.NoError(t, yaml.UnmarshalStrict([]byte(`{defaultBackend: {resource: {kind: Bucket, name: b}}, rules: [
		{host: a.example.com, http: {paths: [{path: /, backend: {service: {name: s, port: {name: web}}}}, {path: /x, backend: {service: {name: s, port: {number: 80}}}}]}},
		{http: {paths: [{path: /, backend: {service: {name: gone, port: {number: 80}}}}, {path: /y, backend: {service: {name: s, port: {number: 81}}}}]}}]}`), &in.Spec))
	c.Ingresses = append(c.Ingresses, in)
	got := newNaive(c, reach.Profile{}).routes("z/a", "x/a")
	outcomes := []reach.Outcome{reach.All, reach.None} // x/a may use port 80 only, and is not of z
	assert.Equal(t, []naiveRoute{
		{"y/i", "a.example.com", "/", "y/s", "web", false, outcomes},
		{"y/i", "a.example.com", "/x", "y/s", "80", false, outcomes},
		{"y/i", "", "/", "y/gone", "80", true, nil},
		{"y/i", "", "/y", "y/s", "81", true, nil},
		{"y/i", "", "", "", "", true, nil},
	}, got)
}
