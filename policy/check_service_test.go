package policy

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
)

// checkRow is a row of a table about check.
type checkRow struct {
	rule string
	text string // of the object, in YAML
	want []fault
	why  string
}

// runChecks checks an object of the kind for each row. Rows that want no fault
// want no warning either.
func runChecks(t *testing.T, kind string, rows []checkRow) {
	for _, tt := range rows {
		t.Run(tt.rule+" "+tt.text, func(t *testing.T) {
			obj := objectOf(t, kind, tt.text)
			errs, warnings := check(obj, false)
			checkFaults(t, tt.want, errs, tt.why)
			assert.Empty(t, warnings, tt.why)
			for _, e := range errs {
				assert.Equal(t, objectName(obj), e.Object)
			}
		})
	}
}

func TestCheckService(t *testing.T) {
	// typed returns a Service of the type with one port and more fields.
	typed := func(typ, more string) string {
		return "spec: {type: " + typ + ", ports: [{port: 80}], " + more + "}"
	}
	plain := func(more string) string { return "spec: {ports: [{port: 80}], " + more + "}" }
	balancer := func(ingress string) string {
		return "{spec: {type: LoadBalancer, ports: [{port: 80}]}, status: {loadBalancer: {ingress: [" + ingress + "]}}}"
	}
	const (
		ip       = "must be a valid IP address"
		family   = "no more than one of each address family"
		balanced = "only be set for the type LoadBalancer"
		at0      = "status.loadBalancer.ingress[0]"
	)
	runChecks(t, "Service", []checkRow{
		// Ports.
		{"SEM-028", `spec: {ports: [{port: 80}]}`, nil, "the defaults fill in the rest"},
		{"SEM-250", `spec: {selector: {a: b}}`, []fault{{"spec.ports", required, "needs a port"}}, "nothing would be forwarded"},
		{"SEM-250", `spec: {type: NodePort}`, []fault{{"spec.ports", required, "needs a port"}}, "nothing would be forwarded"},
		{"SEM-262", `spec: {clusterIP: None}`, nil, "clients of a headless Service choose the port"},
		{"SEM-262", `spec: {clusterIP: None, clusterIPs: [None]}`, nil, "the same, as the server completes it"},
		{"SEM-263", `spec: {type: ExternalName, externalName: a.example}`, nil, "a name has no ports"},
		{"SEM-252", `spec: {ports: [{port: 80, targetPort: ""}]}`, nil, "empty is the port of the Service"},
		{"SEM-252", `spec: {ports: [{port: 80, targetPort: 8080}]}`, nil, "another number"},
		{"SEM-252", `spec: {ports: [{port: 80, targetPort: 65536}]}`, []fault{{"spec.ports[0].targetPort", invalid, "65535"}}, "above the last port"},
		{"SEM-253", `spec: {ports: [{port: 80, targetPort: web}]}`, nil, "a name"},
		{"SEM-253", `spec: {ports: [{port: 80, targetPort: "8080"}]}`, []fault{{"spec.ports[0].targetPort", invalid, "at least one letter"}}, "quotes make a name of it"},
		{"SEM-250", `spec: {ports: [{port: 0, protocol: http}]}`, []fault{{"spec.ports[0].protocol", notSupported, "TCP"}, {"spec.ports[0].port", invalid, "65535"}}, "all errors are reported"},
		{"SEM-250", `spec: {ports: [{port: 80, protocol: SCTP}]}`, nil, "a protocol with ports"},
		{"SEM-250", `spec: {ports: [{port: 80, protocol: ICMP}]}`, []fault{{"spec.ports[0].protocol", notSupported, "ICMP"}}, "a protocol without ports"},
		{"SEM-250", `spec: {ports: [{port: 80}, {port: 81, name: b}]}`, []fault{{"spec.ports[0].name", required, "needs a name"}}, "several ports need names"},
		{"SEM-250", `spec: {ports: [{port: 80, name: a}, {port: 81, name: a}]}`, []fault{{"spec.ports[1].name", duplicate, `"a"`}}, "names are unique"},
		{"SEM-250", `spec: {ports: [{port: 80, name: a}, {port: 80, name: b}]}`, []fault{{"spec.ports[1]", duplicate, "80/TCP"}}, "ports are unique"},
		{"SEM-250", `spec: {ports: [{port: 80, name: a, protocol: TCP}, {port: 80, name: b}]}`, []fault{{"spec.ports[1]", duplicate, "80/TCP"}}, "TCP is the default"},
		{"SEM-250", `spec: {ports: [{port: 53, name: a}, {port: 53, name: b, protocol: UDP}]}`, nil, "for each protocol"},
		{"SEM-250", `spec: {ports: [{port: 53, name: A}]}`, []fault{{"spec.ports[0].name", invalid, `"A"`}}, "a DNS label"},
		{"SEM-250", `spec: {ports: [{port: 53, name: a-name-of-more-than-15-letters}]}`, nil, "longer than the name of a container port"},
		{"SEM-265", `spec: {type: NodePort, ports: [{port: 80, nodePort: 30080}]}`, nil, "a node port"},
		{"SEM-265", `spec: {type: NodePort, ports: [{port: 80, nodePort: 80}]}`, nil, "which ports nodes may use is up to the cluster"},
		{"SEM-265", `spec: {type: LoadBalancer, ports: [{port: 80, nodePort: 30080}]}`, nil, "a load balancer sends to it"},
		{"SEM-265", `spec: {type: NodePort, ports: [{port: 80}]}`, nil, "the server assigns one"},
		{"SEM-265", `spec: {type: NodePort, ports: [{port: 80, nodePort: 65536}]}`, []fault{{"spec.ports[0].nodePort", invalid, "between 1 and 65535"}}, "above the last port"},
		{"SEM-265", `spec: {type: NodePort, ports: [{port: 80, nodePort: -1}]}`, []fault{{"spec.ports[0].nodePort", invalid, "between 1 and 65535"}}, "below the first port"},
		{"SEM-265", `spec: {type: ClusterIP, ports: [{port: 80, nodePort: 30080}]}`, []fault{{"spec.ports[0].nodePort", forbidden, "NodePort and LoadBalancer"}}, "no node would listen"},
		{"SEM-265", `spec: {ports: [{port: 80, nodePort: 30080}]}`, []fault{{"spec.ports[0].nodePort", forbidden, "NodePort and LoadBalancer"}}, "ClusterIP is the default"},
		{"SEM-265", `spec: {type: ExternalName, externalName: a.example, ports: [{port: 80, nodePort: 30080}]}`, nil, "the server does not mind"},
		{"SEM-265", `spec: {type: NodePort, ports: [{name: a, port: 80, nodePort: 30080}, {name: b, port: 81, nodePort: 30080, protocol: TCP}]}`, []fault{{"spec.ports[1].nodePort", duplicate, "30080/TCP"}}, "node ports are unique"},
		{"SEM-265", `spec: {type: NodePort, ports: [{name: a, port: 53, nodePort: 30053}, {name: b, port: 53, nodePort: 30053, protocol: UDP}]}`, nil, "for each protocol"},
		{"SEM-256", `spec: {selector: {"a b": c}, clusterIP: None}`, []fault{{"spec.selector", invalid, `"a b"`}}, "labels of the selector are checked"},

		// Types and addresses.
		{"SEM-250", typed("ClusterIP", ""), nil, "a type"},
		{"SEM-250", typed(`""`, ""), nil, "the default"},
		{"SEM-250", typed("nodePort", ""), []fault{{"spec.type", notSupported, `"NodePort"`}}, "types begin in upper case"},
		{"SEM-250", typed("Headless", ""), []fault{{"spec.type", notSupported, `"Headless"`}}, "no type of its own"},
		{"SEM-251", plain(`clusterIP: 10.96.0.7`), nil, "the list is not there yet"},
		{"SEM-251", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7]`), nil, "as the server completes it"},
		{"SEM-251", plain(`clusterIP: ""`), nil, "not assigned yet"},
		{"SEM-251", plain(`clusterIP: 10.96.0`), []fault{{"spec.clusterIP", invalid, ip}}, "not an address"},
		{"SEM-251", plain(`clusterIP: none`), []fault{{"spec.clusterIP", invalid, ip}}, "None begins in upper case"},
		{"SEM-251", plain(`clusterIP: 010.096.0.07`), nil, "leading zeros, as old servers stored them"},
		{"SEM-251", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, bad]`), []fault{{"spec.clusterIPs[1]", invalid, `"bad": ` + ip}}, "every address is checked"},
		{"SEM-251", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.8]`), []fault{{"spec.clusterIPs", invalid, `the first must be "10.96.0.7"`}}, "the two contradict each other"},
		{"SEM-251", plain(`clusterIPs: [10.96.0.7]`), []fault{{"spec.clusterIPs", invalid, "clusterIP must be set"}}, "the server does not complete it this way round"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "fd00::7"]`), nil, "one of each family"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, 10.96.0.8]`), []fault{{"spec.clusterIPs", invalid, family}}, "two of a family"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "::ffff:10.96.0.8"]`), []fault{{"spec.clusterIPs", invalid, family}}, "IPv4-mapped is IPv4"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "fd00::7", "fd00::8"]`), []fault{{"spec.clusterIPs", invalid, family}}, "there are but two families"},
		{"SEM-262", typed("NodePort", `clusterIP: None`), []fault{{"spec.clusterIP", invalid, "type NodePort needs an address"}}, "nodes would have nothing to forward to"},
		{"SEM-262", typed("LoadBalancer", `clusterIP: None, clusterIPs: [None]`), []fault{{"spec.clusterIPs[0]", invalid, "type LoadBalancer needs an address"}}, "nodes would have nothing to forward to"},
		{"SEM-262", plain(`clusterIP: None, clusterIPs: [None, 10.96.0.7]`), []fault{{"spec.clusterIPs", invalid, "None must be the only entry"}}, "headless or not"},
		{"SEM-262", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, None]`), []fault{{"spec.clusterIPs[1]", invalid, ip}}, "headless or not"},
		{"SEM-269", plain(`externalIPs: [198.51.100.9, "2001:db8::9", 10.0.0.1, 239.1.1.1]`), nil, "addresses of any other kind"},
		{"SEM-269", plain(`externalIPs: [198.51.100.9, a.example]`), []fault{{"spec.externalIPs[1]", invalid, ip}}, "a name"},
		{"SEM-269", plain(`externalIPs: [0.0.0.0, "::"]`), []fault{{"spec.externalIPs[0]", invalid, "unspecified"}, {"spec.externalIPs[1]", invalid, "unspecified"}}, "no address at all"},
		{"SEM-269", plain(`externalIPs: [127.1.2.3, "::1", "::ffff:127.0.0.1"]`), []fault{{"spec.externalIPs[0]", invalid, "loopback"}, {"spec.externalIPs[1]", invalid, "loopback"}, {"spec.externalIPs[2]", invalid, "loopback"}}, "each machine has its own"},
		{"SEM-269", plain(`externalIPs: [169.254.169.254, "fe80::1"]`), []fault{{"spec.externalIPs[0]", invalid, "link-local address"}, {"spec.externalIPs[1]", invalid, "link-local address"}}, "each network has its own"},
		{"SEM-269", plain(`externalIPs: [224.0.0.9, "ff02::9"]`), []fault{{"spec.externalIPs[0]", invalid, "link-local multicast"}, {"spec.externalIPs[1]", invalid, "link-local multicast"}}, "each network has its own"},
		{"SEM-277", plain(`sessionAffinity: ClientIP`), nil, "an affinity"},
		{"SEM-277", plain(`sessionAffinity: None`), nil, "the default"},
		{"SEM-277", plain(`sessionAffinity: Cookie`), []fault{{"spec.sessionAffinity", notSupported, `"ClientIP"`}}, "for Ingresses only"},

		// Load balancers.
		{"SEM-273", typed("LoadBalancer", `loadBalancerSourceRanges: [203.0.113.0/24, "2001:db8::/32", " 198.51.100.0/24 "]`), nil, "blanks around them are a habit of old"},
		{"SEM-273", typed("LoadBalancer", `loadBalancerSourceRanges: [203.0.113.9, ""]`), []fault{{"spec.loadBalancerSourceRanges[0]", invalid, "valid CIDR"}, {"spec.loadBalancerSourceRanges[1]", invalid, "valid CIDR"}}, "an address is no block, and nothing is none"},
		{"SEM-273", typed("NodePort", `loadBalancerSourceRanges: [203.0.113.0/24]`), []fault{{"spec.loadBalancerSourceRanges", forbidden, balanced}}, "nothing would heed them"},
		{"SEM-273", plain(`loadBalancerSourceRanges: [x]`), []fault{{"spec.loadBalancerSourceRanges", forbidden, balanced}, {"spec.loadBalancerSourceRanges[0]", invalid, `"x"`}}, "all errors are reported"},
		{"SEM-273", plain(`loadBalancerSourceRanges: []`), nil, "none"},
		{"SEM-285", typed("LoadBalancer", `allocateLoadBalancerNodePorts: false, loadBalancerClass: example.com/lb`), nil, "for load balancers"},
		{"SEM-285", typed("NodePort", `allocateLoadBalancerNodePorts: true`), []fault{{"spec.allocateLoadBalancerNodePorts", forbidden, balanced}}, "whatever its value"},
		{"SEM-285", typed("ClusterIP", `loadBalancerClass: lb`), []fault{{"spec.loadBalancerClass", forbidden, balanced}}, "no load balancer"},
		{"SEM-285", typed("LoadBalancer", `loadBalancerClass: a b`), []fault{{"spec.loadBalancerClass", invalid, `"a b"`}}, "a name like that of a label"},
		{"SEM-267", balancer(`{ip: 198.51.100.5}, {ip: "2001:db8::5", ipMode: VIP}, {ip: 198.51.100.6, ipMode: Proxy}, {hostname: lb.example}`), nil, "addresses and names of all modes"},
		{"SEM-267", `{spec: {ports: [{port: 80}]}, status: {loadBalancer: {}}}`, nil, "what the server writes for other types"},
		{"SEM-267", `{spec: {ports: [{port: 80}]}, status: {loadBalancer: {ingress: [{ip: 198.51.100.5}]}}}`, []fault{{"status.loadBalancer.ingress", forbidden, balanced}}, "no load balancer"},
		{"SEM-267", balancer(`{ip: lb.example}`), []fault{{at0 + ".ip", invalid, ip}}, "a name"},
		{"SEM-268", balancer(`{hostname: LB.example}`), []fault{{at0 + ".hostname", invalid, `"LB.example"`}}, "a DNS name"},
		{"SEM-268", balancer(`{hostname: 198.51.100.5}`), []fault{{at0 + ".hostname", invalid, "not an IP address"}}, "it would pass for a name"},
		{"SEM-268", balancer(`{ip: 198.51.100.5, ipMode: proxy}`), []fault{{at0 + ".ipMode", notSupported, `"Proxy"`}}, "modes begin in upper case"},
		{"SEM-268", balancer(`{hostname: lb.example, ipMode: Proxy}`), []fault{{at0 + ".ipMode", forbidden, "together with ip"}}, "a name has no mode"},

		// Names.
		{"SEM-263", `spec: {type: ExternalName, externalName: db.example.com.}`, nil, "a final dot"},
		{"SEM-263", `spec: {type: ExternalName}`, []fault{{"spec.externalName", required, "DNS name"}}, "it stands for nothing"},
		{"SEM-263", `spec: {type: ExternalName, externalName: "."}`, []fault{{"spec.externalName", required, "DNS name"}}, "the root is no name"},
		{"SEM-263", `spec: {type: ExternalName, externalName: DB.example.com}`, []fault{{"spec.externalName", invalid, `"DB.example.com"`}}, "lower case"},
		{"SEM-263", `spec: {type: ExternalName, externalName: db.example.com..}`, []fault{{"spec.externalName", invalid, `"db.example.com.."`}}, "two final dots"},
		{"SEM-263", `spec: {type: ExternalName, externalName: a.example, clusterIP: 10.96.0.7}`, []fault{{"spec.clusterIP", forbidden, "no address of its own"}}, "a name has no address"},
		{"SEM-263", `spec: {type: ExternalName, externalName: a.example, clusterIP: None, clusterIPs: [None]}`, []fault{{"spec.clusterIPs", forbidden, "no address of its own"}}, "it is not headless either"},
		{"SEM-263", `spec: {type: ExternalName, externalName: a.example, ipFamilies: [IPv4], ipFamilyPolicy: SingleStack}`, []fault{{"spec.ipFamilies", forbidden, "no families"}, {"spec.ipFamilyPolicy", forbidden, "no families"}}, "a name has no family"},
		{"SEM-263", plain(`externalName: "not looked at"`), nil, "of no meaning for other types"},

		// Traffic policies.
		{"SEM-266", typed("NodePort", `externalTrafficPolicy: Local`), nil, "clients outside reach it"},
		{"SEM-266", typed("LoadBalancer", `externalTrafficPolicy: Cluster`), nil, "clients outside reach it"},
		{"SEM-269", plain(`externalTrafficPolicy: Local, externalIPs: [198.51.100.9]`), nil, "clients outside reach it"},
		{"SEM-266", plain(`externalTrafficPolicy: Local`), []fault{{"spec.externalTrafficPolicy", invalid, "with externalIPs"}}, "clients outside do not"},
		{"SEM-266", `spec: {type: ExternalName, externalName: a.example, externalIPs: [198.51.100.9], externalTrafficPolicy: Local}`, []fault{{"spec.externalTrafficPolicy", invalid, "with externalIPs"}}, "a name has no traffic"},
		{"SEM-266", typed("NodePort", `externalTrafficPolicy: local`), []fault{{"spec.externalTrafficPolicy", notSupported, `"Local"`}}, "policies begin in upper case"},
		{"SEM-266", typed("LoadBalancer", `externalTrafficPolicy: Local, healthCheckNodePort: 32000`), nil, "load balancers ask which nodes have backends"},
		{"SEM-266", typed("LoadBalancer", `externalTrafficPolicy: Local, healthCheckNodePort: 65536`), []fault{{"spec.healthCheckNodePort", invalid, "between 1 and 65535"}}, "above the last port"},
		{"SEM-266", typed("LoadBalancer", `externalTrafficPolicy: Cluster, healthCheckNodePort: 32000`), []fault{{"spec.healthCheckNodePort", invalid, "externalTrafficPolicy Local"}}, "every node will do"},
		{"SEM-266", typed("NodePort", `externalTrafficPolicy: Local, healthCheckNodePort: 32000`), []fault{{"spec.healthCheckNodePort", invalid, "type LoadBalancer"}}, "nobody asks"},
		{"SEM-270", plain(`internalTrafficPolicy: Local`), nil, "for all types"},
		{"SEM-270", `spec: {type: ExternalName, externalName: a.example, internalTrafficPolicy: Cluster}`, nil, "even where it means nothing"},
		{"SEM-270", plain(`internalTrafficPolicy: ""`), []fault{{"spec.internalTrafficPolicy", notSupported, `"Cluster"`}}, "empty is not absent"},

		// Families.
		{"SEM-275", plain(`ipFamilies: [IPv6, IPv4], ipFamilyPolicy: RequireDualStack`), nil, "in any order"},
		{"SEM-275", plain(`ipFamilies: [IPv4, IPv6]`), nil, "the policy goes without saying"},
		{"SEM-275", plain(`ipFamilies: [ipv4]`), []fault{{"spec.ipFamilies[0]", notSupported, `"IPv4"`}}, "families have an upper case IP"},
		{"SEM-275", plain(`ipFamilies: [IPv4, IPv4]`), []fault{{"spec.ipFamilies[1]", duplicate, `"IPv4" is listed twice`}}, "each once"},
		{"SEM-275", plain(`ipFamilyPolicy: PreferDualStack`), nil, "both, if the cluster has them"},
		{"SEM-275", plain(`ipFamilyPolicy: DualStack`), []fault{{"spec.ipFamilyPolicy", notSupported, `"RequireDualStack"`}}, "no such policy"},
		{"SEM-275", plain(`ipFamilyPolicy: ""`), []fault{{"spec.ipFamilyPolicy", notSupported, `"SingleStack"`}}, "empty is not absent"},
		{"SEM-275", plain(`ipFamilies: [IPv4], ipFamilyPolicy: SingleStack`), nil, "one family"},
		{"SEM-275", plain(`ipFamilies: [IPv4, IPv6], ipFamilyPolicy: SingleStack`), []fault{{"spec.ipFamilyPolicy", invalid, "two families"}}, "the two contradict each other"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "fd00::7"], ipFamilyPolicy: SingleStack`), []fault{{"spec.ipFamilyPolicy", invalid, "two families"}}, "the two contradict each other"},
		{"SEM-275", plain(`clusterIP: "fd00::7", clusterIPs: ["fd00::7", 10.96.0.7], ipFamilies: [IPv6, IPv4]`), nil, "address by address"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, ipFamilies: [IPv6]`), []fault{{"spec.clusterIP", invalid, "address of IPv6"}}, "the other family"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "fd00::7"], ipFamilies: [IPv6, IPv4]`), []fault{{"spec.clusterIPs[0]", invalid, "as ipFamilies[0] says"}, {"spec.clusterIPs[1]", invalid, "as ipFamilies[1] says"}}, "the order counts"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, clusterIPs: [10.96.0.7, "fd00::7"], ipFamilies: [IPv4]`), nil, "the second family goes without saying"},
		{"SEM-275", plain(`clusterIP: 10.96.0.7, ipFamilies: [IPv5]`), []fault{{"spec.ipFamilies[0]", notSupported, `"IPv5"`}}, "one fault, one error"},
		{"SEM-262", plain(`clusterIP: None, ipFamilies: [IPv6]`), nil, "None has no family"},
		{"SEM-250", `spec: {type: X, selector: {"a b": c}, clusterIP: x, externalIPs: [y], loadBalancerSourceRanges: [z]}`,
			[]fault{{"spec.ports", required, ""}, {"spec.selector", invalid, ""}, {"spec.clusterIP", invalid, ""}, {"spec.type", notSupported, ""}, {"spec.externalIPs[0]", invalid, ""}, {"spec.loadBalancerSourceRanges", forbidden, ""}, {"spec.loadBalancerSourceRanges[0]", invalid, ""}}, "all errors, in the order of the fields"},
	})
}

