//lint:file-ignore SA1019 What Endpoints hold still counts for Services, deprecated or not.

package reachtest

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/polreach/polreach/policy"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"pgregory.net/rapid"
)

// The alphabets of Services.
var (
	servicePorts = []int32{80, 80, 53, 443}
	serviceHosts = []string{"db.example.com", "pod.example.com", "lb.example.com", "gone.example.com"}
)

// A serviceDrawing has what Services of one cluster must know of each other.
type serviceDrawing struct {
	Gen
	c        *policy.Cluster
	services int
	slices   int
	nodePort int32
	listed   map[string]bool // addresses that endpoints of the last Service have
}

// addServices adds Services to c, with what lists their endpoints, and changes
// the readiness of its pods. Node ports and the addresses of Services are
// unique; an external IP can be anything's.
func (g Gen) addServices(t *rapid.T, c *policy.Cluster) {
	d := serviceDrawing{Gen: g, c: c, nodePort: 30080}
	for _, pod := range c.Pods {
		d.readiness(t, pod)
	}
	for range rapid.IntRange(1, g.MaxServices).Draw(t, "") {
		d.add(t)
	}
	if oneIn(t, 6) {
		d.dns(t)
	}
	c.Hosts = map[string][]netip.Addr{}
	targets := slices.Concat(g.outside("203.0.113.9", "203.0.113.129", "2001:db8::9"), statusAddrs(c), serviceAddrs(c))
	for _, name := range serviceHosts[:3] {
		if !oneIn(t, 3) {
			c.Hosts[name] = listOf(t, 1, 2, func(t *rapid.T) netip.Addr { return pick(t, targets...) })
		}
	}
	c.Ingresses = listOf(t, 0, 1, d.ingress)
}

// readiness makes a pod unready or terminating, or says that it is ready.
func (g Gen) readiness(t *rapid.T, pod *corev1.Pod) {
	pod.Status.Conditions = nil
	if g.OnlyRunning {
		return
	}
	switch pick(t, "none", "none", "none", "true", "false", "unknown", "other") {
	case "true":
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
	case "false":
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionFalse}}
	case "unknown":
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionUnknown}}
	case "other": // without meaning
		pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodScheduled, Status: corev1.ConditionFalse}}
	}
	if oneIn(t, 6) {
		pod.DeletionTimestamp = &metav1.Time{Time: time.Unix(1700000000, 0)}
	}
}

// add draws a Service of any type.
func (g *serviceDrawing) add(t *rapid.T) {
	g.services++
	if g.services == 10 { // whose address that of kube-dns is
		g.services++
	}
	g.listed = map[string]bool{}
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("s%d", g.services), Namespace: g.somewhere(t)}}
	g.c.Services = append(g.c.Services, svc)
	spec := &svc.Spec
	form := pick(t, "ClusterIP", "ClusterIP", "NodePort", "NodePort", "LoadBalancer", "LoadBalancer", "headless", "ExternalName")
	spec.Ports = listOf(t, 1, 3, func(t *rapid.T) corev1.ServicePort { return g.port(t) })
	seen := map[policy.Port]bool{}
	spec.Ports = slices.DeleteFunc(spec.Ports, func(p corev1.ServicePort) bool {
		twice := seen[portWith(p.Protocol, p.Port)]
		seen[portWith(p.Protocol, p.Port)] = true
		return twice
	})
	for i := range spec.Ports {
		if len(spec.Ports) > 1 || oneIn(t, 2) {
			spec.Ports[i].Name = []string{"web", "dns", "p3"}[i]
		}
		if form == "NodePort" || form == "LoadBalancer" && oneIn(t, 2) {
			if !oneIn(t, 6) { // else it is not assigned yet
				spec.Ports[i].NodePort = g.nodePort
				g.nodePort++
			}
		}
	}
	switch form {
	case "ExternalName":
		spec.Type, spec.Ports = corev1.ServiceTypeExternalName, nil
		spec.ExternalName = pick(t, slices.Concat(serviceHosts, []string{"s1.x.svc.cluster.local", "s2." + namespaceOf(svc) + ".svc.cluster.local", "s2." + namespaceOf(svc) + ".svc", "s3.default.svc.cluster.local."})...)
		return
	case "headless":
		spec.ClusterIP = corev1.ClusterIPNone
	default:
		spec.Type = corev1.ServiceType(form)
	}
	g.families(t, spec)
	switch {
	case oneIn(t, 4): // no selector
		if oneIn(t, 2) {
			spec.Selector = map[string]string{}
		}
		g.endpoints(t, svc)
	default:
		spec.Selector = g.podLabels(t, namespaceOf(svc))
		if oneIn(t, 6) {
			g.slice(t, svc)
		}
	}
	spec.PublishNotReadyAddresses = oneIn(t, 6)
	if oneIn(t, 3) {
		spec.InternalTrafficPolicy = new(corev1.ServiceInternalTrafficPolicyLocal)
	}
	if form != "headless" && oneIn(t, 4) {
		spec.ExternalIPs = listOf(t, 1, 2, g.externalIP)
		slices.Sort(spec.ExternalIPs)
		spec.ExternalIPs = slices.Compact(spec.ExternalIPs)
	}
	if (form == "NodePort" || form == "LoadBalancer" || len(spec.ExternalIPs) > 0) && oneIn(t, 3) {
		spec.ExternalTrafficPolicy = corev1.ServiceExternalTrafficPolicyLocal
	}
	if form == "LoadBalancer" {
		g.balancer(t, svc)
	}
	if oneIn(t, 6) { // without meaning
		spec.SessionAffinity = corev1.ServiceAffinityClientIP
	}
	if oneIn(t, 12) {
		svc.Labels = map[string]string{pick(t, "k8s-app", "app.kubernetes.io/name"): pick(t, "coredns", "kube-dns")}
	}
}

