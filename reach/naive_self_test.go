package reach_test

import (
	"fmt"
	"iter"
	"maps"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// A naiveCase is one example of a rule: some policies in the world of
// newXYZ, each a line with its namespace and spec, and what they answer, each
// a line "allow x/b > x/a 80/TCP # why". A bare y would be true in YAML.
type naiveCase struct {
	rule     string
	profile  reach.Profile
	change   func(*policy.Cluster)
	policies string
	answers  string
}

const (
	denyIn  = "x: {podSelector: {}, policyTypes: [Ingress]}\n"
	denyOut = "x: {podSelector: {}, policyTypes: [Egress]}\n"
	denyAll = "x: {podSelector: {}, policyTypes: [Ingress, Egress]}\n"
)

// fromX returns a policy that lets the pods of x be reached only by rule.
func fromX(rule string) string {
	return "x: {podSelector: {}, policyTypes: [Ingress], ingress: [" + rule + "]}\n"
}

// toX returns a policy that lets the pods of x connect only by rule.
func toX(rule string) string {
	return "x: {podSelector: {}, policyTypes: [Egress], egress: [" + rule + "]}\n"
}

var naiveCases = []naiveCase{
	{rule: "SEM-020", policies: "x: {podSelector: {}}", answers: `
		deny  y/a > x/a 80/TCP # without types the policy isolates for ingress
		allow x/a > y/a 80/TCP # and not for egress`},
	{rule: "SEM-021", policies: "x: {podSelector: {pod: none}}\nx: {podSelector: {matchLabels: {pod: a}}, egress: [{ports: [{port: 80}]}]}", answers: `
		allow x/a > y/a 80/TCP # the egress rule admits port 80
		deny  x/a > y/a 81/TCP # a rule in egress isolates for egress
		deny  y/a > x/a 80/TCP # and ingress is assumed all the same`},
	{rule: "SEM-022", policies: fromX("{ports: [{port: 80}]}"), answers: `
		allow y/a > x/a 80/TCP  # no protocol means TCP
		deny  y/a > x/a 80/UDP  # and never all protocols
		deny  y/a > x/a 80/SCTP # and never all protocols`},
	{rule: "SEM-023 and SEM-065", policies: "x: {podSelector: {}, policyTypes: [Ingress], egress: [{to: [{podSelector: {}}]}]}", answers: `
		allow x/a > y/a 80/TCP # rules do not add to explicit types
		deny  y/a > x/a 80/TCP # ingress is listed`},
	{rule: "SEM-025", policies: "x: {podSelector: {}, egress: []}", answers: `
		allow x/a > 203.0.113.9 80/TCP # an empty list does not add Egress
		deny  y/a > x/a 80/TCP         # Ingress is assumed`},
	{rule: "SEM-043", policies: fromX("{from: [{namespaceSelector: {matchExpressions: [{key: ns-name, operator: NotIn, values: [nsc]}]}}]}"), answers: `
		allow y/a > x/a 80/TCP # a namespace without the label is not in the list`},
	{rule: "SEM-046", change: labelPod("y", "b", "k", ""),
		policies: fromX("{from: [{namespaceSelector: {}, podSelector: {matchLabels: {k: ''}}}]}"), answers: `
		allow y/b > x/a 80/TCP # the label is there with the empty value
		deny  y/a > x/a 80/TCP # an absent label has no value at all`},
	{rule: "SEM-047", change: labelPod("x", "b", "a", "2"),
		policies: "x: {podSelector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: NotIn, values: ['1']}]}}", answers: `
		deny  y/a > x/b 80/TCP # both requirements hold
		allow y/a > x/a 80/TCP # without the label NotIn holds, but Exists does not`},
	{rule: "SEM-048", policies: "x: {podSelector: {matchExpressions: [{key: pod, operator: Exists}, {key: pod, operator: DoesNotExist}]}}", answers: `
		allow y/a > x/a 80/TCP # the selector can pick no pod`},
	{rule: "SEM-049", policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}}]}"), answers: `
		allow y/a > x/a 80/TCP # no podSelector means every pod of the namespace
		deny  z/a > x/a 80/TCP # another namespace`},
	{rule: "SEM-050", change: labelPod("x", "b", "app", "w"),
		policies: "x: {podSelector: {matchLabels: {example.com/app: w}}}", answers: `
		allow y/a > x/b 80/TCP # the prefix is part of the key`},
	{rule: "SEM-060", policies: "x: {podSelector: {matchLabels: {pod: a}}}", answers: `
		deny  y/b > x/a 80/TCP # selected
		allow y/b > y/a 80/TCP # a policy ends at its namespace
		allow y/b > x/b 80/TCP # another pod`},
	{rule: "SEM-061", policies: fromX("{ports: [{protocol: SCTP, port: 80}]}"), answers: `
		allow y/a > x/a 80/SCTP # what the rule says
		deny  y/a > x/a 81/TCP  # isolated means only that`},
	{rule: "SEM-064 and SEM-076", policies: "x: {podSelector: {matchLabels: {pod: a}}}", answers: `
		allow x/a > x/b 80/TCP # egress of a pod isolated for ingress stays open
		deny  x/b > x/a 80/TCP # the reverse connection is judged for itself`},
	{rule: "SEM-066", policies: denyOut, answers: `
		deny  x/a > y/a 80/TCP         # Egress without rules
		deny  x/a > 203.0.113.9 80/TCP # to anywhere
		allow y/a > x/a 80/TCP         # ingress is not listed`},
	{rule: "SEM-069", policies: denyIn + "'y': {podSelector: {}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}", answers: `
		deny y/a > x/a 80/TCP # a policy of y cannot open pods of x`},
	{rule: "SEM-070", policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}}], ports: [{port: 81}]}"), answers: `
		allow y/a > x/a 81/TCP # peer and port match
		deny  y/a > x/a 80/TCP # the port does not
		deny  z/a > x/a 81/TCP # the peer does not`},
	{rule: "SEM-072 and SEM-073", policies: denyIn + fromX("{}"), answers: `
		allow y/a > x/a 80/TCP         # an empty rule admits everything
		allow 203.0.113.9 > x/a ICMP # of every protocol, and nothing takes it away`},
	{rule: "SEM-075", policies: "x: {podSelector: {}, policyTypes: [Egress]}\n'y': {podSelector: {}, ingress: [{from: [{namespaceSelector: {}}]}]}", answers: `
		deny x/a > y/b 80/TCP # admitted there, but may not leave here`},
	{rule: "SEM-077", policies: fromX("{from: [{podSelector: {matchLabels: {pod: b}}}], ports: [{port: 80}]}, {from: [{podSelector: {matchLabels: {pod: c}}}], ports: [{port: 81}]}"), answers: `
		allow x/b > x/a 80/TCP # first rule
		deny  x/b > x/a 81/TCP # the port of the other rule
		deny  x/c > x/a 80/TCP # the peer of the other rule`},
	{rule: "SEM-079", policies: denyAll, answers: `
		allow 203.0.113.9 > node:n1 80/TCP # no pod at either end
		allow node:n1 > node:n2 80/TCP     # no pod at either end`},
	{rule: "SEM-081", policies: toX("{ports: [{port: 80, endPort: 90}]}") + "'y': {podSelector: {}, ingress: [{ports: [{port: 85, endPort: 100}]}]}", answers: `
		deny  x/a > y/a 84/TCP # egress alone
		allow x/a > y/a 85/TCP # first of both
		allow x/a > y/a 90/TCP # last of both
		deny  x/a > y/a 91/TCP # ingress alone`},
	{rule: "SEM-090", policies: fromX("{ports: [{port: 80}]}"), answers: `
		allow 203.0.113.9 > x/a 80/TCP # no peers are everybody`},
	{rule: "SEM-091", policies: fromX("{from: [{podSelector: {}}]}"), answers: `
		allow x/b > x/a 80/TCP # of the own namespace
		deny  y/b > x/a 80/TCP # and no other`},
	{rule: "SEM-094", policies: fromX("{from: [{namespaceSelector: {}}]}"), answers: `
		allow y/a > x/a 80/TCP         # a pod
		deny  203.0.113.9 > x/a 80/TCP # an address is no pod
		deny  node:n2 > x/a 80/TCP     # a node is no pod`},
	{rule: "SEM-096", policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}, podSelector: {matchLabels: {pod: b}}}]}"), answers: `
		allow y/b > x/a 80/TCP # both match
		deny  x/b > x/a 80/TCP # the namespace does not
		deny  y/c > x/a 80/TCP # the pod does not`},
	{rule: "SEM-097", policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}}, {podSelector: {matchLabels: {pod: b}}}]}"), answers: `
		allow y/c > x/a 80/TCP # the first peer
		allow x/b > x/a 80/TCP # the second peer, in the own namespace
		deny  z/b > x/a 80/TCP # neither`},
	{rule: "SEM-102", policies: fromX("{from: [{namespaceSelector: {matchLabels: {team: none}}}]}"), answers: `
		deny y/a > x/a 80/TCP         # a peer that nobody is
		deny 203.0.113.9 > x/a 80/TCP # does not turn into everybody`},
	{rule: "SEM-110", policies: fromX("{from: [{ipBlock: {cidr: 10.0.2.0/24}}]}"), answers: `
		allow y/a > x/a 80/TCP # its address is in the block
		deny  z/a > x/a 80/TCP # its address is not`},
	{rule: "SEM-112", profile: reach.Profile{IPBlockSkipsPods: true}, policies: toX("{to: [{ipBlock: {cidr: 10.0.2.0/24}}]}"), answers: `
		deny  x/a > y/b 80/TCP      # blocks do not match pods
		deny  x/a > 10.0.2.2 80/TCP # whose address names them
		allow x/a > 10.0.2.9 80/TCP # no pod has it`},
	{rule: "SEM-113", policies: toX("{to: [{ipBlock: {cidr: 192.168.0.2/32}}]}"), answers: `
		allow x/a > node:n2 80/TCP     # the address of the node
		allow x/a > 192.168.0.2 80/TCP # which is the node
		deny  x/a > node:n1 80/TCP     # another node`},
	{rule: "SEM-113", profile: reach.Profile{IPBlockSkipsNodes: true}, policies: toX("{to: [{ipBlock: {cidr: 192.168.0.0/24}}]}"), answers: `
		deny  x/a > node:n2 80/TCP     # blocks do not match nodes
		allow x/a > 192.168.0.3 80/TCP # nobody's address is no node's`},
	{rule: "SEM-113", change: func(c *policy.Cluster) {
		c.Nodes[1].Status.Addresses = append(c.Nodes[1].Status.Addresses,
			corev1.NodeAddress{Type: corev1.NodeExternalIP, Address: "203.0.113.2"})
	}, policies: toX("{to: [{ipBlock: {cidr: 203.0.113.2/32}}]}"), answers: `
		allow x/a > node:n2 80/TCP      # one of its addresses is in a block
		allow x/a > 203.0.113.2 80/TCP  # this one
		deny  x/a > 192.168.0.2 80/TCP  # asked by the other, it is not
		deny  x/a > node:n1 80/TCP      # another node`},
	{rule: "SEM-113", change: func(c *policy.Cluster) {
		c.Nodes[1].Status.Addresses[0].Address = "198.51.100.2"
	}, policies: toX("{to: [{ipBlock: {cidr: 198.51.100.0/24}}]}"), answers: `
		deny  x/a > node:n2 80/TCP      # a host name is no address
		allow x/a > 198.51.100.2 80/TCP # nor the node's, if it looks like one`},
	{rule: "SEM-115, SEM-116 and SEM-118", policies: fromX("{from: [{ipBlock: {cidr: 10.0.0.0/8, except: [10.0.2.0/24, 10.0.2.2/32, 10.0.3.3/32]}}]}, {from: [{ipBlock: {cidr: 10.0.3.3/32}}]}"), answers: `
		allow x/b > x/a 80/TCP # in the block
		deny  y/a > x/a 80/TCP # excepted
		deny  y/b > x/a 80/TCP # there is no exception to an exception
		allow z/c > x/a 80/TCP # excepted here, allowed there`},
	{rule: "SEM-117", policies: fromX("{from: [{ipBlock: {cidr: 10.0.2.0/24, except: [10.0.2.0/25, 10.0.2.128/25]}}]}"), answers: `
		deny y/a > x/a 80/TCP # nothing is left of the block`},
	{rule: "SEM-119 and SEM-122", change: addrsOfPod("x", "a", "10.0.1.1", "fd00::11"), policies: toX("{to: [{ipBlock: {cidr: 0.0.0.0/0}}]}"), answers: `
		allow x/a > 255.255.255.255 80/TCP # the last of IPv4
		allow x/a > ::ffff:8.8.8.8 80/TCP  # the mapped form is IPv4
		deny  x/a > 2001:db8::1 80/TCP     # nothing of IPv6`},
	{rule: "SEM-119", policies: fromX("{from: [{ipBlock: {cidr: '::/0'}}]}"), answers: `
		deny 203.0.113.9 > x/a 80/TCP # nothing of IPv4`},
	{rule: "SEM-120", policies: fromX("{from: [{ipBlock: {cidr: 10.0.9.0/24}}]}"), answers: `
		allow 10.0.9.0 > x/a 80/TCP    # the network address
		allow 10.0.9.255 > x/a 80/TCP  # the broadcast address
		deny  10.0.8.255 > x/a 80/TCP  # one below
		deny  10.0.10.0 > x/a 80/TCP   # one above`},
	{rule: "SEM-121", policies: fromX("{from: [{ipBlock: {cidr: 10.0.0.7/24}}]}"), answers: `
		allow 10.0.0.200 > x/c 80/TCP # host bits do not count
		deny  10.0.9.1 > x/c 80/TCP   # outside`},
	{rule: "SEM-324", policies: fromX("{from: [{ipBlock: {cidr: 010.010.0.0/016}}]}"), answers: `
		allow 10.10.0.1 > x/c 80/TCP # leading zeros are decimal
		deny  8.8.0.1 > x/c 80/TCP   # not octal`},
	{rule: "SEM-124", policies: fromX("{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/104'}}]}"), answers: `
		allow 10.1.2.3 > x/a 80/TCP        # the prefix is 10.0.0.0/8
		allow ::ffff:10.1.2.3 > x/a 80/TCP # so is the address
		deny  11.0.0.0 > x/a 80/TCP        # outside`},
	{rule: "SEM-124", change: addrsOfPod("x", "a", "10.0.1.1", "fd00::11"), policies: fromX("{from: [{ipBlock: {cidr: '::ffff:10.0.0.0/90'}}]}"), answers: `
		deny  10.1.2.3 > x/a 80/TCP      # a prefix this short is plain IPv6
		allow ::ffc0:0:1 > x/a 80/TCP    # and holds IPv6 addresses
		deny  ::ffbf:ffff:1 > x/a 80/TCP # of its range`},
	{rule: "SEM-124", policies: fromX("{from: [{ipBlock: {cidr: '::ffff:0.0.0.0/96'}}]}"), answers: `
		allow 203.0.113.9 > x/a 80/TCP # the shortest prefix that is IPv4: all of it`},
	{rule: "SEM-125", change: addrsOfPod("x", "a", "fd00:1::11"), policies: fromX("{from: [{ipBlock: {cidr: 'FD00:0:0::/64'}}]}"), answers: `
		allow fd00::1 > x/a 80/TCP    # spelling does not matter
		deny  fd00:0:0:1:: > x/a 80/TCP # outside`},
	{rule: "SEM-126", policies: toX("{to: [{ipBlock: {cidr: 169.254.0.0/16}}]}"), answers: `
		allow x/a > 169.254.169.254 80/TCP # no range is special`},
	{rule: "SEM-123 and SEM-128", change: func(c *policy.Cluster) {
		addrsOfPod("x", "a", "10.0.1.1", "fd00::11")(c)
		addrsOfPod("y", "b", "10.0.2.2", "fd00::22")(c)
		addrsOfPod("y", "c", "fd00::23")(c)
	}, policies: toX("{to: [{ipBlock: {cidr: 10.0.2.2/32}}]}"), answers: `
		allow x/a > y/b 80/TCP over IPv4 # in the block
		deny  x/a > y/b 80/TCP over IPv6 # the block names no IPv6 address
		allow x/a > y/b 80/TCP           # one family is enough
		deny  z/a > y/b 80/TCP over IPv6 # z/a has no IPv6 address
		deny  z/a > y/c 80/TCP           # no common family
		deny  x/b > x/b 80/TCP over IPv6 # not even to itself`},
	{rule: "SEM-129", change: addrsOfPod("y", "b"), policies: toX("{to: [{ipBlock: {cidr: 0.0.0.0/0}}, {ipBlock: {cidr: '::/0'}}]}"), answers: `
		deny  x/a > y/b 80/TCP           # an unknown address is in no block
		allow x/a > y/a 80/TCP           # a known one is
		allow z/a > y/b 80/TCP over IPv4 # nothing but blocks asks for the address`},
	{rule: "SEM-150", policies: fromX("{from: [{podSelector: {matchLabels: {pod: b}}}], ports: []}"), answers: `
		allow x/b > x/a 81/UDP # every protocol
		allow x/b > x/a ICMP # also those without ports`},
	{rule: "SEM-153 and SEM-154", policies: fromX("{ports: [{}, {protocol: SCTP}]}"), answers: `
		allow y/a > x/a 81/TCP    # an empty item is TCP
		deny  y/a > x/a 80/UDP    # and not everything
		allow y/a > x/a 9999/SCTP # a protocol alone is all its ports`},
	{rule: "SEM-157 and SEM-158", policies: fromX("{ports: [{port: 32000, endPort: 32768}, {port: 20000, endPort: 20000}]}"), answers: `
		deny  y/a > x/a 31999/TCP # below
		allow y/a > x/a 32000/TCP # first
		allow y/a > x/a 32768/TCP # last
		deny  y/a > x/a 32769/TCP # above
		allow y/a > x/a 20000/TCP # a range of one
		deny  y/a > x/a 20001/TCP # above it`},
	{rule: "SEM-159", profile: reach.Profile{EndPortIgnored: true}, policies: fromX("{ports: [{port: 80, endPort: 90}]}"), answers: `
		allow y/a > x/a 80/TCP # the port itself
		deny  y/a > x/a 85/TCP # endPort is not seen`},
	{rule: "SEM-161", policies: fromX("{ports: [{port: 9999}]}"), answers: `
		allow y/a > x/a 9999/TCP # nobody declares it`},
	{rule: "SEM-163 and SEM-240", profile: reach.Profile{SCTP: reach.SCTPDropped}, policies: fromX("{}"), answers: `
		deny  y/a > x/a 80/SCTP     # no rule lets it pass
		allow y/a > x/a 80/TCP      # others are not concerned
		allow node:n1 > x/a 80/SCTP # the own node passes without a rule
		allow x/a > x/a 80/SCTP     # so does the pod itself
		allow x/a > y/a 80/SCTP     # not isolated`},
	{rule: "SEM-163", profile: reach.Profile{SCTP: reach.SCTPBypasses}, policies: denyAll, answers: `
		allow y/a > x/a 7778/SCTP # policies are not asked
		deny  y/a > x/a 7778/TCP  # for TCP they are`},
	{rule: "SEM-164, SEM-165 and SEM-241", policies: fromX("{ports: [{protocol: TCP, port: 1, endPort: 65535}, {protocol: UDP, port: 1, endPort: 65535}, {protocol: SCTP, port: 1, endPort: 65535}]}"), answers: `
		allow y/a > x/a 65535/UDP # in the range
		deny  y/a > x/a ICMP    # ports never match what has none`},
	{rule: "SEM-165", policies: fromX("{from: [{namespaceSelector: {}}]}"), answers: `
		allow y/a > x/a ICMP # no ports are more than all ports`},
	{rule: "SEM-170 and SEM-184", policies: fromX("{ports: [{port: serve-80-tcp}]}"), answers: `
		allow y/a > x/a 80/TCP # the name of port 80
		deny  y/a > x/a 81/TCP # of no other
		deny  y/a > x/a 80/UDP # and of one protocol`},
	{rule: "SEM-171", policies: fromX("{ports: [{port: serve-80-udp}]}"), answers: `
		deny y/a > x/a 80/UDP # the item is for TCP
		deny y/a > x/a 80/TCP # the declaration is for UDP`},
	{rule: "SEM-172 and SEM-173", change: func(c *policy.Cluster) {
		declare("y", "a", "web", 8080)(c)
		declare("y", "b", "web", 9090)(c)
		declare("x", "a", "web", 7070)(c)
	}, policies: toX("{ports: [{port: web}]}"), answers: `
		allow x/a > y/a 8080/TCP         # what y/a means by it
		deny  x/a > y/a 9090/TCP         # what y/b means by it
		allow x/a > y/b 9090/TCP         # what y/b means by it
		deny  x/a > y/a 7070/TCP         # what the source means by it
		deny  x/a > y/c 8080/TCP         # y/c does not know the name
		deny  x/a > 203.0.113.9 8080/TCP # SEM-174: an address knows no names`},
	{rule: "SEM-175", policies: toX("{to: [{ipBlock: {cidr: 10.0.2.0/24}}], ports: [{port: serve-80-tcp}]}"), answers: `
		allow x/a > y/b 80/TCP        # the address is a pod's
		allow x/a > 10.0.2.2 80/TCP   # also if named by address
		deny  x/a > 10.0.2.200 80/TCP # no pod has it`},
	{rule: "SEM-176", change: func(c *policy.Cluster) {
		declare("x", "a", "dns", 53, corev1.ProtocolUDP)(c)
		declare("x", "a", "dns", 5353)(c)
	}, policies: fromX("{ports: [{protocol: UDP, port: dns}]}"), answers: `
		allow y/a > x/a 53/UDP   # the one of the protocol
		deny  y/a > x/a 5353/UDP # the number of the other
		deny  y/a > x/a 5353/TCP # the other`},
	{rule: "SEM-178", change: twoWebs, policies: fromX("{ports: [{port: web}]}"), answers: `
		allow y/a > x/a 8080/TCP # the first container
		allow y/a > x/a 9090/TCP # the second`},
	{rule: "SEM-178", change: twoWebs, profile: reach.Profile{NamedPortFirst: true}, policies: fromX("{ports: [{port: web}]}"), answers: `
		allow y/a > x/a 8080/TCP # the first container
		deny  y/a > x/a 9090/TCP # the second does not count`},
	{rule: "SEM-179 and SEM-180", change: initPorts, policies: fromX("{ports: [{port: migrate}, {port: metrics}]}"), answers: `
		deny  y/a > x/a 9000/TCP # an init container has ended
		allow y/a > x/a 8099/TCP # a sidecar runs on`},
	{rule: "SEM-180", change: initPorts, profile: reach.Profile{NamedPorts: reach.NamedPortsOfContainers}, policies: fromX("{ports: [{port: migrate}, {port: metrics}]}"), answers: `
		deny y/a > x/a 9000/TCP # containers only
		deny y/a > x/a 8099/TCP # containers only`},
	{rule: "SEM-179", change: initPorts, profile: reach.Profile{NamedPorts: reach.NamedPortsOfAllContainers}, policies: fromX("{ports: [{port: migrate}, {port: metrics}]}"), answers: `
		allow y/a > x/a 9000/TCP # all init containers
		allow y/a > x/a 8099/TCP # all init containers`},
	{rule: "SEM-181", change: func(c *policy.Cluster) {
		declare("x", "a", "web", 8080)(c)
		spec := &podOf(c, "x", "a").Spec
		spec.Containers[len(spec.Containers)-1].Ports[0].HostPort = 80
	}, policies: fromX("{ports: [{port: web}]}"), answers: `
		allow y/a > x/a 8080/TCP # the container port
		deny  y/a > x/a 80/TCP   # not the host port`},
	{rule: "SEM-183", policies: fromX("{ports: [{port: http}]}"), answers: `
		deny y/a > x/a 80/TCP # names have no meaning of their own`},
	{rule: "SEM-185", change: hostPod("n2", "192.168.0.2"), policies: toX("{ports: [{port: metrics}]}"), answers: `
		deny x/a > y/hn 9100/TCP # a node knows no names`},
	{rule: "SEM-185", change: hostPod("n2", "192.168.0.2"), profile: reach.Profile{HostNetworkAsPods: true}, policies: toX("{ports: [{port: metrics}]}"), answers: `
		allow x/a > y/hn 9100/TCP # a pod does`},
	{rule: "SEM-200", policies: denyAll, answers: `
		allow x/a > 10.0.1.1 80/TCP # its own address
		deny  x/a > x/b 80/TCP      # another pod`},
	{rule: "SEM-203 and SEM-204", policies: denyIn, answers: `
		allow node:n1 > x/a 80/TCP     # the node of x/a
		allow 192.168.0.1 > x/a 80/TCP # by its address
		allow node-of:x/a > x/a 80/TCP # as the node of x/a
		deny  node:n2 > x/a 80/TCP     # another node`},
	{rule: "SEM-204", policies: fromX("{from: [{ipBlock: {cidr: 192.168.0.2/32}}]}"), answers: `
		allow node:n2 > x/a 80/TCP # as an address`},
	{rule: "SEM-205", policies: denyOut, answers: `
		deny x/a > node:n1 9100/TCP # policies decide`},
	{rule: "SEM-205", change: hostPod("n1", "192.168.0.1"), profile: reach.Profile{EgressToOwnNodeAllowed: true}, policies: denyOut, answers: `
		allow x/a > node:n1 9100/TCP # the own node
		allow x/a > y/hn 9100/TCP    # which the pod on its network is
		deny  x/a > node:n2 9100/TCP # another node`},
	{rule: "SEM-206", policies: toX("{to: [{namespaceSelector: {}}]}"), answers: `
		deny x/a > node:n2 6443/TCP # selectors do not match nodes`},
	{rule: "SEM-207 and SEM-210", change: hostPod("n2", "192.168.0.2"), policies: "'y': {podSelector: {}, policyTypes: [Ingress, Egress]}", answers: `
		allow x/a > y/hn 80/TCP         # never isolated
		allow y/hn > 203.0.113.9 80/TCP # in neither direction
		allow y/hn > node:n1 80/TCP     # nodes among themselves`},
	{rule: "SEM-207", change: hostPod("n2", "192.168.0.2"), profile: reach.Profile{HostNetworkAsPods: true}, policies: "'y': {podSelector: {}, policyTypes: [Ingress, Egress]}", answers: `
		deny x/a > y/hn 80/TCP         # isolated like any pod
		deny y/hn > 203.0.113.9 80/TCP # in both directions`},
	{rule: "SEM-208", change: hostPod("n2", "192.168.0.2"), policies: fromX("{from: [{namespaceSelector: {}}]}"), answers: `
		deny y/hn > x/a 80/TCP # no selector matches it`},
	{rule: "SEM-208", change: hostPod("n2", "192.168.0.2"), profile: reach.Profile{HostNetworkAsPods: true}, policies: fromX("{from: [{namespaceSelector: {}}]}"), answers: `
		allow y/hn > x/a 80/TCP # selectors match it like any pod`},
	{rule: "SEM-209", change: hostPod("n1", "192.168.0.1"), policies: denyIn, answers: `
		allow y/hn > x/a 80/TCP # it is the node of x/a`},
	{rule: "SEM-209", change: hostPod("n1", "192.168.0.1"), profile: reach.Profile{HostNetworkAsPods: true}, policies: denyIn, answers: `
		deny y/hn > x/a 80/TCP # it is a pod`},
	{rule: "SEM-211", change: hostPod("n2", ""), policies: fromX("{from: [{ipBlock: {cidr: 192.168.0.2/32}}]}"), answers: `
		allow y/hn > x/a 80/TCP # it has the address of its node`},
	{rule: "SEM-213", change: func(c *policy.Cluster) {
		podOf(c, "x", "a").Spec.NodeName = ""
		podOf(c, "x", "b").Spec.NodeName = ""
	}, policies: denyIn, answers: `
		deny  node:n1 > x/a 80/TCP     # not known to be its node
		allow node-of:x/a > x/a 80/TCP # its node, whichever that is
		deny  node-of:x/b > x/a 80/TCP # not known to be the same`},
	{rule: "SEM-221", change: func(c *policy.Cluster) {
		addrsOfPod("x", "b")(c)
		podOf(c, "x", "b").Status.Phase = corev1.PodPending
	}, policies: fromX("{from: [{podSelector: {matchLabels: {pod: b}}}]}"), answers: `
		allow x/b > x/a 80/TCP # labels decide`},
	{rule: "SEM-222", change: func(c *policy.Cluster) {
		podOf(c, "x", "b").Status.Phase = corev1.PodSucceeded
		addrsOfPod("y", "c", "10.0.1.2")(c)
	}, policies: fromX("{from: [{podSelector: {}}]}"), answers: `
		deny  x/b > x/a 80/TCP      # it has terminated
		deny  y/a > x/b 80/TCP      # it has terminated
		allow x/c > x/a 80/TCP      # it has not
		deny  10.0.1.2 > x/a 80/TCP # the address is y/c now`},
	{rule: "SEM-223", change: func(c *policy.Cluster) { podOf(c, "x", "b").DeletionTimestamp = &metav1.Time{} },
		policies: fromX("{from: [{podSelector: {matchLabels: {pod: b}}}]}"), answers: `
		allow x/b > x/a 80/TCP # still a peer
		deny  y/a > x/b 80/TCP # still policed`},
	{rule: "SEM-225", change: addrsOfPod("y", "b", "10.0.2.2", "fd00::22"), policies: "z: {podSelector: {}}\n'y': {podSelector: {}, ingress: [{from: [{ipBlock: {cidr: 'fd00::/64'}}]}]}", answers: `
		allow fd00::99 > y/b 80/TCP # podIPs, beyond podIP`},
	{rule: "SEM-228", change: addDeployment, policies: "x: {podSelector: {matchLabels: {app: w}}, ingress: [{from: [{podSelector: {matchLabels: {app: w}}}]}]}", answers: `
		allow deploy:x/w > replica:deploy:x/w 80/TCP # its own labels are admitted
		allow x/w > replica:x/w 80/TCP               # by name alone
		deny  x/a > deployment:x/w 80/TCP            # others are not`},
	{rule: "SEM-228", change: addDeployment, policies: "x: {podSelector: {matchLabels: {app: w}}}", answers: `
		allow deploy:x/w > deploy:x/w 80/TCP            # SEM-200: itself
		deny  deploy:x/w > replica:deploy:x/w 80/TCP    # another pod
		allow node-of:deploy:x/w > deploy:x/w 80/TCP    # its node
		deny  node-of:deploy:x/w > replica:x/w 80/TCP   # not its node
		deny  node:n1 > deploy:x/w 80/TCP               # SEM-213: its node is not known`},
	{rule: "SEM-231", change: dropNamespace("y"), policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: 'y'}}}]}"), answers: `
		allow y/a > x/a 80/TCP # the automatic label is there`},
	{rule: "SEM-231", change: dropNamespace("y"), policies: fromX("{from: [{namespaceSelector: {matchLabels: {team: 'y'}}}]}"), answers: `
		deny  y/a > x/a 80/TCP # no other label is
		allow z/a > y/a 80/TCP # and no policy is`},
	{rule: "SEM-233", change: func(c *policy.Cluster) {
		c.Namespaces[1].Labels["kubernetes.io/metadata.name"] = "x"
	}, policies: fromX("{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: x}}}]}"), answers: `
		deny  y/a > x/a 80/TCP # the label of y is overwritten
		allow x/b > x/a 80/TCP # the label of x`},
	{rule: "SEM-234", policies: fromX("{from: [{namespaceSelector: {matchExpressions: [{key: kubernetes.io/metadata.name, operator: NotIn, values: ['y']}]}}]}"), answers: `
		deny  y/a > x/a 80/TCP # has the label
		allow z/a > x/a 80/TCP # has another`},
	{rule: "SEM-237", change: labelPod("y", "b", "team", "x"), policies: fromX("{from: [{namespaceSelector: {matchLabels: {team: x}}}]}"), answers: `
		deny  y/b > x/a 80/TCP # the label of a pod is not its namespace's
		allow x/b > x/a 80/TCP # the label of the namespace`},
	{rule: "SEM-331", policies: "x: {podSelector: {}, policyTypes: [Ingress, Ingress]}", answers: `
		deny  y/a > x/a 80/TCP # a repeated type
		allow x/a > y/a 80/TCP # equals one`},
	{rule: "SEM-353", change: func(c *policy.Cluster) { c.Policies[0].DeletionTimestamp = &metav1.Time{} }, policies: denyIn, answers: `
		deny y/a > x/a 80/TCP # until it is gone`},
	{rule: "SEM-354", profile: reach.Profile{NotEnforced: true}, policies: denyAll, answers: `
		allow y/a > x/a 80/TCP           # nobody enforces it
		deny  y/a > x/a 80/TCP over IPv6 # SEM-128: still no address for it`},
	{rule: "SEM-011", change: func(c *policy.Cluster) {
		for i, pod := range c.Pods {
			if pod.Namespace == "z" {
				c.Pods[i].Namespace = ""
			}
		}
	}, policies: "'': {podSelector: {}}", answers: `
		deny  y/a > default/a 80/TCP # no namespace is default, for policies and pods
		allow y/a > x/a 80/TCP       # and no other`},
}

