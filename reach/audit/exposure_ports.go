package audit

import (
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
)

var (
	allPorts = policy.NewPortSet(policy.PortRange{}, allOf(policy.TCP), allOf(policy.UDP), allOf(policy.SCTP))
	allSCTP  = policy.NewPortSet(allOf(policy.SCTP))
)

func allOf(p policy.Protocol) policy.PortRange {
	return policy.PortRange{Protocol: p, First: 1, Last: 65535}
}

// portSet returns the set of those of ports that have a number.
func portSet(ports ...policy.Port) policy.PortSet {
	var list []policy.PortRange
	for _, p := range ports {
		if p.Number > 0 {
			list = append(list, policy.PortRange{Protocol: p.Protocol, First: p.Number, Last: p.Number})
		}
	}
	return policy.NewPortSet(list...)
}

func union(a, b policy.PortSet) policy.PortSet {
	if a.IsEmpty() || a.Equal(b) {
		return b
	}
	return policy.NewPortSet(slices.Concat(ranges(a), ranges(b))...)
}

// portsAt returns the ports that port items of rules mean on a pod.
func (s *subject) portsAt(items []policy.PortItem, pod *subjectPod) policy.PortSet {
	var list []policy.PortRange
	for _, it := range items {
		switch {
		case it.Protocol == 0:
			return allPorts
		case it.Name != "":
			for _, n := range s.numbers(pod, it) {
				list = append(list, policy.PortRange{Protocol: it.Protocol, First: n, Last: n})
			}
		case it.First == 0:
			list = append(list, allOf(it.Protocol))
		case s.profile.EndPortIgnored:
			list = append(list, policy.PortRange{Protocol: it.Protocol, First: it.First, Last: it.First})
		default:
			list = append(list, policy.PortRange{Protocol: it.Protocol, First: it.First, Last: it.Last})
		}
	}
	return policy.NewPortSet(list...)
}

// ruled returns those of ports about which policies decide.
func (s *subject) ruled(ports policy.PortSet) policy.PortSet {
	if s.profile.SCTP == reach.SCTPBypasses {
		return ports.Minus(allSCTP)
	}
	return ports
}

// onePort returns one of ports, which are some: the first of those that are likely if
// there is such a one.
func onePort(ports policy.PortSet, likely ...policy.Port) policy.Port {
	for _, p := range likely {
		if ports.Contains(p) {
			return p
		}
	}
	for r := range ports.Ranges() {
		if r != (policy.PortRange{}) {
			return r.Protocol.Port(r.First)
		}
	}
	return policy.Port{Protocol: policy.ICMP}
}

// portText returns ports in words, of many ranges the first.
func portText(ports policy.PortSet) string {
	missing := allPorts.Minus(ports)
	switch {
	case missing.IsEmpty():
		return "all ports"
	case len(ranges(missing)) < len(ranges(ports)):
		return "all ports but " + rangesText(missing)
	}
	return rangesText(ports)
}

func ranges(ports policy.PortSet) []policy.PortRange { return slices.Collect(ports.Ranges()) }

func rangesText(ports policy.PortSet) string {
	const most = 5
	all := ranges(ports)
	if len(all) <= most+1 {
		return ports.String()
	}
	var words []string
	for _, r := range all[:most] {
		words = append(words, r.String())
	}
	return strings.Join(words, ", ") + " and " + strconv.Itoa(len(all)-most) + " other ranges"
}

// adminPorts are the ports that are not meant for the world, with what listens there.
var adminPorts = []struct {
	port policy.Port
	what string
}{
	{policy.TCP.Port(22), "SSH"},
	{policy.TCP.Port(23), "Telnet"},
	{policy.TCP.Port(2375), "Docker"},
	{policy.TCP.Port(2376), "Docker"},
	{policy.TCP.Port(2379), "etcd"},
	{policy.TCP.Port(2380), "etcd"},
	{policy.TCP.Port(3389), "RDP"},
	{policy.TCP.Port(5900), "VNC"},
	{policy.TCP.Port(6443), "Kubernetes API"},
	{policy.TCP.Port(10250), "kubelet"},
	{policy.TCP.Port(10255), "kubelet"},
	{policy.TCP.Port(10257), "kube-controller-manager"},
	{policy.TCP.Port(10259), "kube-scheduler"},
	{policy.TCP.Port(1433), "SQL Server"},
	{policy.TCP.Port(1521), "Oracle"},
	{policy.TCP.Port(3306), "MySQL"},
	{policy.TCP.Port(5432), "PostgreSQL"},
	{policy.TCP.Port(6379), "Redis"},
	{policy.TCP.Port(9042), "Cassandra"},
	{policy.TCP.Port(9200), "Elasticsearch"},
	{policy.TCP.Port(11211), "memcached"},
	{policy.UDP.Port(11211), "memcached"},
	{policy.TCP.Port(27017), "MongoDB"},
}

// adminSet holds the ports of adminPorts.
var adminSet = func() policy.PortSet {
	var ports []policy.Port
	for _, a := range adminPorts {
		ports = append(ports, a.port)
	}
	return portSet(ports...)
}()

// adminText tells which admin ports there are among ports.
func adminText(ports policy.PortSet) string {
	var words []string
	for _, a := range adminPorts {
		if ports.Contains(a.port) {
			words = append(words, a.port.String()+" ("+a.what+")")
		}
	}
	return list(words)
}