// somewhere draws a namespace: one of those that pods have, or one that has none.
func (g *serviceDrawing) somewhere(t *rapid.T) string {
	if oneIn(t, 16) && !g.Complete {
		return "kube-system"
	}
	var names []string
	for _, pod := range g.c.Pods {
		names = append(names, pod.Namespace)
	}
	for _, w := range workloadsOf(g.c) {
		names = append(names, w.GetNamespace())
	}
	return pick(t, names...)
}

// port draws a port of a Service.
func (g *serviceDrawing) port(t *rapid.T) corev1.ServicePort {
	p := corev1.ServicePort{Port: pick(t, servicePorts...), Protocol: pickBut(t, g.noProtocols(), "", corev1.ProtocolTCP, corev1.ProtocolTCP, corev1.ProtocolUDP, corev1.ProtocolSCTP)}
	var without []string
	if g.NoNamedPorts {
		without = []string{"name"}
	}
	switch pickBut(t, without, "none", "same", "number", "number", "name", "name", "zero", "empty") {
	case "same":
		p.TargetPort = intstr.FromInt32(p.Port)
	case "number":
		p.TargetPort = intstr.FromInt32(pick(t, portNumbers...))
	case "name":
		p.TargetPort = intstr.FromString(pick(t, portNames...))
	case "zero":
		p.TargetPort = intstr.FromInt32(0)
	case "empty":
		p.TargetPort = intstr.FromString("")
	}
	return p
}

// podLabels draws the labels of some pod or workload of the namespace, or part of
// them, or any others.
func (g *serviceDrawing) podLabels(t *rapid.T, ns string) map[string]string {
	var some []map[string]string
	add := func(meta metav1.ObjectMeta, labels map[string]string) {
		if namespaceOf(&meta) == ns && len(labels) > 0 {
			some = append(some, labels)
		}
	}
	for _, pod := range g.c.Pods {
		add(pod.ObjectMeta, pod.Labels)
	}
	for _, w := range workloadsOf(g.c) {
		add(w.ObjectMeta, w.template.Labels)
		add(w.ObjectMeta, w.template.Labels)
	}
	if len(some) == 0 || oneIn(t, 8) {
		return map[string]string{pick(t, podLabelKeys...): pick(t, labelValues...)}
	}
	of := pick(t, some...)
	all := map[string]string{}
	for _, key := range []string{"a", "b", "example.com/a", "kubernetes.io/metadata.name"} {
		if value, ok := of[key]; ok && (len(all) == 0 || oneIn(t, 3)) {
			all[key] = value
		}
	}
	return all
}