// TestNaive checks the naive evaluator on the examples of the rules, and that
// some example of each rule makes it note that rule.
func TestNaive(t *testing.T) {
	answers := map[bool]int{}
	noted := map[string]bool{}
	for i, tc := range naiveCases {
		t.Run(fmt.Sprintf("%s/%d", tc.rule, i), func(t *testing.T) {
			c := newXYZ()
			for _, line := range strings.Split(strings.TrimSpace(tc.policies), "\n") {
				var specs map[string]networkingv1.NetworkPolicySpec
				require.NoError(t, yaml.Unmarshal([]byte(line), &specs), line)
				for ns, spec := range specs {
					np := &networkingv1.NetworkPolicy{Spec: spec}
					np.Namespace, np.Name = ns, fmt.Sprintf("p%d", len(c.Policies))
					c.Policies = append(c.Policies, np)
				}
			}
			if tc.change != nil {
				tc.change(c)
			}
			n := newNotingNaive(c, tc.profile)
			for _, line := range strings.Split(strings.TrimSpace(tc.answers), "\n") {
				from, to, port, fam, want := readAnswer(t, line)
				assert.Equal(t, want, n.allows(from, to, port, fam), line)
				answers[want]++
			}
			for _, rule := range ruleNumber.FindAllString(tc.rule, -1) {
				noted[rule] = noted[rule] || slices.Contains(n.notes, rule)
			}
		})
	}
	for _, rule := range rulesOfAnswers(t) {
		_, exempt := exemptRules[rule]
		if is, ok := noted[rule]; ok && !exempt && !slices.Contains(notNoted, rule) {
			assert.True(t, is, "%s is not noted in its examples", rule)
		}
	}
	assert.Greater(t, answers[true], 60)
	assert.Greater(t, answers[false], 60)
}

