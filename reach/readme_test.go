package reach_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The listing of the README is the body of Example, and what it says it prints
// is the output of Example.
func TestReadmeShowsExample(t *testing.T) {
	readme := readFile(t, "../README.md")
	source := readFile(t, "example_test.go")

	example := regexp.MustCompile(`(?s)\nfunc Example\(\) \{\n(.*?)\t// Output:\n(.*?)\}\n`).FindStringSubmatch(source)
	require.NotNil(t, example)
	body := regexp.MustCompile(`(?m)^\t`).ReplaceAllString(example[1], "")
	output := regexp.MustCompile(`(?m)^\t// ?`).ReplaceAllString(example[2], "")

	blocks := make(map[string]string)
	for _, m := range regexp.MustCompile("(?s)```(go|text)\n(.*?)```").FindAllStringSubmatch(readme, -1) {
		assert.Empty(t, blocks[m[1]], "a second block of this kind")
		blocks[m[1]] = m[2]
	}
	assert.Equal(t, body, blocks["go"])
	assert.Equal(t, output, blocks["text"])
}

// The commands of the README are run by the checks, except the benchmarks,
// which the checks run once.
func TestReadmeCommandsAreChecked(t *testing.T) {
	readme, checks := readFile(t, "../README.md"), readFile(t, "../.ci/run")
	blocks := regexp.MustCompile("(?s)```sh\n(.*?)```").FindAllStringSubmatch(readme, -1)
	require.GreaterOrEqual(t, len(blocks), 2)
	for _, m := range blocks {
		for command := range strings.Lines(m[1]) {
			// The checks build canreach where its exit status matters.
			command = strings.TrimPrefix(strings.TrimSpace(command), "go run ./examples/canreach ")
			assert.True(t, strings.Contains(command, "-bench") || strings.Contains(checks, command), "unchecked: %s", command)
		}
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	require.NoError(t, err)
	return string(text)
}