// families draws the addresses of a Service, or its families, or neither.
func (g *serviceDrawing) families(t *rapid.T, spec *corev1.ServiceSpec) {
	v4, v6 := fmt.Sprintf("10.96.%d.%d", g.services>>8, g.services&255), fmt.Sprintf("fd02::%x", g.services)
	form := pickBut(t, g.ipv6Forms(), "v4", "v4", "v4", "v4", "v6", "v4 v6", "v4 v6", "v6 v4", "unknown")
	dual := strings.Contains(form, " ")
	how := pick(t, "addresses", "addresses", "families", "policy")
	if spec.ClusterIP == corev1.ClusterIPNone && how == "addresses" {
		how = "families"
	}
	switch {
	case form == "unknown":
		if oneIn(t, 3) {
			spec.IPFamilyPolicy = new(corev1.IPFamilyPolicySingleStack)
		}
	case how == "addresses":
		for _, f := range strings.Fields(form) {
			spec.ClusterIPs = append(spec.ClusterIPs, map[string]string{"v4": v4, "v6": v6}[f])
		}
		spec.ClusterIP = spec.ClusterIPs[0]
		if !dual && oneIn(t, 2) {
			spec.ClusterIPs = nil
		}
	case how == "policy" && dual:
		spec.IPFamilyPolicy = new(pick(t, corev1.IPFamilyPolicyPreferDualStack, corev1.IPFamilyPolicyRequireDualStack))
	default:
		for _, f := range strings.Fields(form) {
			spec.IPFamilies = append(spec.IPFamilies, map[string]corev1.IPFamily{"v4": corev1.IPv4Protocol, "v6": corev1.IPv6Protocol}[f])
		}
		if dual {
			spec.IPFamilyPolicy = new(corev1.IPFamilyPolicyPreferDualStack)
		}
	}
}

// externalIP draws an address that nobody else has, or one of a node or a pod
// or of another Service.
func (g *serviceDrawing) externalIP(t *rapid.T) string {
	own := []string{"198.51.100.9", "198.51.100.9", "2001:db8:1::9", fmt.Sprintf("198.51.%d.1%d", 100+g.services/10, g.services%10)}
	if g.NoIPv6 {
		own = slices.Delete(own, 2, 3)
	}
	if oneIn(t, 3) {
		for _, a := range statusAddrs(g.c) {
			own = append(own, a.String())
		}
	}
	return pick(t, own...)
}

// balancer draws what is for load balancers only.
func (g *serviceDrawing) balancer(t *rapid.T, svc *corev1.Service) {
	if oneIn(t, 3) {
		svc.Spec.AllocateLoadBalancerNodePorts = new(oneIn(t, 3))
		for i := range svc.Spec.Ports {
			if !*svc.Spec.AllocateLoadBalancerNodePorts && !oneIn(t, 3) {
				svc.Spec.Ports[i].NodePort = 0
			}
		}
	}
	if oneIn(t, 2) {
		svc.Spec.LoadBalancerSourceRanges = listOf(t, 1, 2, func(t *rapid.T) string {
			return pickBut(t, g.oddRanges(), "203.0.113.0/29", "203.0.113.128/29", "10.0.0.0/30", "192.168.0.0/31", "0.0.0.0/0", "2001:db8::/32", "fd00::/127", " 203.0.113.0/24 ")
		})
	}
	svc.Status.LoadBalancer.Ingress = listOf(t, 0, 2, func(t *rapid.T) corev1.LoadBalancerIngress {
		v4, v6 := fmt.Sprintf("198.51.%d.2%d", 100+g.services/10, g.services%10), fmt.Sprintf("2001:db8:1::2%d", g.services)
		ips := []string{v4, v4, v6}
		if g.NoIPv6 {
			ips = ips[:1]
		}
		in := corev1.LoadBalancerIngress{IP: pick(t, ips...)}
		switch pick(t, "", "", "VIP", "Proxy", "name") {
		case "VIP":
			in.IPMode = new(corev1.LoadBalancerIPModeVIP)
		case "Proxy":
			in.IPMode = new(corev1.LoadBalancerIPModeProxy)
		case "name":
			in.IP, in.Hostname = "", "lb.example.com"
		}
		return in
	})
	if in := svc.Status.LoadBalancer.Ingress; len(in) == 2 && in[0].IP == in[1].IP {
		svc.Status.LoadBalancer.Ingress = in[:1]
	}
}