var ruleNumber = regexp.MustCompile(`SEM-[0-9]+`)

// readAnswer reads a line of answers.
func readAnswer(t *testing.T, line string) (from, to string, port policy.Port, fam reach.Family, want bool) {
	t.Helper()
	text, why, _ := strings.Cut(line, "#")
	require.NotEmpty(t, strings.TrimSpace(why), "no reason: %s", line)
	f := strings.Fields(text)
	require.GreaterOrEqual(t, len(f), 5, line)
	require.Contains(t, []string{"allow", "deny"}, f[0], line)
	require.Equal(t, ">", f[2], line)
	if len(f) > 5 {
		require.Len(t, f, 7, line)
		require.Equal(t, "over", f[5], line)
		fam = map[string]reach.Family{"IPv4": reach.IPv4, "IPv6": reach.IPv6}[f[6]]
		require.NotEqual(t, reach.AnyFamily, fam, line)
	}
	number, proto, _ := strings.Cut(f[4], "/")
	if number == "ICMP" {
		port.Protocol = policy.ICMP
	} else {
		n, err := strconv.ParseUint(number, 10, 16)
		require.NoError(t, err, line)
		port.Number = uint16(n)
		port.Protocol = map[string]policy.Protocol{"TCP": policy.TCP, "UDP": policy.UDP, "SCTP": policy.SCTP}[proto]
	}
	require.NotZero(t, port.Protocol, line)
	return f[1], f[3], port, fam, f[0] == "allow"
}

