package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/polreach/polreach/cidr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"pgregory.net/rapid"
	"sigs.k8s.io/yaml"
)

// policyOf returns a policy x/p with the given YAML as its spec.
func policyOf(t testing.TB, spec string) *networkingv1.NetworkPolicy {
	t.Helper()
	np := &networkingv1.NetworkPolicy{}
	require.NoError(t, yaml.UnmarshalStrict([]byte(spec), &np.Spec), "the row is not YAML")
	np.Namespace, np.Name = "x", "p"
	return np
}

// The rows of the tables below are mostly about one item.
func onePort(item string) string    { return "ingress: [{ports: [" + item + "]}]" }
func onePeer(item string) string    { return "ingress: [{from: [" + item + "]}]" }
func oneBlock(b string) string      { return "ingress: [{from: [{ipBlock: " + b + "}]}]" }
func podSelector(sel string) string { return "podSelector: " + sel }

const (
	atPort  = "spec.ingress[0].ports[0]"
	atPeer  = "spec.ingress[0].from[0]"
	atBlock = "spec.ingress[0].from[0].ipBlock"
)

// A fault is what a row expects of one Error.
type fault struct {
	field string
	typ   field.ErrorType
	says  string
}

const (
	invalid      = field.ErrorTypeInvalid
	required     = field.ErrorTypeRequired
	forbidden    = field.ErrorTypeForbidden
	notSupported = field.ErrorTypeNotSupported
	duplicate    = field.ErrorTypeDuplicate
)

// errorsOf returns the errors that err joins.
func errorsOf(t testing.TB, err error) []*Error {
	t.Helper()
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	require.True(t, ok, "errors are joined: %v", err)
	var all []*Error
	for _, err := range joined.Unwrap() {
		var e *Error
		require.True(t, errors.As(err, &e), "%T: %v", err, err)
		all = append(all, e)
	}
	return all
}

func checkFaults(t testing.TB, want []fault, got []*Error, why string) {
	t.Helper()
	require.Len(t, got, len(want), "%s\ngot %v", why, got)
	for i, w := range want {
		assert.Equal(t, w.field, got[i].Field, why)
		assert.Equal(t, w.typ, got[i].Type, why)
		assert.ErrorContains(t, got[i].Err, w.says, why)
		assert.NotContains(t, got[i].Err.Error(), "spec.", "the place says where")
	}
}

