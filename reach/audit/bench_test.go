package audit_test

import (
	"testing"

	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/audit"
	"github.com/stretchr/testify/require"
)

// All checks of each group on clusters as teams run them.
func BenchmarkRun(b *testing.B) {
	groups := map[string][]string{
		"no-effect": checksOf("policy", "rule", "peer", "port", "except"),
		"isolation": append(checksOf("no-default-deny", "pod"), "unlisted-direction"),
		"half-open": checksOf("half-open"),
		"plugins":   checksOf("plugin"),
	}
	for _, size := range []scale.Size{scale.S, scale.M, scale.L} {
		g, err := reach.Compile(size.Cluster())
		require.NoError(b, err)
		for _, name := range []string{"no-effect", "isolation", "half-open", "plugins"} {
			b.Run(name+"/"+size.String(), func(b *testing.B) {
				for b.Loop() {
					if _, err := audit.Run(g, groups[name]...); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