// newXYZ returns the namespaces x, y, z with label team and pods a, b, c each,
// at 10.0.1.1 to 10.0.3.3, all on node n1, and the nodes n1 and n2. Every pod
// declares the ports 80 and 81 of every protocol, such as serve-80-tcp.
func newXYZ() *policy.Cluster {
	c := &policy.Cluster{}
	for i, name := range []string{"n1", "n2"} {
		node := &corev1.Node{}
		node.Name = name
		node.Status.Addresses = []corev1.NodeAddress{
			{Type: corev1.NodeHostName, Address: name},
			{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("192.168.0.%d", i+1)},
		}
		c.Nodes = append(c.Nodes, node)
	}
	for i, name := range []string{"x", "y", "z"} {
		ns := &corev1.Namespace{}
		ns.Name, ns.Labels = name, map[string]string{"team": name}
		c.Namespaces = append(c.Namespaces, ns)
		for j, name := range []string{"a", "b", "c"} {
			pod := &corev1.Pod{}
			pod.Namespace, pod.Name, pod.Labels = ns.Name, name, map[string]string{"pod": name}
			pod.Spec.NodeName = "n1"
			pod.Status.PodIP = fmt.Sprintf("10.0.%d.%d", i+1, j+1)
			pod.Spec.Containers = []corev1.Container{{Name: "main"}}
			for _, number := range []int32{80, 81} {
				for _, proto := range []corev1.Protocol{corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP} {
					pod.Spec.Containers[0].Ports = append(pod.Spec.Containers[0].Ports, corev1.ContainerPort{
						Name:          fmt.Sprintf("serve-%d-%s", number, strings.ToLower(string(proto))),
						ContainerPort: number,
						Protocol:      proto,
					})
				}
			}
			c.Pods = append(c.Pods, pod)
		}
	}
	return c
}