func TestNewValidates(t *testing.T) {
	name63 := strings.Repeat("a", 63)
	const (
		char    = "alpha-numeric characters"
		letter  = "at least one letter"
		label   = "a valid label"
		longer  = "must be no more than"
		subset  = "strict subset"
		valid   = "valid CIDR"
		rangeOf = "between 1 and 65535"
	)
	tests := []struct {
		rule string
		spec string
		want []fault
		why  string
	}{
		// Ports.
		{"SEM-310", onePort(`{port: 0}`), []fault{{atPort + ".port", invalid, rangeOf}}, "port 0 is no port"},
		{"SEM-310", onePort(`{port: -1}`), []fault{{atPort + ".port", invalid, "-1: must be between"}}, "the text quotes the value"},
		{"SEM-310", onePort(`{port: 65536}`), []fault{{atPort + ".port", invalid, rangeOf}}, "one above the last port"},
		{"SEM-310", onePort(`{port: 2147483647}`), []fault{{atPort + ".port", invalid, rangeOf}}, "the largest number that decodes"},
		{"SEM-310", onePort(`{port: 65535}`), nil, "the last port"},
		{"SEM-310", onePort(`{port: 1}`), nil, "the first port"},
		{"SEM-310", onePort(`{port: 80, endPort: 65536}`), []fault{{atPort + ".endPort", invalid, rangeOf}}, "one above the last port"},
		{"SEM-310", onePort(`{port: 0, endPort: 0}`), []fault{{atPort + ".port", invalid, rangeOf}, {atPort + ".endPort", invalid, rangeOf}}, "both are checked"},
		{"SEM-310", onePort(`{port: -5, endPort: -1}`), []fault{{atPort + ".port", invalid, rangeOf}, {atPort + ".endPort", invalid, rangeOf}}, "ordered, but not ports"},
		{"SEM-311", onePort(`{port: 90, endPort: 80}`), []fault{{atPort + ".endPort", invalid, "greater than or equal to port"}}, "a range does not run backwards"},
		{"SEM-311", onePort(`{port: 90, endPort: 0}`), []fault{{atPort + ".endPort", invalid, "greater than or equal to port"}, {atPort + ".endPort", invalid, rangeOf}}, "0 breaks two rules"},
		{"SEM-311", onePort(`{port: 65536, endPort: 1}`), []fault{{atPort + ".port", invalid, rangeOf}, {atPort + ".endPort", invalid, "greater than or equal to port"}}, "all errors are reported"},
		{"SEM-158", onePort(`{port: 90, endPort: 90}`), nil, "a range of one port"},
		{"SEM-157", onePort(`{port: 32000, endPort: 32768}`), nil, "a range"},
		{"SEM-312", onePort(`{port: http, endPort: 80}`), []fault{{atPort + ".endPort", invalid, "non-numeric"}}, "a name has no range"},
		{"SEM-312", onePort(`{port: HTTP, endPort: 80}`), []fault{{atPort + ".port", invalid, char}, {atPort + ".port", invalid, letter}, {atPort + ".endPort", invalid, "non-numeric"}}, "in the order of the fields"},
		{"SEM-312", onePort(`{port: http, endPort: 0}`), []fault{{atPort + ".endPort", invalid, "non-numeric"}}, "the number does not matter"},
		{"SEM-313", onePort(`{endPort: 80}`), []fault{{atPort + ".endPort", invalid, "port is not specified"}}, "a range needs a beginning"},
		{"SEM-313", onePort(`{port: null, endPort: 80}`), []fault{{atPort + ".endPort", invalid, "port is not specified"}}, "null is absent"},
		{"SEM-313", onePort(`{protocol: UDP, endPort: 0}`), []fault{{atPort + ".endPort", invalid, "port is not specified"}}, "the number does not matter"},
		{"SEM-314", onePort(`{port: HTTP}`), []fault{{atPort + ".port", invalid, char}, {atPort + ".port", invalid, letter}}, "upper case breaks two rules"},
		{"SEM-314", onePort(`{port: abcdefghijklmno}`), nil, "15 characters"},
		{"SEM-314", onePort(`{port: abcdefghijklmnop}`), []fault{{atPort + ".port", invalid, longer}}, "16 characters"},
		{"SEM-314", onePort(`{port: a--b}`), []fault{{atPort + ".port", invalid, "consecutive hyphens"}}, "two dashes"},
		{"SEM-314", onePort(`{port: -a}`), []fault{{atPort + ".port", invalid, "begin or end"}}, "a dash in front"},
		{"SEM-314", onePort(`{port: a-}`), []fault{{atPort + ".port", invalid, "begin or end"}}, "a dash at the end"},
		{"SEM-314", onePort(`{port: a_b}`), []fault{{atPort + ".port", invalid, char}}, "an underscore"},
		{"SEM-314", onePort(`{port: ""}`), []fault{{atPort + ".port", invalid, char}, {atPort + ".port", invalid, letter}}, "the empty name is not an absent port"},
		{"SEM-314", onePort(`{port: 8a}`), nil, "a digit in front is fine"},
		{"SEM-315", onePort(`{port: "80"}`), []fault{{atPort + ".port", invalid, letter}}, "quotes make a name of it"},
		{"SEM-315", onePort(`{port: "80-81"}`), []fault{{atPort + ".port", invalid, letter}}, "not a range"},
		{"SEM-317", onePort(`{protocol: tcp}`), []fault{{atPort + ".protocol", notSupported, `"TCP" "UDP" "SCTP"`}}, "protocols are upper case"},
		{"SEM-317", onePort(`{protocol: ""}`), []fault{{atPort + ".protocol", notSupported, `"" is not supported`}}, "an empty protocol is not an absent one"},
		{"SEM-317", onePort(`{protocol: ICMP}`), []fault{{atPort + ".protocol", notSupported, "SCTP"}}, "ICMP has no ports"},
		{"SEM-317", onePort(`{protocol: null}`), nil, "null is absent"},
		{"SEM-317", onePort(`{protocol: UDP, port: 53}`), nil, "UDP"},
		{"SEM-317", onePort(`{protocol: SCTP, port: 7777}`), nil, "SCTP"},
		{"SEM-317", onePort(`{protocol: QUIC, port: 0, endPort: 0}`), []fault{{atPort + ".protocol", notSupported, "QUIC"}, {atPort + ".port", invalid, rangeOf}, {atPort + ".endPort", invalid, rangeOf}}, "all errors are reported"},
		{"SEM-160", onePort(`{port: 80}, {port: web}, {protocol: UDP, port: 53}`), nil, "numbers, names and protocols mix"},
		{"SEM-160", onePort(`{port: 80}, {port: 0}`), []fault{{"spec.ingress[0].ports[1].port", invalid, rangeOf}}, "the index counts from 0"},
		{"SEM-006", onePort(`null`), nil, "a null item is an empty one"},

		// Peers.
		{"SEM-320", onePeer(`{}`), []fault{{atPeer, required, "specify a peer"}}, "a peer says something"},
		{"SEM-320", onePeer(`null`), []fault{{atPeer, required, "specify a peer"}}, "a null peer is an empty one"},
		{"SEM-320", onePeer(`{podSelector: null, namespaceSelector: null, ipBlock: null}`), []fault{{atPeer, required, "specify a peer"}}, "null is absent"},
		{"SEM-320", onePeer(`{podSelector: {}}, {}`), []fault{{"spec.ingress[0].from[1]", required, "specify a peer"}}, "the index counts from 0"},
		{"SEM-320", `egress: [{}, {to: [{}]}]`, []fault{{"spec.egress[1].to[0]", required, "specify a peer"}}, "egress is checked alike"},
		{"SEM-321", onePeer(`{ipBlock: {cidr: 10.0.0.0/8}, podSelector: {}}`), []fault{{atPeer, forbidden, "both ipBlock and another peer"}}, "an empty selector counts"},
		{"SEM-321", onePeer(`{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}}`), []fault{{atPeer, forbidden, "both ipBlock and another peer"}}, "an empty selector counts"},
		{"SEM-321", onePeer(`{ipBlock: {cidr: 10.0.0.0/8}, namespaceSelector: {}, podSelector: {}}`), []fault{{atPeer, forbidden, "both ipBlock and another peer"}}, "one error for three"},
		{"SEM-321", onePeer(`{ipBlock: {}, podSelector: {}}`), []fault{{atBlock + ".cidr", required, "cidr"}, {atPeer, forbidden, "both ipBlock and another peer"}}, "all errors are reported"},
		{"SEM-096", onePeer(`{podSelector: {}, namespaceSelector: {}}`), nil, "two selectors go together"},
		{"SEM-333", onePeer(`{podSelector: {matchExpressions: [{key: a, operator: In}]}, namespaceSelector: {matchLabels: {"a b": c}}}`), []fault{{atPeer + ".podSelector.matchExpressions[0].values", required, "In"}, {atPeer + ".namespaceSelector.matchLabels", invalid, `"a b"`}}, "both selectors are checked"},

		// Blocks.
		{"SEM-322", oneBlock(`{}`), []fault{{atBlock + ".cidr", required, "cidr"}}, "a block needs a cidr"},
		{"SEM-322", oneBlock(`{cidr: ""}`), []fault{{atBlock + ".cidr", required, "cidr"}}, "empty is absent"},
		{"SEM-322", oneBlock(`{except: [10.0.0.0/8, bad]}`), []fault{{atBlock + ".cidr", required, "cidr"}}, "exceptions to nothing are not looked at"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.1}`), []fault{{atBlock + ".cidr", invalid, valid}}, "no prefix length"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/33}`), []fault{{atBlock + ".cidr", invalid, valid}}, "IPv4 has 32 bits"},
		{"SEM-323", oneBlock(`{cidr: "fd00::/129"}`), []fault{{atBlock + ".cidr", invalid, valid}}, "IPv6 has 128 bits"},
		{"SEM-323", oneBlock(`{cidr: " 10.0.0.0/8"}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a blank in front"},
		{"SEM-323", oneBlock(`{cidr: "10.0.0.0/8 "}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a blank at the end"},
		{"SEM-323", oneBlock(`{cidr: "10.0.0.0 /8"}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a blank inside"},
		{"SEM-323", oneBlock(`{cidr: "fe80::%eth0/64"}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a zone"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/-1}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a negative length"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/+8}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a sign"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0/8}`), []fault{{atBlock + ".cidr", invalid, valid}}, "three parts"},
		{"SEM-323", oneBlock(`{cidr: 256.0.0.0/8}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a part above 255"},
		{"SEM-323", oneBlock(`{cidr: 0x0a.0.0.0/8}`), []fault{{atBlock + ".cidr", invalid, valid}}, "hexadecimal"},
		{"SEM-323", oneBlock(`{cidr: example.com/24}`), []fault{{atBlock + ".cidr", invalid, `"example.com/24"`}}, "a host name; the text quotes it"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/255.0.0.0}`), []fault{{atBlock + ".cidr", invalid, valid}}, "a mask"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/8, except: [""]}`), []fault{{atBlock + ".except[0]", invalid, valid}}, "an empty exception"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.2.0.0]}`), []fault{{atBlock + ".except[1]", invalid, valid}}, "the index counts from 0"},
		{"SEM-323", oneBlock(`{cidr: bad, except: [worse]}`), []fault{{atBlock + ".cidr", invalid, "bad"}}, "exceptions to nothing are not looked at"},
		{"SEM-323", oneBlock(`{cidr: 10.0.0.0/8, except: [bad, 11.0.0.0/8]}`), []fault{{atBlock + ".except[0]", invalid, valid}, {atBlock + ".except[1]", invalid, subset}}, "all errors are reported"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/24, except: [10.0.0.0/24]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "the whole block"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/24, except: [10.0.0.0/23]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "wider than the block"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/8, except: [8.0.0.0/5]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "wider, and begins outside"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/8, except: [11.0.0.0/8]}`), []fault{{atBlock + ".except[0]", invalid, "11.0.0.0/8 is not inside 10.0.0.0/8: an exception must be a strict subset of its block"}}, "outside"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/8, except: [11.0.0.0/16]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "smaller, but outside"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/8, except: ["fd00::/16"]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "IPv6 in IPv4"},
		{"SEM-326", oneBlock(`{cidr: "::/0", except: [10.0.0.0/8]}`), []fault{{atBlock + ".except[0]", invalid, subset}}, "IPv4 in IPv6"},
		{"SEM-326", oneBlock(`{cidr: "::ffff:10.0.0.0/104", except: [10.1.0.0/16]}`), []fault{{atBlock + ".except[0]", invalid, "no longer prefix"}}, "inside, but the server compares the lengths as written"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/24, except: [10.0.0.0/25]}`), nil, "half of the block"},
		{"SEM-326", oneBlock(`{cidr: 10.0.0.0/31, except: [10.0.0.1/32]}`), nil, "the smallest legal case"},
		{"SEM-324", oneBlock(`{cidr: 10.0.0.1/24}`), nil, "bits beyond the prefix, as old servers stored them"},
		{"SEM-324", oneBlock(`{cidr: 010.0.0.0/8}`), nil, "leading zeros, as old servers stored them"},
		{"SEM-324", oneBlock(`{cidr: 10.0.0.0/08}`), nil, "a leading zero in the length"},
		{"SEM-324", oneBlock(`{cidr: "::ffff:10.0.0.0/104"}`), nil, "IPv4-mapped IPv6, as old servers stored it"},
		{"SEM-324", oneBlock(`{cidr: 10.0.0.0/8, except: [10.1.2.3/16]}`), nil, "exceptions alike"},
		{"SEM-325", oneBlock(`{cidr: "FD00:0:0::/64"}`), nil, "an unusual spelling"},
		{"SEM-117", oneBlock(`{cidr: 10.0.0.0/31, except: [10.0.0.0/32, 10.0.0.1/32]}`), nil, "exceptions that cover everything"},
		{"SEM-118", oneBlock(`{cidr: 10.0.0.0/8, except: [10.1.0.0/16, 10.1.2.0/24, 10.1.0.0/16]}`), nil, "exceptions nest and repeat"},
		{"SEM-119", oneBlock(`{cidr: 0.0.0.0/0}`), nil, "all of IPv4"},
		{"SEM-119", oneBlock(`{cidr: "::/0"}`), nil, "all of IPv6"},
		{"SEM-120", oneBlock(`{cidr: "fd00::1/128"}`), nil, "one address"},

		// Policy types.
		{"SEM-330", `policyTypes: [Ingress, Egress, Ingress]`, []fault{{"spec.policyTypes", invalid, "more than two"}}, "three types"},
		{"SEM-330", `policyTypes: [foo, bar, baz]`, []fault{{"spec.policyTypes", invalid, "more than two"}}, "the elements are not looked at"},
		{"SEM-330", `policyTypes: [foo, bar]`, []fault{{"spec.policyTypes[0]", notSupported, `"foo"`}, {"spec.policyTypes[1]", notSupported, `"bar"`}}, "each element is checked"},
		{"SEM-330", `policyTypes: [Ingress, egress]`, []fault{{"spec.policyTypes[1]", notSupported, `"Ingress" "Egress"`}}, "types begin in upper case"},
		{"SEM-330", `policyTypes: [""]`, []fault{{"spec.policyTypes[0]", notSupported, `""`}}, "an empty type"},
		{"SEM-331", `policyTypes: [Ingress, Ingress]`, nil, "a repeated type"},
		{"SEM-332", `{policyTypes: [Egress], ingress: [{from: [{podSelector: {}}]}]}`, nil, "rules without effect"},
		{"SEM-332", `{policyTypes: [Egress], ingress: [{from: [{}]}]}`, []fault{{atPeer, required, "specify a peer"}}, "rules without effect are checked"},

		// Selectors.
		{"SEM-333", podSelector(`{matchExpressions: [{key: a, operator: In}]}`), []fault{{"spec.podSelector.matchExpressions[0].values", required, "In"}}, "In needs values"},
		{"SEM-333", podSelector(`{matchExpressions: [{key: a, operator: NotIn, values: []}]}`), []fault{{"spec.podSelector.matchExpressions[0].values", required, "NotIn"}}, "NotIn needs values"},
		{"SEM-334", podSelector(`{matchExpressions: [{key: a, operator: Exists, values: [b]}]}`), []fault{{"spec.podSelector.matchExpressions[0].values", forbidden, "Exists"}}, "Exists takes none"},
		{"SEM-334", podSelector(`{matchExpressions: [{key: a, operator: DoesNotExist, values: [b]}]}`), []fault{{"spec.podSelector.matchExpressions[0].values", forbidden, "DoesNotExist"}}, "DoesNotExist takes none"},
		{"SEM-335", podSelector(`{matchExpressions: [{key: a, operator: Gt, values: ["1"]}]}`), []fault{{"spec.podSelector.matchExpressions[0].operator", invalid, "selector operator"}}, "Gt is of node selectors"},
		{"SEM-335", podSelector(`{matchExpressions: [{key: a, operator: in, values: [b]}]}`), []fault{{"spec.podSelector.matchExpressions[0].operator", invalid, "selector operator"}}, "operators begin in upper case"},
		{"SEM-336", podSelector(`{matchLabels: {"a b": c}}`), []fault{{"spec.podSelector.matchLabels", invalid, `"a b"`}}, "a blank in a key"},
		{"SEM-336", podSelector(`{matchExpressions: [{key: "", operator: Exists}]}`), []fault{{"spec.podSelector.matchExpressions[0].key", invalid, "name part"}, {"spec.podSelector.matchExpressions[0].key", invalid, "name part"}}, "an empty key breaks two rules"},
		{"SEM-336", podSelector(`{matchLabels: {a/b/c: d}}`), []fault{{"spec.podSelector.matchLabels", invalid, `"a/b/c"`}}, "two prefixes"},
		{"SEM-336", podSelector(`{matchLabels: {Up/a: b}}`), []fault{{"spec.podSelector.matchLabels", invalid, "prefix part"}}, "a prefix is lower case"},
		{"SEM-336", podSelector(fmt.Sprintf(`{matchLabels: {%sa: b}}`, name63)), []fault{{"spec.podSelector.matchLabels", invalid, longer}}, "64 characters in a key"},
		{"SEM-336", podSelector(fmt.Sprintf(`{matchLabels: {example.com/%s: b}}`, name63)), nil, "63 characters beside a prefix"},
		{"SEM-337", podSelector(`{matchLabels: {a: "b c"}}`), []fault{{"spec.podSelector.matchLabels", invalid, label}}, "a blank in a value"},
		{"SEM-337", podSelector(`{matchLabels: {a: -b}}`), []fault{{"spec.podSelector.matchLabels", invalid, label}}, "a dash in front"},
		{"SEM-337", podSelector(fmt.Sprintf(`{matchLabels: {a: %sa}}`, name63)), []fault{{"spec.podSelector.matchLabels", invalid, longer}}, "64 characters in a value"},
		{"SEM-337", podSelector(`{matchExpressions: [{key: a, operator: In, values: [b, "c d"]}]}`), []fault{{"spec.podSelector.matchExpressions[0].values[1]", invalid, label}}, "the index counts from 0"},
		{"SEM-337", podSelector(`{matchLabels: {a: ""}}`), nil, "the empty value"},
		{"SEM-337", podSelector(`{matchLabels: {a: null}}`), nil, "null is the empty value"},
		{"SEM-048", podSelector(`{matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}`), nil, "an impossible selector"},

		// Everything at once, in the order of the API object.
		{"SEM-302", `{podSelector: {matchLabels: {"a b": c}}, egress: [{to: [{}], ports: [{port: 0}]}], ingress: [{from: [{}], ports: [{protocol: tcp}]}], policyTypes: [foo]}`,
			[]fault{
				{"spec.podSelector.matchLabels", invalid, `"a b"`},
				{"spec.ingress[0].ports[0].protocol", notSupported, "tcp"},
				{"spec.ingress[0].from[0]", required, "specify a peer"},
				{"spec.egress[0].ports[0].port", invalid, rangeOf},
				{"spec.egress[0].to[0]", required, "specify a peer"},
				{"spec.policyTypes[0]", notSupported, "foo"},
			}, "all errors, whatever the order in the manifest"},

		// Nothing wrong at all.
		{"SEM-007", `{}`, nil, "an empty spec"},
		{"SEM-007", `{podSelector: null, ingress: null, egress: null, policyTypes: null}`, nil, "null is absent"},
		{"SEM-006", `ingress: [null]`, nil, "a null rule is an empty one"},
		{"SEM-007", `ingress: [{from: null, ports: null}]`, nil, "null is absent"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.spec, func(t *testing.T) {
			p, err := New(policyOf(t, tt.spec))
			checkFaults(t, tt.want, errorsOf(t, err), tt.why)
			assert.Equal(t, len(tt.want) == 0, p != nil, "a policy or errors, never both")
			for _, e := range errorsOf(t, err) {
				assert.Equal(t, "NetworkPolicy x/p", e.Object)
				assert.Empty(t, e.File)
			}
		})
	}
	assert.Greater(t, len(tests), 100)
}