// endpoints draws what lists the endpoints of a Service without selector.
func (g *serviceDrawing) endpoints(t *rapid.T, svc *corev1.Service) {
	for range pick(t, 0, 1, 1, 2) {
		g.slice(t, svc)
	}
	if len(g.c.EndpointSlices) > 0 && !oneIn(t, 4) || !oneIn(t, 2) {
		return
	}
	subset := corev1.EndpointSubset{}
	for _, p := range svc.Spec.Ports {
		subset.Ports = append(subset.Ports, corev1.EndpointPort{Name: p.Name, Port: pick(t, portNumbers...), Protocol: p.Protocol})
	}
	addr := func(t *rapid.T) corev1.EndpointAddress {
		return corev1.EndpointAddress{IP: g.endpoint(t, true, !g.NoIPv6)}
	}
	subset.Addresses, subset.NotReadyAddresses = listOf(t, 1, 2, addr), listOf(t, 0, 1, addr)
	o := &corev1.Endpoints{ObjectMeta: metav1.ObjectMeta{Name: svc.Name, Namespace: svc.Namespace}, Subsets: []corev1.EndpointSubset{subset}}
	if oneIn(t, 6) {
		o.Labels = map[string]string{discoveryv1.LabelSkipMirror: "true"}
	}
	g.c.Endpoints = append(g.c.Endpoints, o)
}

// endpoint draws the address of a pod, of a node or of nobody, which no other
// endpoint of the Service has.
func (g *serviceDrawing) endpoint(t *rapid.T, v4, v6 bool) string {
	var addrs []string
	for _, a := range slices.Concat(statusAddrs(g.c), g.outside("203.0.113.9", "2001:db8::9")) {
		if (a.Is4() && v4 || a.Is6() && v6) && !g.listed[a.String()] {
			addrs = append(addrs, a.String())
		}
	}
	for _, form := range []string{"203.0.113.1%d", "2001:db8::1%d"} {
		if text := fmt.Sprintf(form, len(g.listed)); strings.Contains(text, ":") && v6 || !strings.Contains(text, ":") && v4 {
			addrs = append(addrs, text)
		}
	}
	one := pick(t, addrs...)
	g.listed[one] = true
	return one
}

// slice draws an EndpointSlice of a Service.
func (g *serviceDrawing) slice(t *rapid.T, svc *corev1.Service) {
	g.slices++
	s := &discoveryv1.EndpointSlice{ObjectMeta: metav1.ObjectMeta{
		Name: fmt.Sprintf("slice%d", g.slices), Namespace: svc.Namespace, Labels: map[string]string{discoveryv1.LabelServiceName: svc.Name}}}
	if len(svc.Spec.Selector) > 0 && !oneIn(t, 3) {
		s.Labels[discoveryv1.LabelManagedBy] = "endpointslice-controller.k8s.io"
	}
	var without []discoveryv1.AddressType
	if g.NoIPv6 {
		without = append(without, discoveryv1.AddressTypeIPv6)
	}
	s.AddressType = pickBut(t, without, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN)
	s.Endpoints = listOf(t, 1, 3, func(t *rapid.T) discoveryv1.Endpoint {
		var e discoveryv1.Endpoint
		if s.AddressType == discoveryv1.AddressTypeFQDN {
			e.Addresses = []string{pick(t, "db.example.com", "lb.example.com")}
			return e
		}
		e.Addresses = []string{g.endpoint(t, s.AddressType == discoveryv1.AddressTypeIPv4, s.AddressType == discoveryv1.AddressTypeIPv6)}
		state := func() *bool { return pick(t, nil, nil, new(true), new(false)) }
		e.Conditions.Ready = state()
		if e.Conditions.Ready != nil && !*e.Conditions.Ready && !oneIn(t, 3) {
			e.Conditions.Serving, e.Conditions.Terminating = state(), state()
		}
		if name := g.sliceNode(t); name != "" {
			e.NodeName = &name
		}
		return e
	})
	for _, p := range svc.Spec.Ports {
		port := discoveryv1.EndpointPort{Name: new(p.Name), Port: new(pick(t, portNumbers...))}
		if p.Protocol != "" || oneIn(t, 2) {
			port.Protocol = new(p.Protocol)
			if p.Protocol == "" {
				port.Protocol = new(corev1.ProtocolTCP)
			}
		}
		switch pick(t, "", "", "", "", "", "name", "number") {
		case "name":
			port.Name = new("p9" + p.Name)
		case "number":
			port.Port = nil
		}
		s.Ports = append(s.Ports, port)
	}
	g.c.EndpointSlices = append(g.c.EndpointSlices, s)
}

