package reachtest_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polreach/polreach/cidr"
	"github.com/polreach/polreach/policy"
	"github.com/polreach/polreach/policy/scale"
	"github.com/polreach/polreach/reach"
	"github.com/polreach/polreach/reach/reachtest"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
)

// covers are two files with three policies, and what they select.
const covers = `-- db.yaml --
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: shop}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector:
        matchLabels: {app: api}
    - podSelector:
        matchLabels: {app: admin}
    ports:
    - port: 5432
    - port: 5000
      endPort: 6000
  - ports: [{port: metrics}]
-- deny.yaml --
# Nothing in.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: deny, namespace: shop}
spec:
  podSelector: {}
  policyTypes:
  - Ingress
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: out, namespace: shop}
spec:
  podSelector: {matchLabels: {app: admin}}
  policyTypes: [Egress]
  egress:
  - to:
    - ipBlock: {cidr: 203.0.113.0/24}
    - ipBlock: {cidr: 203.0.113.0/25}
    - ipBlock: {cidr: 2001:db8::/32}
  - to:
    - podSelector: {}
-- pods.yaml --
apiVersion: v1
kind: Namespace
metadata: {name: shop}
---
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: shop, labels: {app: web}}
spec:
  containers: [{name: c, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: api, namespace: shop, labels: {app: api}}
spec:
  containers: [{name: c, ports: [{containerPort: 80}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: admin, namespace: shop, labels: {app: admin}}
spec:
  containers: [{name: c}]
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: shop, labels: {app: db}}
spec:
  containers: [{name: c, ports: [{containerPort: 5432}, {containerPort: 9187, name: metrics}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: mirror, namespace: away, labels: {app: mirror}}
spec:
  containers: [{name: c, ports: [{containerPort: 443}]}]
status:
  podIPs: [{ip: 203.0.113.77}, {ip: "2001:db8::77"}]
---
apiVersion: v1
kind: Service
metadata: {name: db, namespace: shop}
spec:
  clusterIP: 10.96.0.7
  clusterIPs: [10.96.0.7]
  selector: {app: db}
  ports: [{port: 5432}]
---
apiVersion: v1
kind: Namespace
metadata: {name: away}
`

// levels returns the items that are not at Uncovered, such as
// "shop/db ingress[0].from[1] shared".
func levels(cov *reachtest.Coverage) []string {
	var list []string
	for _, it := range cov.Items() {
		field := strings.TrimPrefix(it.Place.Field, "spec.")
		if it.Kind == reachtest.Isolation {
			field = it.Direction.String()
		}
		name := strings.TrimPrefix(it.Place.Object, "NetworkPolicy shop/")
		switch it.Level {
		case reachtest.Covered:
			list = append(list, name+" "+field)
		case reachtest.Shared:
			list = append(list, name+" "+field+" shared")
		}
	}
	slices.Sort(list)
	return list
}

