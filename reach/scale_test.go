package reach_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/require"
)

// On a large cluster, too, Allows and Explain come to the same in their two ways:
// random flows, and flows between neighbors, of which more are allowed.
func TestLargeClusterExplained(t *testing.T) {
	g, err := reach.Compile(scale.L.Cluster())
	require.NoError(t, err)
	pods := g.Pods()
	ends := slices.Concat(pods, g.Nodes(), g.Outside())
	r := rand.New(rand.NewPCG(3, 4))
	ports := []policy.Port{
		policy.TCP.Port(8080), policy.TCP.Port(8443), policy.TCP.Port(5432), policy.TCP.Port(9100), policy.UDP.Port(53),
		policy.TCP.Port(1), policy.SCTP.Port(80), {Protocol: policy.ICMP},
	}
	var seen sample
	for i := range 20_000 {
		from := r.IntN(len(pods))
		to := ends[r.IntN(len(ends))]
		if i%2 == 0 {
			to = pods[min(max(0, from+r.IntN(100)-50), len(pods)-1)]
		}
		f := reach.Flow{From: pods[from], To: to, Port: ports[r.IntN(len(ports))], Family: families[r.IntN(len(families))]}
		if i%3 == 0 {
			f.From, f.To = f.To, f.From
		}
		v := g.Explain(f)
		seen.add(v.Allowed)
		if g.Allows(f) != v.Allowed {
			t.Fatalf("Allows says %v\n%v", g.Allows(f), v)
		}
	}
	seen.check(t)
}