func TestCheckEndpointSlice(t *testing.T) {
	runChecks(t, "EndpointSlice", []checkRow{
		{"SEM-264", `{addressType: IPv4, endpoints: [{addresses: [10.0.0.1]}], ports: [{port: 80}]}`, nil, "an address"},
		{"SEM-264", `{}`, []fault{{"addressType", required, "IPv4"}}, "a type is needed"},
		{"SEM-264", `addressType: IP`, []fault{{"addressType", notSupported, `"IP"`}}, "a type that is gone"},
		{"SEM-264", `{addressType: IPv4, endpoints: [{addresses: ["fd00::1"]}]}`, []fault{{"endpoints[0].addresses[0]", invalid, "IPv4"}}, "the other family"},
		{"SEM-264", `{addressType: IPv6, endpoints: [{addresses: [10.0.0.1]}]}`, []fault{{"endpoints[0].addresses[0]", invalid, "IPv6"}}, "the other family"},
		{"SEM-264", `{addressType: IPv4, endpoints: [{addresses: []}, {addresses: [x]}]}`, []fault{{"endpoints[0].addresses", required, "address"}, {"endpoints[1].addresses[0]", invalid, `"x"`}}, "all errors are reported"},
		{"SEM-264", `{addressType: IPv4, endpoints: [{addresses: [0.0.0.0]}, {addresses: [127.0.0.1]}, {addresses: [169.254.0.1]}, {addresses: [224.0.0.1]}, {addresses: [239.1.1.1]}]}`,
			[]fault{{"endpoints[0].addresses[0]", invalid, "unspecified"}, {"endpoints[1].addresses[0]", invalid, "loopback"}, {"endpoints[2].addresses[0]", invalid, "link-local"}, {"endpoints[3].addresses[0]", invalid, "link-local multicast"}}, "these belong to no backend"},
		{"SEM-264", `{addressType: IPv6, endpoints: [{addresses: ["fe80::1"]}, {addresses: ["fd00::1"]}]}`, []fault{{"endpoints[0].addresses[0]", invalid, "link-local"}}, "IPv6 alike"},
		{"SEM-264", `{addressType: FQDN, endpoints: [{addresses: [example.com, a_b.c]}]}`, []fault{{"endpoints[0].addresses[1]", invalid, `"a_b.c"`}}, "names for addresses"},
		{"SEM-264", `{addressType: IPv4, ports: [{name: a, port: 0}, {name: a, protocol: X}, {name: A}]}`, []fault{{"ports[0].port", invalid, "65535"}, {"ports[1].name", duplicate, `"a"`}, {"ports[1].protocol", notSupported, "X"}, {"ports[2].name", invalid, `"A"`}}, "ports are checked"},
		{"SEM-264", `{addressType: IPv4, ports: [{}, {}]}`, []fault{{"ports[1].name", duplicate, `""`}}, "one port may lack a name"},
	})
}