func TestCoverageOfAssertions(t *testing.T) {
	for _, tt := range []struct {
		why    string
		assert func(t reachtest.TB, c *reachtest.Cluster)
		want   []string
	}{
		{
			"nothing is asked",
			func(t reachtest.TB, c *reachtest.Cluster) {},
			nil,
		},
		{
			"only the first peer holds api; two port items hold 5432",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/api", "shop/db", "5432") },
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].ports[0] shared", "db ingress[0].ports[1] shared"},
		},
		{
			"5000 is in the range alone",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/api", "shop/db", "5000-6000") },
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].ports[0] shared", "db ingress[0].ports[1]"},
		},
		{
			"api and mirror reach metrics by the rule without peers; the name is the only port item",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Reaches(t, "pods app in (api, mirror)", "shop/db", "metrics")
			},
			[]string{"db ingress[1]", "db ingress[1].ports[0]"},
		},
		{
			"both are asked about one by one, although no policy tells them apart at db; admin gets out by the second rule",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Reaches(t, "pods app in (api, admin)", "shop/db", "5001")
			},
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].from[1]", "db ingress[0].ports[1]", "out egress[1]", "out egress[1].to[0]"},
		},
		{
			"without other policies, api and admin are of one class, and both are asked about",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c = c.With(t, policy.Remove("NetworkPolicy", "shop", "deny"), policy.Remove("NetworkPolicy", "shop", "out"))
				c.Reaches(t, "pods app in (api, admin)", "shop/db", "5001")
			},
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].from[1]", "db ingress[0].ports[1]"},
		},
		{
			"either policy keeps web out of db",
			func(t reachtest.TB, c *reachtest.Cluster) { c.DoesNotReach(t, "shop/web", "shop/db", "5432") },
			[]string{"db ingress shared", "deny ingress shared"},
		},
		{
			"only deny keeps db out of api",
			func(t reachtest.TB, c *reachtest.Cluster) { c.DoesNotReach(t, "shop/db", "shop/api", "80") },
			[]string{"deny ingress"},
		},
		{
			"admin may not get out to the rest of the world",
			func(t reachtest.TB, c *reachtest.Cluster) { c.DoesNotReach(t, "shop/admin", "outside", "80") },
			[]string{
				"out egress",
				// The assertion is false: the blocks are open. It asked about them all the same.
				"out egress[0]", "out egress[0].to[0]", "out egress[0].to[1] shared", "out egress[0].to[2]",
			},
		},
		{
			"two blocks hold the address",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/admin", "203.0.113.9", "443!") },
			[]string{"out egress[0]", "out egress[0].to[0] shared", "out egress[0].to[1] shared"},
		},
		{
			"the wide block holds this address alone",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/admin", "203.0.113.200", "443!") },
			[]string{"out egress[0]", "out egress[0].to[0]"},
		},
		{
			"a pod with two families: without the blocks of one, the other is open",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/admin", "away/mirror", "443") },
			[]string{"out egress[0]", "out egress[0].to[0] shared", "out egress[0].to[1] shared", "out egress[0].to[2] shared"},
		},
		{
			"a connection to a Service is a flow to its backend",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/api", "svc:shop/db", "5432") },
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].ports[0] shared", "db ingress[0].ports[1] shared"},
		},
		{
			"one of the clients is enough, and api is not held up by out; either policy keeps the others away",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.IsReachedOnlyBy(t, "shop/db", "5001!", "pods app in (api, admin)")
			},
			[]string{
				"db ingress shared", "db ingress[0]", "db ingress[0].from[0] shared", "db ingress[0].from[1] shared", "db ingress[0].ports[1]",
				"deny ingress shared", "out egress[1] shared", "out egress[1].to[0] shared",
			},
		},
		{
			"what is not there asks nothing",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/mirror", "shop/db", "9187") },
			nil,
		},
		{
			"every other port is denied, by either policy",
			func(t reachtest.TB, c *reachtest.Cluster) { c.ReachesOnlyOn(t, "away/mirror", "shop/db", "9187") },
			[]string{"db ingress shared", "db ingress[1]", "db ingress[1].ports[0]", "deny ingress shared"},
		},
		{
			"deny alone isolates api",
			func(t reachtest.TB, c *reachtest.Cluster) { c.IsIsolated(t, "shop/api", policy.Ingress) },
			[]string{"deny ingress"},
		},
		{
			"two isolate db",
			func(t reachtest.TB, c *reachtest.Cluster) { c.IsIsolated(t, "shop/db", policy.Ingress) },
			[]string{"db ingress shared", "deny ingress shared"},
		},
		{
			"without deny, db alone keeps web out; an edit is not covered, nor what it takes away",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.With(t, policy.Remove("NetworkPolicy", "shop", "deny")).DoesNotReach(t, "shop/web", "shop/db", "5432")
				c.With(t, policy.Put(&networkingv1.NetworkPolicy{
					ObjectMeta: metav1.ObjectMeta{Name: "deny", Namespace: "shop"},
				})).DoesNotReach(t, "shop/web", "shop/api", "80")
			},
			[]string{"db ingress"},
		},
		{
			"a plugin that takes a range for its first port",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Under(t, reach.Profile{EndPortIgnored: true}).Reaches(t, "shop/api", "shop/db", "5432")
			},
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].ports[0]"},
		},
		{
			"and 5001 is not open then",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Under(t, reach.Profile{EndPortIgnored: true}).DoesNotReach(t, "shop/api", "shop/db", "5000-6000")
			},
			[]string{"db ingress[0]", "db ingress[0].from[0]", "db ingress[0].ports[0]", "db ingress[0].ports[1]", "db ingress shared", "deny ingress shared"},
		},
		{
			"a plugin that drops SCTP: out keeps it in, and lets all else out",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Under(t, reach.Profile{SCTP: reach.SCTPDropped}).Reaches(t, "shop/admin", "203.0.113.200", "all")
			},
			[]string{"out egress", "out egress[0]", "out egress[0].to[0]"},
		},
		{
			"nobody enforces anything",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.Under(t, reach.Flannel()).Reaches(t, "shop/web", "shop/db", "all")
			},
			nil,
		},
		{
			"db and deny both isolate the database",
			func(t reachtest.TB, c *reachtest.Cluster) { c.NeverReaches(t, "any pod app=web", "shop/db", "5432") },
			[]string{"db ingress shared", "deny ingress shared"},
		},
		{
			"deny alone selects web",
			func(t reachtest.TB, c *reachtest.Cluster) { c.NeverReaches(t, "any pod", "shop/web", "80") },
			[]string{"deny ingress", "out egress shared"},
		},
		{
			"out alone keeps pods with the label from the outside, and deny is about what comes in",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.NeverReaches(t, "any pod app=admin in shop", "198.51.100.1", "80")
			},
			[]string{"out egress"},
		},
		{
			"deny selects every pod of shop, and nothing is said of what goes out of web",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.NeverReaches(t, "shop/web", "any pod app=web in shop", "80")
			},
			[]string{"deny ingress"},
		},
		{
			"what does not hold, or cannot be asked, does not count",
			func(t reachtest.TB, c *reachtest.Cluster) {
				c.NeverReaches(t, "any pod", "shop/db", "5432")
				c.NeverReaches(t, "any pod", "shop/dp", "5432")
			},
			nil,
		},
		{
			"a pod reaches itself whatever the policies say",
			func(t reachtest.TB, c *reachtest.Cluster) { c.Reaches(t, "shop/db", "shop/db", "5432") },
			nil,
		},
	} {
		t.Run(tt.why, func(t *testing.T) {
			t.Parallel()
			var cov reachtest.Coverage
			c := cov.Watch(reachtest.Text(t, covers))
			run(func(t reachtest.TB) { tt.assert(t, c) })
			want := slices.Clone(tt.want)
			slices.Sort(want)
			assert.Equal(t, want, levels(&cov))
		})
	}
}