func podOf(c *policy.Cluster, ns, name string) *corev1.Pod {
	for _, pod := range c.Pods {
		if pod.Namespace == ns && pod.Name == name {
			return pod
		}
	}
	panic("no pod " + ns + "/" + name)
}

// addrsOfPod gives a pod these addresses.
func addrsOfPod(ns, name string, addrs ...string) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		status := &podOf(c, ns, name).Status
		status.PodIP, status.PodIPs = "", nil
		for _, a := range addrs {
			status.PodIPs = append(status.PodIPs, corev1.PodIP{IP: a})
		}
		if len(addrs) > 0 {
			status.PodIP = addrs[0]
		}
	}
}

// labelPod gives a pod one more label.
func labelPod(ns, name, key, value string) func(*policy.Cluster) {
	return func(c *policy.Cluster) { podOf(c, ns, name).Labels[key] = value }
}

// declare adds a container with a named port to a pod.
func declare(ns, name, port string, number int32, proto ...corev1.Protocol) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		p := corev1.ContainerPort{Name: port, ContainerPort: number}
		if len(proto) > 0 {
			p.Protocol = proto[0]
		}
		spec := &podOf(c, ns, name).Spec
		spec.Containers = append(spec.Containers, corev1.Container{
			Name: fmt.Sprintf("c%d", len(spec.Containers)), Ports: []corev1.ContainerPort{p}})
	}
}

func twoWebs(c *policy.Cluster) {
	declare("x", "a", "web", 8080)(c)
	declare("x", "a", "web", 9090)(c)
}

func initPorts(c *policy.Cluster) {
	always := corev1.ContainerRestartPolicyAlways
	podOf(c, "x", "a").Spec.InitContainers = []corev1.Container{
		{Name: "m", Ports: []corev1.ContainerPort{{Name: "migrate", ContainerPort: 9000}}},
		{Name: "s", RestartPolicy: &always, Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 8099}}},
	}
}

// hostPod adds the pod y/hn on the network of a node, with port metrics.
func hostPod(node, addr string) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		pod := &corev1.Pod{}
		pod.Namespace, pod.Name = "y", "hn"
		pod.Spec.HostNetwork, pod.Spec.NodeName = true, node
		pod.Spec.Containers = []corev1.Container{{Name: "main", Ports: []corev1.ContainerPort{{Name: "metrics", ContainerPort: 9100}}}}
		pod.Status.PodIP = addr
		c.Pods = append(c.Pods, pod)
	}
}

// addDeployment adds the Deployment x/w, without its pods.
func addDeployment(c *policy.Cluster) {
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = "x", "w"
	d.Spec.Template.Labels = map[string]string{"app": "w"}
	c.Deployments = append(c.Deployments, d)
}

func dropNamespace(name string) func(*policy.Cluster) {
	return func(c *policy.Cluster) {
		c.Namespaces = slices.DeleteFunc(c.Namespaces, func(ns *corev1.Namespace) bool { return ns.Name == name })
	}
}

// TestNaiveNames checks what the naive evaluator calls the ends of a cluster,
// and which workloads it takes for pods (SEM-228).
func TestNaiveNames(t *testing.T) {
	c := newXYZ()
	c.Pods = c.Pods[:2]
	podOf(c, "x", "b").Spec.NodeName = ""
	hostPod("n3", "192.168.0.3")(c)
	hostPod("n3", "192.168.0.3")(c)
	c.Pods[3].Name = "hn2"
	addDeployment(c)
	ends := []string{
		"pod:x/a", "pod:x/b", "pod:y/hn", "pod:y/hn2", "deploy:x/w", "replica:deploy:x/w",
		"node:n1", "node:n2", "node:n3", "node-of:pod:x/b", "node-of:deploy:x/w",
	}
	assert.Equal(t, ends, newNaive(c, reach.Profile{}).ends())

	as := newNaive(c, reach.Profile{HostNetworkAsPods: true})
	assert.True(t, newNaive(c, reach.Profile{}).knows("192.168.0.3"), "pods that are one node share its address")
	assert.Equal(t, "node:n3", as.end("192.168.0.3").id, "the pods report the address of their node")
	assert.True(t, as.knows("192.168.0.2"), "the address of a node")
	assert.True(t, as.knows("203.0.113.9"), "the address of nobody")
	assert.True(t, as.knows("node-of:x/a"))
	assert.Equal(t, "node:n1", as.end("node-of:x/a").id)
	assert.False(t, as.knows("pod:x/w"), "a workload is not a pod")
	assert.False(t, as.knows("replica:pod:x/a"), "a pod has no replica")

	rs := &appsv1.ReplicaSet{}
	rs.Namespace, rs.Name, rs.OwnerReferences = "x", "w-1", []metav1.OwnerReference{controlledBy("Deployment", "w")}
	c.ReplicaSets = append(c.ReplicaSets, rs)
	assert.Equal(t, ends, newNaive(c, reach.Profile{}).ends(), "the Deployment speaks for its ReplicaSet")

	pod := podOf(c, "x", "a")
	pod.OwnerReferences = []metav1.OwnerReference{controlledBy("ReplicaSet", "w-1")}
	n := newNaive(c, reach.Profile{})
	assert.False(t, n.knows("deploy:x/w"), "a live pod belongs to it")
	assert.False(t, n.knows("rs:x/w-1"), "a live pod belongs to it")

	pod.Status.Phase = corev1.PodFailed
	assert.True(t, newNaive(c, reach.Profile{}).knows("deploy:x/w"), "a terminated pod stands for nothing")

	pod.Status.Phase = ""
	pod.OwnerReferences[0].APIVersion = "example.com/v1"
	assert.True(t, newNaive(c, reach.Profile{}).knows("deploy:x/w"), "another kind of the same name")

	c.Deployments = nil
	assert.True(t, newNaive(c, reach.Profile{}).knows("rs:x/w-1"), "its controller is not in the cluster")
}

// TestGenerated checks that the generators reach every corner they are for,
// that the clusters are as consistent as genCluster promises, and that the
// policies say yes and no often enough.
func TestGenerated(t *testing.T) {
	if raceDetector {
		t.Skip("nothing is shared between goroutines")
	}
	const clusters = 2000
	seen := map[string]int{}
	allowed := map[bool]int{}
	type drawing struct {
		c         *policy.Cluster
		p         reach.Profile
		questions []naiveFlow
	}
	drawings := rapid.Custom(func(t *rapid.T) drawing {
		d := drawing{c: genCluster(t), p: genProfile(t)}
		n := newNaive(d.c, d.p)
		ends := n.ends()
		for range 6 {
			from, to := rapid.SampledFrom(ends).Draw(t, "from"), rapid.SampledFrom(ends).Draw(t, "to")
			switch rapid.IntRange(0, 7).Draw(t, "which") {
			case 6:
				from = genAddr(t, d.c).String()
			case 7:
				to = genAddr(t, d.c).String()
			}
			if n.knows(from) && n.knows(to) {
				d.questions = append(d.questions, naiveFlow{n.end(from), n.end(to), genPort(t, d.c), reach.AnyFamily})
			}
		}
		return d
	})
	for i := range clusters {
		d := drawings.Example(i)
		require.Empty(t, flawsOf(d.c), reachtest.YAML(d.c))
		for f := range featuresOf(d.c) {
			seen[f]++
		}
		if d.p == (reach.Profile{}) {
			seen["the zero profile"]++
		} else {
			seen["another profile"]++
		}
		n := newNaive(d.c, d.p)
		for _, f := range d.questions {
			f.fam = reach.IPv4
			if !n.speaks(f.src, f.fam) || !n.speaks(f.dst, f.fam) {
				f.fam = reach.IPv6
			}
			if n.speaks(f.src, f.fam) && n.speaks(f.dst, f.fam) && n.policiesDecide(f) {
				allowed[n.allowed(f)]++
			}
		}
	}
	for _, f := range generatorFeatures {
		assert.GreaterOrEqual(t, seen[f], clusters/200, f)
		delete(seen, f)
	}
	assert.Empty(t, slices.Sorted(maps.Keys(seen)), "not in the list of features")
	total := allowed[true] + allowed[false]
	require.Greater(t, total, clusters)
	assert.GreaterOrEqual(t, 4*allowed[true], total, "allowed in %d of %d", allowed[true], total)
	assert.GreaterOrEqual(t, 4*allowed[false], total, "denied in %d of %d", allowed[false], total)
}

