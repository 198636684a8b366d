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

func BenchmarkGenerate(b *testing.B) {
	for _, size := range []scale.Size{scale.S, scale.M, scale.L} {
		c := size.Cluster()
		g, err := reach.Compile(c)
		require.NoError(b, err)
		bare := c.Clone()
		bare.Policies = nil
		without, err := reach.Compile(bare)
		require.NoError(b, err)
		half := c.Clone()
		half.Policies = nil
		for _, np := range c.Policies {
			np = np.DeepCopy()
			np.Spec.Egress, np.Spec.PolicyTypes = nil, []networkingv1.PolicyType{networkingv1.PolicyTypeIngress}
			half.Policies = append(half.Policies, np)
		}
		ingress, err := reach.Compile(half)
		require.NoError(b, err)
		names := namespacesOf(b, c)
		var needs []generate.Need
		for _, s := range without.Services() {
			needs = append(needs, generate.Need{From: "pods in monitoring", To: s.String(), Ports: "all"})
		}
		_ = g
		b.Run("Complement/"+size.String(), func(b *testing.B) {
			for b.Loop() {
				r, err := generate.Complement(ingress, policy.Egress, names...)
				require.NoError(b, err)
				require.True(b, r.IsExact())
			}
		})
		b.Run("DefaultDeny/"+size.String(), func(b *testing.B) {
			for b.Loop() {
				r, err := generate.DefaultDeny(without, names...)
				require.NoError(b, err)
				require.True(b, r.IsExact())
			}
		})
		b.Run("Tightest/"+size.String(), func(b *testing.B) {
			for b.Loop() {
				r, err := generate.Tightest(without, needs, names...)
				require.NoError(b, err)
				_ = r
			}
		})
	}
}
