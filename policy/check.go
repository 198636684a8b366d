package policy

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/selector"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// A report gathers what is wrong with one object and what is suspicious.
type report struct {
	object   metav1.Object
	errs     []*Error
	warnings []Warning

	names  map[string]bool        // scratch of unique
	places map[portName]portPlace // scratch of repeatedPortNames
	key    []byte                 // scratch of block
	specs  []ruleSpec             // scratch of policy

	rules []Rule     // what is left of the memory for rules
	peers []Peer     // likewise
	items []PortItem // likewise

	// blocks are those that there was nothing to say about, by their text. Many
	// policies hold the same ones.
	blocks map[string]cidr.Set
}

// fail reports an error. The text does not repeat the path.
func (r *report) fail(at *fieldPath, t field.ErrorType, format string, args ...any) {
	r.errs = append(r.errs, &Error{
		Place: r.place(at),
		Type:  t,
		Err:   fmt.Errorf(format, args...),
	})
}

func (r *report) place(at *fieldPath) Place {
	return Place{Object: objectName(r.object), Field: at.String()}
}

// invalid reports one error for each of faults, which quotes value.
func (r *report) invalid(at *fieldPath, value string, faults ...string) {
	for _, fault := range faults {
		r.fail(at, field.ErrorTypeInvalid, "%q: %s", value, fault)
	}
}

// The following report a text that is not what it must be. Nearly all texts are,
// which is found out without the validation of the API server; that finds the
// words for the others.

func (r *report) dnsName(at *fieldPath, s string) {
	if !isDNSName(s) {
		r.invalid(at, s, validation.IsDNS1123Subdomain(s)...)
	}
}

func (r *report) dnsLabel(at *fieldPath, s string) {
	if !isDNSLabel(s) {
		r.invalid(at, s, validation.IsDNS1123Label(s)...)
	}
}

func (r *report) portName(at *fieldPath, s string) {
	if !isPortName(s) {
		r.invalid(at, s, validation.IsValidPortName(s)...)
	}
}

// invalidNumber is invalid for a number.
func (r *report) invalidNumber(at *fieldPath, n int32, faults ...string) {
	for _, fault := range faults {
		r.fail(at, field.ErrorTypeInvalid, "%d: %s", n, fault)
	}
}

// quoted returns the text of a value, in quotes if it is a string.
func quoted(value any) string {
	if v := reflect.ValueOf(value); v.Kind() == reflect.String {
		return fmt.Sprintf("%q", v.String())
	}
	return fmt.Sprint(value)
}

func (r *report) warn(at *fieldPath, code, format string, args ...any) {
	r.warnings = append(r.warnings, Warning{
		Place: r.place(at),
		Code:  code,
		Text:  fmt.Sprintf(format, args...),
	})
}

// err returns the errors joined, or nil if there are none.
func (r *report) err() error {
	errs := make([]error, len(r.errs))
	for i, e := range r.errs {
		errs[i] = e
	}
	return errors.Join(errs...)
}

// inspect finds what the API server would refuse in obj, as far as this package
// looks at it, and what is legal but suspicious, both in the order of the API
// object. Blocks in odd forms are errors if strictCIDR, else warnings. It panics
// if obj is not of a kind that a Cluster holds. The normal form of a NetworkPolicy
// that it returns means nothing if there are errors.
func inspect(obj metav1.Object, strictCIDR bool) (*Policy, *report) {
	r := new(report)
	return r.inspect(obj, strictCIDR), r
}

// inspect fills in r anew for obj.
func (r *report) inspect(obj metav1.Object, strictCIDR bool) *Policy {
	r.object, r.errs, r.warnings = obj, nil, nil
	r.metadata(obj)
	switch o := obj.(type) {
	case *networkingv1.NetworkPolicy:
		return r.policy(o, strictCIDR)
	case *corev1.Pod:
		r.podSpec(pathTo("spec"), &o.Spec)
		r.podStatus(pathTo("status"), &o.Status)
	case *corev1.Node:
		r.podCIDRs(&o.Spec, strictCIDR)
		r.node(o)
	case *corev1.Namespace:
	case *corev1.Service:
		r.service(o, strictCIDR)
	case *discoveryv1.EndpointSlice:
		r.endpointSlice(o)
	case *endpoints:
		r.endpoints(o)
	case *networkingv1.ServiceCIDR:
		r.serviceCIDR(o)
	case *networkingv1.Ingress:
		r.ingress(o)
	default:
		at, template := templateOf(obj)
		if template == nil {
			r.fail(at, field.ErrorTypeRequired, "a %s needs a pod template", kindOf(obj))
			break
		}
		r.labels(at.field("metadata").field("labels"), template.Labels)
		r.podSpec(at.field("spec"), &template.Spec)
	}
	return nil
}