// policiesDecide reports whether policies apply to f and their rules decide.
func (n *naive) policiesDecide(f naiveFlow) bool {
	if n.p.NotEnforced || f.src.dead || f.dst.dead || f.src.id == f.dst.id {
		return false
	}
	for _, dir := range []networkingv1.PolicyType{networkingv1.PolicyTypeEgress, networkingv1.PolicyTypeIngress} {
		if !n.exempt(f, dir) && n.isolated(f, dir) {
			return true
		}
	}
	return false
}

// TestSampleReachesEveryRule checks that the draws of
// TestPropertyCompiledExplainedNaive reach every rule in several clusters: it
// shows in the notes of the naive evaluator, in a corner of the cluster, or
// between two answers.
func TestSampleReachesEveryRule(t *testing.T) {
	const clusters, enough = 250, 3
	type drawing struct {
		c     *policy.Cluster
		p     reach.Profile
		ends  []string
		ports []policy.Port
	}
	drawings := rapid.Custom(func(t *rapid.T) drawing {
		c, p := genCluster(t), genProfile(t)
		return drawing{c, p, drawEnds(t, c, newNaive(c, p)), []policy.Port{genPort(t, c), genPort(t, c)}}
	})
	reached := map[string]int{} // in how many clusters
	for i := range clusters {
		d := drawings.Example(i)
		n := newNotingNaive(d.c, d.p)
		shown := marker{}
		answers := map[[2]string]bool{}
		for _, port := range d.ports {
			for _, fam := range families {
				for _, from := range d.ends {
					for _, to := range d.ends {
						answers[[2]string{from, to}] = n.allows(from, to, port, fam)
						for _, rule := range n.notes {
							shown[rule] = true
						}
						n.notes = n.notes[:0]
					}
				}
				for pair, allowed := range answers {
					shown.mark("SEM-076", allowed && !answers[[2]string{pair[1], pair[0]}])
				}
			}
		}
		for corner := range featuresOf(d.c) {
			if rule, ok := ruleOfFeature[corner]; ok {
				shown[rule] = true
			}
		}
		for rule, is := range shown {
			if is {
				reached[rule]++
			}
		}
	}

	rules := rulesOfAnswers(t)
	for _, rule := range rules {
		why, exempt := exemptRules[rule]
		if exempt {
			assert.Zero(t, reached[rule], "%s is reached, but exempt: %s", rule, why)
		} else {
			assert.GreaterOrEqual(t, reached[rule], enough, "clusters that reach %s", rule)
		}
	}
	for _, named := range []iter.Seq[string]{maps.Keys(exemptRules), maps.Keys(reached)} {
		for rule := range named {
			assert.Contains(t, rules, rule, "no rule of these parts")
		}
	}
}

// rulesOfAnswers returns the rules that can decide an answer: those of the
// parts of semantics.md that are not about reading, Services, or validation.
func rulesOfAnswers(t *testing.T) []string {
	text, err := os.ReadFile("semantics.md")
	require.NoError(t, err)
	var rules []string
	part := ""
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			part, _, _ = strings.Cut(heading, ".")
		}
		if strings.HasPrefix(line, "**SEM-") && !slices.Contains([]string{"1", "12", "13"}, part) {
			rules = append(rules, ruleNumber.FindString(line))
		}
	}
	require.Greater(t, len(rules), 140, "the headings are not found")
	return rules
}

// ruleOfFeature has the rules that say what makes no difference, or that no
// single question shows, by the corner of the cluster they are about.
var ruleOfFeature = map[string]string{
	"selector impossible":                       "SEM-048",
	"workload labeled unlike its pods":          "SEM-051",
	"policy on no pod":                          "SEM-067",
	"peer on no pod":                            "SEM-102",
	"excepts covering":                          "SEM-117",
	"port name on several pods, numbers differ": "SEM-173",
	"ephemeral container":                       "SEM-182",
	"pod not ready":                             "SEM-226",
	"policy in a namespace without object":      "SEM-230",
	"namespace terminating":                     "SEM-235",
	"policy in a namespace without pods":        "SEM-236",
	"peer namespaces as a pod is labeled":       "SEM-237",
}

// notNoted are the rules that no notes show.
var notNoted = append(slices.Collect(maps.Values(ruleOfFeature)), "SEM-076")

// exemptRules are those that no draw can reach, and why.
var exemptRules = map[string]string{
	"SEM-026": "about manifests and stored objects; the evaluator has one of them",
	"SEM-028": "Services are not modeled",
	"SEM-029": "hostPort is not modeled (SEM-214)",
	"SEM-080": "about what every question means",
	"SEM-081": "about sets of ports; TestPropertyPortsAndEdges compares them with the answers",
	"SEM-097": "about reading YAML",
	"SEM-100": "Services are not modeled",
	"SEM-114": "translation of addresses is not modeled",
	"SEM-156": "a question has no source port",
	"SEM-162": "Services are not modeled",
	"SEM-177": "validation",
	"SEM-184": "Services are not modeled",
	"SEM-201": "Services are not modeled",
	"SEM-202": "about showing matrices",
	"SEM-212": "not modeled: kubectl exec and the like make no connection",
	"SEM-214": "hostPort is not modeled",
	"SEM-220": "a question names a pod, not one of its containers",
	"SEM-229": "about what every question means",
	"SEM-242": "replies are not modeled",
	"SEM-243": "neighbor discovery is not modeled",
	"SEM-244": "about reading questions",
	"SEM-350": "about several states of a cluster; a draw is one",
	"SEM-351": "about several states of a cluster; a draw is one",
	"SEM-352": "established connections are not modeled",
	"SEM-355": "secondary networks are not modeled",
}

// flawsOf returns what would make c impossible.
func flawsOf(c *policy.Cluster) []string {
	var flaws []string
	names := map[string]bool{}
	name := func(kind string, meta metav1.ObjectMeta) {
		id := kind + " " + rawNamespace(meta) + "/" + meta.Name
		if names[id] && meta.Name != "" {
			flaws = append(flaws, "twice: "+id)
		}
		names[id] = true
	}
	owners := map[string]*corev1.Pod{}
	for _, pod := range c.Pods {
		name("Pod", pod.ObjectMeta)
		if isTerminated(pod) {
			continue
		}
		for _, a := range statusAddrs(pod) {
			other, taken := owners[a.String()]
			if taken && !(pod.Spec.HostNetwork && other.Spec.HostNetwork && pod.Spec.NodeName != "" && pod.Spec.NodeName == other.Spec.NodeName &&
				slices.Equal(statusAddrs(pod), statusAddrs(other))) {
				flaws = append(flaws, "shared: "+a.String())
			}
			owners[a.String()] = pod
		}
	}
	for _, w := range newNaive(c, reach.Profile{}).workloads() {
		name(w.short, w.meta)
	}
	for _, np := range c.Policies {
		name("NetworkPolicy", np.ObjectMeta)
	}
	for _, block := range blocksOf(c) {
		for _, except := range block.Except {
			base, bits := rawCIDR(except)
			if _, outer := rawCIDR(block.CIDR); bits <= outer || !new(naive).holds(block.CIDR, base) {
				flaws = append(flaws, fmt.Sprintf("%s is not inside %s", except, block.CIDR))
			}
		}
	}
	for _, spec := range podSpecsOf(c) {
		for _, container := range slices.Concat(spec.Containers, spec.InitContainers) {
			seen := map[string]bool{}
			for _, port := range container.Ports {
				if port.Name != "" && seen[port.Name] {
					flaws = append(flaws, "port twice: "+port.Name)
				}
				seen[port.Name] = true
			}
		}
	}
	return flaws
}

// generatorFeatures are the corners that generated clusters must reach.
var generatorFeatures = []string{
	"the zero profile", "another profile",
	"namespace without object", "namespace without labels", "namespace with empty labels", "namespace with labels", "namespace y", "namespace terminating",
	"namespace with a false name label", "namespace default left out",
	"pod without labels", "pod with empty labels", "pod with an empty value", "pod label of a namespace's key", "prefixed label key",
	"pod without address", "pod pending without address", "pod IPv4", "pod IPv6", "pod dual-stack", "pod dual-stack, IPv6 first", "pod podIP only", "pod podIPs only", "pod mapped address", "pod with host address",
	"pod unscheduled", "pod on a node with object", "pod on a node without object", "pod terminating", "pod succeeded", "pod failed", "pod phase unknown", "pod not ready", "ephemeral container", "terminated pod's address in use",
	"host network unscheduled", "host network without address", "host network own address", "host network node's address", "host network address shared", "host network host address only",
	"node without address", "node IPv4", "node IPv6", "node dual-stack", "node external address", "node hostname like an address",
	"several containers", "port name twice in a pod", "port name twice, protocols differ", "sidecar port", "init container port", "container port without protocol", "container port without name", "host port", "port name on several pods, numbers differ",
	"Deployment stands", "Deployment with ReplicaSet", "Deployment with pod by ReplicaSet", "pod by absent ReplicaSet", "ReplicaSet of absent Deployment", "ReplicaSet stands", "StatefulSet stands", "DaemonSet stands", "DaemonSet on host network", "Job stands", "CronJob stands", "CronJob with Job", "ReplicationController stands", "workload with live pod", "workload with terminated pod only", "owner without controller", "owner of another group", "template on a node", "template with a namespace", "workload labeled unlike its pods", "workload named like a pod",
	"policy without name", "policy deleted", "several policies on a pod", "policy on no pod", "policy in a namespace without object", "policy in a namespace without pods",
	"types nil", "types empty", "types [Ingress]", "types [Egress]", "types [Ingress Egress]", "types [Egress Ingress]", "types [Ingress Ingress]", "types [Egress Egress]", "no types, egress rules",
	"rules nil", "rules empty", "rule empty", "rules in unlisted direction", "several rules",
	"peers nil", "peers empty", "several peers", "peer pods", "peer namespaces", "peer both", "peer block", "peer pods empty", "peer namespaces empty", "peer both empty", "peer on no pod", "peer namespaces as a pod is labeled",
	"selector empty nil", "selector empty lists", "selector labels", "selector In", "selector NotIn", "selector Exists", "selector DoesNotExist", "selector empty value", "selector impossible", "selector same key twice",
	"ports nil", "ports empty", "several ports", "item empty", "item protocol only", "item number", "item name", "item range", "item range of one", "item range of all", "item SCTP", "item name with protocol",
	"block IPv4", "block IPv6", "block /0 IPv4", "block /0 IPv6", "block /32", "block /128", "block mapped", "block mapped too short", "block host bits", "block leading zeros", "block odd IPv6",
	"excepts nil", "excepts empty", "excepts several", "excepts nested", "excepts repeated", "excepts covering", "except mapped in plain block", "block holds a pod", "block holds a node",
}