func TestCoverageOfTwoEndsAndTwoRules(t *testing.T) {
	// Nothing but the blocks is open to admin now, and rules 0 and 2 of db say the same.
	text := strings.Replace(covers, "  - to:\n    - podSelector: {}\n", "", 1)
	text = strings.Replace(text, "-- deny.yaml --", "  - from: [{podSelector: {matchLabels: {app: api}}}]\n-- deny.yaml --", 1)

	var cov reachtest.Coverage
	c := cov.Watch(reachtest.Text(t, text))
	c.DoesNotReach(t, "shop/admin", "shop/api", "80")
	assert.Equal(t, []string{"deny ingress shared", "out egress shared"}, levels(&cov), "each end denies")
	c.Reaches(t, "shop/api", "shop/db", "5001")
	assert.Equal(t, []string{
		"db ingress[0] shared", "db ingress[0].from[0] shared", "db ingress[0].ports[1] shared",
		"db ingress[2] shared", "db ingress[2].from[0] shared",
		"deny ingress shared", "out egress shared",
	}, levels(&cov), "each rule allows")
}

// The report says once what holds for all of a policy or of a rule.
//
// Of db, web is kept out by deny as well. api reaches it by the first peer. The
// isolation of out is asked by nothing, nor are its rules.
const wantReport = `Not covered:
db.yaml:10: NetworkPolicy shop/db: spec.ingress[0].from[1]
db.yaml:16: NetworkPolicy shop/db: spec.ingress[1]
deny.yaml:10: NetworkPolicy shop/out

Covered only together with others:
db.yaml:4: NetworkPolicy shop/db: spec: isolation for ingress
db.yaml:13: NetworkPolicy shop/db: spec.ingress[0].ports[0]
db.yaml:14: NetworkPolicy shop/db: spec.ingress[0].ports[1]

              covered   shared      not
isolations          1        1        1
rules               1        0        3
peers               1        0        5
port items          0        2        1
all                 3        3       10
`