func TestNewValidatesMetadata(t *testing.T) {
	tests := []struct {
		rule   string
		meta   metav1.ObjectMeta
		object string
		want   []fault
		why    string
	}{
		{"SEM-300", metav1.ObjectMeta{Namespace: "x", Name: "a.b-c.0"}, "", nil, "a DNS subdomain"},
		{"SEM-300", metav1.ObjectMeta{Namespace: "x", Name: "My_Policy"}, "NetworkPolicy x/My_Policy", []fault{{"metadata.name", invalid, `"My_Policy"`}}, "upper case and underscore"},
		{"SEM-300", metav1.ObjectMeta{Namespace: "x", Name: strings.Repeat("a", 253)}, "", nil, "253 characters"},
		{"SEM-300", metav1.ObjectMeta{Namespace: "x", Name: strings.Repeat("a", 254)}, "NetworkPolicy x/" + strings.Repeat("a", 254), []fault{{"metadata.name", invalid, "no more than 253"}}, "254 characters"},
		{"SEM-300", metav1.ObjectMeta{Namespace: "x"}, "NetworkPolicy x/", []fault{{"metadata.name", required, "name or generateName"}}, "no name"},
		{"SEM-012", metav1.ObjectMeta{Namespace: "x", GenerateName: "web-"}, "", nil, "the server makes the name"},
		{"SEM-012", metav1.ObjectMeta{Namespace: "x", GenerateName: "Web-"}, "NetworkPolicy x/Web-*", []fault{{"metadata.generateName", invalid, `"Web-"`}}, "no name can come of it"},
		{"SEM-012", metav1.ObjectMeta{Namespace: "x", GenerateName: "web.-"}, "", nil, "what is added stands for the dash"},
		{"SEM-012", metav1.ObjectMeta{Namespace: "x", GenerateName: "-"}, "NetworkPolicy x/-*", []fault{{"metadata.generateName", invalid, `"-"`}}, "no name begins with a dash"},
		{"SEM-012", metav1.ObjectMeta{Namespace: "x", Name: "web", GenerateName: "Web-"}, "NetworkPolicy x/web", []fault{{"metadata.generateName", invalid, `"Web-"`}}, "both are checked"},
		{"SEM-011", metav1.ObjectMeta{Name: "p"}, "", nil, "the namespace is default"},
		{"SEM-301", metav1.ObjectMeta{Namespace: "a.b", Name: "p"}, "NetworkPolicy a.b/p", []fault{{"metadata.namespace", invalid, "must not contain dots"}}, "a DNS label has no dots"},
		{"SEM-336", metav1.ObjectMeta{Name: "p", Labels: map[string]string{"z z": "", "a a": "", "m": "x"}}, "NetworkPolicy default/p", []fault{{"metadata.labels", invalid, `"a a"`}, {"metadata.labels", invalid, `"z z"`}}, "labels are checked in the order of their keys"},
		{"SEM-337", metav1.ObjectMeta{Name: "P", Namespace: "N", Labels: map[string]string{"a": "-"}}, "NetworkPolicy N/P", []fault{{"metadata.name", invalid, `"P"`}, {"metadata.namespace", invalid, `"N"`}, {"metadata.labels", invalid, `"-"`}}, "all errors are reported"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.why, func(t *testing.T) {
			_, err := New(&networkingv1.NetworkPolicy{ObjectMeta: tt.meta})
			checkFaults(t, tt.want, errorsOf(t, err), tt.why)
			for _, e := range errorsOf(t, err) {
				assert.Equal(t, tt.object, e.Object)
			}
		})
	}
}