// kindOf returns the kind of an object of a Cluster. It panics for others.
func kindOf(obj metav1.Object) string {
	switch obj.(type) {
	case *corev1.Namespace:
		return "Namespace"
	case *corev1.Node:
		return "Node"
	case *corev1.Pod:
		return "Pod"
	case *appsv1.Deployment:
		return "Deployment"
	case *appsv1.ReplicaSet:
		return "ReplicaSet"
	case *appsv1.StatefulSet:
		return "StatefulSet"
	case *appsv1.DaemonSet:
		return "DaemonSet"
	case *batchv1.Job:
		return "Job"
	case *batchv1.CronJob:
		return "CronJob"
	case *corev1.ReplicationController:
		return "ReplicationController"
	case *corev1.Service:
		return "Service"
	case *discoveryv1.EndpointSlice:
		return "EndpointSlice"
	case *endpoints:
		return "Endpoints"
	case *networkingv1.ServiceCIDR:
		return "ServiceCIDR"
	case *networkingv1.Ingress:
		return "Ingress"
	case *networkingv1.NetworkPolicy:
		return "NetworkPolicy"
	}
	panic(fmt.Sprintf("policy: a Cluster holds no %T", obj))
}

// templateOf returns the pod template of a workload and where it stands. The
// template is nil if the workload lacks it. It panics for other kinds.
func templateOf(obj metav1.Object) (*fieldPath, *corev1.PodTemplateSpec) {
	at := pathTo("spec").field("template")
	switch o := obj.(type) {
	case *appsv1.Deployment:
		return at, &o.Spec.Template
	case *appsv1.ReplicaSet:
		return at, &o.Spec.Template
	case *appsv1.StatefulSet:
		return at, &o.Spec.Template
	case *appsv1.DaemonSet:
		return at, &o.Spec.Template
	case *batchv1.Job:
		return at, &o.Spec.Template
	case *batchv1.CronJob:
		return pathTo("spec").field("jobTemplate").field("spec").field("template"), &o.Spec.JobTemplate.Spec.Template
	case *corev1.ReplicationController:
		return at, o.Spec.Template
	}
	panic(fmt.Sprintf("policy: %T is no workload", obj))
}

// namespaceOf returns the namespace that obj is in, which is empty for a kind
// that is in none.
func namespaceOf(obj metav1.Object) string {
	switch obj.(type) {
	case *corev1.Namespace, *corev1.Node, *networkingv1.ServiceCIDR:
		return ""
	}
	if ns := obj.GetNamespace(); ns != "" {
		return ns
	}
	return metav1.NamespaceDefault
}

// nameOf returns the name of obj. One still to be generated is its prefix and
// a star.
func nameOf(obj metav1.Object) string {
	if prefix := obj.GetGenerateName(); obj.GetName() == "" && prefix != "" {
		return prefix + "*"
	}
	return obj.GetName()
}

// objectName returns the kind and name of obj, such as "Pod shop/web".
func objectName(obj metav1.Object) string {
	if ns := namespaceOf(obj); ns != "" {
		return kindOf(obj) + " " + ns + "/" + nameOf(obj)
	}
	return kindOf(obj) + " " + nameOf(obj)
}

// metadata checks the names and the labels of an object. The rest of the
// metadata has no bearing on anything.
func (r *report) metadata(obj metav1.Object) {
	isLabel := false
	switch obj.(type) {
	case *corev1.Namespace, *corev1.Service:
		isLabel = true
	}
	at := pathTo("metadata")
	name, prefix := obj.GetName(), obj.GetGenerateName()
	switch {
	case name != "" && isLabel:
		r.dnsLabel(at.field("name"), name)
	case name != "":
		r.dnsName(at.field("name"), name)
	case prefix == "":
		r.fail(at.field("name"), field.ErrorTypeRequired, "name or generateName is required")
	}
	if prefix != "" {
		full := prefix
		if n := len(prefix); n > 1 && prefix[n-1] == '-' {
			full = prefix[:n-1] + "a" // what is generated does not end in the dash
		}
		faults := validation.IsDNS1123Subdomain
		if isLabel {
			faults = validation.IsDNS1123Label
		}
		r.invalid(at.field("generateName"), prefix, faults(full)...)
	}
	if ns := namespaceOf(obj); ns != "" {
		r.dnsLabel(at.field("namespace"), ns)
	}
	r.labels(at.field("labels"), obj.GetLabels())
}

