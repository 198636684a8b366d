package policy

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"pgregory.net/rapid"
)

func prefixes(texts ...string) cidr.Set {
	var all []netip.Prefix
	for _, s := range texts {
		all = append(all, netip.MustParsePrefix(s))
	}
	return cidr.Of(all...)
}

func TestModelServices(t *testing.T) {
	const port = "ports: [{port: 80}]"
	var (
		web   = []ServicePort{{Port: TCP.Port(80), Target: 80}}
		only4 = [2]bool{true, false}
		only6 = [2]bool{false, true}
		both  = [2]bool{true, true}
	)
	app, err := selector.New(metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}})
	require.NoError(t, err)

	tests := []struct {
		rule, service string
		want          Service
		why           string
	}{
		{"SEM-250", `spec: {` + port + `}`, Service{Ports: web}, "the least that there can be"},
		{"SEM-279", `{metadata: {labels: {k8s-app: kube-dns}}, spec: {` + port + `}}`, Service{Ports: web, Labels: map[string]string{"k8s-app": "kube-dns"}}, "its own labels"},
		{"SEM-256", `spec: {selector: {app: a}, ` + port + `}`, Service{Ports: web, Selector: app, HasSelector: true}, "a selector"},
		{"SEM-256", `spec: {selector: {}, ` + port + `}`, Service{Ports: web}, "an empty selector is none"},
		{"SEM-258", `spec: {publishNotReadyAddresses: true, ` + port + `}`, Service{Ports: web, PublishNotReady: true}, "backends need not be ready"},

		{"SEM-251", `spec: {clusterIP: 10.96.0.7, ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("10.96.0.7"), Families: only4}, "the single address"},
		{"SEM-275", `spec: {clusterIP: "fd00::7", clusterIPs: ["fd00::7", 10.96.0.7], ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("fd00::7", "10.96.0.7"), Families: both}, "the list"},
		{"SEM-124", `spec: {clusterIP: "::ffff:10.96.0.7", ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("10.96.0.7"), Families: only4}, "IPv4-mapped is IPv4"},
		{"SEM-262", `spec: {clusterIP: None}`, Service{Kind: Headless, Families: both}, "headless, without ports; without selector it has both families"},
		{"SEM-262", `spec: {type: ClusterIP, clusterIP: None, clusterIPs: [None], ` + port + `}`, Service{Kind: Headless, Ports: web, Families: both}, "headless by the list as well"},

		{"SEM-275", `spec: {ipFamilies: [IPv6], ` + port + `}`, Service{Ports: web, Families: only6}, "one family that is wanted"},
		{"SEM-275", `spec: {ipFamilies: [IPv6, IPv4], ipFamilyPolicy: PreferDualStack, ` + port + `}`, Service{Ports: web, Families: both}, "both"},
		{"SEM-275", `spec: {clusterIP: None, ipFamilies: [IPv4], ` + port + `}`, Service{Kind: Headless, Ports: web, Families: both}, "a headless one without selector gets the other, too"},
		{"SEM-275", `spec: {clusterIP: None, ipFamilies: [IPv4], ipFamilyPolicy: SingleStack, ` + port + `}`, Service{Kind: Headless, Ports: web, Families: only4}, "unless it says otherwise"},
		{"SEM-275", `spec: {ipFamilyPolicy: PreferDualStack, ` + port + `}`, Service{Ports: web, Families: both}, "the policy, if there is nothing else"},
		{"SEM-275", `spec: {ipFamilyPolicy: RequireDualStack, ` + port + `}`, Service{Ports: web, Families: both}, "the other policy that means both"},
		{"SEM-275", `spec: {ipFamilyPolicy: SingleStack, ` + port + `}`, Service{Ports: web}, "one, but not known which"},
		{"SEM-275", `spec: {clusterIP: 10.96.0.7, ipFamilyPolicy: PreferDualStack, ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("10.96.0.7"), Families: both}, "PreferDualStack still adds the other family"},
		{"SEM-275", `spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ipFamilyPolicy: PreferDualStack, ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("10.96.0.7"), Families: only4}, "unless the server has made the list"},
		{"SEM-275", `spec: {clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7], ipFamilyPolicy: RequireDualStack, ` + port + `}`, Service{Ports: web, ClusterIPs: addrs("10.96.0.7"), Families: both}, "which with RequireDualStack cannot be all"},
		{"SEM-275", `spec: {ipFamilies: [IPv4], ipFamilyPolicy: PreferDualStack, ` + port + `}`, Service{Ports: web, Families: both}, "PreferDualStack adds the other family"},
		{"SEM-275", `spec: {clusterIP: None, selector: {app: a}, ` + port + `}`, Service{Kind: Headless, Ports: web, Selector: app, HasSelector: true}, "headless with a selector is as any other"},

		{"SEM-252", `spec: {ports: [{name: a, port: 80, targetPort: 8080}, {name: b, port: 53, protocol: UDP, targetPort: ""}, {name: c, port: 443, targetPort: 0, protocol: SCTP}, {name: d, port: 90, targetPort: web}]}`,
			Service{Ports: []ServicePort{
				{Name: "a", Port: TCP.Port(80), Target: 8080}, {Name: "b", Port: UDP.Port(53), Target: 53},
				{Name: "c", Port: SCTP.Port(443), Target: 443}, {Name: "d", Port: TCP.Port(90), TargetName: "web"},
			}}, "target ports"},
		{"SEM-265", `spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81}]}`,
			Service{Kind: NodePort, NodePorts: true, Ports: []ServicePort{
				{Name: "a", Port: TCP.Port(80), Target: 80, NodePort: 30080}, {Name: "b", Port: TCP.Port(81), Target: 81},
			}}, "one of the node ports is not assigned yet"},
		{"SEM-285", `spec: {type: LoadBalancer, ` + port + `}`, Service{Kind: LoadBalancer, NodePorts: true, Ports: web}, "a balancer has node ports, and no address yet"},
		{"SEM-285", `spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: true, ` + port + `}`, Service{Kind: LoadBalancer, NodePorts: true, Ports: web}, "as it says"},
		{"SEM-285", `spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, ` + port + `}`, Service{Kind: LoadBalancer, Ports: web}, "or has none"},
		{"SEM-285", `spec: {type: LoadBalancer, allocateLoadBalancerNodePorts: false, ports: [{port: 80, nodePort: 30080}]}`,
			Service{Kind: LoadBalancer, Ports: []ServicePort{{Port: TCP.Port(80), Target: 80, NodePort: 30080}}}, "one that is asked for by number is there all the same"},

		{"SEM-267", `{spec: {type: LoadBalancer, ` + port + `}, status: {loadBalancer: {ingress: [{ip: 198.51.100.5}, {ip: "fd00::5", ipMode: VIP}, {ip: 198.51.100.5}]}}}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, Balancers: []Balancer{{Addr: netip.MustParseAddr("198.51.100.5")}, {Addr: netip.MustParseAddr("fd00::5")}}}, "VIP is the default; each once"},
		{"SEM-268", `{spec: {type: LoadBalancer, ` + port + `}, status: {loadBalancer: {ingress: [{ip: 198.51.100.5, ipMode: Proxy}, {hostname: lb.example.com}, {hostname: lb2.example.com}]}}}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, Balancers: []Balancer{{Addr: netip.MustParseAddr("198.51.100.5"), Proxied: true}, {Proxied: true}}}, "balancers that proxy; those without address are alike"},
		{"SEM-268", `{spec: {type: LoadBalancer, ` + port + `}, status: {loadBalancer: {ingress: [{ip: 198.51.100.5, hostname: lb.example.com}, {}]}}}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, Balancers: []Balancer{{Addr: netip.MustParseAddr("198.51.100.5")}}}, "the address counts beside a name; nothing is nothing"},

		{"SEM-273", `spec: {type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.9/32, " 198.51.100.0/25 "], ` + port + `}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, HasRanges: only4, SourceRanges: [2]cidr.Set{prefixes("203.0.113.9/32", "198.51.100.0/25")}}, "ranges of one family, with blanks"},
		{"SEM-273", `spec: {type: LoadBalancer, loadBalancerSourceRanges: ["fd00::/8", 0.0.0.0/0], ` + port + `}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, HasRanges: both, SourceRanges: [2]cidr.Set{prefixes("0.0.0.0/0"), prefixes("fd00::/8")}}, "ranges of both families"},
		{"SEM-124", `spec: {type: LoadBalancer, loadBalancerSourceRanges: [203.0.113.9/24], ` + port + `}`,
			Service{Kind: LoadBalancer, NodePorts: true, Ports: web, HasRanges: only4, SourceRanges: [2]cidr.Set{prefixes("203.0.113.0/24")}}, "host bits do not count"},

		{"SEM-269", `spec: {externalIPs: [198.51.100.9, "fd00::9", "::ffff:198.51.100.9"], ` + port + `}`, Service{Ports: web, ExternalIPs: addrs("198.51.100.9", "fd00::9")}, "external addresses, each once"},
		{"SEM-270", `spec: {internalTrafficPolicy: Local, ` + port + `}`, Service{Ports: web, InternalLocal: true}, "local inside"},
		{"SEM-270", `spec: {internalTrafficPolicy: Cluster, ` + port + `}`, Service{Ports: web}, "the default"},
		{"SEM-266", `spec: {type: NodePort, internalTrafficPolicy: Local, externalTrafficPolicy: Local, ` + port + `}`, Service{Kind: NodePort, NodePorts: true, Ports: web, InternalLocal: true, ExternalLocal: true}, "local both ways"},
		{"SEM-267", `spec: {type: LoadBalancer, externalTrafficPolicy: Local, ` + port + `}`, Service{Kind: LoadBalancer, NodePorts: true, Ports: web, ExternalLocal: true}, "local at a balancer"},
		{"SEM-265", `spec: {type: NodePort, externalTrafficPolicy: Cluster, ` + port + `}`, Service{Kind: NodePort, NodePorts: true, Ports: web}, "the default"},
		{"SEM-269", `spec: {externalIPs: [198.51.100.9], externalTrafficPolicy: Local, ` + port + `}`, Service{Ports: web, ExternalIPs: addrs("198.51.100.9"), ExternalLocal: true}, "local at an external address"},

		{"SEM-263", `spec: {type: ExternalName, externalName: db.example.com}`, Service{Kind: ExternalName, Alias: "db.example.com"}, "an alias"},
		{"SEM-290", `spec: {type: ExternalName, externalName: db.example.com., selector: {app: a}, internalTrafficPolicy: Local, ` + port + `}`, Service{Kind: ExternalName, Alias: "db.example.com", Ports: web}, "no final dot; the rest means nothing for an alias"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			m := modelOf(t, "Service s: "+tt.service)
			tt.want.Name = types.NamespacedName{Namespace: "x", Name: "s"}
			assert.Equal(t, []*Service{&tt.want}, m.Services)
		})
	}
	t.Run("sorted", func(t *testing.T) {
		const spec = "spec: {ports: [{port: 80}]}"
		m := modelOf(t, "Service b: {"+spec+"}", "Service a: {"+spec+"}", "Service c: {metadata: {namespace: w}, "+spec+"}", "Service -: {metadata: {name: '', generateName: g-}, "+spec+"}")
		var names []string
		for _, s := range m.Services {
			names = append(names, s.Name.String())
		}
		assert.Equal(t, []string{"w/c", "x/a", "x/b", "x/g-#1"}, names)
	})
}