func TestNewNames(t *testing.T) {
	p, err := New(&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Name: "p"}})
	require.NoError(t, err)
	assert.Equal(t, "default/p", p.Name.String(), "SEM-011: no namespace is default")

	p, err = New(&networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "x", GenerateName: "web-"}})
	require.NoError(t, err)
	assert.Equal(t, "x/web-*", p.Name.String(), "the name is still to be made")
}

func TestErrorText(t *testing.T) {
	_, err := New(policyOf(t, `ingress: [{from: [{podSelector: {}}, {ipBlock: {cidr: 10.0.0.0/8, except: [11.0.0.0/8]}}]}]`))
	assert.EqualError(t, err, "NetworkPolicy x/p: spec.ingress[0].from[1].ipBlock.except[0]: "+
		"11.0.0.0/8 is not inside 10.0.0.0/8: an exception must be a strict subset of its block")
}

// Strict CIDRs are refused with the words of the rule, besides everything else.
func TestCheckStrictCIDR(t *testing.T) {
	tests := []struct {
		spec string
		want []fault
		why  string
	}{
		{`{cidr: 10.0.0.1/24}`, []fault{{atBlock + ".cidr", invalid, "bits set beyond the prefix length"}}, "host bits"},
		{`{cidr: 010.0.0.0/8}`, []fault{{atBlock + ".cidr", invalid, "leading 0s"}}, "leading zeros of the address"},
		{`{cidr: 10.0.0.0/08}`, []fault{{atBlock + ".cidr", invalid, "leading 0s"}}, "leading zeros of the length"},
		{`{cidr: "::ffff:10.0.0.0/104"}`, []fault{{atBlock + ".cidr", invalid, "IPv4-mapped"}}, "IPv4-mapped IPv6"},
		{`{cidr: 10.0.0.0/8, except: [10.1.2.3/16]}`, []fault{{atBlock + ".except[0]", invalid, "bits set beyond the prefix length"}}, "exceptions alike"},
		{`{cidr: 10.0.0.1/8, except: [11.1.2.3/16]}`, []fault{{atBlock + ".cidr", invalid, "bits set beyond"}, {atBlock + ".except[0]", invalid, "bits set beyond"}, {atBlock + ".except[0]", invalid, "strict subset"}}, "all errors are reported"},
		{`{cidr: "FD00:0:0::/64"}`, nil, "the spelling of IPv6 does not matter"},
		{`{cidr: 10.0.0.0/8}`, nil, "nothing odd"},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			errs, _ := check(policyOf(t, oneBlock(tt.spec)), true)
			checkFaults(t, tt.want, errs, tt.why)
		})
	}
}

