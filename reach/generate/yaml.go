package generate

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/yaml"
)

// YAML returns the policies as manifests that [policy.Parse] reads: one document for
// each, the fields in the order in which people write them, and the same every time.
func (r *Result) YAML() string {
	var m manifest
	for i, np := range r.Policies {
		if i > 0 {
			m.line("---")
		}
		m.policy(np)
	}
	return m.String()
}

// A manifest is YAML that is being written. What begins an item of a list has its
// dash from the line before.
type manifest struct {
	strings.Builder
	indent string
	dash   bool
}

func (m *manifest) line(text string) {
	if m.dash {
		m.WriteString(strings.TrimSuffix(m.indent, "  ") + "- " + text + "\n")
		m.dash = false
		return
	}
	m.WriteString(m.indent + text + "\n")
}

// field writes a key with a string.
func (m *manifest) field(key, value string) { m.line(scalar(key) + ": " + scalar(value)) }

// below writes a key, and what is below it.
func (m *manifest) below(key string, write func()) {
	m.line(key + ":")
	m.indent += "  "
	write()
	m.indent = strings.TrimSuffix(m.indent, "  ")
}

// list writes a key with a list of n items.
func (m *manifest) list(key string, n int, write func(i int)) {
	if n == 0 {
		return
	}
	m.line(key + ":")
	m.indent += "  "
	for i := range n {
		m.dash = true
		write(i)
	}
	m.indent = strings.TrimSuffix(m.indent, "  ")
}

func (m *manifest) texts(key string, values []string) {
	m.list(key, len(values), func(i int) { m.line(scalar(values[i])) })
}

func scalar(s string) string {
	text, err := yaml.Marshal(s)
	if err != nil {
		panic("cannot happen: " + err.Error())
	}
	return strings.TrimSpace(string(text))
}

func (m *manifest) policy(np *networkingv1.NetworkPolicy) {
	m.field("apiVersion", np.APIVersion)
	m.field("kind", np.Kind)
	m.below("metadata", func() {
		m.field("name", np.Name)
		m.field("namespace", np.Namespace)
	})
	m.below("spec", func() {
		m.selector("podSelector", &np.Spec.PodSelector)
		m.list("policyTypes", len(np.Spec.PolicyTypes), func(i int) { m.line(string(np.Spec.PolicyTypes[i])) })
		m.list("ingress", len(np.Spec.Ingress), func(i int) {
			m.rule("from", np.Spec.Ingress[i].From, np.Spec.Ingress[i].Ports)
		})
		m.list("egress", len(np.Spec.Egress), func(i int) {
			m.rule("to", np.Spec.Egress[i].To, np.Spec.Egress[i].Ports)
		})
	})
}

func (m *manifest) rule(key string, peers []networkingv1.NetworkPolicyPeer, ports []networkingv1.NetworkPolicyPort) {
	m.list(key, len(peers), func(i int) {
		p := &peers[i]
		if p.NamespaceSelector != nil {
			m.selector("namespaceSelector", p.NamespaceSelector)
		}
		if p.PodSelector != nil {
			m.selector("podSelector", p.PodSelector)
		}
		if p.IPBlock != nil {
			m.below("ipBlock", func() {
				m.field("cidr", p.IPBlock.CIDR)
				m.texts("except", p.IPBlock.Except)
			})
		}
	})
	m.list("ports", len(ports), func(i int) {
		p := &ports[i]
		m.field("protocol", string(*p.Protocol))
		if p.Port != nil {
			m.line("port: " + p.Port.String())
		}
		if p.EndPort != nil {
			m.line(fmt.Sprintf("endPort: %d", *p.EndPort))
		}
	})
}

func (m *manifest) selector(key string, ls *metav1.LabelSelector) {
	if len(ls.MatchLabels)+len(ls.MatchExpressions) == 0 {
		m.line(key + ": {}")
		return
	}
	m.below(key, func() {
		if len(ls.MatchLabels) > 0 {
			m.below("matchLabels", func() {
				for _, k := range slices.Sorted(maps.Keys(ls.MatchLabels)) {
					m.field(k, ls.MatchLabels[k])
				}
			})
		}
		m.list("matchExpressions", len(ls.MatchExpressions), func(i int) {
			r := &ls.MatchExpressions[i]
			m.field("key", r.Key)
			m.field("operator", string(r.Operator))
			m.texts("values", r.Values)
		})
	})
}
