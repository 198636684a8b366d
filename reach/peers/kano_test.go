package peers

import (
	"math/bits"
	"net/netip"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// A vector has a bit for each pod.
type vector []uint64

func (v vector) set(i int)      { v[i/64] |= 1 << (i % 64) }
func (v vector) has(i int) bool { return v[i/64]>>(i%64)&1 != 0 }

func (v vector) or(w vector) {
	for i := range v {
		v[i] |= w[i]
	}
}

func (v vector) and(w vector) {
	for i := range v {
		v[i] &= w[i]
	}
}

func (v vector) minus(w vector) {
	for i := range v {
		v[i] &^= w[i]
	}
}

// each calls f for each pod in v.
func (v vector) each(f func(i int)) {
	for i, word := range v {
		for ; word != 0; word &= word - 1 {
			f(i*64 + bits.TrailingZeros64(word))
		}
	}
}

// A kano engine has a vector for each label and for each namespace, and makes a
// matrix for each port from them.
type kano struct {
	cluster *cluster
	byLabel map[string]map[string]vector
	byKey   map[string]vector
	bySpace map[string]vector
	byName  map[string]map[int32]vector // pods that declare a port of this name and number
	blocks  map[string]vector
	addrs   []netip.Addr
}

// A matrix has a row for each client, with the pods that it reaches.
type matrix []vector

func newKano(c *cluster) *kano {
	e := &kano{
		cluster: c,
		byLabel: make(map[string]map[string]vector),
		byKey:   make(map[string]vector),
		bySpace: make(map[string]vector),
		byName:  make(map[string]map[int32]vector),
		blocks:  make(map[string]vector),
	}
	for i, p := range c.pods {
		e.addrs = append(e.addrs, netip.MustParseAddr(p.Status.PodIP))
		e.add(e.bySpace, p.Namespace, i)
		for k, v := range p.Labels {
			e.add(e.byKey, k, i)
			if e.byLabel[k] == nil {
				e.byLabel[k] = make(map[string]vector)
			}
			e.add(e.byLabel[k], v, i)
		}
		for _, container := range p.Spec.Containers {
			for _, port := range container.Ports {
				if port.Protocol != corev1.ProtocolTCP {
					continue
				}
				if e.byName[port.Name] == nil {
					e.byName[port.Name] = make(map[int32]vector)
				}
				v, ok := e.byName[port.Name][port.ContainerPort]
				if !ok {
					v = e.none()
					e.byName[port.Name][port.ContainerPort] = v
				}
				v.set(i)
			}
		}
	}
	return e
}

func (e *kano) add(to map[string]vector, key string, i int) {
	v, ok := to[key]
	if !ok {
		v = e.none()
		to[key] = v
	}
	v.set(i)
}

func (e *kano) none() vector { return make(vector, (len(e.cluster.pods)+63)/64) }

func (e *kano) all() vector {
	v := e.none()
	for i := range e.cluster.pods {
		v.set(i)
	}
	return v
}

// selected takes the pods that ls does not pick from v.
func (e *kano) selected(v vector, ls *metav1.LabelSelector) {
	keep := func(w vector) {
		if w == nil {
			w = e.none()
		}
		v.and(w)
	}
	for k, value := range ls.MatchLabels {
		keep(e.byLabel[k][value])
	}
	for _, r := range ls.MatchExpressions {
		values := e.none()
		for _, value := range r.Values {
			if w := e.byLabel[r.Key][value]; w != nil {
				values.or(w)
			}
		}
		switch r.Operator {
		case metav1.LabelSelectorOpIn:
			keep(values)
		case metav1.LabelSelectorOpNotIn:
			v.minus(values)
		case metav1.LabelSelectorOpExists:
			keep(e.byKey[r.Key])
		case metav1.LabelSelectorOpDoesNotExist:
			if w := e.byKey[r.Key]; w != nil {
				v.minus(w)
			}
		}
	}
}

// peers returns the pods that a list of peers picks.
func (e *kano) peers(list []networkingv1.NetworkPolicyPeer, namespace string) vector {
	if len(list) == 0 {
		return e.all()
	}
	union := e.none()
	for _, p := range list {
		switch {
		case p.IPBlock != nil:
			union.or(e.block(p.IPBlock))
			continue
		case p.NamespaceSelector == nil && e.bySpace[namespace] == nil:
			continue
		}
		v := e.none()
		if p.NamespaceSelector == nil {
			v.or(e.bySpace[namespace])
		} else {
			s := selectorOf(p.NamespaceSelector)
			for name, w := range e.bySpace {
				if s.Matches(labels.Set(e.cluster.namespaces[name])) {
					v.or(w)
				}
			}
		}
		if p.PodSelector != nil {
			e.selected(v, p.PodSelector)
		}
		union.or(v)
	}
	return union
}

// block returns the pods with an address in a block.
func (e *kano) block(b *networkingv1.IPBlock) vector {
	key := b.CIDR
	for _, x := range b.Except {
		key += " " + x
	}
	if v, ok := e.blocks[key]; ok {
		return v
	}
	v := e.none()
	p := peersOf([]networkingv1.NetworkPolicyPeer{{IPBlock: b}})[0]
	for i, a := range e.addrs {
		if p.is(&end{addr: a}, "") {
			v.set(i)
		}
	}
	e.blocks[key] = v
	return v
}

// receivers returns the pods at which a list of ports means port.
func (e *kano) receivers(list []networkingv1.NetworkPolicyPort, port int32) vector {
	if len(list) == 0 {
		return e.all()
	}
	union := e.none()
	for _, p := range list {
		switch {
		case p.Protocol != nil && *p.Protocol != corev1.ProtocolTCP:
		case p.Port != nil && p.Port.Type == intstr.String:
			if v := e.byName[p.Port.StrVal][port]; v != nil {
				union.or(v)
			}
		case isPort(p, port, ""):
			return e.all()
		}
	}
	return union
}

// matrix works out who reaches whom on a port.
func (e *kano) matrix(port int32) matrix {
	n := len(e.cluster.pods)
	out, in := make(matrix, n), make(matrix, n)
	for i := range n {
		out[i], in[i] = e.none(), e.none()
	}
	isolatedOut, isolatedIn := e.none(), e.none()
	for _, np := range e.cluster.Policies {
		if e.bySpace[np.Namespace] == nil {
			continue
		}
		pods := append(vector(nil), e.bySpace[np.Namespace]...)
		e.selected(pods, &np.Spec.PodSelector)
		for _, d := range np.Spec.PolicyTypes {
			if d == networkingv1.PolicyTypeEgress {
				isolatedOut.or(pods)
			} else {
				isolatedIn.or(pods)
			}
		}
		for _, r := range np.Spec.Egress {
			to := e.peers(r.To, np.Namespace)
			to.and(e.receivers(r.Ports, port))
			pods.each(func(i int) { out[i].or(to) })
		}
		for _, r := range np.Spec.Ingress {
			to := append(vector(nil), pods...)
			to.and(e.receivers(r.Ports, port))
			e.peers(r.From, np.Namespace).each(func(i int) { in[i].or(to) })
		}
	}
	everyone := e.all()
	open := e.all()
	open.minus(isolatedIn)
	for i := range n {
		if !isolatedOut.has(i) {
			out[i].or(everyone)
		}
		in[i].or(open)
		out[i].and(in[i])
	}
	return out
}

// ask works out the matrix of each port that is asked for. What is left of a
// question are the loads of a row and of a word in it.
func (e *kano) ask(questions []question) func(i int) bool {
	matrices := make(map[int32]matrix)
	list := make([]matrix, len(questions))
	for i, q := range questions {
		if matrices[q.port] == nil {
			matrices[q.port] = e.matrix(q.port)
		}
		list[i] = matrices[q.port]
	}
	return func(i int) bool { return list[i][questions[i].from].has(questions[i].to) }
}

// count returns how many pairs of different pods are allowed on a port.
func (e *kano) count(port int32) int {
	n := 0
	for i, row := range e.matrix(port) {
		for _, word := range row {
			n += bits.OnesCount64(word)
		}
		if row.has(i) {
			n--
		}
	}
	return n
}
