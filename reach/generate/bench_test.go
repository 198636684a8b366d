package generate_test

import (
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/generate"
	"github.com/stretchr/testify/require"
	networkingv1 "k8s.io/api/networking/v1"
)

// All namespaces of a cluster of teams: the egress policies for its ingress policies; and
// without any policies, default deny with DNS, and what it takes to let the pods of
// monitoring call every Service.
func BenchmarkGenerate(b *testing.B) {
	for _, size := range []scale.Size{scale.S, scale.M, scale.L} {
		c := size.Cluster()
		ingress := c.Clone()
		ingress.Policies = nil
		for _, np := range c.Policies {
			np = np.DeepCopy()
			np.Spec.Egress, np.Spec.PolicyTypes = nil, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			ingress.Policies = append(ingress.Policies, np)
		}
		half := compile(b, reach.Profile{}, ingress, "")
		c.Policies = nil
		bare := compile(b, reach.Profile{}, c, "")
		names := namespacesOf(b, c)
		var needs []generate.Need
		for _, s := range bare.Services() {
			needs = append(needs, generate.Need{From: "pods in monitoring", To: s.String(), Ports: "all"})
		}
		for _, task := range []struct {
			name string
			make func() (*generate.Result, error)
		}{
			{"Complement", func() (*generate.Result, error) { return generate.Complement(half, policy.Egress, names...) }},
			{"DefaultDeny", func() (*generate.Result, error) { return generate.DefaultDeny(bare, names...) }},
			{"Tightest", func() (*generate.Result, error) { return generate.Tightest(bare, needs, names...) }},
		} {
			b.Run(task.name+"/"+size.String(), func(b *testing.B) {
				for b.Loop() {
					r, err := task.make()
					require.NoError(b, err)
					require.Empty(b, r.Missing)
				}
			})
		}
	}
}
