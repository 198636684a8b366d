package audit

import (
	"fmt"

	"github.com/polreach/polreach/policy"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// traps finds what is easily written and means something else than it seems to.
var traps = analysis{
	group: "traps",
	checks: []Check{
		{"selectors-apart", Warning, "a namespaceSelector and a podSelector are two peers of a rule, which allows either, and as one peer they would allow less"},
		{"namespace-selector-missing", Warning, "a podSelector without a namespaceSelector picks no pod of its own namespace, and pods of others have the labels"},
		{"block-holds-pods", Warning, "an ipBlock holds addresses of pods"},
		{"block-holds-services", Warning, "an ipBlock is for addresses of Services, which policies do not see"},
		{"family-left-closed", Warning, "an ipBlock is for all addresses of one family, and leaves the other one closed to pods that have both"},
		{"service-port", Warning, "a port item has the port of a Service and not the one that the Service leads to, which is what policies see"},
		{"named-port-unresolved", Warning, "a port item has a name that no receiving pod declares"},
		{"named-port-varies", Note, "a port item has a name that means different numbers at different receiving pods"},
		{"host-network-selected", Warning, "a policy selects pods on the host network, on which it has no effect"},
		{"volatile-label", Warning, "a selector asks for a label that a controller generates anew with every change"},
		{"generated-label", Note, "a selector asks for a label that a controller generates"},
		{"namespace-absent", Warning, "a policy is in a namespace of which there is nothing else"},
		{"namespace-name-unknown", Warning, "a namespaceSelector asks for the name of a namespace that there is not"},
		{"namespace-key-misspelt", Warning, "a selector most likely means the label kubernetes.io/metadata.name of namespaces, and says something else"},
	},
	find: func(s *subject, report func(Finding)) error {
		t := trapper{s, newHolding(s), report}
		t.findNamespaces()
		t.findLabels()
		t.findHostNetwork()
		t.findForeignSelectors()
		t.findBlocks()
		t.findNames()
		t.findServicePorts()
		if s.profile.NotEnforced {
			return nil
		}
		t.findClosedFamilies()
		return t.findApart()
	},
}

// A trapper finds traps.
type trapper struct {
	s      *subject
	held   *holding
	report func(Finding)
}

// rules calls visit for each rule that its policy isolates by.
func (t *trapper) rules(visit func(rule item)) {
	for _, p := range t.s.policies {
		for _, d := range directions {
			for i := range p.Half(d).Rules {
				visit(item{of: p, kind: ruleItem, direction: d, rule: i})
			}
		}
	}
}

// part returns the i'th peer or port item of a rule.
func (it item) part(kind itemKind, i int) item {
	if it.kind = kind; kind == peerItem {
		it.peer = i
	} else {
		it.port = i
	}
	return it
}

// A selectorAt is a selector and where it stands.
type selectorAt struct {
	*metav1.LabelSelector
	of           *subjectPolicy
	field        string
	ofNamespaces bool
	peer         policy.Peer // that it is in; nil for the selector of the policy itself
}

// selectors calls visit for each selector.
func (t *trapper) selectors(visit func(selectorAt)) {
	for _, p := range t.s.policies {
		visit(selectorAt{&p.object.Spec.PodSelector, p, "spec.podSelector", false, nil})
	}
	t.rules(func(rule item) {
		for i, peer := range rule.spec().peers {
			at := selectorAt{of: rule.of, peer: rule.normal().Peers[i]}
			field := rule.part(peerItem, i).field()
			if at.LabelSelector = peer.NamespaceSelector; at.LabelSelector != nil {
				at.field, at.ofNamespaces = field+".namespaceSelector", true
				visit(at)
			}
			if at.LabelSelector = peer.PodSelector; at.LabelSelector != nil {
				at.field, at.ofNamespaces = field+".podSelector", false
				visit(at)
			}
		}
	})
}

// picks returns the pods that the selector picks, together with what else its peer
// says.
func (t *trapper) picks(at selectorAt) []*subjectPod {
	if at.peer == nil {
		return at.of.pods
	}
	return t.held.by(at.peer)
}

// picksText tells which pods a selector picks.
func (t *trapper) picksText(at selectorAt) string {
	pods := t.picks(at)
	text := fmt.Sprintf("%q now picks %s", metav1.FormatLabelSelector(at.LabelSelector), count(len(pods), "pod"))
	if len(pods) > 0 {
		text += ": " + whom(pods)
	}
	return text
}