func TestCheckEndpoints(t *testing.T) {
	const ready, waiting = "subsets[0].addresses[0]", "subsets[0].notReadyAddresses[0]"
	ports := func(items string) string {
		return "subsets: [{addresses: [{ip: 10.0.0.1}], ports: [" + items + "]}]"
	}
	runChecks(t, "Endpoints", []checkRow{
		{"SEM-264", `{}`, nil, "no backends"},
		{"SEM-264", `subsets: [{addresses: [{ip: 10.0.0.1, nodeName: n1.example}, {ip: "fd00::1"}], ports: [{port: 80}]}]`, nil, "addresses of both families"},
		{"SEM-264", `subsets: [{notReadyAddresses: [{ip: 10.0.0.1}]}]`, nil, "none is ready, and a headless Service needs no ports"},
		{"SEM-264", `subsets: [{ports: [{port: 80}]}]`, []fault{{"subsets[0]", required, "addresses or notReadyAddresses"}}, "ports of nothing"},
		{"SEM-264", `subsets: [{addresses: [{}], notReadyAddresses: [{ip: a.example}]}]`, []fault{{ready + ".ip", invalid, "valid IP address"}, {waiting + ".ip", invalid, `"a.example"`}}, "both lists are checked"},
		{"SEM-264", `subsets: [{addresses: [{ip: 127.0.0.1}], notReadyAddresses: [{ip: "fe80::1"}]}]`, []fault{{ready + ".ip", invalid, "loopback"}, {waiting + ".ip", invalid, "link-local"}}, "these belong to no backend"},
		{"SEM-264", `subsets: [{addresses: [{ip: 010.0.0.1}]}]`, nil, "leading zeros, as old servers stored them"},
		{"SEM-264", `subsets: [{addresses: [{ip: 10.0.0.1, nodeName: N1}]}]`, []fault{{ready + ".nodeName", invalid, `"N1"`}}, "no node has such a name"},
		{"SEM-264", ports(`{port: 80, name: A}`), []fault{{"subsets[0].ports[0].name", invalid, `"A"`}}, "a DNS label"},
		{"SEM-264", ports(`{port: 80, name: a}, {port: 81}`), []fault{{"subsets[0].ports[1].name", required, "needs a name"}}, "several ports need names"},
		{"SEM-264", ports(`{port: 80, name: a}, {port: 80, name: a, protocol: UDP}`), nil, "the server allows names to repeat"},
		{"SEM-264", ports(`{port: 0, protocol: tcp}`), []fault{{"subsets[0].ports[0].port", invalid, "65535"}, {"subsets[0].ports[0].protocol", notSupported, `"TCP"`}}, "all errors are reported"},
		{"SEM-264", `subsets: [{addresses: [{ip: 10.0.0.1}]}, {addresses: [{ip: x}]}]`, []fault{{"subsets[1].addresses[0].ip", invalid, `"x"`}}, "every subset is checked"},
	})
}

