package reachtest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// NeverReaches asserts that no endpoint of from reaches any of to on any of the
// ports, whatever pods come to the cluster. One of from and to is a set as anywhere
// else, without Services, and the other is any pod, written as
//
//	any pod                                   every pod that there could be
//	any pod role!=frontend,tier               those that a label selector picks
//	any pod in shop                           those in a namespace that there is
//	any pod role!=frontend in namespaces team=a
//	any pod at 10.244.0.0/16,fd00:10:244::/56 those that get one of these addresses
//	any pod app=web in shop at 10.244.0.0/16  all of these
//
// Such a pod need not exist. It has any labels that the selector picks, and any
// other labels. It is in a namespace of the cluster, whose policies then may select
// it, or in a new one, which has another name, any other labels and no policies. It
// has any address, so that policies with an ipBlock may let it pass that are not
// meant for pods: say which addresses pods get, if you know. Its containers may call
// any port by any name. It is not on the host network, and not on a node of the
// other set, which could always reach it.
//
// A pod that exists is such a pod too, unless it is on the host network: what never
// reaches something does not reach it now.
//
// The answer is exact. It is found from the selectors of the policies, by looking
// for values of the labels that they mention; if that takes too long, the test
// fails and says so. A failure shows a pod that gets through in each of a few
// namespaces, with the verdict about it of the cluster to which it has been added.
//
// Of ports see [Cluster.Reaches]; of any pod as to they have no names.
func (c *Cluster) NeverReaches(t TB, from, to, ports string, why ...any) bool {
	t.Helper()
	return c.assert(t, call{"never", from, to, ports}, func(c *Cluster) bool {
		t.Helper()
		return c.judgeFuture(t, from, to, ports, why)
	})
}

func (c *Cluster) judgeFuture(t TB, from, to, ports string, why []any) bool {
	t.Helper()
	f, err := c.newFuture(from, to, ports)
	if err != nil {
		return c.fail(t, why, "%v", err)
	}
	claim := fmt.Sprintf("%s should never reach %s on %s", from, to, ports)
	found, err := f.search()
	if err != nil && len(found) == 0 {
		return c.fail(t, why, "%s, but this cannot be said: %v", claim, err)
	}
	if len(found) == 0 {
		c.note(t, func(*record) []effect { return []effect{f.effect()} })
		return true
	}
	if c.isMutant() {
		return c.fail(t, why, "%s", claim)
	}
	var texts []string
	for i, w := range found {
		if i == mostWitnesses {
			texts = append(texts, fmt.Sprintf("and likewise in %d more namespaces, such as %s", len(found)-i, w.namespace))
			break
		}
		text, err := f.explain(w)
		if err != nil {
			return c.fail(t, why, "%s; this test does not know, as reachtest has a bug: %v", claim, err)
		}
		texts = append(texts, text)
	}
	return c.fail(t, why, "%s, but a new pod could:\n%s", claim, strings.Join(texts, "\n"))
}

const mostWitnesses = 3

// A future is a question about any pod.
type future struct {
	*Cluster
	model      *policy.Model
	namespaces map[string]map[string]string // the labels of each
	byName     map[string][]*policy.Policy  // the policies in each namespace
	taken      map[string]bool              // names of namespaces

	pods, inNamespaces selector.Selector // what is said of the pod
	at                 cidr.Set
	direction          policy.Direction // of its policies: egress if connections come from it

	others []other // the other end
	solver labelSolver
}

// everywhere is all addresses.
var everywhere = cidr.Of(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0))

const anyPod = "any pod"

// cutAnyPod returns what a text says of any pod.
func cutAnyPod(text string) (which string, ok bool) {
	text = strings.Join(strings.Fields(text), " ")
	which, ok = strings.CutPrefix(text, anyPod)
	return strings.TrimPrefix(which, " "), ok && (which == "" || which[0] == ' ')
}

