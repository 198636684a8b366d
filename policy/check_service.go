package policy

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// The kind Endpoints under a name of this package.
//
//lint:ignore SA1019 What Endpoints hold still counts for Services, deprecated or not.
type endpoints = corev1.Endpoints

// service checks a Service, which need not have its defaults yet, nor the
// addresses and ports that the server assigns.
func (r *report) service(s *corev1.Service, strictCIDR bool) {
	at, spec := pathTo("spec"), &s.Spec
	typ := cmp.Or(spec.Type, corev1.ServiceTypeClusterIP)

	r.servicePorts(at.field("ports"), spec)
	r.labels(at.field("selector"), spec.Selector)
	r.clusterIPs(at, spec)
	r.oneOf(at.field("type"), string(typ), "ClusterIP", "NodePort", "LoadBalancer", "ExternalName")
	for i, text := range spec.ExternalIPs {
		r.ordinaryAddr(at.field("externalIPs").element(i), text)
	}
	r.oneOf(at.field("sessionAffinity"), cmp.Or(string(spec.SessionAffinity), "None"), "None", "ClientIP")
	if ranges := at.field("loadBalancerSourceRanges"); len(spec.LoadBalancerSourceRanges) > 0 {
		r.onlyForBalancers(ranges, typ)
		for i, text := range spec.LoadBalancerSourceRanges {
			// They were a comma-separated annotation once, and may still have blanks around them.
			r.prefix(ranges.element(i), strings.TrimSpace(text), strictCIDR)
		}
	}
	if typ == corev1.ServiceTypeExternalName {
		at := at.field("externalName")
		if name := strings.TrimSuffix(spec.ExternalName, "."); name == "" {
			r.fail(at, field.ErrorTypeRequired, "type ExternalName needs the DNS name that it stands for")
		} else {
			r.invalid(at, spec.ExternalName, validation.IsDNS1123Subdomain(name)...)
		}
	}
	r.externalTraffic(at, spec)
	r.families(at, spec)
	if spec.AllocateLoadBalancerNodePorts != nil {
		r.onlyForBalancers(at.field("allocateLoadBalancerNodePorts"), typ)
	}
	if class := spec.LoadBalancerClass; class != nil {
		at := at.field("loadBalancerClass")
		r.onlyForBalancers(at, typ)
		r.invalid(at, *class, validation.IsQualifiedName(*class)...)
	}
	if p := spec.InternalTrafficPolicy; p != nil {
		r.oneOf(at.field("internalTrafficPolicy"), string(*p), "Cluster", "Local")
	}
	if balancers := s.Status.LoadBalancer.Ingress; len(balancers) > 0 {
		at := pathTo("status").field("loadBalancer").field("ingress")
		r.onlyForBalancers(at, typ)
		for i := range balancers {
			r.balancer(at.element(i), &balancers[i])
		}
	}
}

// oneOf reports a value that is not among choices.
func (r *report) oneOf(at *fieldPath, value string, choices ...string) {
	if !slices.Contains(choices, value) {
		r.notSupported(at, value, choices...)
	}
}

// onlyForBalancers reports what is set although typ is not LoadBalancer.
func (r *report) onlyForBalancers(at *fieldPath, typ corev1.ServiceType) {
	if typ != corev1.ServiceTypeLoadBalancer {
		r.fail(at, field.ErrorTypeForbidden, "may only be set for the type LoadBalancer")
	}
}

func (r *report) servicePorts(at *fieldPath, spec *corev1.ServiceSpec) {
	if len(spec.Ports) == 0 && !isHeadless(spec) && spec.Type != corev1.ServiceTypeExternalName {
		r.fail(at, field.ErrorTypeRequired, "a Service needs a port, unless it is headless or of type ExternalName")
	}
	type number struct {
		protocol corev1.Protocol
		port     int32
	}
	ports, nodePorts := map[number]bool{}, map[number]bool{}
	clear(r.names)
	for i, p := range spec.Ports {
		at := at.element(i)
		r.nameOfPort(at.field("name"), p.Name, len(spec.Ports))
		if p.Name != "" {
			r.unique(at.field("name"), p.Name)
		}
		p.Protocol = cmp.Or(p.Protocol, corev1.ProtocolTCP)
		r.protocol(at.field("protocol"), p.Protocol)
		r.portNumber(at.field("port"), p.Port)
		if n := (number{p.Protocol, p.Port}); ports[n] {
			r.fail(at, field.ErrorTypeDuplicate, "%d/%s is listed twice: a port of a protocol may occur once", p.Port, p.Protocol)
		} else {
			ports[n] = true
		}
		switch t := p.TargetPort; {
		case t == intstr.FromInt32(0) || t == intstr.FromString(""):
		case t.Type == intstr.Int:
			r.portNumber(at.field("targetPort"), t.IntVal)
		default:
			r.portName(at.field("targetPort"), t.StrVal)
		}
		if p.NodePort != 0 {
			at := at.field("nodePort")
			r.portNumber(at, p.NodePort)
			if spec.Type == "" || spec.Type == corev1.ServiceTypeClusterIP {
				r.fail(at, field.ErrorTypeForbidden, "may only be set for the types NodePort and LoadBalancer")
			}
			if n := (number{p.Protocol, p.NodePort}); nodePorts[n] {
				r.fail(at, field.ErrorTypeDuplicate, "%d/%s is listed twice: a node port of a protocol may occur once", p.NodePort, p.Protocol)
			} else {
				nodePorts[n] = true
			}
		}
	}
}