// A block or an address is read exactly when the API server accepts it, which
// is laxer than net/netip.
func TestAddressesAreReadAsByTheServer(t *testing.T) {
	octet := rapid.SampledFrom([]string{"0", "10", "010", "255", "0255", "256"})
	group := rapid.SampledFrom([]string{"0", "fd00", "FD00", "0ffff", "ffff", "10000"})
	length := rapid.SampledFrom([]string{"0", "8", "08", "32", "33", "96", "128", "129"})
	stray := rapid.SampledFrom([]string{"", "", "", " ", "+", "-", "_", "x", ".", ":", "/", "%", "%eth0", "0"})
	block := rapid.Custom(func(t *rapid.T) string {
		v4 := strings.Join(rapid.SliceOfN(octet, 4, 4).Draw(t, "octets"), ".")
		v6 := strings.Join(rapid.SliceOfN(group, 8, 8).Draw(t, "groups"), ":")
		addr := rapid.SampledFrom([]string{v4, v6, "::" + v6[:2], "::ffff:" + v4, "fd00::" + v4}).Draw(t, "addr")
		s := addr + "/" + length.Draw(t, "length")
		i := rapid.IntRange(0, len(s)).Draw(t, "at")
		return s[:i] + stray.Draw(t, "stray") + s[i:]
	})
	read, refused := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		s := block.Draw(t, "block")
		want := len(validation.IsValidCIDRForLegacyField(nil, s, false, nil)) == 0
		_, err := cidr.ParsePrefix(s)
		require.Equal(t, want, err == nil, "%q: %v", s, err)

		text, _, _ := strings.Cut(s, "/")
		wantAddr := len(validation.IsValidIPForLegacyField(nil, text, false, nil)) == 0
		_, ok := parseAddr(text)
		require.Equal(t, wantAddr, ok, "%q", text)
		if want {
			read++
		} else {
			refused++
		}
	})
	assert.NotZero(t, read)
	assert.NotZero(t, refused)
}

func TestNewWarns(t *testing.T) {
	tests := []struct {
		rule string
		spec string
		want []string // field: code: words
		why  string
	}{
		{"SEM-065", `{policyTypes: [Egress], ingress: [{}]}`, []string{"spec.ingress: unlisted-direction: does not list Ingress"}, "the rule neither isolates nor allows"},
		{"SEM-026", `{policyTypes: [Ingress], egress: [{}], ingress: [{}]}`, []string{"spec.egress: unlisted-direction: does not list Egress"}, "an export whose types were stored before the rules"},
		{"SEM-062", `{policyTypes: [Ingress], egress: []}`, nil, "an empty list says nothing"},
		{"SEM-021", `{egress: [{}]}`, nil, "the type is added for the rule"},
		{"SEM-048", `{podSelector: {matchExpressions: [{key: a, operator: In, values: [b]}, {key: a, operator: In, values: [c]}]}}`, []string{"spec.podSelector: impossible-selector: picks nothing"}, "no value is in both lists"},
		{"SEM-048", `{egress: [{to: [{podSelector: {matchLabels: {a: b}}, namespaceSelector: {matchExpressions: [{key: a, operator: Exists}, {key: a, operator: DoesNotExist}]}}]}]}`, []string{"spec.egress[0].to[0].namespaceSelector: impossible-selector: picks nothing"}, "the field is that of the selector"},
		{"SEM-324", oneBlock(`{cidr: 10.0.0.1/24}`), []string{atBlock + ".cidr: odd-cidr: taken as 10.0.0.0/24"}, "host bits"},
		{"SEM-324", oneBlock(`{cidr: "::ffff:10.0.0.0/104"}`), []string{atBlock + ".cidr: odd-cidr: taken as 10.0.0.0/8"}, "IPv4-mapped"},
		{"SEM-324", oneBlock(`{cidr: 010.0.0.0/8, except: [10.1.0.0/16, 10.2.0.3/16]}`), []string{atBlock + ".cidr: odd-cidr: taken as 10.0.0.0/8", atBlock + ".except[1]: odd-cidr: taken as 10.2.0.0/16"}, "one warning for each"},
		{"SEM-324", oneBlock(`{cidr: 010.0.0.1/08}`), []string{atBlock + ".cidr: odd-cidr: taken as 10.0.0.0/8"}, "one warning for several oddities"},
		{"SEM-325", oneBlock(`{cidr: "FD00:0:0::/64"}`), []string{atBlock + ".cidr: odd-cidr: spelling of fd00::/64"}, "an unusual spelling"},
		{"SEM-117", oneBlock(`{cidr: 10.0.0.0/31, except: [10.0.0.0/32, 10.0.0.1/32]}`), []string{atBlock + ": empty-block: holds no address"}, "the exceptions cover everything"},
		{"SEM-117", oneBlock(`{cidr: 10.0.0.0/8, except: ["::ffff:10.0.0.0/104"]}`), []string{atBlock + ".except[0]: odd-cidr: taken as 10.0.0.0/8", atBlock + ": empty-block: holds no address"}, "as the server compares lengths, this is legal"},
		{"SEM-072", `{podSelector: {}, ingress: [{}], egress: [{}], policyTypes: [Ingress, Egress]}`, nil, "nothing odd"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.spec, func(t *testing.T) {
			p, err := New(policyOf(t, tt.spec))
			require.NoError(t, err)
			checkWarnings(t, tt.want, p.Warnings, tt.why)
			for _, w := range p.Warnings {
				assert.Equal(t, "NetworkPolicy x/p", w.Object)
			}
		})
	}
}