// labels checks a map of labels, in key order.
func (r *report) labels(at *fieldPath, labels map[string]string) {
	valid := true
	for k, v := range labels {
		valid = valid && selector.ValidKey(k) && selector.ValidValue(v)
	}
	if valid {
		return
	}
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		r.invalid(at, k, validation.IsQualifiedName(k)...)
		r.invalid(at, labels[k], validation.IsValidLabelValue(labels[k])...)
	}
}

// selector returns the normal form of ls and reports what is wrong with it.
func (r *report) selector(at *fieldPath, ls *metav1.LabelSelector) selector.Selector {
	s, err := selector.New(*ls)
	for _, e := range fieldErrors(err) {
		child := at.field(e.Field)
		switch e.Type {
		case field.ErrorTypeRequired, field.ErrorTypeForbidden:
			r.fail(child, e.Type, "%s", e.Detail)
		default:
			r.fail(child, e.Type, "%s: %s", quoted(e.BadValue), e.Detail)
		}
	}
	if err == nil && s.IsNothing() {
		r.warn(at, "impossible-selector", "no labels can satisfy this selector: it picks nothing")
	}
	return s
}

// fieldErrors returns the errors of the package selector that err joins.
func fieldErrors(err error) []*field.Error {
	if err == nil {
		return nil
	}
	var e *field.Error
	switch j, ok := err.(interface{ Unwrap() []error }); {
	case ok:
		var all []*field.Error
		for _, err := range j.Unwrap() {
			all = append(all, fieldErrors(err)...)
		}
		return all
	case errors.As(err, &e):
		return []*field.Error{e}
	}
	panic(fmt.Sprintf("policy: %T from a selector: %v", err, err))
}

// prefix returns the block that s describes, and reports what is odd about it.
// It reports false if s describes none.
func (r *report) prefix(at *fieldPath, s string, strictCIDR bool) (_ netip.Prefix, ok bool) {
	if p, ok := plainPrefix(s); ok {
		return p, true
	}
	if bad := validation.IsValidCIDRForLegacyField(nil, s, false, nil); len(bad) > 0 {
		r.invalid(at, s, bad[0].Detail)
		return netip.Prefix{}, false
	}
	p, err := cidr.ParsePrefix(s)
	if err != nil {
		r.invalid(at, s, "must be a valid CIDR value: "+err.Error())
		return netip.Prefix{}, false
	}
	odd := validation.IsValidCIDRForLegacyField(nil, s, true, nil)
	switch {
	case len(odd) > 0 && strictCIDR:
		r.invalid(at, s, odd[0].Detail)
	case len(odd) > 0:
		r.warn(at, "odd-cidr", "%q is taken as %v; API servers since Kubernetes 1.36 refuse it: %s", s, p, odd[0].Detail)
	case p.String() != s:
		r.warn(at, "odd-cidr", "%q is an unusual spelling of %v", s, p)
	}
	return p, true
}

// addr returns the address that s describes, and reports an error if it
// describes none. Of what Kubernetes has stored over the years, it accepts
// leading zeros and IPv4-mapped IPv6, which is IPv4.
func (r *report) addr(at *fieldPath, s string) (_ netip.Addr, ok bool) {
	a, ok := parseAddr(s)
	if !ok {
		r.invalid(at, s, "must be a valid IP address, such as 10.0.0.1 or fd00::1")
	}
	return a, ok
}

func parseAddr(s string) (_ netip.Addr, ok bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		return a.Unmap(), true
	}
	length := "/32"
	if strings.Contains(s, ":") {
		length = "/128"
	}
	p, err := cidr.ParsePrefix(s + length)
	return p.Addr(), err == nil
}

// portNumber checks a number that is said to be a port.
func (r *report) portNumber(at *fieldPath, n int32) {
	if n < 1 || n > 65535 {
		r.invalidNumber(at, n, validation.IsValidPortNum(int(n))...)
	}
}

// protocolOf returns the protocol that a NetworkPolicy, a container or a
// Service names, and 0 if it is none that these can name.
func protocolOf(p corev1.Protocol) Protocol {
	switch p {
	case corev1.ProtocolTCP:
		return TCP
	case corev1.ProtocolUDP:
		return UDP
	case corev1.ProtocolSCTP:
		return SCTP
	}
	return 0
}

// protocol is protocolOf, and reports 0 as an error.
func (r *report) protocol(at *fieldPath, p corev1.Protocol) Protocol {
	protocol := protocolOf(p)
	if protocol == 0 {
		r.notSupported(at, string(p), "TCP", "UDP", "SCTP")
	}
	return protocol
}

// notSupported reports a value that is not among those that there are.
func (r *report) notSupported(at *fieldPath, value string, choices ...string) {
	r.fail(at, field.ErrorTypeNotSupported, "%q is not supported: must be one of %q", value, choices)
}