func TestModelEndpoints(t *testing.T) {
	const (
		svc      = "Service s: {spec: {ports: [{name: web, port: 80, targetPort: 8080}, {name: dns, port: 53, protocol: UDP}]}}"
		headless = "Service s: {spec: {clusterIP: None, ports: [{name: web, port: 80}]}}"
		of       = "metadata: {labels: {kubernetes.io/service-name: s}}, addressType: IPv4"
		port     = "ports: [{name: web, port: 8080}]"
	)
	at := func(addr string) ServiceEndpoint {
		return ServiceEndpoint{PortName: "web", Addr: netip.MustParseAddr(addr), Port: TCP.Port(8080), Ready: true, Serving: true}
	}
	dns := func(addr string) ServiceEndpoint {
		return ServiceEndpoint{PortName: "dns", Addr: netip.MustParseAddr(addr), Port: UDP.Port(5353), Ready: true, Serving: true}
	}
	with := func(e ServiceEndpoint, change func(*ServiceEndpoint)) ServiceEndpoint {
		change(&e)
		return e
	}
	tests := []struct {
		objects []string
		want    []ServiceEndpoint
		why     string
	}{
		{[]string{svc}, nil, "nothing lists any"},
		{[]string{svc, "EndpointSlice s-1: {" + of + ", " + port + ", endpoints: [{addresses: [203.0.113.9]}, {addresses: [10.0.0.2], nodeName: n1, conditions: {}}]}"},
			[]ServiceEndpoint{at("203.0.113.9"), with(at("10.0.0.2"), func(e *ServiceEndpoint) { e.Node = "n1" })}, "in the order of the object; left out means ready and serving"},
		{[]string{svc, "EndpointSlice s-1: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1], conditions: {ready: false}}, {addresses: [10.0.0.2], conditions: {ready: false, serving: true, terminating: true}}, {addresses: [10.0.0.3], conditions: {ready: true, serving: false, terminating: false}}]}"},
			[]ServiceEndpoint{
				with(at("10.0.0.1"), func(e *ServiceEndpoint) { e.Ready = false }),
				with(at("10.0.0.2"), func(e *ServiceEndpoint) { e.Ready, e.Terminating = false, true }),
				with(at("10.0.0.3"), func(e *ServiceEndpoint) { e.Serving = false }),
			}, "each condition by itself"},
		{[]string{svc, "EndpointSlice s-1: {" + of + ", ports: [{name: dns, port: 5353, protocol: UDP}, {name: web, port: 8080, protocol: TCP}], endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]}"},
			[]ServiceEndpoint{dns("10.0.0.1"), at("10.0.0.1"), dns("10.0.0.2"), at("10.0.0.2")}, "each address has each port"},
		{[]string{svc, "EndpointSlice s-1: {" + of + ", ports: [{name: web}, {name: dns, port: 5353}, {name: x, port: 1}, {port: 2}], endpoints: [{addresses: [10.0.0.1]}]}"}, nil,
			"no number, another protocol, other names: no port of the Service"},
		{[]string{"Service s: {spec: {ports: [{port: 80}]}}", "EndpointSlice s-1: {" + of + ", ports: [{port: 8080}], endpoints: [{addresses: [10.0.0.1]}]}"},
			[]ServiceEndpoint{with(at("10.0.0.1"), func(e *ServiceEndpoint) { e.PortName = "" })}, "no name is a name as well"},
		{[]string{svc, "EndpointSlice s-1: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1, 10.0.0.2]}]}"}, []ServiceEndpoint{at("10.0.0.1")}, "only the first address of an endpoint means something"},
		{[]string{svc, "EndpointSlice s-1: {metadata: {labels: {kubernetes.io/service-name: s}}, addressType: FQDN, " + port + ", endpoints: [{addresses: [db.example.com]}, {addresses: [10.0.0.1]}]}"}, nil, "names, even one that looks like an address"},
		{[]string{svc, "EndpointSlice s-1: {metadata: {labels: {kubernetes.io/service-name: s}}, addressType: IPv6, " + port + ", endpoints: [{addresses: ['FD00::1']}]}"}, []ServiceEndpoint{at("fd00::1")}, "the other family"},
		{[]string{svc, "EndpointSlice s: {addressType: IPv4, " + port + ", endpoints: [{addresses: [10.0.0.1]}]}"}, nil, "the label says whose it is, not the name"},
		{[]string{svc, "EndpointSlice s-1: {metadata: {namespace: w, labels: {kubernetes.io/service-name: s}}, addressType: IPv4, " + port + ", endpoints: [{addresses: [10.0.0.1]}]}"}, nil, "of another namespace"},
		{[]string{svc, "EndpointSlice b: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1]}, {addresses: [10.0.0.2]}]}", "EndpointSlice a: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.2], conditions: {ready: false}}, {addresses: [10.0.0.2]}]}"},
			[]ServiceEndpoint{with(at("10.0.0.2"), func(e *ServiceEndpoint) { e.Ready = false }), at("10.0.0.1")}, "in the order of names; the first counts"},

		{[]string{svc, "Endpoints s: {subsets: [{addresses: [{ip: 10.0.0.1, nodeName: n1}], notReadyAddresses: [{ip: 10.0.0.2}], " + port + "}, {addresses: [{ip: 10.0.0.2}], ports: [{name: dns, port: 5353, protocol: UDP}, {name: web, port: 1, protocol: UDP}]}]}"},
			[]ServiceEndpoint{with(at("10.0.0.1"), func(e *ServiceEndpoint) { e.Node = "n1" }), with(at("10.0.0.2"), func(e *ServiceEndpoint) { e.Ready, e.Serving = false, false }), dns("10.0.0.2")}, "the older kind, by its name"},
		{[]string{svc, "Endpoints t: {subsets: [{addresses: [{ip: 10.0.0.1}], " + port + "}]}", "Endpoints s: {metadata: {namespace: w}, subsets: [{addresses: [{ip: 10.0.0.2}], " + port + "}]}"}, nil, "without Service they mean nothing"},
		{[]string{svc, "Endpoints s: {subsets: [{notReadyAddresses: [{ip: 10.0.0.1}], addresses: [{ip: 10.0.0.3}], " + port + "}]}", "EndpointSlice z: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1], conditions: {ready: false, serving: true, terminating: true}}]}"},
			[]ServiceEndpoint{with(at("10.0.0.1"), func(e *ServiceEndpoint) { e.Ready, e.Terminating = false, true }), at("10.0.0.3")}, "EndpointSlices know more, and come first"},

		{[]string{headless, "EndpointSlice s-1: {" + of + ", endpoints: [{addresses: [10.0.0.1]}]}", "EndpointSlice s-2: {" + of + ", ports: [{name: x, port: 1}, {name: web}], endpoints: [{addresses: [10.0.0.2]}]}", "EndpointSlice s-3: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.3]}]}"},
			[]ServiceEndpoint{
				{Addr: netip.MustParseAddr("10.0.0.1"), Ready: true, Serving: true}, {Addr: netip.MustParseAddr("10.0.0.2"), Ready: true, Serving: true}, at("10.0.0.3"),
			}, "the DNS names addresses of a headless Service whatever their ports are"},
		{[]string{"Service s: {spec: {selector: {app: a}, ports: [{name: web, port: 80}]}}", "EndpointSlice s-1: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1]}]}"}, []ServiceEndpoint{at("10.0.0.1")}, "a selector does not hide what is listed"},
		{[]string{"Service s: {spec: {type: ExternalName, externalName: a.b, ports: [{name: web, port: 80}]}}", "EndpointSlice s-1: {" + of + ", " + port + ", endpoints: [{addresses: [10.0.0.1]}]}"}, nil, "an alias has none"},
		{[]string{strings.Replace(svc, "Service s: {", "Service -: {metadata: {name: '', generateName: g-}, ", 1), "Endpoints -: {metadata: {name: '', generateName: g-}, subsets: [{addresses: [{ip: 10.0.0.1}], " + port + "}]}"}, nil, "names that are still to be generated will not be equal"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			m := modelOf(t, tt.objects...)
			require.Len(t, m.Services, 1)
			assert.Equal(t, tt.want, m.Services[0].Endpoints)
		})
	}
}

