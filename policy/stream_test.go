package policy

import (
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// What tells nobody how long it is, such as a pipe, is read into memory in
// proportion to what comes.
func TestPipeTakesLittleMemory(t *testing.T) {
	const objects = 8000 // more than the first piece that is read
	json := strings.Repeat(`,{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}`, objects)
	for _, text := range []string{
		`{"apiVersion": "v1", "kind": "List", "items": [` + json[1:] + `]}`,
		strings.Repeat("---\napiVersion: v1\nkind: Namespace\nmetadata: {name: a}\n", objects),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		c, err := Parse("pipe", io.MultiReader(strings.NewReader(text)))
		runtime.ReadMemStats(&after)
		require.NoError(t, err)
		assert.Len(t, c.Namespaces, objects)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(200*len(text)), text[:50])
	}
}

// A reader that brings nothing for ever is an error, not an endless wait.
func TestIdleReader(t *testing.T) {
	_, err := Parse("pipe", io.MultiReader(strings.NewReader("a: b\n"), idle{}))
	assert.ErrorIs(t, err, io.ErrNoProgress)
}

type idle struct{}

func (idle) Read([]byte) (int, error) { return 0, nil }