// newFuture returns the question whether connections from one end to the other can
// get through, or what is wrong with it.
func (c *Cluster) newFuture(from, to, ports string) (*future, error) {
	f := &future{Cluster: c, direction: policy.Egress}
	which, isFrom := cutAnyPod(from)
	toWhich, isTo := cutAnyPod(to)
	text, set := from, to
	switch {
	case isFrom && isTo:
		return nil, fmt.Errorf("%q and %q: one of the ends must be endpoints that exist", from, to)
	case !isFrom && !isTo:
		return nil, fmt.Errorf("neither %q nor %q is any pod, such as %q; to ask of endpoints that exist, use DoesNotReach", from, to, anyPod+" role!=frontend")
	case isTo:
		f.direction, which, text, set = policy.Ingress, toWhich, to, from
	}
	var err error
	if f.model, err = c.model(); err != nil {
		return nil, err
	}
	f.namespaces, f.taken = make(map[string]map[string]string), make(map[string]bool)
	for _, ns := range f.model.Namespaces {
		f.namespaces[ns.Name], f.taken[ns.Name] = ns.Labels, true
	}
	f.byName = make(map[string][]*policy.Policy)
	for _, p := range f.model.Policies {
		f.byName[p.Name.Namespace] = append(f.byName[p.Name.Namespace], p)
	}
	if err := f.parse(which); err != nil {
		return nil, fmt.Errorf("%q: %w", text, err)
	}
	if err := f.readOthers(set, ports); err != nil {
		return nil, err
	}
	for name, labels := range f.namespaces {
		if f.inNamespaces.Matches(labels) {
			f.looks().couldCome(f.direction, name)
		}
	}
	return f, f.drop(text, set)
}

// parse reads what is said of any pod. It is an error if there can be none.
func (f *future) parse(which string) error {
	f.at = everywhere
	if i := strings.LastIndex(" "+which, " at "); i >= 0 {
		var prefixes []netip.Prefix
		for part := range strings.SplitSeq(which[i+len("at "):], ",") {
			part = strings.TrimSpace(part)
			if a, err := netip.ParseAddr(part); err == nil && a.Zone() == "" {
				prefixes = append(prefixes, netip.PrefixFrom(a.Unmap(), a.Unmap().BitLen()))
				continue
			}
			p, err := cidr.ParsePrefix(part)
			if err != nil {
				return err
			}
			prefixes = append(prefixes, p)
		}
		which, f.at = which[:max(0, i-1)], cidr.Of(prefixes...)
	}
	var err error
	if f.inNamespaces, f.pods, err = f.selectors(which); err != nil {
		return err
	}
	if f.pods.IsNothing() {
		return errors.New("no labels can satisfy this selector")
	}
	for _, labels := range f.namespaces {
		if f.inNamespaces.Matches(labels) {
			return nil
		}
	}
	_, ok, err := f.solver.find([]selector.Selector{f.inNamespaces}, nil, f.taken)
	if err == nil && !ok {
		err = errors.New("the cluster has no such namespace, and a new one cannot be such either")
	}
	return err
}

// drop leaves out the other ends that no such pod can have a connection with, as
// their addresses are of another family. It is an error if none remains.
func (f *future) drop(text, set string) error {
	f.others = slices.DeleteFunc(f.others, func(o other) bool {
		for _, family := range families {
			if _, ok := f.meet(&o, way{}, way{}, family); ok {
				return false
			}
		}
		return true
	})
	if len(f.others) == 0 {
		return fmt.Errorf("%q has no address from which or at which there could be a connection with %q", text, set)
	}
	return nil
}

// A way is a reason for which the policies of an end let a connection pass.
type way struct {
	ports policy.PortSet
	names []policy.PortItem // of ports, which the destination must declare

	// What it asks of any pod.
	picked []selector.Selector // which pick its labels
	not    []selector.Selector // which do not
	in     policy.Pods         // which picks its namespace

	// block holds the address of the peer. It is nil if that may be any.
	block *cidr.Set
}

// A witness is a pod that gets through.
type witness struct {
	namespace       string
	namespaceLabels map[string]string // if it is new
	labels          map[string]string
	meeting         meeting
	ports           policy.PortSet
	names           []policy.PortItem
	block           *cidr.Set // if its address matters
	other           *other
}

// search returns one witness for each namespace that has any, and for a new one.
func (f *future) search() ([]witness, error) {
	ways := make([][]way, len(f.others))
	for i := range f.others {
		ways[i] = f.waysOfOther(&f.others[i])
	}
	var found []witness
	in := func(namespace string) error {
		for i := range f.others {
			w, err := f.between(namespace, &f.others[i], ways[i])
			if err != nil {
				return err
			}
			if w != nil {
				found = append(found, *w)
				return nil
			}
		}
		return nil
	}
	for _, ns := range f.model.Namespaces {
		if f.inNamespaces.Matches(ns.Labels) {
			if err := in(ns.Name); err != nil {
				return found, err
			}
		}
	}
	return found, in("")
}

