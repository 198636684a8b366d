package audit_test

import (
	"testing"

	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/require"
)

// checksFrom returns the checks from one to another, in the order of the documentation.
func checksFrom(first, last string) []string {
	var ids []string
	for _, c := range audit.Checks() {
		if c.ID == first || len(ids) > 0 {
			ids = append(ids, c.ID)
		}
		if c.ID == last {
			break
		}
	}
	return ids
}

var (
	exposureChecks = checksFrom("service-exposed", "dns-server-ports")
	trapChecks     = checksFrom("selectors-apart", "namespace-key-misspelt")
)

// The checks of exposure, and those of traps, on clusters as teams run them.
func BenchmarkExposureAndTraps(b *testing.B) {
	for _, size := range []scale.Size{scale.S, scale.M, scale.L} {
		g, err := reach.Compile(size.Cluster())
		require.NoError(b, err)
		for name, checks := range map[string][]string{"exposure": exposureChecks, "traps": trapChecks} {
			b.Run(name+"/"+size.String(), func(b *testing.B) {
				for b.Loop() {
					if _, err := audit.Run(g, checks...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