// nameOfPort checks the name of one of n ports of a Service.
func (r *report) nameOfPort(at *fieldPath, name string, n int) {
	switch {
	case name != "":
		r.dnsLabel(at, name)
	case n > 1:
		r.fail(at, field.ErrorTypeRequired, "of several ports each needs a name")
	}
}

// unique reports a name that r.names, which begins empty for each list, holds
// already, and adds it.
func (r *report) unique(at *fieldPath, name string) {
	if r.names[name] {
		r.fail(at, field.ErrorTypeDuplicate, "%q is used twice: a name must be unique in its list", name)
	}
	if r.names == nil {
		r.names = make(map[string]bool)
	}
	r.names[name] = true
}

// clusterIPs returns the addresses of a Service, or None alone. The list
// counts, if there is one; the single address is all that most manifests have.
func clusterIPs(spec *corev1.ServiceSpec) []string {
	if len(spec.ClusterIPs) == 0 && spec.ClusterIP != "" {
		return []string{spec.ClusterIP}
	}
	return spec.ClusterIPs
}

// isHeadless reports whether a Service has no address by intent.
func isHeadless(spec *corev1.ServiceSpec) bool {
	return slices.Equal(clusterIPs(spec), []string{corev1.ClusterIPNone})
}

// clusterIPs checks the addresses of a Service, and that they are of its
// families.
func (r *report) clusterIPs(at *fieldPath, spec *corev1.ServiceSpec) {
	list, ips := at.field("clusterIPs"), clusterIPs(spec)
	switch {
	case len(ips) == 0:
		return
	case spec.Type == corev1.ServiceTypeExternalName:
		if len(spec.ClusterIPs) == 0 {
			list = at.field("clusterIP")
		}
		r.fail(list, field.ErrorTypeForbidden, "%q: type ExternalName has no address of its own", ips)
		return
	case spec.ClusterIP == "":
		r.fail(list, field.ErrorTypeInvalid, "%q: clusterIP must be set as well, to the first of them", ips)
	case spec.ClusterIP != ips[0]:
		r.fail(list, field.ErrorTypeInvalid, "%q: the first must be %q, the clusterIP", ips, spec.ClusterIP)
	}
	var is4 []bool
	for i, text := range ips {
		at := ipPath(at, "clusterIP", len(spec.ClusterIPs), i)
		if i == 0 && text == corev1.ClusterIPNone {
			switch {
			case len(ips) > 1:
				r.fail(list, field.ErrorTypeInvalid, "%q: None must be the only entry", ips)
			case spec.Type == corev1.ServiceTypeNodePort || spec.Type == corev1.ServiceTypeLoadBalancer:
				r.fail(at, field.ErrorTypeInvalid, "%q is for the type ClusterIP: type %s needs an address", text, spec.Type)
			}
			continue
		}
		addr, ok := r.addr(at, text)
		if !ok {
			continue
		}
		is4 = append(is4, addr.Is4())
		if i < len(spec.IPFamilies) && isFamily(spec.IPFamilies[i]) && spec.IPFamilies[i] != familyOf(addr) {
			r.fail(at, field.ErrorTypeInvalid, "%q: must be an address of %s, as ipFamilies[%d] says", text, spec.IPFamilies[i], i)
		}
	}
	r.differ(list, ips, is4)
}

func isFamily(f corev1.IPFamily) bool { return f == corev1.IPv4Protocol || f == corev1.IPv6Protocol }