// checkWarnings compares warnings with rows of field, code and words.
func checkWarnings(t testing.TB, want []string, got []Warning, why string) {
	t.Helper()
	require.Len(t, got, len(want), "%s\ngot %v", why, got)
	for i, w := range want {
		parts := strings.SplitN(w, ": ", 3)
		assert.Equal(t, parts[0], got[i].Field, why)
		assert.Equal(t, parts[1], got[i].Code, why)
		assert.Contains(t, got[i].Text, parts[2], why)
	}
}

// describe returns all that a policy means, for comparison.
func describe(p *Policy) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s for [%s]", p.Name, p.Pods)
	for _, d := range []Direction{Ingress, Egress} {
		h := p.Half(d)
		if !h.Isolates {
			fmt.Fprintf(&b, "; %s is open", d)
			continue
		}
		fmt.Fprintf(&b, "; %s", d)
		for i, r := range h.Rules {
			fmt.Fprintf(&b, " %d:", i)
			for _, peer := range r.Peers {
				fmt.Fprintf(&b, " {%s}", peer)
			}
			b.WriteString(" on")
			for _, it := range r.Ports {
				fmt.Fprintf(&b, " {%s}", it)
			}
		}
	}
	return b.String()
}

func TestNewNormalForm(t *testing.T) {
	tests := []struct {
		rule string
		spec string
		want string
		why  string
	}{
		{"SEM-020", `{}`, "x/p for []; ingress; egress is open", "Ingress is assumed, all pods are meant"},
		{"SEM-020", `egress: [{}]`, "x/p for []; ingress; egress 0: {anyone} on {any port}", "Ingress is assumed beside Egress"},
		{"SEM-021", `egress: [{ports: [{port: serve-80}]}]`, "x/p for []; ingress; egress 0: {anyone} on {serve-80/TCP}", "a rule adds Egress"},
		{"SEM-023", `{policyTypes: [Ingress], egress: [{}]}`, "x/p for []; ingress; egress is open", "explicit types are final"},
		{"SEM-023", `{policyTypes: [Egress], ingress: [{}]}`, "x/p for []; ingress is open; egress", "explicit types are final"},
		{"SEM-025", `egress: []`, "x/p for []; ingress; egress is open", "an empty list adds nothing"},
		{"SEM-062", `{policyTypes: [Ingress], ingress: []}`, "x/p for []; ingress; egress is open", "no rule allows nothing"},
		{"SEM-066", `{policyTypes: [Ingress, Egress]}`, "x/p for []; ingress; egress", "listing isolates without rules"},
		{"SEM-331", `{policyTypes: [Egress, Egress]}`, "x/p for []; ingress is open; egress", "a repeated type counts once"},
		{"SEM-072", `ingress: [{}]`, "x/p for []; ingress 0: {anyone} on {any port}; egress is open", "an empty rule allows everything"},
		{"SEM-006", `ingress: [null]`, "x/p for []; ingress 0: {anyone} on {any port}; egress is open", "a null rule is an empty rule"},
		{"SEM-022", onePort(`{port: 80}`), "x/p for []; ingress 0: {anyone} on {80/TCP}; egress is open", "TCP is the default"},
		{"SEM-154", onePort(`{}`), "x/p for []; ingress 0: {anyone} on {TCP}; egress is open", "an empty item is all of TCP, not everything"},
		{"SEM-006", onePort(`null`), "x/p for []; ingress 0: {anyone} on {TCP}; egress is open", "a null item is an empty item"},
		{"SEM-150", `ingress: [{ports: []}]`, "x/p for []; ingress 0: {anyone} on {any port}; egress is open", "an empty list is everything"},
		{"SEM-153", onePort(`{protocol: SCTP}`), "x/p for []; ingress 0: {anyone} on {SCTP}; egress is open", "a whole protocol"},
		{"SEM-157", onePort(`{port: 80, endPort: 90}`), "x/p for []; ingress 0: {anyone} on {80-90/TCP}; egress is open", "a range"},
		{"SEM-158", onePort(`{port: 80, endPort: 80}`), "x/p for []; ingress 0: {anyone} on {80/TCP}; egress is open", "a range of one port"},
		{"SEM-160", onePort(`{port: 80}, {port: web, protocol: UDP}, {port: 80}`), "x/p for []; ingress 0: {anyone} on {80/TCP} {web/UDP} {80/TCP}; egress is open", "items stay as they are listed"},
		{"SEM-090", `ingress: [{from: []}]`, "x/p for []; ingress 0: {anyone} on {any port}; egress is open", "an empty list is everyone"},
		{"SEM-091", onePeer(`{podSelector: {}}`), "x/p for []; ingress 0: {all pods in x} on {any port}; egress is open", "the own namespace only"},
		{"SEM-091", onePeer(`{podSelector: {matchLabels: {a: b}}}`), "x/p for []; ingress 0: {pods [a=b] in x} on {any port}; egress is open", "the own namespace only"},
		{"SEM-092", onePeer(`{namespaceSelector: {matchLabels: {team: a}}}`), "x/p for []; ingress 0: {all pods in namespaces [team=a]} on {any port}; egress is open", "all pods of the namespaces"},
		{"SEM-093", onePeer(`{namespaceSelector: {}}`), "x/p for []; ingress 0: {all pods in all namespaces} on {any port}; egress is open", "all pods of the cluster"},
		{"SEM-098", onePeer(`{namespaceSelector: {}, podSelector: {}}`), "x/p for []; ingress 0: {all pods in all namespaces} on {any port}; egress is open", "an empty podSelector adds nothing"},
		{"SEM-096", onePeer(`{namespaceSelector: {matchLabels: {team: a}}, podSelector: {matchLabels: {a: b}}}`), "x/p for []; ingress 0: {pods [a=b] in namespaces [team=a]} on {any port}; egress is open", "both must match"},
		{"SEM-097", onePeer(`{namespaceSelector: {matchLabels: {team: a}}}, {podSelector: {matchLabels: {a: b}}}`), "x/p for []; ingress 0: {all pods in namespaces [team=a]} {pods [a=b] in x} on {any port}; egress is open", "either may match"},
		{"SEM-049", onePeer(`{namespaceSelector: null, podSelector: {}}`), "x/p for []; ingress 0: {all pods in x} on {any port}; egress is open", "null is absent, not empty"},
		{"SEM-110", oneBlock(`{cidr: 10.0.0.0/8, except: [10.1.0.0/16]}`), "x/p for []; ingress 0: {10.0.0.0/8 except 10.1.0.0/16} on {any port}; egress is open", "the block less its exceptions"},
		{"SEM-117", oneBlock(`{cidr: 10.0.0.0/31, except: [10.0.0.0/32, 10.0.0.1/32]}`), "x/p for []; ingress 0: {none} on {any port}; egress is open", "the exceptions cover everything"},
		{"SEM-121", oneBlock(`{cidr: 10.0.0.7/24}`), "x/p for []; ingress 0: {10.0.0.0/24} on {any port}; egress is open", "host bits are masked"},
		{"SEM-124", oneBlock(`{cidr: "::ffff:10.0.0.0/104"}`), "x/p for []; ingress 0: {10.0.0.0/8} on {any port}; egress is open", "IPv4-mapped is IPv4"},
		{"SEM-125", oneBlock(`{cidr: "FD00:0:0::/64"}`), "x/p for []; ingress 0: {fd00::/64} on {any port}; egress is open", "spelling is irrelevant"},
		{"SEM-024", `podSelector: null`, "x/p for []; ingress; egress is open", "null is everything here"},
		{"SEM-040", `podSelector: {matchLabels: {}, matchExpressions: []}`, "x/p for []; ingress; egress is open", "empty is everything"},
	}
	for _, tt := range tests {
		t.Run(tt.rule+" "+tt.spec, func(t *testing.T) {
			p, err := New(policyOf(t, tt.spec))
			require.NoError(t, err)
			assert.Equal(t, tt.want, describe(p), tt.why)
		})
	}
}