func TestModelEndpointsComeByName(t *testing.T) {
	slice := func(name, addr string) string {
		return "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\nmetadata: {name: " + name + ", namespace: x, labels: {kubernetes.io/service-name: s}}\n" +
			"addressType: IPv4\nports: [{port: 80}]\nendpoints: [{addresses: [" + addr + "]}]\n"
	}
	m, err := parse(t, serviceManifests+slice("s-b", "10.0.0.1")+slice("s-a", "10.0.0.2")).Model()
	require.NoError(t, err)
	var got []netip.Addr
	for _, e := range m.Services[0].Endpoints {
		got = append(got, e.Addr)
	}
	assert.Equal(t, addrs("10.0.0.2", "10.0.0.1"), got, "not in the order of the file")
}

// The endpoints of a Service are those that the lists of its name hold for its
// ports, each once, and tell what the first list in the order of kinds and names
// says of them, in whatever order the input has the lists.
func TestModelEndpointsAreThoseListed(t *testing.T) {
	empty, full, repeated := 0, 0, 0
	rapid.Check(t, func(t *rapid.T) {
		c := &Cluster{Services: []*corev1.Service{{}}}
		svc := c.Services[0]
		svc.Name, svc.Namespace = "s", "x"
		names := rapid.SampledFrom([]string{"a", "b", "c"})
		for i, name := range rapid.SliceOfNDistinct(names, 1, 2, rapid.ID[string]).Draw(t, "service ports") {
			svc.Spec.Ports = append(svc.Spec.Ports, corev1.ServicePort{Name: name, Port: int32(80 + i)})
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "slices") {
			s := &discoveryv1.EndpointSlice{AddressType: "IPv4"}
			s.Name, s.Namespace = fmt.Sprint("slice-", i), "x"
			s.Labels = map[string]string{"kubernetes.io/service-name": rapid.SampledFrom([]string{"s", "s", "t"}).Draw(t, "of")}
			for _, name := range rapid.SliceOfNDistinct(names, 0, 2, rapid.ID[string]).Draw(t, "ports") {
				s.Ports = append(s.Ports, discoveryv1.EndpointPort{Name: &name, Port: new(rapid.Int32Range(1, 2).Draw(t, "port"))})
			}
			for range rapid.IntRange(0, 3).Draw(t, "endpoints") {
				s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
					Addresses:  []string{fmt.Sprint("10.0.0.", rapid.IntRange(1, 3).Draw(t, "address"))},
					Conditions: discoveryv1.EndpointConditions{Ready: new(rapid.Bool().Draw(t, "ready"))},
				})
			}
			c.EndpointSlices = append(c.EndpointSlices, s)
		}

		var want []ServiceEndpoint
		for _, s := range c.EndpointSlices {
			for _, e := range s.Endpoints {
				for _, p := range s.Ports {
					one := ServiceEndpoint{PortName: *p.Name, Addr: netip.MustParseAddr(e.Addresses[0]), Port: TCP.Port(uint16(*p.Port)), Ready: *e.Conditions.Ready, Serving: true}
					serves := slices.ContainsFunc(svc.Spec.Ports, func(sp corev1.ServicePort) bool { return sp.Name == *p.Name })
					same := func(o ServiceEndpoint) bool {
						return o.PortName == one.PortName && o.Addr == one.Addr && o.Port == one.Port
					}
					switch {
					case s.Labels["kubernetes.io/service-name"] != "s" || !serves:
					case slices.ContainsFunc(want, same):
						repeated++
					default:
						want = append(want, one)
					}
				}
			}
		}
		c.EndpointSlices = rapid.Permutation(c.EndpointSlices).Draw(t, "order")
		if rapid.Bool().Draw(t, "from a file") {
			for i, s := range c.EndpointSlices {
				c.setSource(s, &source{file: "f.yaml", order: i})
			}
		}
		m, err := c.Model()
		require.NoError(t, err)
		require.Equal(t, want, m.Services[0].Endpoints)
		if len(want) == 0 {
			empty++
		} else {
			full++
		}
	})
	assert.NotZero(t, empty)
	assert.NotZero(t, full)
	assert.NotZero(t, repeated)
}

