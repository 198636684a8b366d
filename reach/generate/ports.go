package generate

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// ports are the ports of a rule: numbers, and names that the pods give them.
type ports struct {
	set   policy.PortSet
	named []policy.PortItem // sorted by their text, each once
}

func (p ports) union(q ports) ports {
	u := ports{named: slices.Concat(p.named, q.named)}
	slices.SortFunc(u.named, func(a, b policy.PortItem) int { return cmp.Compare(a.String(), b.String()) })
	u.named = slices.Compact(u.named)
	u.set = union(p.set, q.set)
	return u
}

func union(s, t policy.PortSet) policy.PortSet {
	return policy.NewPortSet(slices.AppendSeq(slices.Collect(s.Ranges()), t.Ranges())...)
}

// isAll reports whether p can be written only as every port of every protocol: no
// item names the protocols that have no ports.
func (p ports) isAll() bool { return p.set.Contains(policy.ICMP.Port(0)) }

func (p ports) String() string {
	if p.isAll() {
		return "all"
	}
	text := p.set.String()
	for _, item := range p.named {
		text += ", " + item.String()
	}
	return text
}

// items returns the ports as a rule has them.
func (p ports) items() []networkingv1.NetworkPolicyPort {
	if p.isAll() {
		return nil
	}
	var list []networkingv1.NetworkPolicyPort
	for r := range p.set.Ranges() {
		item := networkingv1.NetworkPolicyPort{Protocol: protocolOf(r.Protocol)}
		if r.First > 1 || r.Last < 65535 {
			item.Port = new(intstr.FromInt32(int32(r.First)))
			if r.Last > r.First {
				item.EndPort = new(int32(r.Last))
			}
		}
		list = append(list, item)
	}
	for _, named := range p.named {
		list = append(list, networkingv1.NetworkPolicyPort{Protocol: protocolOf(named.Protocol), Port: new(intstr.FromString(named.Name))})
	}
	return list
}

func protocolOf(p policy.Protocol) *corev1.Protocol { return new(corev1.Protocol(p.String())) }

// splitPorts returns the numbers and the names of a list of ports.
func splitPorts(text string) (policy.PortSet, []string, error) {
	var numbers policy.PortSet
	var names []string
	for _, part := range strings.Split(text, ",") {
		part = strings.TrimSpace(part)
		set, err := policy.ParsePortSet(part)
		switch {
		case err == nil && set.IsEmpty(), part == "":
			return policy.PortSet{}, nil, errors.New("there are no ports")
		case err == nil:
			numbers = union(numbers, set)
		case isNumeric(part):
			return policy.PortSet{}, nil, err
		default:
			names = append(names, part)
		}
	}
	if (ports{set: numbers}).isAll() && !numbers.Equal(everyPort) {
		return policy.PortSet{}, nil, errors.New(`no policy allows other protocols without all ports: write "all"`)
	}
	return numbers, names, nil
}

// isNumeric reports whether a text can only be meant as numbers, and not as a name.
func isNumeric(text string) bool {
	text, _, _ = strings.Cut(text, "/")
	return strings.Trim(text, "0123456789-") == ""
}

var everyPort = policy.NewPortSet(
	policy.PortRange{Protocol: policy.TCP, First: 1, Last: 65535},
	policy.PortRange{Protocol: policy.UDP, First: 1, Last: 65535},
	policy.PortRange{Protocol: policy.SCTP, First: 1, Last: 65535},
	policy.PortRange{},
)

// one returns the set of one port.
func one(p policy.Port) policy.PortSet {
	return policy.NewPortSet(policy.PortRange{Protocol: p.Protocol, First: p.Number, Last: p.Number})
}

// minus returns the ports that are in s and not in t.
func minus(s, t policy.PortSet) policy.PortSet {
	var rest []policy.PortRange
	for _, whole := range slices.Collect(everyPort.Ranges()) {
		if whole == (policy.PortRange{}) {
			if !t.Contains(policy.ICMP.Port(0)) {
				rest = append(rest, whole)
			}
			continue
		}
		next := 1
		for r := range t.Ranges() {
			if r.Protocol == whole.Protocol {
				rest = appendRange(rest, r.Protocol, next, int(r.First)-1)
				next = int(r.Last) + 1
			}
		}
		rest = appendRange(rest, whole.Protocol, next, 65535)
	}
	return s.Intersect(policy.NewPortSet(rest...))
}

func appendRange(list []policy.PortRange, p policy.Protocol, first, last int) []policy.PortRange {
	if first > last {
		return list
	}
	return append(list, policy.PortRange{Protocol: p, First: uint16(first), Last: uint16(last)})
}