func TestCheckServiceCIDR(t *testing.T) {
	const family = "no more than one of each address family"
	runChecks(t, "ServiceCIDR", []checkRow{
		{"SEM-269", `spec: {cidrs: [10.96.0.0/12]}`, nil, "one family"},
		{"SEM-269", `spec: {cidrs: ["fd00::/112", 10.96.0.0/12]}`, nil, "one of each family"},
		{"SEM-269", `{}`, []fault{{"spec.cidrs", required, "needs a block"}}, "a range of nothing"},
		{"SEM-269", `spec: {cidrs: [10.96.0.0/12, 10.112.0.0/12]}`, []fault{{"spec.cidrs", invalid, family}}, "two of a family"},
		{"SEM-269", `spec: {cidrs: [10.96.0.0/12, "fd00::/112", "fd01::/112"]}`, []fault{{"spec.cidrs", invalid, family}}, "there are but two families"},
		{"SEM-269", `spec: {cidrs: [10.96.0.0, 10.96.0.1/12]}`, []fault{{"spec.cidrs[0]", invalid, "valid CIDR"}, {"spec.cidrs[1]", invalid, "beyond the prefix length"}}, "a kind without legacy is strict"},
		{"SEM-269", `spec: {cidrs: ["FD00::/112"]}`, []fault{{"spec.cidrs[0]", invalid, "canonical"}}, "down to the spelling"},
	})
}