// between returns a witness in a namespace, or if that has no name in a new one. It
// returns nil if there is none.
func (f *future) between(namespace string, o *other, theirs []way) (*witness, error) {
	ours := f.waysOfPod(namespace, o)
	for _, a := range theirs {
		if !f.inScope(a.in, namespace) {
			continue
		}
		for _, b := range ours {
			ports := a.ports.Intersect(b.ports)
			if ports.IsEmpty() {
				continue
			}
			m, ok := meeting{}, false
			for _, family := range families {
				if m, ok = f.meet(o, a, b, family); ok {
					break
				}
			}
			if !ok {
				continue
			}
			picked := slices.Concat([]selector.Selector{f.pods}, a.picked, b.picked)
			labels, ok, err := f.solver.find(picked, b.not, nil)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			w := &witness{namespace: namespace, labels: labels, meeting: m, ports: ports, block: a.block, other: o}
			w.names = slices.Concat(a.names, b.names)
			if namespace == "" {
				w.namespaceLabels, ok, err = f.solver.find([]selector.Selector{f.inNamespaces, a.in.Namespaces}, nil, f.taken)
				if err != nil {
					return nil, err
				}
				if !ok {
					continue
				}
				w.namespace = w.namespaceLabels[corev1.LabelMetadataName]
			}
			return w, nil
		}
	}
	return nil, nil
}

// inScope reports whether a peer is about pods of a namespace. Which new ones it is
// about depends on their labels.
func (f *future) inScope(p policy.Pods, namespace string) bool {
	switch {
	case p.Namespace != "":
		return p.Namespace == namespace
	case namespace == "":
		return true
	}
	return p.Namespaces.Matches(f.namespaces[namespace])
}

// explain adds the pod of w to the cluster and returns what that says. It is an
// error if it denies the connection.
func (f *future) explain(w witness) (string, error) {
	port := firstPort(w.ports)
	pod := f.newPod(w, port)
	edits := []policy.Edit{policy.Put(pod)}
	if w.namespaceLabels != nil {
		edits = append(edits, policy.Put(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace, Labels: w.namespaceLabels}}))
	}
	g, err := f.graph.With(edits...)
	if err != nil {
		return "", err
	}
	self, err := g.Lookup("pod:" + pod.Namespace + "/" + pod.Name)
	if err != nil {
		return "", err
	}
	peer, err := w.other.find(g, w.meeting)
	if err != nil {
		return "", err
	}
	flow := reach.Flow{From: self, To: peer, Port: port}
	if f.direction == policy.Ingress {
		flow.From, flow.To = peer, self
	}
	text := fmt.Sprintf("%s/%s, a pod with %s", pod.Namespace, pod.Name, labelText(w.labels))
	if w.namespaceLabels != nil {
		text += fmt.Sprintf(" in a new namespace with %s", labelText(w.namespaceLabels))
	}
	text += " at " + pod.Status.PodIP
	if w.block != nil {
		text += fmt.Sprintf(", which is in %v", *w.block)
	}
	for _, p := range pod.Spec.Containers[0].Ports {
		text += fmt.Sprintf(", that calls %v %s", port, p.Name)
	}
	v := g.Explain(flow)
	text += "\n" + v.String()
	if !v.Allowed || !f.pods.Matches(w.labels) {
		return "", fmt.Errorf("what it takes to be allowed is denied\n%s", text)
	}
	if open := w.ports.Intersect(g.Ports(flow.From, flow.To)); !open.Minus(policy.NewPortSet(rangeOf(port))).IsEmpty() {
		text += fmt.Sprintf("\nso on %v", open)
	}
	return text, nil
}

// firstPort returns the first port of a set that is not empty.
func firstPort(ports policy.PortSet) policy.Port {
	for r := range ports.Ranges() {
		if r != (policy.PortRange{}) {
			return r.Protocol.Port(r.First)
		}
	}
	return policy.Port{Protocol: policy.ICMP}
}

// newPod returns the pod of w.
func (f *future) newPod(w witness, port policy.Port) *corev1.Pod {
	taken := make(map[string]bool)
	for _, p := range f.model.Pods {
		taken[p.Name.String()] = true
	}
	for _, p := range f.objects.Pods { // one that has a name still to be generated has none
		if p != nil {
			taken[p.Namespace+"/"+p.Name] = true
		}
	}
	name := fresh("new", func(name string) bool { return taken[w.namespace+"/"+name] })
	pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name, Labels: w.labels}}
	ctr := corev1.Container{Name: "main"}
	for _, it := range w.names {
		declares := func(p corev1.ContainerPort) bool { return p.Name == it.Name }
		if f.direction == policy.Ingress && it.Protocol == port.Protocol && !slices.ContainsFunc(ctr.Ports, declares) {
			ctr.Ports = append(ctr.Ports, corev1.ContainerPort{
				Name: it.Name, ContainerPort: int32(port.Number), Protocol: corev1.Protocol(port.Protocol.String()),
			})
		}
	}
	pod.Spec.Containers = []corev1.Container{ctr}
	pod.Status.PodIP = f.plain(&w).String()
	return pod
}
