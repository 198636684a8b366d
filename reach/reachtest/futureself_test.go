package reachtest

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A witness that the cluster denies is an error and not an answer.
func TestWitnessIsConfirmed(t *testing.T) {
	c := Text(t, `
{apiVersion: v1, kind: Pod, metadata: {name: b, namespace: a}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: closed, namespace: a}}
`)
	f, err := c.newFuture("any pod", "a/b", "80!")
	require.NoError(t, err)
	o := &f.others[0]
	_, err = f.explain(witness{namespace: "a", other: o, ports: o.asked, meeting: meeting{pod: netip.MustParseAddr("10.0.0.1")}})
	assert.ErrorContains(t, err, "what it takes to be allowed is denied\na/new, a pod with no labels at 10.244.0.0\na/new -> a/b 80/TCP: denied")
}