func TestModelIngresses(t *testing.T) {
	const toS = "backend: {service: {name: s, port: {number: 80}}}"
	tests := []struct {
		spec string
		want []IngressBackend
		why  string
	}{
		{"{defaultBackend: {service: {name: s, port: {name: web}}}}", []IngressBackend{{Default: true, Field: "spec.defaultBackend", Service: "s", PortName: "web"}}, "the default backend alone"},
		{"{defaultBackend: {resource: {apiGroup: example.com, kind: Bucket, name: b}}}", []IngressBackend{{Default: true, Field: "spec.defaultBackend", Resource: "Bucket b"}}, "no Service"},
		{"{defaultBackend: {service: {name: d, port: {number: 1}}}, rules: [{host: a.b, http: {paths: [{path: /x, pathType: Exact, " + toS + "}, {pathType: ImplementationSpecific, " + toS + "}]}}, {http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: t, port: {name: web}}}}]}}]}",
			[]IngressBackend{
				{Host: "a.b", Path: "/x", Field: "spec.rules[0].http.paths[0].backend", Service: "s", PortNumber: 80},
				{Host: "a.b", Field: "spec.rules[0].http.paths[1].backend", Service: "s", PortNumber: 80},
				{Path: "/", Field: "spec.rules[1].http.paths[0].backend", Service: "t", PortName: "web"},
				{Default: true, Field: "spec.defaultBackend", Service: "d", PortNumber: 1},
			}, "rules in their order, the default last"},
		{"{defaultBackend: {service: {name: d, port: {number: 1}}}, rules: [{host: a.b}, {}]}",
			[]IngressBackend{
				{Host: "a.b", Default: true, Field: "spec.rules[0]", Service: "d", PortNumber: 1},
				{Default: true, Field: "spec.rules[1]", Service: "d", PortNumber: 1},
				{Default: true, Field: "spec.defaultBackend", Service: "d", PortNumber: 1},
			}, "rules without paths have the default backend"},
		{"{rules: [{host: a.b}]}", []IngressBackend{{Host: "a.b", Default: true, Field: "spec.rules[0]"}}, "there is no default: nothing is named"},
	}
	for _, tt := range tests {
		t.Run("SEM-288 "+tt.why, func(t *testing.T) {
			m := modelOf(t, "Ingress i: {spec: "+tt.spec+"}")
			want := &IngressObject{Name: types.NamespacedName{Namespace: "x", Name: "i"}, Backends: tt.want}
			assert.Equal(t, []*IngressObject{want}, m.Ingresses)
		})
	}
}