func TestPortItemFields(t *testing.T) {
	p, err := New(policyOf(t, `ingress: [{}, {ports: [{}, {port: 80}, {port: 80, endPort: 90, protocol: UDP}, {port: web}]}]`))
	require.NoError(t, err)
	assert.Equal(t, []PortItem{{}}, p.Ingress.Rules[0].Ports)
	assert.Equal(t, []Peer{Anyone{}}, p.Ingress.Rules[0].Peers)
	assert.Equal(t, []PortItem{
		{Protocol: TCP},
		{Protocol: TCP, First: 80, Last: 80},
		{Protocol: UDP, First: 80, Last: 90},
		{Protocol: TCP, Name: "web"},
	}, p.Ingress.Rules[1].Ports)
}

// What a policy means does not depend on whether a list is absent, null or
// empty, except where the API gives that a meaning.
func TestNewReadsEmptyAlike(t *testing.T) {
	tests := []struct {
		rule  string
		specs []string
		why   string
	}{
		{"SEM-007", []string{`{}`, `{podSelector: {}}`, `{podSelector: null}`, `{ingress: null}`, `{ingress: []}`, `{egress: []}`, `{policyTypes: []}`, `{policyTypes: null}`, `{policyTypes: [Ingress]}`}, "deny all ingress"},
		{"SEM-007", []string{`{policyTypes: [Egress]}`, `{policyTypes: [Egress], egress: []}`, `{policyTypes: [Egress], egress: null}`}, "deny all egress"},
		{"SEM-090", []string{`ingress: [{}]`, `ingress: [null]`, `ingress: [{from: []}]`, `ingress: [{from: null, ports: null}]`, `ingress: [{ports: []}]`}, "allow all ingress"},
		{"SEM-154", []string{onePort(`{}`), onePort(`null`), onePort(`{protocol: TCP}`), onePort(`{port: null, endPort: null, protocol: null}`)}, "all of TCP"},
		{"SEM-098", []string{onePeer(`{namespaceSelector: {}}`), onePeer(`{namespaceSelector: {matchLabels: null}, podSelector: {}}`), onePeer(`{namespaceSelector: {matchExpressions: []}, podSelector: {matchLabels: {}}}`)}, "all pods"},
		{"SEM-115", []string{oneBlock(`{cidr: 10.0.0.0/8}`), oneBlock(`{cidr: 10.0.0.0/8, except: []}`), oneBlock(`{cidr: 10.0.0.0/8, except: null}`)}, "no exceptions"},
	}
	for _, tt := range tests {
		want, err := New(policyOf(t, tt.specs[0]))
		require.NoError(t, err)
		for _, spec := range tt.specs[1:] {
			t.Run(tt.rule+" "+tt.why+" "+spec, func(t *testing.T) {
				got, err := New(policyOf(t, spec))
				require.NoError(t, err)
				assert.Equal(t, describe(want), describe(got))
				assert.Equal(t, want.Warnings, got.Warnings)
			})
		}
	}
}

// genPolicy draws policies that the API server accepts.
var genPolicy = rapid.Custom(func(t *rapid.T) *networkingv1.NetworkPolicy {
	np := &networkingv1.NetworkPolicy{ObjectMeta: metav1.ObjectMeta{Namespace: "x", Name: "p"}}
	np.Spec.PodSelector = genSelector.Draw(t, "podSelector")
	for range rapid.IntRange(0, 3).Draw(t, "ingress") {
		np.Spec.Ingress = append(np.Spec.Ingress, networkingv1.NetworkPolicyIngressRule{
			From: rapid.SliceOfN(genPeer, 0, 3).Draw(t, "from"), Ports: rapid.SliceOfN(genPort, 0, 3).Draw(t, "ports"),
		})
	}
	for range rapid.IntRange(0, 3).Draw(t, "egress") {
		np.Spec.Egress = append(np.Spec.Egress, networkingv1.NetworkPolicyEgressRule{
			To: rapid.SliceOfN(genPeer, 0, 3).Draw(t, "to"), Ports: rapid.SliceOfN(genPort, 0, 3).Draw(t, "ports"),
		})
	}
	np.Spec.PolicyTypes = rapid.SliceOfN(rapid.SampledFrom([]networkingv1.PolicyType{
		networkingv1.PolicyTypeIngress, networkingv1.PolicyTypeEgress,
	}), 0, 2).Draw(t, "policyTypes")
	return np
})