// featuresOf returns the corners that c has.
func featuresOf(c *policy.Cluster) map[string]bool {
	f := map[string]bool{}
	n := newNaive(c, reach.Profile{})
	podFeatures(f, c)
	workloadFeatures(f, n)
	for _, spec := range podSpecsOf(c) {
		specFeatures(f, spec)
	}
	for _, np := range c.Policies {
		policyFeatures(f, np)
		picked := 0
		for _, e := range n.known {
			if e.policed && rawNamespace(np.ObjectMeta) == e.ns && n.selects(&np.Spec.PodSelector, e.labels) {
				picked++
			}
		}
		f["policy on no pod"] = f["policy on no pod"] || picked == 0
		clusterFeatures(f, n, np)
	}
	for _, e := range n.known {
		applying := 0
		for _, np := range c.Policies {
			if n.applies(np, networkingv1.PolicyTypeIngress, e) {
				applying++
			}
		}
		f["several policies on a pod"] = f["several policies on a pod"] || applying > 1
	}
	for _, block := range blocksOf(c) {
		blockFeatures(f, block)
		for _, e := range n.known {
			f["block holds a pod"] = f["block holds a pod"] || e.policed && n.blockMatches(block, e, reach.IPv4)
		}
		for _, node := range c.Nodes {
			f["block holds a node"] = f["block holds a node"] || n.blockMatches(block, n.nodeEnd("node:"+node.Name), reach.IPv4)
		}
	}
	maps.DeleteFunc(f, func(_ string, has bool) bool { return !has })
	return f
}

// clusterFeatures marks how np stands in its cluster.
func clusterFeatures(f marker, n *naive, np *networkingv1.NetworkPolicy) {
	object := func(ns *corev1.Namespace) bool { return ns.Name == rawNamespace(np.ObjectMeta) }
	inside := func(e naiveEnd) bool { return e.ns == rawNamespace(np.ObjectMeta) }
	f.mark("policy in a namespace without object", !slices.ContainsFunc(n.c.Namespaces, object))
	f.mark("policy in a namespace without pods", !slices.ContainsFunc(n.known, inside))
	for _, rule := range slices.Concat(naiveRules(np, networkingv1.PolicyTypeIngress), naiveRules(np, networkingv1.PolicyTypeEgress)) {
		for _, peer := range rule.peers {
			if peer.IPBlock != nil {
				continue
			}
			matching := 0
			for _, e := range n.known {
				if n.peerMatches(np, peer, e, reach.IPv4) {
					matching++
				} else if sel := peer.NamespaceSelector; sel != nil {
					f.mark("peer namespaces as a pod is labeled", n.selects(sel, e.labels) && !n.selects(sel, n.namespaceLabels(e.ns)))
				}
			}
			f.mark("peer on no pod", matching == 0)
		}
	}
}

// A marker collects corners.
type marker map[string]bool

// mark notes a corner if it is there.
func (f marker) mark(corner string, has bool) { f[corner] = f[corner] || has }

func podFeatures(f marker, c *policy.Cluster) {
	objects := map[string]bool{}
	for _, ns := range c.Namespaces {
		objects[ns.Name] = true
		f.mark("namespace without labels", ns.Labels == nil)
		f.mark("namespace with empty labels", ns.Labels != nil && len(ns.Labels) == 0)
		f.mark("namespace with labels", len(ns.Labels) > 0)
		f.mark("namespace y", ns.Name == "y")
		f.mark("namespace terminating", ns.DeletionTimestamp != nil)
		value, ok := ns.Labels["kubernetes.io/metadata.name"]
		f.mark("namespace with a false name label", ok && value != ns.Name)
	}
	nodes := map[string]bool{}
	for _, node := range c.Nodes {
		nodes[node.Name] = true
		families := ""
		for _, a := range node.Status.Addresses {
			if a.Type == corev1.NodeInternalIP {
				families += map[bool]string{true: "4", false: "6"}[rawAddr(a.Address).Is4()]
			}
			f.mark("node external address", a.Type == corev1.NodeExternalIP)
			f.mark("node hostname like an address", a.Type == corev1.NodeHostName)
		}
		f.mark("node without address", len(node.Status.Addresses) == 0)
		f.mark("node IPv4", families == "4")
		f.mark("node IPv6", families == "6")
		f.mark("node dual-stack", len(families) == 2)
	}
	portsByName := map[string]int32{}
	for i, pod := range c.Pods {
		addrs := statusAddrs(pod)
		f.mark("namespace without object", !objects[rawNamespace(pod.ObjectMeta)])
		f.mark("namespace default left out", pod.Namespace == "")
		f.mark("pod without labels", pod.Labels == nil)
		f.mark("pod with empty labels", pod.Labels != nil && len(pod.Labels) == 0)
		for key, value := range pod.Labels {
			f.mark("pod with an empty value", value == "")
			f.mark("pod label of a namespace's key", key == "kubernetes.io/metadata.name")
			f.mark("prefixed label key", key == "example.com/a")
		}
		f.mark("pod terminating", pod.DeletionTimestamp != nil && !isTerminated(pod))
		f.mark("pod succeeded", pod.Status.Phase == corev1.PodSucceeded)
		f.mark("pod failed", pod.Status.Phase == corev1.PodFailed)
		f.mark("pod phase unknown", pod.Status.Phase == corev1.PodUnknown)
		f.mark("pod not ready", !isTerminated(pod) && len(pod.Status.Conditions) > 0)
		f.mark("ephemeral container", len(pod.Spec.EphemeralContainers) > 0)
		for _, name := range portNames {
			for _, port := range pod.Spec.Containers[0].Ports {
				if port.Name == name {
					before, ok := portsByName[name]
					f.mark("port name on several pods, numbers differ", ok && before != port.ContainerPort)
					portsByName[name] = port.ContainerPort
				}
			}
		}
		for _, other := range c.Pods {
			if isTerminated(pod) && !isTerminated(other) && len(addrs) > 0 {
				f.mark("terminated pod's address in use", slices.Contains(statusAddrs(other), addrs[0]))
			}
		}
		if pod.Spec.HostNetwork {
			f.mark("host network unscheduled", pod.Spec.NodeName == "")
			f.mark("host network without address", len(addrs) == 0)
			f.mark("host network host address only", len(addrs) > 0 && pod.Status.PodIP == "" && len(pod.Status.PodIPs) == 0)
			for _, a := range addrs {
				f.mark("host network own address", strings.HasPrefix(a.String(), "192.168.1."))
				f.mark("host network node's address", pod.Spec.NodeName != "" && strings.HasPrefix(a.String(), "192.168.0."))
				for _, other := range c.Pods[:i] {
					f.mark("host network address shared", other.Spec.HostNetwork && !isTerminated(other) && !isTerminated(pod) && slices.Contains(statusAddrs(other), a))
				}
			}
			continue
		}
		f.mark("pod without address", len(addrs) == 0)
		f.mark("pod pending without address", len(addrs) == 0 && pod.Status.Phase == corev1.PodPending)
		f.mark("pod IPv4", len(addrs) == 1 && addrs[0].Is4())
		f.mark("pod IPv6", len(addrs) == 1 && !addrs[0].Is4())
		f.mark("pod dual-stack", len(addrs) == 2 && addrs[0].Is4())
		f.mark("pod dual-stack, IPv6 first", len(addrs) == 2 && !addrs[0].Is4())
		f.mark("pod podIP only", len(addrs) > 0 && len(pod.Status.PodIPs) == 0)
		f.mark("pod podIPs only", len(addrs) > 0 && pod.Status.PodIP == "")
		f.mark("pod mapped address", strings.HasPrefix(pod.Status.PodIP, "::ffff:"))
		f.mark("pod with host address", pod.Status.HostIP != "")
		f.mark("pod unscheduled", pod.Spec.NodeName == "")
		f.mark("pod on a node with object", nodes[pod.Spec.NodeName])
		f.mark("pod on a node without object", pod.Spec.NodeName != "" && !nodes[pod.Spec.NodeName])
	}
}