func TestModelRanges(t *testing.T) {
	m := modelOf(t,
		"ServiceCIDR b: {spec: {cidrs: [10.97.0.0/16]}}", "ServiceCIDR a: {spec: {cidrs: [10.96.0.0/16, 'fd00:96::/112']}}",
		"Node n1: {spec: {podCIDR: 10.1.0.0/24}}", "Node n2: {spec: {podCIDR: 10.1.1.0/24, podCIDRs: [10.1.1.0/24, 'fd00:1::/64']}}", "Node n3: {}")
	assert.Equal(t, "10.96.0.0/15, fd00:96::/112", join(m.ServiceCIDRs))
	assert.Equal(t, "10.1.0.0/23, fd00:1::/64", join(m.PodCIDRs))
}

func join(s cidr.Set) string {
	var all []string
	for p := range s.Prefixes() {
		all = append(all, p.String())
	}
	return strings.Join(all, ", ")
}

func TestModelHosts(t *testing.T) {
	c := &Cluster{Hosts: map[string][]netip.Addr{
		"DB.example.com.": addrs("203.0.113.9", "fd00::9", "::ffff:203.0.113.9"),
		"db.example.com":  addrs("203.0.113.8", "203.0.113.9"),
		"single":          addrs("203.0.113.1"),
	}}
	before := fmt.Sprint(c.Hosts)
	m, err := c.Model()
	require.NoError(t, err)
	assert.Equal(t, map[string][]netip.Addr{
		"db.example.com": addrs("203.0.113.8", "203.0.113.9", "fd00::9"),
		"single":         addrs("203.0.113.1"),
	}, m.Hosts, "SEM-290: letter case and a final dot do not matter")
	assert.Equal(t, before, fmt.Sprint(c.Hosts), "the Cluster stays as it is")
}

