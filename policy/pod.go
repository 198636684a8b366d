package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// isSidecar reports whether an init container goes on running beside the
// ordinary containers.
func isSidecar(c *corev1.Container) bool {
	return c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

// podSpec checks the ports of a pod or a pod template.
func (r *report) podSpec(at *fieldPath, spec *corev1.PodSpec) {
	for i := range spec.InitContainers {
		r.ports(at.field("initContainers").element(i).field("ports"), spec, spec.InitContainers[i].Ports)
	}
	for i := range spec.Containers {
		r.ports(at.field("containers").element(i).field("ports"), spec, spec.Containers[i].Ports)
	}
	r.repeatedPortNames(at, spec)
}

// ports checks the ports of one container.
func (r *report) ports(at *fieldPath, spec *corev1.PodSpec, ports []corev1.ContainerPort) {
	clear(r.names)
	for i, p := range ports {
		at := at.element(i)
		switch {
		case p.Name == "":
		case !isPortName(p.Name):
			r.portName(at.field("name"), p.Name)
		case len(ports) > 1:
			r.unique(at.field("name"), p.Name)
		}
		if p.HostPort != 0 {
			r.portNumber(at.field("hostPort"), p.HostPort)
			if spec.HostNetwork && p.HostPort != p.ContainerPort {
				r.fail(at.field("hostPort"), field.ErrorTypeInvalid,
					"%d must match containerPort, which is %d, because the pod uses the network of its node", p.HostPort, p.ContainerPort)
			}
		}
		if p.ContainerPort == 0 {
			r.fail(at.field("containerPort"), field.ErrorTypeRequired, "a container port needs a number from 1 to 65535")
		} else {
			r.portNumber(at.field("containerPort"), p.ContainerPort)
		}
		if p.Protocol != "" {
			r.protocol(at.field("protocol"), p.Protocol)
		}
	}
}

// A portName is the name of a container port, which means something for one
// protocol.
type portName struct {
	name     string
	protocol Protocol
}

// A portPlace is where a pod declares a port.
type portPlace struct {
	field           string // of the container
	container, port int
	number          int32
}

// in returns the path to the name of the port in a pod spec.
func (p portPlace) in(spec *fieldPath) *fieldPath {
	return spec.field(p.field).element(p.container).field("ports").element(p.port).field("name")
}

// repeatedPortNames warns of a name that stands for several numbers of one
// protocol: a policy then means all of them, a Service only the first.
func (r *report) repeatedPortNames(at *fieldPath, spec *corev1.PodSpec) {
	if countPorts(spec) < 2 {
		return
	}
	clear(r.places)
	for i := range spec.Containers {
		r.portNamesOf(at, portPlace{field: "containers", container: i}, spec.Containers[i].Ports)
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; isSidecar(c) {
			r.portNamesOf(at, portPlace{field: "initContainers", container: i}, c.Ports)
		}
	}
}

// countPorts returns how many ports the containers of a pod declare.
func countPorts(spec *corev1.PodSpec) int {
	n := 0
	for i := range spec.Containers {
		n += len(spec.Containers[i].Ports)
	}
	for i := range spec.InitContainers {
		n += len(spec.InitContainers[i].Ports)
	}
	return n
}

func (r *report) portNamesOf(spec *fieldPath, place portPlace, ports []corev1.ContainerPort) {
	for i, p := range ports {
		if p.Name == "" {
			continue
		}
		place.port, place.number = i, p.ContainerPort
		k := portName{p.Name, containerProtocol(p)}
		first, ok := r.places[k]
		switch {
		case !ok:
			if r.places == nil {
				r.places = make(map[portName]portPlace)
			}
			r.places[k] = place
		case first.number != p.ContainerPort:
			r.warn(place.in(spec), "repeated-port-name", "%q is %d here and %d at %s: policies mean both, Services only the first",
				p.Name, p.ContainerPort, first.number, first.in(spec).String())
		}
	}
}

// podStatus checks the phase and the addresses of a pod.
func (r *report) podStatus(at *fieldPath, status *corev1.PodStatus) {
	switch status.Phase {
	case "", corev1.PodPending, corev1.PodRunning, corev1.PodSucceeded, corev1.PodFailed, corev1.PodUnknown:
	default:
		r.notSupported(at.field("phase"), string(status.Phase), "Pending", "Running", "Succeeded", "Failed", "Unknown")
	}
	for i, ip := range hostIPs(status) {
		r.addr(ipPath(at, "hostIP", len(status.HostIPs), i), ip.IP)
	}
	ips := podIPs(status)
	var seen map[netip.Addr]bool
	if len(ips) > 1 {
		seen = make(map[netip.Addr]bool)
	}
	families := [2]int{}
	for i, ip := range ips {
		at := ipPath(at, "podIP", len(status.PodIPs), i)
		addr, ok := r.addr(at, ip.IP)
		if !ok {
			continue
		}
		if seen[addr] {
			r.fail(at, field.ErrorTypeDuplicate, "%q is listed twice", ip.IP)
		}
		if seen != nil {
			seen[addr] = true
		}
		families[addr.BitLen()>>7]++
	}
	if families[0] > 1 || families[1] > 1 {
		r.fail(at.field("podIPs"), field.ErrorTypeInvalid, "%q: may specify no more than one IP for each IP family", textsOf(ips))
	}
}

// node checks the addresses of a node that are IP addresses. Host names and the
// like are not looked at.
func (r *report) node(n *corev1.Node) {
	at := pathTo("status").field("addresses")
	for i, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			r.addr(at.element(i).field("address"), a.Address)
		}
	}
}

