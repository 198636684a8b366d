package report

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestAddrsName(t *testing.T) {
	both, v4 := "0.0.0.0/0, ::/0", "0.0.0.0/0"
	for _, tt := range []struct{ why, set, all, want string }{
		{"no policy tells addresses apart", both, both, "outside"},
		{"there is one family", v4, v4, "outside"},
		{"one family of two", "::/0", both, "::/0"},
		{"a block", "10.0.0.0/8", v4, "10.0.0.0/8"},
		{"a block with a hole", "10.0.0.0/8 except 10.1.0.0/16", v4, "10.0.0.0/8 except 10.1.0.0/16"},
		{"nearly all of it", "0.0.0.0/0 except 10.0.0.0/8", v4, "outside except 10.0.0.0/8"},
		{"nearly all of it, but for many", "0.0.0.0/0 except 10.0.0.0/8 and 172.16.0.0/12 and 192.168.0.0/16", v4, "outside except 10.0.0.0/8 and 2 more"},
		{"nearly all of both families", "0.0.0.0/0 except 10.0.0.0/8, ::/0 except fd00::/8", both, "outside except 10.0.0.0/8, fd00::/8"},
		{"nearly all of one of two families", "0.0.0.0/0 except 10.0.0.0/8", both, "0.0.0.0/0 except 10.0.0.0/8"},
		{"many blocks", "10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16", v4, "10.0.0.0/8 and 2 more"},
		{"many holes", "10.0.0.0/8 except 10.1.0.0/16 and 10.3.0.0/16 and 10.5.0.0/16", v4, "10.0.0.0/8 except 10.1.0.0/16 and 2 more"},
		{"both", "10.0.0.0/8 except 10.1.0.0/16 and 10.3.0.0/16, 172.16.0.0/12", v4, "10.0.0.0/8 except 10.1.0.0/16 and 1 more, and 1 more"},
	} {
		assert.Equal(t, tt.want, addrsName(addrsOf(tt.set), addrsOf(tt.all)), tt.why)
	}
	assert.Equal(t, cidr.Set{}, addrsOf("10.0.0.0/8").Minus(addrsOf("10.0.0.0/9, 10.128.0.0/9")))
}

// All pods are alike: they are one group for each namespace, but for those that are
// told apart by a policy.
func TestPodNames(t *testing.T) {
	for _, tt := range []struct {
		why    string
		pods   string // a star marks those that a policy picks
		picked string
		rest   string
	}{
		{"alone", "web* db", "x/web", "x/db"},
		{"a StatefulSet", "web-0* web-1* db", "x/web-* (2 pods)", "x/db"},
		{"a Deployment: the hash of its template says nothing", "web-7d9f8c-abcde* web-7d9f8c-fghij* db", "x/web-* (2 pods)", "x/db"},
		{"the longest prefix, if as many have it", "my-web-0* my-web-1* my-web-2* db", "x/my-web-* (3 pods)", "x/db"},
		{"a prefix that others have too", "web-0* web-1* web-2", "x/web-0 and 1 more", "x/web-2"},
		{"a shorter one that only these have", "web-a-0* web-a-1* web-b-0* db", "x/web-* (3 pods)", "x/db"},
		{"a longer one that others have not", "web-a-0* web-a-1* web-b-0", "x/web-a-* (2 pods)", "x/web-b-0"},
		{"several prefixes", "api-0* api-1* db web-0* web-1*", "x/api-* and 2 more", "x/db"},
		{"a prefix of one", "api-0* cart-0* db", "x/api-0 and 1 more", "x/db"},
		{"no hyphen", "web1* web2* db", "x/web1 and 1 more", "x/db"},
	} {
		var text strings.Builder
		for name := range strings.FieldsSeq(tt.pods) {
			name, picked := strings.CutSuffix(name, "*")
			fmt.Fprintf(&text, "apiVersion: v1\nkind: Pod\nmetadata: {name: %s, namespace: x, labels: {picked: %q}}\n---\n", name, fmt.Sprint(picked))
		}
		text.WriteString("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: p, namespace: x}\nspec: {podSelector: {matchLabels: {picked: \"true\"}}}\n")
		c, err := policy.Parse("c.yaml", strings.NewReader(text.String()))
		require.NoError(t, err)
		g, err := reach.Compile(c)
		require.NoError(t, err)
		m, err := Of(g, Options{})
		require.NoError(t, err)
		var names []string
		for _, gr := range m.Groups[:2] {
			names = append(names, gr.Name)
		}
		assert.ElementsMatch(t, []string{tt.picked, tt.rest}, names, tt.why)
	}
}

func TestBrief(t *testing.T) {
	for _, tt := range []struct {
		why, ports, want string
		most             int
	}{
		{"all of it fits", "80/TCP, 443/TCP, 53/UDP", "80,443,53/UDP", 13},
		{"one range too many", "80/TCP, 443/TCP, 53/UDP", "80,443,+1", 12},
		{"at least one", "8000-8080/TCP, 9000/TCP", "8000-8080,+1", 4},
		{"a word", "all", "all", 3},
	} {
		ports, err := policy.ParsePortSet(tt.ports)
		require.NoError(t, err)
		assert.Equal(t, tt.want, brief(ports, tt.most), tt.why)
	}
}