func TestCoverageReport(t *testing.T) {
	var cov reachtest.Coverage
	assert.Equal(t, `              covered   shared      not
isolations          0        0        0
rules               0        0        0
peers               0        0        0
port items          0        0        0
all                 0        0        0
`, cov.String(), "no policies")

	c := cov.Watch(reachtest.Text(t, covers))
	assert.Equal(t, `Not covered:
db.yaml:1: NetworkPolicy shop/db
deny.yaml:2: NetworkPolicy shop/deny
deny.yaml:10: NetworkPolicy shop/out

              covered   shared      not
isolations          0        0        3
rules               0        0        4
peers               0        0        6
port items          0        0        3
all                 0        0       16
`, cov.String(), "nothing is asked")

	c.Reaches(t, "shop/api", "shop/db", "5432")
	c.DoesNotReach(t, "shop/web", "shop/db", "5432")
	c.DoesNotReach(t, "shop/web", "shop/api", "80")
	assert.Equal(t, wantReport, cov.String())

	// The same files again are the same, and others of these names are others.
	again := cov.Watch(reachtest.Text(t, covers))
	assert.Equal(t, wantReport, cov.String())
	again.Reaches(t, "shop/admin", "203.0.113.9", "80")
	assert.Contains(t, cov.String(), "\ndeny.yaml:21: NetworkPolicy shop/out: spec.egress[1]\n")
	cov.Watch(reachtest.Text(t, strings.ReplaceAll(covers, "# Nothing in.", "# Nothing.")))
	assert.Contains(t, cov.String(), "\ndeny.yaml (2):2: NetworkPolicy shop/deny")
}

// made is a policy without a file.
func made() *policy.Cluster {
	c := &policy.Cluster{}
	for _, name := range [...]string{"a", "b"} {
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: name, Labels: map[string]string{"app": name}}}
		p.Spec.Containers = []corev1.Container{{Name: "c", Ports: []corev1.ContainerPort{{ContainerPort: 80}}}}
		c.Pods = append(c.Pods, p)
	}
	port := intstr.FromInt32(80)
	c.Policies = []*networkingv1.NetworkPolicy{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "n", Name: "made", Labels: map[string]string{"app": "made"}},
		Spec: networkingv1.NetworkPolicySpec{
			PodSelector: metav1.LabelSelector{MatchLabels: map[string]string{"app": "a"}},
			Ingress: []networkingv1.NetworkPolicyIngressRule{{
				Ports: []networkingv1.NetworkPolicyPort{{Port: &port}},
			}},
		},
	}}
	return c
}

func TestCoverageOfObjectsMadeInGo(t *testing.T) {
	var cov reachtest.Coverage
	c := cov.Watch(reachtest.Objects(t, made()))
	c.Reaches(t, "n/b", "n/a", "80")
	assert.Equal(t, []string{"NetworkPolicy n/made ingress[0]", "NetworkPolicy n/made ingress[0].ports[0]"}, levels(&cov))
	assert.Contains(t, cov.String(), "Not covered:\nNetworkPolicy n/made: spec: isolation for ingress\n")
	lines := pageLines(t, &cov)
	assert.Equal(t, "covered", lines["f1l10 - ports:"], "the policy as YAML: %v", lines)
	assert.Equal(t, "covered", lines["f1l11 - port: 80"])
	assert.Equal(t, "not", lines["f1l8 spec:"])
}