func familyOf(addr netip.Addr) corev1.IPFamily {
	if addr.Is4() {
		return corev1.IPv4Protocol
	}
	return corev1.IPv6Protocol
}

// differ reports a list of addresses or blocks of which two are of one family,
// as are two of any three. Of those that are valid, is4 tells the families.
func (r *report) differ(at *fieldPath, list []string, is4 []bool) {
	if len(is4) > 2 || len(is4) == 2 && is4[0] == is4[1] {
		r.fail(at, field.ErrorTypeInvalid, "%q: must hold no more than one of each address family", list)
	}
}

// ordinaryAddr is addr, and reports an address that each machine or each
// network has for itself as an error.
func (r *report) ordinaryAddr(at *fieldPath, s string) (_ netip.Addr, ok bool) {
	a, ok := r.addr(at, s)
	special := ""
	switch {
	case a.IsUnspecified():
		special = "the unspecified address"
	case a.IsLoopback():
		special = "a loopback address"
	case a.IsLinkLocalUnicast():
		special = "a link-local address"
	case a.IsLinkLocalMulticast():
		special = "a link-local multicast address"
	}
	if special != "" {
		r.fail(at, field.ErrorTypeInvalid, "%q is %s: must be an ordinary one, such as 10.0.0.1 or fd00::1", s, special)
	}
	return a, ok
}

// externalTraffic checks the policy for traffic from outside and the port that
// depends on it.
func (r *report) externalTraffic(at *fieldPath, spec *corev1.ServiceSpec) {
	isBalancer := spec.Type == corev1.ServiceTypeLoadBalancer
	if p := spec.ExternalTrafficPolicy; p != "" {
		at := at.field("externalTrafficPolicy")
		if isBalancer || spec.Type == corev1.ServiceTypeNodePort ||
			spec.Type != corev1.ServiceTypeExternalName && len(spec.ExternalIPs) > 0 {
			r.oneOf(at, string(p), "Cluster", "Local")
		} else {
			r.fail(at, field.ErrorTypeInvalid,
				"%q: may only be set for the types NodePort and LoadBalancer, and with externalIPs", p)
		}
	}
	if n := spec.HealthCheckNodePort; n != 0 {
		at := at.field("healthCheckNodePort")
		if isBalancer && spec.ExternalTrafficPolicy == corev1.ServiceExternalTrafficPolicyLocal {
			r.portNumber(at, n)
		} else {
			r.fail(at, field.ErrorTypeInvalid,
				"%d: may only be set for the type LoadBalancer with externalTrafficPolicy Local", n)
		}
	}
}

// families checks the address families of a Service.
func (r *report) families(at *fieldPath, spec *corev1.ServiceSpec) {
	families, policy := at.field("ipFamilies"), at.field("ipFamilyPolicy")
	if spec.Type == corev1.ServiceTypeExternalName {
		const says = "type ExternalName has no addresses, and so no families"
		if len(spec.IPFamilies) > 0 {
			r.fail(families, field.ErrorTypeForbidden, says)
		}
		if spec.IPFamilyPolicy != nil {
			r.fail(policy, field.ErrorTypeForbidden, says)
		}
		return
	}
	seen := map[corev1.IPFamily]bool{}
	for i, f := range spec.IPFamilies {
		r.oneOf(families.element(i), string(f), "IPv4", "IPv6")
		if seen[f] {
			r.fail(families.element(i), field.ErrorTypeDuplicate, "%q is listed twice", f)
		}
		seen[f] = true
	}
	if p := spec.IPFamilyPolicy; p != nil {
		r.oneOf(policy, string(*p), "SingleStack", "PreferDualStack", "RequireDualStack")
		if *p == corev1.IPFamilyPolicySingleStack && (len(spec.IPFamilies) == 2 || len(spec.ClusterIPs) == 2) {
			r.fail(policy, field.ErrorTypeInvalid,
				"%q: must be PreferDualStack or RequireDualStack for a Service of two families", *p)
		}
	}
}

// balancer checks what a load balancer has reported of itself.
func (r *report) balancer(at *fieldPath, b *corev1.LoadBalancerIngress) {
	if b.IP != "" {
		r.addr(at.field("ip"), b.IP)
	}
	if b.Hostname != "" {
		r.hostName(at.field("hostname"), b.Hostname)
	}
	switch {
	case b.IPMode == nil:
	case b.IP == "":
		r.fail(at.field("ipMode"), field.ErrorTypeForbidden, "may only be set together with ip")
	default:
		r.oneOf(at.field("ipMode"), string(*b.IPMode), "VIP", "Proxy")
	}
}