func workloadFeatures(f marker, n *naive) {
	kinds := map[string]string{}
	for _, k := range naiveKinds {
		kinds[k.short] = k.kind
	}
	podsOf := map[string][]*corev1.Pod{}
	for _, pod := range n.c.Pods {
		owner, ok := n.controller(pod.ObjectMeta)
		if ok {
			podsOf[owner.id()] = append(podsOf[owner.id()], pod)
		}
		for _, ref := range pod.OwnerReferences {
			f.mark("owner without controller", ref.Controller == nil || !*ref.Controller)
			f.mark("owner of another group", strings.HasPrefix(ref.APIVersion, "batch.volcano.sh/"))
			f.mark("pod by absent ReplicaSet", ref.Kind == "ReplicaSet" && !ok)
		}
	}
	for _, w := range n.workloads() {
		f.mark(kinds[w.short]+" stands", n.standsForPods(w))
		f.mark("DaemonSet on host network", w.short == "ds" && w.template.Spec.HostNetwork)
		f.mark("workload labeled unlike its pods", len(w.meta.Labels) > 0 && !maps.Equal(w.meta.Labels, w.template.Labels))
		f.mark("template on a node", w.template.Spec.NodeName != "")
		f.mark("template with a namespace", w.template.Namespace != "" && w.template.Namespace != rawNamespace(w.meta))
		for _, pod := range n.c.Pods {
			f.mark("workload named like a pod", pod.Name == w.meta.Name && rawNamespace(pod.ObjectMeta) == rawNamespace(w.meta))
		}
		owner, owned := n.controller(w.meta)
		f.mark("Deployment with ReplicaSet", owned && owner.short == "deploy")
		f.mark("CronJob with Job", owned && owner.short == "cj")
		f.mark("ReplicaSet of absent Deployment", w.short == "rs" && !owned && len(w.meta.OwnerReferences) > 0)
		dead := 0
		for _, pod := range podsOf[w.id()] {
			f.mark("Deployment with pod by ReplicaSet", owned && owner.short == "deploy")
			f.mark("workload with live pod", !isTerminated(pod))
			if isTerminated(pod) {
				dead++
			}
		}
		f.mark("workload with terminated pod only", dead > 0 && dead == len(podsOf[w.id()]))
	}
}

func specFeatures(f marker, spec *corev1.PodSpec) {
	f.mark("several containers", len(spec.Containers) > 1)
	numbers := map[string]corev1.ContainerPort{}
	for _, container := range spec.Containers {
		for _, port := range container.Ports {
			f.mark("container port without protocol", port.Protocol == "")
			f.mark("container port without name", port.Name == "")
			f.mark("host port", port.HostPort != 0)
			before, ok := numbers[port.Name]
			if ok && port.Name != "" {
				f.mark("port name twice in a pod", rawProtocol(&before.Protocol) == rawProtocol(&port.Protocol) && before.ContainerPort != port.ContainerPort)
				f.mark("port name twice, protocols differ", rawProtocol(&before.Protocol) != rawProtocol(&port.Protocol))
			}
			numbers[port.Name] = port
		}
	}
	for _, container := range spec.InitContainers {
		f.mark("sidecar port", container.RestartPolicy != nil && len(container.Ports) > 0)
		f.mark("init container port", container.RestartPolicy == nil && len(container.Ports) > 0)
	}
}

func policyFeatures(f marker, np *networkingv1.NetworkPolicy) {
	f.mark("policy without name", np.Name == "")
	f.mark("policy deleted", np.DeletionTimestamp != nil)
	f.mark("types nil", np.Spec.PolicyTypes == nil)
	f.mark("types empty", np.Spec.PolicyTypes != nil && len(np.Spec.PolicyTypes) == 0)
	f.mark(fmt.Sprintf("types %v", np.Spec.PolicyTypes), len(np.Spec.PolicyTypes) > 0)
	f.mark("no types, egress rules", len(np.Spec.PolicyTypes) == 0 && len(np.Spec.Egress) > 0)
	f.mark("rules nil", np.Spec.Ingress == nil)
	f.mark("rules empty", np.Spec.Ingress != nil && len(np.Spec.Ingress) == 0)
	selectorFeatures(f, &np.Spec.PodSelector)
	for _, dir := range []networkingv1.PolicyType{networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress} {
		rules := naiveRules(np, dir)
		f.mark("several rules", len(rules) > 1)
		f.mark("rules in unlisted direction", len(rules) > 0 && !slices.Contains(new(naive).types(np), dir))
		for _, rule := range rules {
			f.mark("rule empty", len(rule.peers) == 0 && len(rule.ports) == 0)
			f.mark("peers nil", rule.peers == nil)
			f.mark("peers empty", rule.peers != nil && len(rule.peers) == 0)
			f.mark("several peers", len(rule.peers) > 1)
			f.mark("ports nil", rule.ports == nil)
			f.mark("ports empty", rule.ports != nil && len(rule.ports) == 0)
			f.mark("several ports", len(rule.ports) > 1)
			for _, peer := range rule.peers {
				peerFeatures(f, peer)
			}
			for _, item := range rule.ports {
				itemFeatures(f, item)
			}
		}
	}
}

func peerFeatures(f marker, peer networkingv1.NetworkPolicyPeer) {
	isEmpty := func(sel *metav1.LabelSelector) bool {
		return sel != nil && len(sel.MatchLabels) == 0 && len(sel.MatchExpressions) == 0
	}
	pods, namespaces := peer.PodSelector != nil, peer.NamespaceSelector != nil
	f.mark("peer pods", pods && !namespaces)
	f.mark("peer namespaces", !pods && namespaces)
	f.mark("peer both", pods && namespaces)
	f.mark("peer block", peer.IPBlock != nil)
	f.mark("peer pods empty", isEmpty(peer.PodSelector) && !namespaces)
	f.mark("peer namespaces empty", isEmpty(peer.NamespaceSelector) && !pods)
	f.mark("peer both empty", isEmpty(peer.NamespaceSelector) && isEmpty(peer.PodSelector))
	if pods {
		selectorFeatures(f, peer.PodSelector)
	}
	if namespaces {
		selectorFeatures(f, peer.NamespaceSelector)
	}
}

func selectorFeatures(f marker, sel *metav1.LabelSelector) {
	f.mark("selector empty nil", sel.MatchLabels == nil && sel.MatchExpressions == nil)
	f.mark("selector empty lists", sel.MatchLabels != nil && len(sel.MatchLabels) == 0 && sel.MatchExpressions != nil && len(sel.MatchExpressions) == 0)
	f.mark("selector labels", len(sel.MatchLabels) > 0)
	for _, value := range sel.MatchLabels {
		f.mark("selector empty value", value == "")
	}
	operators := map[string]string{}
	for _, r := range sel.MatchExpressions {
		f.mark("selector "+string(r.Operator), true)
		f.mark("selector same key twice", operators[r.Key] != "")
		operators[r.Key] += string(r.Operator) + " "
		f.mark("selector impossible", strings.Contains(operators[r.Key], "Exists DoesNotExist "))
	}
}

func itemFeatures(f marker, item networkingv1.NetworkPolicyPort) {
	f.mark("item SCTP", item.Protocol != nil && *item.Protocol == corev1.ProtocolSCTP)
	switch {
	case item.Port == nil:
		f.mark("item empty", item.Protocol == nil)
		f.mark("item protocol only", item.Protocol != nil)
	case item.Port.Type == intstr.String:
		f.mark("item name", true)
		f.mark("item name with protocol", item.Protocol != nil)
	case item.EndPort == nil:
		f.mark("item number", true)
	default:
		f.mark("item range", true)
		f.mark("item range of one", item.Port.IntVal == *item.EndPort)
		f.mark("item range of all", item.Port.IntVal == 1 && *item.EndPort == 65535)
	}
}

func blockFeatures(f marker, block *networkingv1.IPBlock) {
	base, bits := rawCIDR(block.CIDR)
	mapped := strings.HasPrefix(block.CIDR, "::ffff:")
	f.mark("block IPv4", base.Is4())
	f.mark("block IPv6", base.Is6())
	f.mark("block /0 IPv4", base.Is4() && bits == 0)
	f.mark("block /0 IPv6", base.Is6() && bits == 0)
	f.mark("block /32", base.Is4() && bits == 32)
	f.mark("block /128", base.Is6() && bits == 128)
	f.mark("block mapped", mapped && base.Is4())
	f.mark("block mapped too short", mapped && base.Is6())
	f.mark("block host bits", slices.Contains([]string{"10.0.0.5/24", "10.0.0.1/8", "10.0.0.2/24", "fd00::1/64", "192.168.0.1/24"}, block.CIDR))
	f.mark("block leading zeros", strings.Contains(block.CIDR, ".00."))
	f.mark("block odd IPv6", strings.ToLower(block.CIDR) != block.CIDR)
	f.mark("excepts nil", block.Except == nil)
	f.mark("excepts empty", block.Except != nil && len(block.Except) == 0)
	f.mark("excepts several", len(block.Except) > 1)
	covered := map[byte]bool{} // by the bit after the prefix
	for i, except := range block.Except {
		inner, length := rawCIDR(except)
		f.mark("except mapped in plain block", strings.HasPrefix(except, "::ffff:") && !mapped)
		if length == bits+1 {
			covered[inner.AsSlice()[bits/8]&(0x80>>(bits%8))] = true
		}
		for j, other := range block.Except {
			if _, outer := rawCIDR(other); i != j && new(naive).holds(other, inner) {
				f.mark("excepts repeated", outer == length)
				f.mark("excepts nested", outer < length)
			}
		}
	}
	f.mark("excepts covering", len(covered) == 2)
}

// BenchmarkGenCluster tells what a property pays for its cluster.
func BenchmarkGenCluster(b *testing.B) {
	generator := genPlain.Clusters()
	for i := 0; b.Loop(); i++ {
		generator.Example(i)
	}
}