func TestModelRefusesHosts(t *testing.T) {
	tests := []struct {
		name  string
		addrs []netip.Addr
		want  string
		why   string
	}{
		{"db_1.example.com", addrs("10.0.0.1"), `Hosts db_1.example.com: "db_1.example.com": a lowercase RFC 1123 subdomain`, "no such names"},
		{"", addrs("10.0.0.1"), `Hosts: "": `, "no name"},
		{"a..", addrs("10.0.0.1"), `Hosts a..: "a..": `, "only one final dot"},
		{"*.example.com", addrs("10.0.0.1"), `Hosts *.example.com: "*.example.com": `, "no wildcards"},
		{"a", nil, "Hosts a: a name needs an address", "a name without addresses says nothing"},
		{"a", []netip.Addr{{}}, `Hosts a: "invalid IP": must be an IP address`, "no address"},
		{"a", addrs("fe80::1%eth0"), `Hosts a: "fe80::1%eth0": must be an IP address without zone`, "a zone means something on one machine only"},
	}
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			m, err := (&Cluster{Hosts: map[string][]netip.Addr{tt.name: tt.addrs}}).Model()
			assert.Nil(t, m)
			require.Len(t, errorsOf(t, err), 1)
			assert.True(t, strings.HasPrefix(err.Error(), tt.want), "%s\nhave %v", tt.why, err)
		})
	}
	_, err := (&Cluster{Hosts: map[string][]netip.Addr{"b": nil, "a": nil}, Nodes: []*corev1.Node{{}}}).Model()
	var objects []string
	for _, e := range errorsOf(t, err) {
		objects = append(objects, e.Object)
	}
	assert.Equal(t, []string{"Node ", "Hosts a", "Hosts b"}, objects, "after the objects, by name")
}