// pageLines parses the page and returns the classes of the lines of manifests, by
// their ids and texts.
func pageLines(t *testing.T, cov *reachtest.Coverage) map[string]string {
	t.Helper()
	var page bytes.Buffer
	require.NoError(t, cov.WriteHTML(&page))
	lines := make(map[string]string)
	ids := make(map[string]bool)
	var links []string
	var id, class, text string
	cells := 0
	d := xml.NewDecoder(&page)
	for {
		token, err := d.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
		switch token := token.(type) {
		case xml.StartElement:
			attr := make(map[string]string)
			for _, a := range token.Attr {
				attr[a.Name.Local] = a.Value
			}
			if attr["id"] != "" {
				assert.False(t, ids[attr["id"]], "twice: %s", attr["id"])
				ids[attr["id"]] = true
			}
			switch token.Name.Local {
			case "a":
				links = append(links, attr["href"])
			case "tr":
				id, class, text, cells = attr["id"], attr["class"], "", 0
			case "td":
				cells++
			case "script", "img", "link":
				t.Errorf("the page has a %s", token.Name.Local)
			}
			assert.Empty(t, attr["src"])
		case xml.CharData:
			if cells == 3 {
				text += string(token)
			}
		case xml.EndElement:
			if token.Name.Local == "tr" && id != "" {
				lines[id+" "+strings.TrimSpace(text)] = class
			}
		}
	}
	for _, l := range links {
		assert.True(t, strings.HasPrefix(l, "#") && ids[l[1:]], "a link to nowhere: %s", l)
	}
	return lines
}

func TestCoveragePage(t *testing.T) {
	var cov reachtest.Coverage
	c := cov.Watch(reachtest.Text(t, strings.ReplaceAll(covers, "# Nothing in.", "# </td><script>&amp;")))
	c.Reaches(t, "shop/api", "shop/db", "5432")
	c.DoesNotReach(t, "shop/web", "shop/db", "5432")
	c.DoesNotReach(t, "shop/web", "shop/api", "80")
	lines := pageLines(t, &cov)
	for _, tt := range []struct{ line, class, why string }{
		{"f1l1 apiVersion: networking.k8s.io/v1", "", "no item"},
		{"f1l4 spec:", "shared", "isolates without policyTypes"},
		{"f1l5 podSelector: {matchLabels: {app: db}}", "", "no item"},
		{"f1l7 - from:", "covered", "the rule"},
		{"f1l9 matchLabels: {app: api}", "covered", "the first peer"},
		{"f1l10 - podSelector:", "not", "the second peer"},
		{"f1l11 matchLabels: {app: admin}", "not", "the second peer"},
		{"f1l12 ports:", "covered", "the rule goes on"},
		{"f1l13 - port: 5432", "shared", "a port item"},
		{"f1l15 endPort: 6000", "shared", "a port item"},
		{"f1l16 - ports: [{port: metrics}]", "not", "a rule and its port item on one line"},
		{"f2l1 # </td><script>&amp;", "", "a comment, which is not markup"},
		{"f2l8 - Ingress", "covered", "isolates by policyTypes"},
		{"f2l15 policyTypes: [Egress]", "not", "isolates by policyTypes"},
		{"f2l18 - ipBlock: {cidr: 203.0.113.0/24}", "not", "a peer"},
	} {
		class, ok := lines[tt.line]
		assert.True(t, ok, "no line %q in %v", tt.line, lines)
		assert.Equal(t, tt.class, class, "%s: %s", tt.line, tt.why)
	}
}

