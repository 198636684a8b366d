package audit_test

import (
	"testing"

	"github.com/polreach/polreach/reach"
	"github.com/stretchr/testify/assert"
)

func TestHalfOpen(t *testing.T) {
	const (
		apiOut = "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}"
		dbIn   = "db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}]}]}"
	)
	for _, tt := range []struct {
		reason   string
		profile  reach.Profile
		policies []string
		want     []string
	}{
		{
			reason:   "egress is written, and ingress forgotten",
			policies: []string{denyIn, apiOut},
			want:     []string{"shop/api spec.egress[0]: half-open-egress"},
		},
		{
			reason:   "ingress is written, and egress forgotten",
			policies: []string{denyOut, dbIn},
			want:     []string{"shop/db spec.ingress[0]: half-open-ingress"},
		},
		{
			reason:   "both are written",
			policies: []string{denyIn, denyOut, apiOut, dbIn},
		},
		{
			reason:   "db is open",
			policies: []string{denyOut, apiOut},
		},
		{
			reason: "db lets api in on one of the two ports that it declares",
			policies: []string{
				apiOut,
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}",
			},
			want: []string{"shop/api spec.egress[0]: half-open-egress"},
		},
		{
			reason: "only the port that the rule names counts",
			policies: []string{
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 5432}]}]}",
				"db {podSelector: {matchLabels: {app: db}}, ingress: [{from: [{podSelector: {matchLabels: {app: api}}}], ports: [{port: 5432}]}]}",
			},
		},
		{
			reason: "db does not declare 22",
			policies: []string{
				denyIn,
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}], ports: [{port: 22}]}]}",
			},
		},
		{
			reason: "scan declares nothing, so that the number counts; its namespace is open, and api may not get there",
			policies: []string{
				denyOut,
				"web {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}], ports: [{port: 80}]}]}",
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: ops}}}], ports: [{port: 22}]}]}",
			},
		},
		{
			reason: "to everybody in the cluster names nobody",
			policies: []string{
				denyIn,
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{namespaceSelector: {}}]}]}",
			},
		},
		{
			reason:   "nor does a rule without peers, or a block",
			policies: []string{denyIn, "api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{}, {to: [{ipBlock: {cidr: 10.0.0.0/8}}]}]}"},
		},
		{
			reason: "the number that a name means on db",
			policies: []string{
				denyIn,
				"api {podSelector: {matchLabels: {app: api}}, policyTypes: [Egress], egress: [{to: [{podSelector: {}}], ports: [{port: metrics}]}]}",
			},
			want: []string{"shop/api spec.egress[0]: half-open-egress"},
		},
		{
			reason: "all lets api out; that it lets it out to pods which let nobody in is no concern of a rule for a whole namespace, as db lets it in",
			policies: []string{
				denyIn, denyOut, dbIn,
				"all {policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}",
			},
		},
		{
			reason: "without dbIn nothing that it lets out is let in",
			policies: []string{
				denyIn, denyOut,
				"all {policyTypes: [Egress], egress: [{to: [{podSelector: {}}]}]}",
			},
			want: []string{"shop/all spec.egress[0]: half-open-egress"},
		},
		{
			reason: "web is named and may not get in, also if api may",
			policies: []string{
				dbIn,
				"some {podSelector: {matchExpressions: [{key: app, operator: In, values: [web, api]}]}, policyTypes: [Egress], egress: [{to: [{podSelector: {matchLabels: {app: db}}}]}]}",
			},
			want: []string{"shop/some spec.egress[0]: half-open-egress"},
		},
		{
			reason:   "nobody enforces anything",
			profile:  reach.Flannel(),
			policies: []string{denyIn, apiOut},
		},
	} {
		t.Run(tt.reason, func(t *testing.T) {
			want := append([]string{}, tt.want...)
			assert.Equal(t, want, found(t, tt.profile, pods+policies(tt.policies...), checksOf("half-open")...))
		})
	}
}