// podIPs returns the addresses of a pod. The list counts, if there is one; the
// single address is from older clusters.
func podIPs(status *corev1.PodStatus) []corev1.PodIP {
	if len(status.PodIPs) == 0 && status.PodIP != "" {
		return []corev1.PodIP{{IP: status.PodIP}}
	}
	return status.PodIPs
}

// hostIPs returns the addresses of a pod's node, chosen as by podIPs.
func hostIPs(status *corev1.PodStatus) []corev1.HostIP {
	if len(status.HostIPs) == 0 && status.HostIP != "" {
		return []corev1.HostIP{{IP: status.HostIP}}
	}
	return status.HostIPs
}

func textsOf(ips []corev1.PodIP) []string {
	texts := make([]string, len(ips))
	for i, ip := range ips {
		texts[i] = ip.IP
	}
	return texts
}

// appendHostIPs appends the addresses of a pod's node.
func appendHostIPs(addrs []netip.Addr, status *corev1.PodStatus) []netip.Addr {
	for _, ip := range hostIPs(status) {
		if a, ok := parseAddr(ip.IP); ok {
			addrs = append(addrs, a)
		}
	}
	return addrs
}

// ipPath returns where the i'th of the addresses called name stands, of which
// the list of them has n.
func ipPath(at *fieldPath, name string, n, i int) *fieldPath {
	if n == 0 {
		return at.field(name)
	}
	return at.field(name + "s").element(i)
}

// parsed returns the addresses that texts describe.
func parsed(texts []string) []netip.Addr {
	var all []netip.Addr
	for _, s := range texts {
		if addr, ok := parseAddr(s); ok {
			all = append(all, addr)
		}
	}
	return all
}

// blocks returns the blocks of addresses that texts describe.
func blocks(texts []string) []netip.Prefix {
	var all []netip.Prefix
	for _, s := range texts {
		if p, err := cidr.ParsePrefix(strings.TrimSpace(s)); err == nil {
			all = append(all, p)
		}
	}
	return all
}

// distinct returns what list holds, each once. It overwrites list.
func distinct[T comparable](list []T) []T {
	seen := make(map[T]bool, len(list))
	return slices.DeleteFunc(list, func(v T) bool {
		again := seen[v]
		seen[v] = true
		return again
	})
}

// onePerFamily returns the first address of each family in addrs.
func onePerFamily(addrs []netip.Addr) []netip.Addr {
	var first []netip.Addr
	for _, a := range addrs {
		if len(first) == 0 || len(first) == 1 && first[0].Is4() != a.Is4() {
			first = append(first, a)
		}
	}
	return first
}

// newPod returns the normal form of a pod. Its owner is still to be found, and
// its addresses if only its node knows them.
func (b *modelBuilder) newPod(pod *corev1.Pod) Pod {
	p := b.fromSpec(&pod.Spec)
	p.Kind = "Pod"
	p.Labels = pod.Labels
	if ips := podIPs(&pod.Status); len(ips) > 0 {
		p.Addrs = carve(&b.addrs, len(ips))[:0]
		for _, ip := range ips {
			if a, ok := parseAddr(ip.IP); ok {
				p.Addrs = append(p.Addrs, a)
			}
		}
	}
	if p.HostNetwork && len(p.Addrs) == 0 {
		p.Addrs = onePerFamily(appendHostIPs(nil, &pod.Status))
	}
	p.Terminated = pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed
	p.Pending = pod.Status.Phase == corev1.PodPending
	p.Ready = isReady(&pod.Status)
	p.Terminating = pod.DeletionTimestamp != nil
	return p
}

// isReady reports whether a pod is ready. One that does not say so is taken to
// be, once it has started.
func isReady(status *corev1.PodStatus) bool {
	for _, c := range status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return status.Phase != corev1.PodPending
}

// fromSpec returns what the spec of a pod or of a template says.
func (b *modelBuilder) fromSpec(spec *corev1.PodSpec) Pod {
	p := Pod{Node: spec.NodeName, HostNetwork: spec.HostNetwork}
	n := countPorts(spec)
	if n == 0 {
		return p
	}
	free := b.ports
	p.Ports = carve(&b.ports, n)[:0]
	for i := range spec.Containers {
		p.addPorts(&spec.Containers[i], Container)
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; isSidecar(c) {
			p.addPorts(c, Sidecar)
		}
	}
	for i := range spec.InitContainers {
		if c := &spec.InitContainers[i]; !isSidecar(c) {
			p.addPorts(c, InitContainer)
		}
	}
	if slices.Equal(p.Ports, b.lastPorts) { // those of pods of one workload mostly are
		p.Ports, b.ports = b.lastPorts, free
	}
	b.lastPorts = p.Ports
	return p
}

// addPorts adds the ports of a container that have names.
func (p *Pod) addPorts(c *corev1.Container, by ContainerKind) {
	for i := range c.Ports {
		if port := &c.Ports[i]; port.Name != "" {
			number := containerProtocol(*port).Port(uint16(port.ContainerPort))
			p.Ports = append(p.Ports, ContainerPort{port.Name, number, by})
		}
	}
}

// containerProtocol returns the protocol of a container port, which is TCP if
// it names none, and 0 if it names one that there is not.
func containerProtocol(p corev1.ContainerPort) Protocol {
	return protocolOf(cmp.Or(p.Protocol, corev1.ProtocolTCP))
}

// nodeAddrs returns the addresses of n, the internal ones first.
func nodeAddrs(n *corev1.Node) []netip.Addr {
	var internal, external []string
	for _, a := range n.Status.Addresses {
		switch a.Type {
		case corev1.NodeInternalIP:
			internal = append(internal, a.Address)
		case corev1.NodeExternalIP:
			external = append(external, a.Address)
		}
	}
	return parsed(append(internal, external...))
}
