package audit

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// A subject is a cluster that is audited, in the forms that checks need.
type subject struct {
	g       *reach.Graph
	profile reach.Profile
	cluster *policy.Cluster
	model   *policy.Model

	policies []*subjectPolicy // by namespace and name
	pods     []*subjectPod    // as in reach.Graph.Pods
	policed  []*subjectPod    // those that policies can select

	policiesIn map[string][]*subjectPolicy // by namespace
	podsIn     map[string][]*subjectPod    // by namespace, those that policies can select

	namespaceLabels map[string]map[string]string

	objects map[objectKey]metav1.Object // of namespaces, pods and workloads that have a name
}

// A subjectPolicy is a NetworkPolicy and its normal form.
type subjectPolicy struct {
	*policy.Policy // without places
	object         *networkingv1.NetworkPolicy
	key            string        // its name; if that is still to be generated, one that no policy has
	pods           []*subjectPod // that it selects
}

// A subjectPod is a pod, or a workload that stands for its pods.
type subjectPod struct {
	*policy.Pod
	end reach.Endpoint

	index    int           // among the pods of the subject
	declared []policy.Port // the ports of its containers, sorted, with names or without

	policed  bool             // policies can select it: it does not count as the node that it runs on
	policies []*subjectPolicy // that select it

	// selectedBy is the same for pods that the same policies select.
	selectedBy string

	// portsText is the same for pods that declare the same ports under the same
	// names.
	portsText string
}

// workload returns the workload that made the pod, or the pod itself.
func (p *subjectPod) workload() objectKey {
	if p.Owner != (policy.Owner{}) {
		return objectKey{p.Owner.Kind, types.NamespacedName{Namespace: p.Name.Namespace, Name: p.Owner.Name}}
	}
	return objectKey{p.Kind, p.Name}
}

type objectKey struct {
	kind string
	name types.NamespacedName
}

func newSubject(g *reach.Graph) (*subject, error) {
	s := &subject{
		g: g, profile: g.Profile(), cluster: g.Cluster(),
		policiesIn: make(map[string][]*subjectPolicy), podsIn: make(map[string][]*subjectPod),
		namespaceLabels: make(map[string]map[string]string),
		objects:         make(map[objectKey]metav1.Object),
	}
	var err error
	if s.model, err = s.cluster.Model(); err != nil {
		return nil, err
	}
	for _, ns := range s.model.Namespaces {
		s.namespaceLabels[ns.Name] = ns.Labels
	}
	s.addAllObjects()
	if err := s.addPolicies(); err != nil {
		return nil, err
	}
	s.addPods()
	s.selectPods()
	return s, nil
}

func (s *subject) addPolicies() error {
	for _, np := range s.cluster.Policies {
		if np == nil {
			continue
		}
		p, err := policy.New(np)
		if err != nil {
			return err
		}
		s.policies = append(s.policies, &subjectPolicy{Policy: p, object: np, key: np.Name})
	}
	slices.SortStableFunc(s.policies, func(a, b *subjectPolicy) int {
		if a.Name != b.Name {
			return compareNames(a.Name, b.Name)
		}
		return cmp.Or(comparePlaces(s.cluster.Place(a.object, ""), s.cluster.Place(b.object, "")), compareSpecs(a, b))
	})
	for _, p := range s.policies {
		s.policiesIn[p.Name.Namespace] = append(s.policiesIn[p.Name.Namespace], p)
	}
	s.nameAll()
	return nil
}

func (s *subject) addPods() {
	ends := s.g.Pods() // in the order of the model
	for i := range s.model.Pods {
		p := &s.model.Pods[i]
		if p.Terminated {
			continue
		}
		pod := &subjectPod{Pod: p, end: ends[len(s.pods)], index: len(s.pods)}
		pod.declared = declaredPorts(s.objects[objectKey{p.Kind, p.Name}], p)
		pod.portsText = fmt.Sprint(p.Ports, pod.declared)
		s.pods = append(s.pods, pod)
		if pod.policed = !p.HostNetwork || s.profile.HostNetworkAsPods; pod.policed {
			s.policed = append(s.policed, pod)
			s.podsIn[p.Name.Namespace] = append(s.podsIn[p.Name.Namespace], pod)
		}
	}
}

// selectPods finds which policies select which pods.
func (s *subject) selectPods() {
	for i, p := range s.policies {
		for _, pod := range s.podsIn[p.Name.Namespace] {
			if p.Pods.Matches(pod.Labels) {
				p.pods = append(p.pods, pod)
				pod.policies = append(pod.policies, p)
				pod.selectedBy += strconv.Itoa(i) + " "
			}
		}
	}
}

func (s *subject) addAllObjects() {
	addObjects(s, s.cluster.Namespaces)
	addObjects(s, s.cluster.Pods)
	addObjects(s, s.cluster.Deployments)
	addObjects(s, s.cluster.ReplicaSets)
	addObjects(s, s.cluster.StatefulSets)
	addObjects(s, s.cluster.DaemonSets)
	addObjects(s, s.cluster.Jobs)
	addObjects(s, s.cluster.CronJobs)
	addObjects(s, s.cluster.ReplicationControllers)
}