var genSelector = rapid.Custom(func(t *rapid.T) metav1.LabelSelector {
	key := rapid.SampledFrom([]string{"a", "b", "example.com/a"})
	value := rapid.SampledFrom([]string{"", "x", "y"})
	ls := metav1.LabelSelector{MatchLabels: rapid.MapOfN(key, value, 0, 2).Draw(t, "matchLabels")}
	for range rapid.IntRange(0, 2).Draw(t, "expressions") {
		op := rapid.SampledFrom([]metav1.LabelSelectorOperator{"In", "NotIn", "Exists", "DoesNotExist"}).Draw(t, "operator")
		e := metav1.LabelSelectorRequirement{Key: key.Draw(t, "key"), Operator: op}
		if op == "In" || op == "NotIn" {
			e.Values = rapid.SliceOfN(value, 1, 3).Draw(t, "values")
		}
		ls.MatchExpressions = append(ls.MatchExpressions, e)
	}
	return ls
})

var genPeer = rapid.Custom(func(t *rapid.T) networkingv1.NetworkPolicyPeer {
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	if kind == 0 {
		return networkingv1.NetworkPolicyPeer{IPBlock: &networkingv1.IPBlock{
			CIDR:   rapid.SampledFrom([]string{"10.0.0.0/8", "10.0.0.1/9", "0.0.0.0/0"}).Draw(t, "cidr"),
			Except: rapid.SliceOfN(rapid.SampledFrom([]string{"10.0.0.0/10", "10.64.0.0/10", "10.1.0.0/16", "010.1.2.0/24"}), 0, 3).Draw(t, "except"),
		}}
	}
	var p networkingv1.NetworkPolicyPeer
	if kind != 1 {
		s := genSelector.Draw(t, "podSelector")
		p.PodSelector = &s
	}
	if kind != 2 {
		s := genSelector.Draw(t, "namespaceSelector")
		p.NamespaceSelector = &s
	}
	return p
})

var genPort = rapid.Custom(func(t *rapid.T) networkingv1.NetworkPolicyPort {
	var p networkingv1.NetworkPolicyPort
	if rapid.Bool().Draw(t, "hasProtocol") {
		protocol := rapid.SampledFrom([]corev1.Protocol{"TCP", "UDP", "SCTP"}).Draw(t, "protocol")
		p.Protocol = &protocol
	}
	switch rapid.IntRange(0, 3).Draw(t, "kind") {
	case 0:
		name := intstr.FromString(rapid.SampledFrom([]string{"web", "dns"}).Draw(t, "name"))
		p.Port = &name
	case 1:
		number := intstr.FromInt32(rapid.Int32Range(1, 65535).Draw(t, "port"))
		p.Port = &number
	case 2:
		number := intstr.FromInt32(rapid.Int32Range(1, 65535).Draw(t, "port"))
		end := rapid.Int32Range(number.IntVal, 65535).Draw(t, "endPort")
		p.Port, p.EndPort = &number, &end
	}
	return p
})

// New accepts every valid policy and does not change it; the order of lists and
// the repetition of their items change nothing but the order in the result; and
// no list of a rule is ever empty.
func TestNewMeansSetsNotLists(t *testing.T) {
	sorted := func(p *Policy) []string {
		lines := []string{p.Name.String(), p.Pods.String()}
		for _, d := range []Direction{Ingress, Egress} {
			h := p.Half(d)
			lines = append(lines, fmt.Sprint(d, h.Isolates))
			var rules []string
			for _, r := range h.Rules {
				var peers, ports []string
				for _, peer := range r.Peers {
					peers = append(peers, peer.String())
				}
				for _, it := range r.Ports {
					ports = append(ports, it.String())
				}
				slices.Sort(peers)
				slices.Sort(ports)
				rules = append(rules, fmt.Sprint(slices.Compact(peers), slices.Compact(ports)))
			}
			slices.Sort(rules)
			lines = append(lines, slices.Compact(rules)...)
		}
		return lines
	}
	isolated, open := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		np := genPolicy.Draw(t, "policy")
		before := np.DeepCopy()
		p, err := New(np)
		require.NoError(t, err)
		require.Equal(t, before, np, "the API object has changed")
		for _, d := range []Direction{Ingress, Egress} {
			if p.Half(d).Isolates {
				isolated++
			} else {
				open++
				require.Empty(t, p.Half(d).Rules)
			}
			for _, r := range p.Half(d).Rules {
				require.NotEmpty(t, r.Peers)
				require.NotEmpty(t, r.Ports)
			}
		}

		other := np.DeepCopy()
		other.Spec.Ingress = shuffled(t, other.Spec.Ingress)
		for i, r := range other.Spec.Ingress {
			other.Spec.Ingress[i].From, other.Spec.Ingress[i].Ports = shuffled(t, r.From), shuffled(t, r.Ports)
		}
		other.Spec.Egress = shuffled(t, other.Spec.Egress)
		for i, r := range other.Spec.Egress {
			other.Spec.Egress[i].To, other.Spec.Egress[i].Ports = shuffled(t, r.To), shuffled(t, r.Ports)
		}
		if len(other.Spec.PolicyTypes) == 1 {
			other.Spec.PolicyTypes = append(other.Spec.PolicyTypes, other.Spec.PolicyTypes[0])
		}
		other.Spec.PolicyTypes = rapid.Permutation(other.Spec.PolicyTypes).Draw(t, "types")
		q, err := New(other)
		require.NoError(t, err)
		require.Equal(t, sorted(p), sorted(q))
	})
	assert.NotZero(t, isolated)
	assert.NotZero(t, open)
}

// shuffled returns the items in another order, and perhaps one of them twice.
func shuffled[T any](t *rapid.T, items []T) []T {
	items = rapid.Permutation(items).Draw(t, "order")
	if len(items) > 0 && rapid.Bool().Draw(t, "repeat") {
		items = append(items, items[0])
	}
	return items
}

func TestDirection(t *testing.T) {
	p := &Policy{Egress: Half{Isolates: true}}
	assert.Equal(t, "egress", Egress.String())
	assert.Equal(t, "ingress", Ingress.String())
	assert.Same(t, &p.Egress, p.Half(Egress))
	assert.Same(t, &p.Ingress, p.Half(Ingress))
}

func BenchmarkNew(b *testing.B) {
	for _, n := range []int{1, 100} {
		b.Run(fmt.Sprintf("rules=%d", n), func(b *testing.B) {
			rule := policyOf(b, `ingress: [{from: [{podSelector: {matchLabels: {app: web}}}, {ipBlock: {cidr: 10.0.0.0/8, except: [10.1.0.0/16]}}], ports: [{port: 80}]}]`)
			np := rule.DeepCopy()
			for range n - 1 {
				np.Spec.Ingress = append(np.Spec.Ingress, rule.Spec.Ingress...)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := New(np); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
