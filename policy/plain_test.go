package policy

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"k8s.io/apimachinery/pkg/util/validation"
	"pgregory.net/rapid"
)

// names draws texts that are names, nearly are, or are about as long as names
// may be.
func names() *rapid.Generator[string] {
	short := rapid.StringOfN(rapid.RuneFrom([]rune("ab9-.A_/é")), 0, 8, -1)
	long := rapid.Custom(func(t *rapid.T) string {
		n := rapid.SampledFrom([]int{14, 15, 16, 62, 63, 64, 252, 253, 254}).Draw(t, "length")
		return strings.Repeat(rapid.SampledFrom([]string{"a", "1", "a.", "-a"}).Draw(t, "part"), n)[:n]
	})
	return rapid.OneOf(short, long)
}

// The names that are seen to be valid at a glance are those that the API server
// accepts.
func TestPropertyPlainNames(t *testing.T) {
	valid := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		s := names().Draw(t, "name")
		for _, f := range []struct {
			name   string
			plain  func(string) bool
			faults func(string) []string
		}{
			{"label", isDNSLabel, validation.IsDNS1123Label},
			{"name", isDNSName, validation.IsDNS1123Subdomain},
			{"port", isPortName, validation.IsValidPortName},
		} {
			faults := f.faults(s)
			if f.plain(s) != (len(faults) == 0) {
				t.Fatalf("%s %q: %v at a glance, %v for the API server", f.name, s, f.plain(s), faults)
			}
			if f.plain(s) {
				valid[f.name]++
			}
		}
	})
	for _, name := range []string{"label", "name", "port"} {
		assert.Positive(t, valid[name], "valid names of the kind %s in the sample", name)
	}
}