// declaredPorts returns the ports that the containers of a pod or workload declare.
// Without an object, only those that have names are known.
func declaredPorts(obj metav1.Object, pod *policy.Pod) []policy.Port {
	var list []policy.Port
	for _, cp := range pod.Ports {
		if cp.By != policy.InitContainer {
			list = append(list, cp.Port)
		}
	}
	var spec corev1.PodSpec
	switch o := obj.(type) {
	case *corev1.Pod:
		spec = o.Spec
	case *appsv1.Deployment:
		spec = o.Spec.Template.Spec
	case *appsv1.ReplicaSet:
		spec = o.Spec.Template.Spec
	case *appsv1.StatefulSet:
		spec = o.Spec.Template.Spec
	case *appsv1.DaemonSet:
		spec = o.Spec.Template.Spec
	case *batchv1.Job:
		spec = o.Spec.Template.Spec
	case *batchv1.CronJob:
		spec = o.Spec.JobTemplate.Spec.Template.Spec
	case *corev1.ReplicationController:
		if o.Spec.Template != nil {
			spec = o.Spec.Template.Spec
		}
	}
	add := func(c *corev1.Container) {
		for _, cp := range c.Ports {
			p := policy.TCP
			switch cp.Protocol {
			case corev1.ProtocolUDP:
				p = policy.UDP
			case corev1.ProtocolSCTP:
				p = policy.SCTP
			}
			list = append(list, p.Port(uint16(cp.ContainerPort)))
		}
	}
	for i := range spec.Containers {
		add(&spec.Containers[i])
	}
	for i := range spec.InitContainers {
		c := &spec.InitContainers[i]
		if c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways {
			add(c) // a sidecar
		}
	}
	slices.SortFunc(list, comparePorts)
	return slices.Compact(list)
}

func comparePorts(a, b policy.Port) int {
	return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Number, b.Number))
}

// compareSpecs orders policies of one name, which is still to be generated, by what
// they say.
func compareSpecs(a, b *subjectPolicy) int {
	x, err := json.Marshal(a.object.Spec)
	y, err2 := json.Marshal(b.object.Spec)
	if err != nil || err2 != nil {
		panic("audit: cannot happen: a spec that is no JSON")
	}
	return bytes.Compare(x, y)
}

// nameAll gives a key to each policy that has no name.
func (s *subject) nameAll() {
	taken := make(map[string]bool)
	for _, p := range s.policies {
		taken[p.key] = true
	}
	n := 0
	for _, p := range s.policies {
		for p.key == "" || p.object.Name == "" && taken[p.key] {
			n++
			p.key = fmt.Sprintf("generated-%d", n)
		}
		taken[p.key] = true
	}
}

func addObjects[T any, P interface {
	*T
	metav1.Object
}](s *subject, list []P) {
	for _, o := range list {
		if o != nil && o.GetName() != "" {
			f := s.about(o, "")
			s.objects[objectKey{f.Kind, f.Name}] = o
		}
	}
}

func compareNames(a, b types.NamespacedName) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Name, b.Name))
}

// about returns a Finding about a field of an object, or about all of it, to be
// filled in.
func (s *subject) about(obj metav1.Object, field string) Finding {
	return aboutPlace(s.cluster.Place(obj, field))
}

// aboutPlace is about for what stands at a place.
func aboutPlace(at policy.Place) Finding {
	f := Finding{Place: at}
	kind, name, _ := strings.Cut(at.Object, " ")
	f.Kind, f.Name.Name = kind, name
	if namespace, name, ok := strings.Cut(name, "/"); ok {
		f.Name = types.NamespacedName{Namespace: namespace, Name: name}
	}
	return f
}

// aboutNamed is about for all of a namespace, a pod or a workload. There need be no
// object: a namespace can be known by what is in it, and a name can be made up for
// an object whose own is still to be generated.
func (s *subject) aboutNamed(kind string, name types.NamespacedName) Finding {
	if obj, ok := s.objects[objectKey{kind, name}]; ok {
		return s.about(obj, "")
	}
	text := name.Name
	if name.Namespace != "" {
		text = name.String()
	}
	return Finding{Kind: kind, Name: name, Place: policy.Place{Object: kind + " " + text}}
}

// aboutWorkload is about for the workload of pods, or for the first of them if there
// is no such object.
func (s *subject) aboutWorkload(pods []*subjectPod) Finding {
	if w := pods[0].workload(); s.objects[w] != nil {
		return s.aboutNamed(w.kind, w.name)
	}
	return s.aboutNamed(pods[0].Kind, pods[0].Name)
}

// aboutNamespace is about for the namespace of pods. Without an object, it stands where
// the first of them does, by which it is known.
func (s *subject) aboutNamespace(pods []*subjectPod) Finding {
	f := s.aboutNamed("Namespace", types.NamespacedName{Name: pods[0].Name.Namespace})
	if f.Place.File == "" {
		pod := s.aboutWorkload(pods).Place
		f.Place.File, f.Place.Line = pod.File, pod.Line
	}
	return f
}

// isolatedBy returns the pods that a policy isolates for a direction and no other does.
func (s *subject) isolatedBy(p *subjectPolicy, d policy.Direction) []*subjectPod {
	if !p.Half(d).Isolates {
		return nil
	}
	var list []*subjectPod
	for _, pod := range p.pods {
		if !slices.ContainsFunc(pod.policies, func(q *subjectPolicy) bool { return q != p && q.Half(d).Isolates }) {
			list = append(list, pod)
		}
	}
	return list
}
