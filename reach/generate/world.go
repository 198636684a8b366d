package generate

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/selector"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A world is what is known of a cluster in order to write policies for it.
//
// Its pods and nodes are numbered, the pods as in [reach.Graph.Pods] and after
// them the nodes as in [reach.Graph.Nodes]. The numbers are the same for every
// Graph that differs in policies only.
type world struct {
	g     *reach.Graph
	model *policy.Model
	pods  []pod
	ends  []reach.Endpoint // of pods
	nodes []reach.Endpoint

	namespaces map[string]*namespace
	numbers    map[types.NamespacedName]int // of pods and nodes, but not of workloads
}

type pod struct {
	*policy.Pod
	subject  bool    // policies can select it
	isolated [2]bool // by direction: some policy isolates it
}

type namespace struct {
	name      string
	lo, hi    int                            // its pods
	workloads []selector.Selector            // of workloads, sorted
	picked    map[string][]selector.Selector // what pick has returned
}

func newWorld(g *reach.Graph) (*world, error) {
	model, err := g.Cluster().Model()
	if err != nil {
		return nil, err
	}
	w := &world{g: g, model: model, ends: g.Pods(), nodes: g.Nodes(), namespaces: make(map[string]*namespace)}
	for i := range model.Pods {
		if p := &model.Pods[i]; !p.Terminated {
			w.pods = append(w.pods, pod{Pod: p, subject: true})
		}
	}
	if err := w.findSubjects(); err != nil {
		return nil, err
	}
	w.numbers = make(map[types.NamespacedName]int)
	for i := range w.pods {
		if w.pods[i].Kind == "Pod" {
			w.numbers[w.pods[i].Name] = i
		}
	}
	for i, e := range w.nodes {
		w.numbers[e.Name()] = len(w.pods) + i
	}
	for _, ns := range model.Namespaces {
		byName := func(p pod, name string) int { return cmp.Compare(p.Name.Namespace, name) }
		lo, _ := slices.BinarySearchFunc(w.pods, ns.Name, byName)
		hi := lo
		for hi < len(w.pods) && w.pods[hi].Name.Namespace == ns.Name {
			hi++
		}
		w.namespaces[ns.Name] = &namespace{name: ns.Name, lo: lo, hi: hi, picked: make(map[string][]selector.Selector)}
	}
	for _, p := range model.Policies {
		ns := w.namespaces[p.Name.Namespace]
		for i := ns.lo; i < ns.hi; i++ {
			if pod := &w.pods[i]; pod.subject && p.Pods.Matches(pod.Labels) {
				for _, d := range directions {
					pod.isolated[d] = pod.isolated[d] || p.Half(d).Isolates
				}
			}
		}
	}
	w.findWorkloads()
	return w, nil
}

var directions = [...]policy.Direction{policy.Ingress, policy.Egress}

// findSubjects finds out which pods policies can select: whether those on the
// network of their node count as pods depends on the profile of the Graph.
func (w *world) findSubjects() error {
	nowhere := w.g.MustLookup("outside:*")
	for i, e := range w.ends {
		if i > 0 && !w.pods[i].HostNetwork {
			continue
		}
		f := reach.Flow{From: e, To: nowhere, Port: policy.TCP.Port(1)}
		switch w.g.Explain(f).Reason {
		case reach.NotEnforced:
			return errors.New("no plugin enforces policies under the Profile of the Graph")
		case reach.NotSubject:
			w.pods[i].subject = false
		}
	}
	return nil
}

// findWorkloads collects the selectors by which workloads know their pods.
func (w *world) findWorkloads() {
	c := w.g.Cluster()
	add := func(o metav1.Object, ls *metav1.LabelSelector) {
		ns := w.namespaces[cmp.Or(o.GetNamespace(), metav1.NamespaceDefault)]
		if ns == nil || ls == nil {
			return
		}
		if s, err := selector.New(*ls); err == nil && !s.IsEverything() {
			ns.workloads = append(ns.workloads, s)
		}
	}
	for _, o := range c.Deployments {
		if o != nil {
			add(o, o.Spec.Selector)
		}
	}
	for _, o := range c.StatefulSets {
		if o != nil {
			add(o, o.Spec.Selector)
		}
	}
	for _, o := range c.DaemonSets {
		if o != nil {
			add(o, o.Spec.Selector)
		}
	}
	for _, o := range c.ReplicaSets {
		if o != nil && metav1.GetControllerOfNoCopy(o) == nil {
			add(o, o.Spec.Selector)
		}
	}
	for _, o := range c.ReplicationControllers {
		if o != nil {
			add(o, &metav1.LabelSelector{MatchLabels: o.Spec.Selector})
		}
	}
	for _, ns := range w.namespaces {
		slices.SortFunc(ns.workloads, func(a, b selector.Selector) int { return cmp.Compare(a.String(), b.String()) })
	}
}

// namespace returns a namespace, or an error that lists what there is.
func (w *world) namespace(name string) (*namespace, error) {
	if ns := w.namespaces[name]; ns != nil {
		return ns, nil
	}
	var all []string
	for _, ns := range w.model.Namespaces {
		all = append(all, ns.Name)
	}
	const most = 10
	if n := len(all) - most; n > 0 {
		all = append(all[:most], fmt.Sprintf("and %d more", n))
	}
	return nil, fmt.Errorf("the cluster has no namespace %q, only %q", name, all)
}

// subjects returns the pods of a namespace that policies can select.
func (w *world) subjects(ns *namespace) []int {
	var list []int
	for i := ns.lo; i < ns.hi; i++ {
		if w.pods[i].subject {
			list = append(list, i)
		}
	}
	return list
}