// hostName checks a DNS name, which must not look like an address.
func (r *report) hostName(at *fieldPath, name string) {
	if _, ok := parseAddr(name); ok {
		r.invalid(at, name, "must be a DNS name, not an IP address")
		return
	}
	r.dnsName(at, name)
}

func (r *report) endpointSlice(s *discoveryv1.EndpointSlice) {
	is4 := s.AddressType == discoveryv1.AddressTypeIPv4
	switch s.AddressType {
	case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6, discoveryv1.AddressTypeFQDN:
	case "":
		r.fail(pathTo("addressType"), field.ErrorTypeRequired, "must be one of IPv4, IPv6 and FQDN")
	default:
		r.notSupported(pathTo("addressType"), string(s.AddressType), "IPv4", "IPv6", "FQDN")
	}
	for i, e := range s.Endpoints {
		at := pathTo("endpoints").element(i).field("addresses")
		if len(e.Addresses) == 0 {
			r.fail(at, field.ErrorTypeRequired, "an endpoint needs an address")
		}
		for j, text := range e.Addresses {
			switch s.AddressType {
			case discoveryv1.AddressTypeIPv4, discoveryv1.AddressTypeIPv6:
				if a, ok := r.ordinaryAddr(at.element(j), text); ok && a.Is4() != is4 {
					r.fail(at.element(j), field.ErrorTypeInvalid, "%q: must be an address of %s, the addressType", text, s.AddressType)
				}
			case discoveryv1.AddressTypeFQDN:
				for _, e := range validation.IsFullyQualifiedDomainName(nil, text) {
					r.fail(at.element(j), e.Type, "%q: %s", text, e.Detail)
				}
			}
		}
	}
	clear(r.names)
	for i, p := range s.Ports {
		at := pathTo("ports").element(i)
		name := ""
		if p.Name != nil {
			name = *p.Name
		}
		if name != "" {
			r.dnsLabel(at.field("name"), name)
		}
		r.unique(at.field("name"), name)
		if p.Protocol != nil {
			r.protocol(at.field("protocol"), *p.Protocol)
		}
		if p.Port != nil {
			r.portNumber(at.field("port"), *p.Port)
		}
	}
}

func (r *report) endpoints(e *endpoints) {
	for i, s := range e.Subsets {
		at := pathTo("subsets").element(i)
		if len(s.Addresses) == 0 && len(s.NotReadyAddresses) == 0 {
			r.fail(at, field.ErrorTypeRequired, "must have addresses or notReadyAddresses")
		}
		for j, a := range s.Addresses {
			r.endpointAddress(at.field("addresses").element(j), a.IP, a.NodeName)
		}
		for j, a := range s.NotReadyAddresses {
			r.endpointAddress(at.field("notReadyAddresses").element(j), a.IP, a.NodeName)
		}
		for j, p := range s.Ports {
			at := at.field("ports").element(j)
			r.nameOfPort(at.field("name"), p.Name, len(s.Ports))
			r.portNumber(at.field("port"), p.Port)
			r.protocol(at.field("protocol"), cmp.Or(p.Protocol, corev1.ProtocolTCP))
		}
	}
}

func (r *report) endpointAddress(at *fieldPath, ip string, node *string) {
	r.ordinaryAddr(at.field("ip"), ip)
	if node != nil {
		r.dnsName(at.field("nodeName"), *node)
	}
}

// serviceCIDR checks the blocks of a ServiceCIDR, which is too young a kind to
// hold them in odd forms.
func (r *report) serviceCIDR(c *networkingv1.ServiceCIDR) {
	at, blocks := pathTo("spec").field("cidrs"), c.Spec.CIDRs
	if len(blocks) == 0 {
		r.fail(at, field.ErrorTypeRequired, "a ServiceCIDR needs a block, such as 10.96.0.0/12")
	}
	var is4 []bool
	for i, text := range blocks {
		if bad := validation.IsValidCIDR(nil, text); len(bad) > 0 {
			r.invalid(at.element(i), text, bad[0].Detail)
		} else {
			is4 = append(is4, !strings.Contains(text, ":"))
		}
	}
	r.differ(at, blocks, is4)
}

// podCIDRs returns the blocks of the pods of a node, chosen as by clusterIPs.
func podCIDRs(spec *corev1.NodeSpec) []string {
	if len(spec.PodCIDRs) == 0 && spec.PodCIDR != "" {
		return []string{spec.PodCIDR}
	}
	return spec.PodCIDRs
}