// What the definition says, done: each item is taken away in its turn, and nothing
// turns that does not depend on it.
func TestCoverageIsWhatTurns(t *testing.T) {
	for _, p := range [...]reach.Profile{
		{},
		{EndPortIgnored: true, IPBlockSkipsPods: true},
		{HostNetworkAsPods: true, NamedPortFirst: true, SCTP: reach.SCTPBypasses},
	} {
		objects := scale.Size{Pods: 20, Policies: 12}.Cluster()
		var cov reachtest.Coverage
		c := cov.Watch(reachtest.Objects(t, objects)).Under(t, p)
		run(func(t reachtest.TB) { c.DoesNotReach(t, "everything", "everything", "all") })
		addrs := boundaries(objects)
		var levels [3]int
		for _, it := range cov.Items() {
			after, err := p.Compile(without(objects, it))
			require.NoError(t, err)
			turns := turned(c.Graph(), after, addrs, it.Kind == reachtest.Isolation)
			assert.Equal(t, turns, it.Level == reachtest.Covered, "%v: %v", it, it.Level)
			levels[it.Level]++
		}
		assert.Greater(t, levels[reachtest.Covered], 20)
		assert.Greater(t, levels[reachtest.Shared], 5)
	}
}

// An item that is not covered at all is in no verdict of any flow, and one that is
// shared is in some.
func TestCoverageIsWhatMatches(t *testing.T) {
	objects := scale.Size{Pods: 20, Policies: 12}.Cluster()
	var cov reachtest.Coverage
	c := cov.Watch(reachtest.Objects(t, objects))
	run(func(t reachtest.TB) { c.DoesNotReach(t, "everything", "everything", "all") })
	g := c.Graph()
	seen := make(map[string]bool)
	see := func(d policy.Direction, s reach.Side, allowed bool) {
		if !allowed && !s.Passes() {
			for _, p := range s.Isolating {
				seen[fmt.Sprintf("%s %v", p.Name, d)] = true
			}
		}
		for _, m := range s.Allowing {
			if !allowed {
				break
			}
			rule, peers := fmt.Sprintf("%s spec.%v[%d]", m.Rule.Policy, d, m.Rule.Index), "to"
			if d == policy.Ingress {
				peers = "from"
			}
			seen[rule] = true
			for _, n := range m.Peers {
				seen[fmt.Sprintf("%s.%s[%d]", rule, peers, n)] = true
			}
			for _, n := range m.Ports {
				seen[fmt.Sprintf("%s.ports[%d]", rule, n)] = true
			}
		}
	}
	ports := map[policy.Port]bool{{Protocol: policy.ICMP}: true}
	for _, pr := range [...]policy.Protocol{policy.TCP, policy.UDP, policy.SCTP} {
		ports[pr.Port(1)] = true
		for from := range c.Graph().Edges() {
			for r := range from.Ports.Ranges() {
				if r.Protocol == pr {
					ports[pr.Port(r.First)], ports[pr.Port(r.Last)] = true, true
				}
			}
		}
	}
	all := slices.Concat(g.Pods(), g.Nodes(), g.Outside())
	for _, from := range all {
		for _, to := range all {
			if g.Exempt(from, to) {
				continue
			}
			for port := range ports {
				for _, f := range [...]reach.Family{reach.IPv4, reach.IPv6} {
					v := g.Explain(reach.Flow{From: from, To: to, Port: port, Family: f})
					if v.Reason == reach.Policies {
						see(policy.Egress, v.Egress, v.Allowed)
						see(policy.Ingress, v.Ingress, v.Allowed)
					}
				}
			}
		}
	}
	for _, it := range cov.Items() {
		name := strings.TrimPrefix(it.Place.Object, "NetworkPolicy ")
		key := name + " " + it.Place.Field
		if it.Kind == reachtest.Isolation {
			key = name + " " + it.Direction.String()
		}
		assert.Equal(t, seen[key], it.Level != reachtest.Uncovered, "%v: %v", it, it.Level)
	}
}

