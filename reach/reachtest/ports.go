package reachtest

import (
	"fmt"
	"slices"
	"sync"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// everyPort is every port of every protocol.
var everyPort = policy.NewPortSet(
	policy.PortRange{Protocol: policy.TCP, First: 1, Last: 65535},
	policy.PortRange{Protocol: policy.UDP, First: 1, Last: 65535},
	policy.PortRange{Protocol: policy.SCTP, First: 1, Last: 65535},
	policy.PortRange{},
)

func union(a, b policy.PortSet) policy.PortSet {
	return policy.NewPortSet(slices.AppendSeq(slices.Collect(a.Ranges()), b.Ranges())...)
}

// declaredPorts returns a func that tells which ports anything in a cluster
// mentions: containers, Services and policies.
func declaredPorts(c *policy.Cluster) func() policy.PortSet {
	return sync.OnceValue(func() policy.PortSet {
		var ranges []policy.PortRange
		add := func(protocol corev1.Protocol, first, last int32) {
			p := policy.TCP
			switch protocol {
			case corev1.ProtocolUDP:
				p = policy.UDP
			case corev1.ProtocolSCTP:
				p = policy.SCTP
			}
			if 1 <= first && first <= last && last <= 65535 {
				ranges = append(ranges, policy.PortRange{Protocol: p, First: uint16(first), Last: uint16(last)})
			}
		}
		for spec := range podSpecs(c) {
			for _, list := range [...][]corev1.Container{spec.Containers, spec.InitContainers} {
				for _, ctr := range list {
					for _, p := range ctr.Ports {
						add(p.Protocol, p.ContainerPort, p.ContainerPort)
					}
				}
			}
		}
		for _, svc := range there(c.Services) {
			for _, p := range svc.Spec.Ports {
				add(p.Protocol, p.Port, p.Port)
				if p.TargetPort.Type == intstr.Int {
					add(p.Protocol, p.TargetPort.IntVal, p.TargetPort.IntVal)
				}
			}
		}
		m, err := c.Model()
		if err != nil {
			return policy.NewPortSet(ranges...) // it has been compiled, so there is no error
		}
		for _, np := range m.Policies {
			for _, d := range [...]policy.Direction{policy.Egress, policy.Ingress} {
				for _, rule := range np.Half(d).Rules {
					for _, it := range rule.Ports {
						if it.First > 0 {
							ranges = append(ranges, policy.PortRange{Protocol: it.Protocol, First: it.First, Last: it.Last})
						}
					}
				}
			}
		}
		return policy.NewPortSet(ranges...)
	})
}

// podSpecs yields what pods and workloads say of their containers.
func podSpecs(c *policy.Cluster) func(func(*corev1.PodSpec) bool) {
	return func(yield func(*corev1.PodSpec) bool) {
		for _, pod := range there(c.Pods) {
			if !yield(&pod.Spec) {
				return
			}
		}
		for _, w := range workloadsOf(c) {
			if !yield(&w.template.Spec) {
				return
			}
		}
	}
}

// portless are the protocols that nothing could declare.
var portless = policy.NewPortSet(policy.PortRange{})

// isDeclared reports whether something declares a port that is asked of a pod or of a
// Service. Nobody declares the ports of nodes and of the outside.
func (c *Cluster) isDeclared(q *pair) bool {
	return q.service == nil && q.to.Name().Namespace == "" ||
		!q.asked.Intersect(c.declared()).IsEmpty() || !q.asked.Intersect(portless).IsEmpty()
}

// undeclared returns the error that nothing declares ports.
func undeclared(text string) error {
	return fmt.Errorf("nothing declares the port %s: no container, Service or policy; if it is meant, write %q", text, text+"!")
}