func TestJoinHosts(t *testing.T) {
	a := &Cluster{Hosts: map[string][]netip.Addr{"a": addrs("10.0.0.1", "10.0.0.2"), "b": addrs("10.0.0.9")}}
	b := &Cluster{Hosts: map[string][]netip.Addr{"a": addrs("10.0.0.3", "10.0.0.1")}}
	c := Join(a, b, nil, &Cluster{})
	assert.Equal(t, map[string][]netip.Addr{"a": addrs("10.0.0.1", "10.0.0.2", "10.0.0.3"), "b": addrs("10.0.0.9")}, c.Hosts)
	c.Hosts["b"][0] = netip.Addr{}
	c.Hosts["a"][0] = netip.Addr{}
	assert.Equal(t, addrs("10.0.0.1", "10.0.0.2"), a.Hosts["a"], "the parts stay as they are")
	assert.Equal(t, addrs("10.0.0.9"), a.Hosts["b"], "the parts stay as they are")
}

const serviceManifests = `apiVersion: v1
kind: Service
metadata:
  name: s
  namespace: x
spec:
  externalIPs:
  - 198.51.100.9
  - 198.51.100.8
  ports:
  - port: 80
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: i, namespace: x}
spec:
  rules:
  - http:
      paths:
      - path: /a
        pathType: Prefix
        backend:
          service: {name: s, port: {number: 80}}
`

const serviceList = `{"apiVersion": "v1", "kind": "List", "items": [
 {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s", "namespace": "x"},
  "spec": {
   "externalIPs": [
    "198.51.100.9",
    "198.51.100.8"],
   "ports": [{"port": 80}]}},
 {"apiVersion": "networking.k8s.io/v1", "kind": "Ingress", "metadata": {"name": "i", "namespace": "x"},
  "spec": {"rules": [{"http": {"paths": [
    {"path": "/a", "pathType": "Prefix",
     "backend": {"service": {"name": "s", "port": {"number": 80}}}}]}}]}}]}
`

// Services and Ingress objects know the lines of all their fields.
func TestServicePlace(t *testing.T) {
	tests := []struct {
		field string
		yaml  int
		json  int
		why   string
	}{
		{"", 1, 2, "the object"},
		{"spec.externalIPs", 7, 4, "where it is named"},
		{"spec.externalIPs[1]", 9, 6, "where it begins"},
		{"spec.ports[0].targetPort", 11, 7, "the field around it"},
	}
	fromYAML, err := parse(t, serviceManifests).Model()
	require.NoError(t, err)
	fromJSON, err := parse(t, serviceList).Model()
	require.NoError(t, err)
	for _, tt := range tests {
		t.Run(tt.why, func(t *testing.T) {
			assert.Equal(t, Place{"f.yaml", tt.yaml, "Service x/s", tt.field}, fromYAML.Services[0].Place(tt.field))
			assert.Equal(t, Place{"f.yaml", tt.json, "Service x/s", tt.field}, fromJSON.Services[0].Place(tt.field))
		})
	}
	field := fromYAML.Ingresses[0].Backends[0].Field
	assert.Equal(t, Place{"f.yaml", 22, "Ingress x/i", field}, fromYAML.Ingresses[0].Place(field))
	assert.Equal(t, Place{"f.yaml", 11, "Ingress x/i", field}, fromJSON.Ingresses[0].Place(field))

	byHand := modelOf(t, "Service s: {spec: {ports: [{port: 80}]}}", "Ingress i: {spec: {rules: [{}]}}")
	assert.Equal(t, Place{Object: "Service x/s", Field: "spec"}, byHand.Services[0].Place("spec"), "not read from a file")
	assert.Equal(t, Place{Object: "Ingress x/i", Field: "spec"}, byHand.Ingresses[0].Place("spec"), "not read from a file")
}