func TestCheckIngress(t *testing.T) {
	const at0 = "spec.rules[0].http.paths[0]"
	host := func(name string) string { return fmt.Sprintf("spec: {rules: [{host: %q}]}", name) }
	path := func(fields string) string {
		return "spec: {rules: [{http: {paths: [{" + fields + ", backend: {service: {name: web, port: {number: 80}}}}]}}]}"
	}
	backend := func(fields string) string { return "spec: {defaultBackend: {" + fields + "}}" }
	service := func(fields string) string { return backend("service: {" + fields + "}") }
	runChecks(t, "Ingress", []checkRow{
		{"SEM-288", `{}`, []fault{{"spec", invalid, "rules or a defaultBackend"}}, "it forwards nothing"},
		{"SEM-288", `spec: {rules: []}`, []fault{{"spec", invalid, "rules or a defaultBackend"}}, "it forwards nothing"},
		{"SEM-288", host("a.example"), nil, "a rule without backend is for the default one, or for nothing"},
		{"SEM-288", `spec: {rules: [{}]}`, nil, "any host, and no backend"},
		{"SEM-288", `spec: {rules: [{http: {}}]}`, []fault{{"spec.rules[0].http.paths", required, "needs a path"}}, "half a rule"},
		{"SEM-288", host("*.a.example"), nil, "a wildcard"},
		{"SEM-288", host("*.*.example"), []fault{{"spec.rules[0].host", invalid, `"*.*.example"`}}, "one wildcard, and only in front"},
		{"SEM-288", host("A.example"), []fault{{"spec.rules[0].host", invalid, `"A.example"`}}, "lower case"},
		{"SEM-288", host("10.0.0.1"), []fault{{"spec.rules[0].host", invalid, "not an IP address"}}, "it would pass for a name"},
		{"SEM-288", host("fd00::1"), []fault{{"spec.rules[0].host", invalid, "not an IP address"}}, "an address"},
		{"SEM-288", path(`path: /, pathType: Prefix`), nil, "all paths"},
		{"SEM-288", path(`pathType: ImplementationSpecific`), nil, "no path means any"},
		{"SEM-288", path(`pathType: Exact`), []fault{{at0 + ".path", invalid, "begin with a slash"}}, "a path is needed"},
		{"SEM-288", path(`path: a, pathType: Prefix`), []fault{{at0 + ".path", invalid, "begin with a slash"}}, "relative to nothing"},
		{"SEM-288", path(`path: a, pathType: ImplementationSpecific`), []fault{{at0 + ".path", invalid, "begin with a slash"}}, "relative to nothing"},
		{"SEM-288", path(`path: /`), []fault{{at0 + ".pathType", required, "Prefix"}}, "it has no default"},
		{"SEM-288", path(`path: /, pathType: prefix`), []fault{{at0 + ".pathType", notSupported, `"Prefix"`}}, "types begin in upper case"},
		{"SEM-288", service(`name: web, port: {number: 80}`), nil, "a number"},
		{"SEM-288", service(`name: web, port: {name: http}`), nil, "a name"},
		{"SEM-288", backend(`resource: {kind: Bucket, name: b}`), nil, "something else than a Service"},
		{"SEM-288", backend(``), []fault{{"spec.defaultBackend", invalid, "a service or a resource"}}, "neither"},
		{"SEM-288", backend(`resource: {kind: Bucket, name: b}, service: {name: web, port: {number: 80}}`), []fault{{"spec.defaultBackend", invalid, "both service and resource"}}, "which?"},
		{"SEM-288", backend(`resource: {}`), []fault{{"spec.defaultBackend.resource.kind", required, "kind"}, {"spec.defaultBackend.resource.name", required, "name"}}, "a resource has both"},
		{"SEM-288", service(`port: {number: 80}`), []fault{{"spec.defaultBackend.service.name", required, "name of a Service"}}, "which Service?"},
		{"SEM-288", service(`name: a.b, port: {number: 80}`), []fault{{"spec.defaultBackend.service.name", invalid, `"a.b"`}}, "of another namespace, perhaps: no Service has such a name"},
		{"SEM-288", service(`name: web`), []fault{{"spec.defaultBackend", required, "a name or a number"}}, "which port?"},
		{"SEM-288", service(`name: web, port: {name: http, number: 80}`), []fault{{"spec.defaultBackend", invalid, "both"}}, "which port?"},
		{"SEM-288", service(`name: web, port: {number: 65536}`), []fault{{"spec.defaultBackend.service.port.number", invalid, "65535"}}, "above the last port"},
		{"SEM-288", service(`name: web, port: {name: "80"}`), []fault{{"spec.defaultBackend.service.port.name", invalid, "at least one letter"}}, "quotes do not make a name of a number"},
		{"SEM-288", `spec: {defaultBackend: {}, rules: [{host: A}, {http: {paths: [{}]}}]}`,
			[]fault{{"spec.defaultBackend", invalid, ""}, {"spec.rules[0].host", invalid, ""}, {"spec.rules[1].http.paths[0].pathType", required, ""}, {"spec.rules[1].http.paths[0].backend", invalid, ""}}, "all errors, in the order of the fields"},
	})
}

