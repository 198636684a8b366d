package audit

import (
	"cmp"
	"slices"
	"strings"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
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

	policiesIn map[string][]*subjectPolicy // by namespace
	podsIn     map[string][]*subjectPod    // by namespace, those that policies can select

	objects map[objectKey]metav1.Object // of namespaces, pods and workloads that have a name
}

// A subjectPolicy is a NetworkPolicy and its normal form.
type subjectPolicy struct {
	*policy.Policy // without places
	object         *networkingv1.NetworkPolicy
}

// A subjectPod is a pod, or a workload that stands for its pods.
type subjectPod struct {
	*policy.Pod
	end reach.Endpoint
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
		objects: make(map[objectKey]metav1.Object),
	}
	var err error
	if s.model, err = s.cluster.Model(); err != nil {
		return nil, err
	}
	for _, np := range s.cluster.Policies {
		if np == nil {
			continue
		}
		p, err := policy.New(np)
		if err != nil {
			return nil, err
		}
		s.policies = append(s.policies, &subjectPolicy{p, np})
	}
	slices.SortStableFunc(s.policies, func(a, b *subjectPolicy) int {
		return cmp.Or(compareNames(a.Name, b.Name), comparePlaces(s.cluster.Place(a.object, ""), s.cluster.Place(b.object, "")))
	})
	for _, p := range s.policies {
		s.policiesIn[p.Name.Namespace] = append(s.policiesIn[p.Name.Namespace], p)
	}
	// The Graph and the model have the pods in one order.
	ends := g.Pods()
	for i := range s.model.Pods {
		p := &s.model.Pods[i]
		if p.Terminated {
			continue
		}
		pod := &subjectPod{p, ends[len(s.pods)]}
		s.pods = append(s.pods, pod)
		if !p.HostNetwork || s.profile.HostNetworkAsPods {
			s.podsIn[p.Name.Namespace] = append(s.podsIn[p.Name.Namespace], pod)
		}
	}
	addObjects(s, s.cluster.Namespaces)
	addObjects(s, s.cluster.Pods)
	addObjects(s, s.cluster.Deployments)
	addObjects(s, s.cluster.ReplicaSets)
	addObjects(s, s.cluster.StatefulSets)
	addObjects(s, s.cluster.DaemonSets)
	addObjects(s, s.cluster.Jobs)
	addObjects(s, s.cluster.CronJobs)
	addObjects(s, s.cluster.ReplicationControllers)
	return s, nil
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
	f := Finding{Place: s.cluster.Place(obj, field)}
	kind, name, _ := strings.Cut(f.Place.Object, " ")
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