func TestParseServicesWarnsAndRefuses(t *testing.T) {
	c := parse(t, strings.Replace(serviceManifests, "  ports:", "  selctor: {app: a}\n  ports:", 1))
	require.Len(t, c.Warnings, 1)
	assert.Equal(t, `f.yaml:10: Service x/s: spec.selctor: unknown field "selctor" (did you mean "selector"?)`, c.Warnings[0].String())

	c = parse(t, strings.Replace(serviceManifests, "        backend:", "        backnd: {}\n        backend:", 1))
	require.Len(t, c.Warnings, 1)
	assert.Equal(t, `f.yaml:22: Ingress x/i: spec.rules[0].http.paths[0].backnd: unknown field "backnd" (did you mean "backend"?)`, c.Warnings[0].String())

	_, err := Parse("f.yaml", strings.NewReader("apiVersion: v1\nkind: Endpoints\nmetadata: {name: s}\nsubsets:\n- addresses:\n  - ip: [10.0.0.1]\n"))
	require.Len(t, errorsOf(t, err), 1)
	assert.Equal(t, Place{"f.yaml", 6, "Endpoints default/s", "subsets[0].addresses[0].ip"}, errorsOf(t, err)[0].Place)

	for _, version := range []string{"extensions/v1beta1", "networking.k8s.io/v1beta1"} {
		_, err = Parse("f.yaml", strings.NewReader("apiVersion: "+version+"\nkind: Ingress\nmetadata: {name: i}\n"))
		assert.ErrorContains(t, err, "want apiVersion: networking.k8s.io/v1", "forms that no server knows any more")
	}
}

// What the Model holds of Services does not change with the objects.
func TestModelSharesNoLists(t *testing.T) {
	c := clusterOf(t,
		"Service s: {spec: {type: LoadBalancer, clusterIP: 10.96.0.1, externalIPs: [198.51.100.9], loadBalancerSourceRanges: [10.0.0.0/8], ports: [{name: web, port: 80}]}, status: {loadBalancer: {ingress: [{ip: 198.51.100.5}]}}}",
		"EndpointSlice s-1: {metadata: {labels: {kubernetes.io/service-name: s}}, addressType: IPv4, ports: [{name: web, port: 80}], endpoints: [{addresses: [10.0.0.1], nodeName: n1, conditions: {ready: true}}]}",
		"Ingress i: {spec: {defaultBackend: {service: {name: s, port: {number: 80}}}}}")
	m, err := c.Model()
	require.NoError(t, err)
	again, err := c.Model()
	require.NoError(t, err)

	svc, slice, in := c.Services[0], c.EndpointSlices[0], c.Ingresses[0]
	svc.Spec.ExternalIPs[0], svc.Spec.LoadBalancerSourceRanges[0] = "", ""
	svc.Spec.Ports[0] = corev1.ServicePort{}
	svc.Status.LoadBalancer.Ingress[0] = corev1.LoadBalancerIngress{}
	slice.Endpoints[0].Addresses[0], *slice.Endpoints[0].NodeName, *slice.Endpoints[0].Conditions.Ready = "", "", false
	*slice.Ports[0].Name, *slice.Ports[0].Port = "", 0
	*in.Spec.DefaultBackend = networkingv1.IngressBackend{}
	assert.Equal(t, again, m)
}

// Lists that repeat what pods or other lists say are not endpoints, but tell
// that there are some.
func TestMirroredEndpoints(t *testing.T) {
	const (
		own  = "metadata: {labels: {kubernetes.io/service-name: s, endpointslice.kubernetes.io/managed-by: endpointslice-controller.k8s.io}}, addressType: IPv4, ports: [{name: '', port: 80}]"
		skip = "metadata: {labels: {endpointslice.kubernetes.io/skip-mirror: 'true'}}"
		subs = "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [{port: 80}]}]"

		selecting = "Service s: {spec: {selector: {app: a}, ports: [{port: 80}]}}"
		plain     = "Service s: {spec: {ports: [{port: 80}]}}"
	)
	for _, tt := range []struct {
		service, list string
		endpoints     int
		mirrored      bool
		why           string
	}{
		{selecting, "EndpointSlice s-1: {" + own + ", endpoints: [{addresses: [10.0.0.1]}]}", 0, true, "the controller repeats the pods"},
		{selecting, "EndpointSlice s-1: {" + own + "}", 0, false, "an empty list tells of nothing"},
		{selecting, "Endpoints s: {" + subs + "}", 0, true, "so does the older controller"},
		{plain, "EndpointSlice s-1: {" + own + ", endpoints: [{addresses: [10.0.0.1]}]}", 1, false, "without a selector there are no pods to repeat, whatever the label says"},
		{plain, "Endpoints s: {" + subs + "}", 1, false, "what people write is mirrored"},
		{plain, "Endpoints s: {" + skip + ", " + subs + "}", 0, true, "unless the label says that slices have it already"},
	} {
		t.Run(tt.why, func(t *testing.T) {
			s := modelOf(t, tt.service, tt.list).Services[0]
			assert.Len(t, s.Endpoints, tt.endpoints)
			assert.Equal(t, tt.mirrored, s.Mirrored)
		})
	}
}