// Blocks of Services and nodes in odd forms are accepted as those of policies
// are: with a warning, or not at all if so asked.
func TestCheckOddBlocks(t *testing.T) {
	tests := []struct {
		rule, kind, text string
		warnings         []string
		strict           []fault
		why              string
	}{
		{"SEM-324", "Service", `spec: {type: LoadBalancer, ports: [{port: 80}], loadBalancerSourceRanges: [" 203.0.113.9/24"]}`,
			[]string{`spec.loadBalancerSourceRanges[0]: odd-cidr: "203.0.113.9/24" is taken as 203.0.113.0/24`},
			[]fault{{"spec.loadBalancerSourceRanges[0]", invalid, "beyond the prefix length"}}, "bits beyond the prefix"},
		{"SEM-324", "Node", `spec: {podCIDRs: [010.0.1.0/24]}`,
			[]string{`spec.podCIDRs[0]: odd-cidr: "010.0.1.0/24" is taken as 10.0.1.0/24`},
			[]fault{{"spec.podCIDRs[0]", invalid, "leading 0s"}}, "leading zeros"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.kind+" "+tt.text, func(t *testing.T) {
			obj := objectOf(t, tt.kind, tt.text)
			errs, warnings := check(obj, false)
			assert.Empty(t, errs, tt.why)
			checkWarnings(t, tt.warnings, warnings, tt.why)
			errs, _ = check(obj, true)
			checkFaults(t, tt.strict, errs, tt.why)
		})
	}
}
