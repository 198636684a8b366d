package policy_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What is generated at any size takes the fast path, and is the same on it.
func TestFastIsSlowAtScale(t *testing.T) {
	clusters := []*policy.Cluster{scale.Size{Pods: 150, Policies: 60}.Cluster(), scale.OneNamespace(20), scale.UniqueLabels(20), scale.Blocks(50, 2)}
	for i, c := range clusters {
		for _, form := range []struct {
			name  string
			write func(io.Writer, *policy.Cluster) error
		}{
			{"f.yaml", scale.WriteYAML}, {"f.json", scale.WriteJSON}, {"dump.yaml", scale.DumpYAML}, {"dump.json", scale.DumpJSON},
		} {
			t.Run(fmt.Sprintf("%d/%s", i, form.name), func(t *testing.T) {
				var text bytes.Buffer
				require.NoError(t, form.write(&text, c))
				scanned, parsed := policy.CheckSame(t, form.name, text.Bytes())
				assert.NotZero(t, scanned)
				assert.Zero(t, parsed)
			})
		}
	}
}