// dns draws the Service that resolves names, of pods with a label.
func (g *serviceDrawing) dns(t *rapid.T) {
	if oneIn(t, 3) {
		pick(t, g.c.Pods...).Labels = map[string]string{"k8s-app": "kube-dns"}
		return
	}
	spec := corev1.ServiceSpec{ClusterIP: "10.96.0.10", Selector: map[string]string{"a": "1"}}
	spec.Ports = []corev1.ServicePort{{Name: "dns", Port: 53, Protocol: corev1.ProtocolUDP}, {Name: "dns-tcp", Port: 53}}[:pick(t, 2, 2, 1)]
	svc := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: "kube-dns", Namespace: "kube-system"}, Spec: spec}
	if oneIn(t, 2) || g.Complete {
		svc.Name, svc.Namespace, svc.Labels = "dns", g.somewhere(t), map[string]string{"k8s-app": "kube-dns"}
	}
	g.c.Services = append(g.c.Services, svc)
}

// ingress draws an Ingress with backends of any kind.
func (g *serviceDrawing) ingress(t *rapid.T) *networkingv1.Ingress {
	in := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Name: "i", Namespace: g.somewhere(t)}}
	backend := func(t *rapid.T) networkingv1.IngressBackend {
		if oneIn(t, 8) {
			return networkingv1.IngressBackend{Resource: &corev1.TypedLocalObjectReference{Kind: "Bucket", Name: "b"}}
		}
		b := &networkingv1.IngressServiceBackend{Name: fmt.Sprintf("s%d", rapid.IntRange(1, max(1, g.MaxServices)).Draw(t, ""))}
		if b.Port.Number = pick(t, servicePorts...); oneIn(t, 2) {
			b.Port = networkingv1.ServiceBackendPort{Name: pick(t, "web", "dns")}
		}
		return networkingv1.IngressBackend{Service: b}
	}
	if oneIn(t, 2) {
		in.Spec.DefaultBackend = new(backend(t))
	}
	least := 0
	if in.Spec.DefaultBackend == nil {
		least = 1
	}
	in.Spec.Rules = listOf(t, least, 2, func(t *rapid.T) networkingv1.IngressRule {
		var rule networkingv1.IngressRule
		rule.Host = pick(t, "", "a.example.com")
		rule.HTTP = &networkingv1.HTTPIngressRuleValue{Paths: listOf(t, 1, 2, func(t *rapid.T) networkingv1.HTTPIngressPath {
			prefix := networkingv1.PathTypePrefix
			return networkingv1.HTTPIngressPath{Path: "/", PathType: &prefix, Backend: backend(t)}
		})}
		return rule
	})
	return in
}

// sliceNode draws the node of an endpoint, or "".
func (g *serviceDrawing) sliceNode(t *rapid.T) string {
	if oneIn(t, 3) {
		return ""
	}
	return (&drawing{Gen: g.Gen, c: g.c}).nodeName(t, "n1", "n2")
}

// oddRanges returns the source ranges that are not to be drawn.
func (g Gen) oddRanges() []string {
	var without []string
	if g.NoIPv6 {
		without = append(without, "2001:db8::/32", "fd00::/127")
	}
	if g.NoLegacyBlocks {
		without = append(without, " 203.0.113.0/24 ")
	}
	return without
}

// outside returns the addresses that texts are, without those that are not to be
// drawn.
func (g Gen) outside(texts ...string) []netip.Addr {
	addrs := addrsOfTexts(texts...)
	if g.NoIPv6 {
		addrs = slices.DeleteFunc(addrs, netip.Addr.Is6)
	}
	return addrs
}