// without returns a cluster in which an item matches nothing.
func without(c *policy.Cluster, it reachtest.Item) *policy.Cluster {
	n := c.Clone()
	i := slices.IndexFunc(n.Policies, func(np *networkingv1.NetworkPolicy) bool {
		return it.Place.Object == "NetworkPolicy "+np.Namespace+"/"+np.Name
	})
	np := n.Policies[i].DeepCopy()
	n.Policies[i] = np
	nobody := networkingv1.NetworkPolicyPeer{PodSelector: &metav1.LabelSelector{MatchLabels: map[string]string{"no": "body"}}}
	var rule, index int
	field := it.Place.Field
	if it.Kind == reachtest.Isolation {
		p, _ := policy.New(np)
		np.Spec.PolicyTypes = nil
		for d, t := range map[policy.Direction]networkingv1.PolicyType{policy.Egress: networkingv1.PolicyTypeEgress, policy.Ingress: networkingv1.PolicyTypeIngress} {
			if d != it.Direction && p.Half(d).Isolates {
				np.Spec.PolicyTypes = append(np.Spec.PolicyTypes, t)
			}
		}
		if np.Spec.PolicyTypes == nil {
			n.Policies = slices.Delete(n.Policies, i, i+1)
		}
		return n
	}
	fmt.Sscanf(field[strings.Index(field, "["):], "[%d]", &rule)
	fmt.Sscanf(field[strings.LastIndex(field, "["):], "[%d]", &index)
	var peers *[]networkingv1.NetworkPolicyPeer
	var ports []networkingv1.NetworkPolicyPort
	if it.Direction == policy.Ingress {
		peers, ports = &np.Spec.Ingress[rule].From, np.Spec.Ingress[rule].Ports
	} else {
		peers, ports = &np.Spec.Egress[rule].To, np.Spec.Egress[rule].Ports
	}
	switch it.Kind {
	case reachtest.Rule:
		*peers = []networkingv1.NetworkPolicyPeer{nobody}
	case reachtest.Peer:
		(*peers)[index] = nobody
	case reachtest.Port:
		none := intstr.FromString("no-such-port")
		ports[index] = networkingv1.NetworkPolicyPort{Port: &none}
	}
	return n
}

// boundaries returns an address on each side of every end of a block.
func boundaries(c *policy.Cluster) []netip.Addr {
	all := map[netip.Addr]bool{netip.MustParseAddr("192.0.2.1"): true}
	add := func(text string) {
		s, err := cidr.Parse(text)
		if err != nil {
			return
		}
		for p := range s.Prefixes() {
			next := cidr.Of(p)
			all[p.Addr()], all[p.Addr().Prev()] = true, true
			rest := cidr.Of(netip.PrefixFrom(netip.IPv4Unspecified(), 0), netip.PrefixFrom(netip.IPv6Unspecified(), 0)).Minus(next)
			for q := range rest.Prefixes() {
				all[q.Addr()] = true // begins where a block ends, or elsewhere
			}
		}
	}
	for _, np := range c.Policies {
		for _, r := range np.Spec.Ingress {
			for _, p := range r.From {
				if p.IPBlock != nil {
					add(p.IPBlock.CIDR)
					for _, x := range p.IPBlock.Except {
						add(x)
					}
				}
			}
		}
		for _, r := range np.Spec.Egress {
			for _, p := range r.To {
				if p.IPBlock != nil {
					add(p.IPBlock.CIDR)
					for _, x := range p.IPBlock.Except {
						add(x)
					}
				}
			}
		}
	}
	var list []netip.Addr
	for a := range all {
		if a.IsValid() {
			list = append(list, a)
		}
	}
	return list
}