func (r *report) podCIDRs(spec *corev1.NodeSpec, strictCIDR bool) {
	at, blocks := pathTo("spec"), podCIDRs(spec)
	if spec.PodCIDR != "" && spec.PodCIDR != blocks[0] {
		r.fail(at.field("podCIDR"), field.ErrorTypeInvalid, "%q: must be %q, the first of podCIDRs", spec.PodCIDR, blocks[0])
	}
	var is4 []bool
	for i, text := range blocks {
		if p, ok := r.prefix(ipPath(at, "podCIDR", len(spec.PodCIDRs), i), text, strictCIDR); ok {
			is4 = append(is4, p.Addr().Is4())
		}
	}
	r.differ(at.field("podCIDRs"), blocks, is4)
}

// ingress checks an Ingress. A rule need not have a backend.
func (r *report) ingress(in *networkingv1.Ingress) {
	at, spec := pathTo("spec"), &in.Spec
	if len(spec.Rules) == 0 && spec.DefaultBackend == nil {
		r.fail(at, field.ErrorTypeInvalid, "an Ingress needs rules or a defaultBackend")
	}
	if spec.DefaultBackend != nil {
		r.ingressBackend(at.field("defaultBackend"), spec.DefaultBackend)
	}
	for i, rule := range spec.Rules {
		at := at.field("rules").element(i)
		switch {
		case rule.Host == "":
		case strings.Contains(rule.Host, "*"):
			r.invalid(at.field("host"), rule.Host, validation.IsWildcardDNS1123Subdomain(rule.Host)...)
		default:
			r.hostName(at.field("host"), rule.Host)
		}
		if rule.HTTP == nil {
			continue
		}
		at = at.field("http").field("paths")
		if len(rule.HTTP.Paths) == 0 {
			r.fail(at, field.ErrorTypeRequired, "a rule for HTTP needs a path")
		}
		for j := range rule.HTTP.Paths {
			r.ingressPath(at.element(j), &rule.HTTP.Paths[j])
		}
	}
}

func (r *report) ingressPath(at *fieldPath, p *networkingv1.HTTPIngressPath) {
	if p.PathType == nil {
		r.fail(at.field("pathType"), field.ErrorTypeRequired, "must be one of Exact, Prefix and ImplementationSpecific")
	} else {
		optional := *p.PathType != networkingv1.PathTypeExact && *p.PathType != networkingv1.PathTypePrefix
		if !strings.HasPrefix(p.Path, "/") && (p.Path != "" || !optional) {
			r.fail(at.field("path"), field.ErrorTypeInvalid, "%q: must begin with a slash", p.Path)
		}
		r.oneOf(at.field("pathType"), string(*p.PathType), "Exact", "Prefix", "ImplementationSpecific")
	}
	r.ingressBackend(at.field("backend"), &p.Backend)
}

func (r *report) ingressBackend(at *fieldPath, b *networkingv1.IngressBackend) {
	switch {
	case b.Service != nil && b.Resource != nil:
		r.fail(at, field.ErrorTypeInvalid, "must not have both service and resource: drop one")
	case b.Service == nil && b.Resource == nil:
		r.fail(at, field.ErrorTypeInvalid, "must have a service or a resource")
	case b.Resource != nil:
		at := at.field("resource")
		if b.Resource.Kind == "" {
			r.fail(at.field("kind"), field.ErrorTypeRequired, "a resource needs a kind")
		}
		if b.Resource.Name == "" {
			r.fail(at.field("name"), field.ErrorTypeRequired, "a resource needs a name")
		}
	default:
		name, port := b.Service.Name, b.Service.Port
		if name == "" {
			r.fail(at.field("service").field("name"), field.ErrorTypeRequired, "a backend needs the name of a Service")
		} else {
			r.dnsLabel(at.field("service").field("name"), name)
		}
		switch {
		case port.Name != "" && port.Number != 0:
			r.fail(at, field.ErrorTypeInvalid, "the port must not have both the name %q and the number %d: drop one", port.Name, port.Number)
		case port.Name != "":
			r.portName(at.field("service").field("port").field("name"), port.Name)
		case port.Number != 0:
			r.portNumber(at.field("service").field("port").field("number"), port.Number)
		default:
			r.fail(at, field.ErrorTypeRequired, "the port of the service needs a name or a number")
		}
	}
}