// turned reports whether some flow is denied after and was not before, or if opens,
// the other way round.
func turned(before, after *reach.Graph, addrs []netip.Addr, opens bool) bool {
	type end struct{ before, after reach.Endpoint }
	var ends []end
	for _, e := range slices.Concat(before.Pods(), before.Nodes()) {
		ends = append(ends, end{e, after.MustLookup(e.String())})
	}
	for _, a := range addrs {
		x, err := before.Addr(a)
		y, err2 := after.Addr(a)
		if e := (end{x, y}); err == nil && err2 == nil && x.Name().Name == "" && !slices.Contains(ends, e) {
			ends = append(ends, e)
		}
	}
	for _, a := range ends {
		for _, b := range ends {
			from, to := a, b
			if a == b {
				x, err := before.Lookup("replica:" + b.before.String())
				class, ok := before.ClassOf(b.before)
				if err != nil || !ok || class.Len() > 1 {
					continue // it reaches itself
				}
				to = end{x, after.MustLookup("replica:" + b.before.String())}
			}
			if before.Exempt(from.before, to.before) {
				continue
			}
			was, is := before.Ports(from.before, to.before), after.Ports(from.after, to.after)
			more, less := is, was
			if opens {
				if !more.Intersect(less).Equal(more) {
					return true
				}
			} else if !less.Intersect(more).Equal(less) {
				return true
			}
		}
	}
	return false
}

// A few thousand pairs of classes on all ports cost less than a second: the bound is
// far above that, since other tests take their time too.
func TestCoverageIsQuick(t *testing.T) {
	var cov reachtest.Coverage
	c := cov.Watch(reachtest.Objects(t, scale.Size{Pods: 300, Policies: 100}.Cluster()))
	begin := time.Now()
	run(func(t reachtest.TB) { c.DoesNotReach(t, "everything", "everything", "all") })
	assert.Less(t, time.Since(begin), 20*time.Second)
}

// TestCoverageSample is run with POLREACH_COVER by TestCoverageOfRun.
func TestCoverageSample(t *testing.T) {
	c := reachtest.Text(t, covers)
	reachtest.Objects(t, made()) // no file, so it does not count
	for _, tt := range [...]struct{ from, to, port string }{{"shop/web", "shop/db", "5432"}, {"shop/web", "shop/api", "80"}} {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			t.Parallel()
			c.DoesNotReach(t, tt.from, tt.to, tt.port)
			reachtest.Text(t, covers).Reaches(t, "shop/api", "shop/db", "5432")
		})
	}
}

func TestCoverageOfRun(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "cover")
	cmd := exec.Command(os.Args[0], "-test.run=^TestCoverageSample$")
	cmd.Env = append(os.Environ(), "POLREACH_COVER="+folder)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	at := filepath.Join(folder, "github.com.polreach.polreach.reach.reachtest")
	text, err := os.ReadFile(at + ".txt")
	require.NoError(t, err)
	assert.Equal(t, wantReport, string(text))
	page, err := os.ReadFile(at + ".html")
	require.NoError(t, err)
	assert.Contains(t, string(page), "<title>Coverage of network policies</title>")
	files, err := os.ReadDir(folder)
	require.NoError(t, err)
	assert.Len(t, files, 2)

	// What cannot be written fails the run.
	cmd = exec.Command(os.Args[0], "-test.run=^TestCoverageSample$")
	cmd.Env = append(os.Environ(), "POLREACH_COVER="+at+".txt")
	out, err = cmd.CombinedOutput()
	require.Error(t, err)
	assert.Contains(t, string(out), "the coverage of policies cannot be written")
}

func ExampleCoverage() {
	var t recorder // in a test, its *testing.T
	var cov reachtest.Coverage
	c := cov.Watch(reachtest.FS(&t, os.DirFS("../../testdata/recipe-deny-external/manifests")))

	c.DoesNotReach(&t, "default/foo", "outside", "all")
	c.ResolvesDNS(&t, "default/foo")
	fmt.Print(cov.String())
	// Output:
	// Not covered:
	// policies.yaml:27: NetworkPolicy default/foo-deny-external-egress: spec.egress[0].ports[1]
	//
	//               covered   shared      not
	// isolations          1        0        0
	// rules               1        0        0
	// peers               1        0        0
	// port items          1        0        1
	// all                 4        0        1
}
