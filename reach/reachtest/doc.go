// Package reachtest tests what a cluster's configuration lets through: in the
// words of requirements, with failures that explain themselves.
//
//	func TestShop(t *testing.T) {
//		c := reachtest.FS(t, os.DirFS("deploy"))
//		c.Reaches(t, "shop/api", "data/postgres", "5432", "the shop needs its database")
//		c.DoesNotReach(t, "everything except pods in shop", "data/postgres", "all")
//		c.DoesNotReach(t, "pods except shop/payments", "outside", "all", "only payments talk to the world")
//	}
//
// What is asserted of many is decided for all of them, not for a sample: of every
// pod, of every class of addresses that the policies tell apart, and on every port.
//
// Nothing passes because nothing was asked. A name that is not there, a selector
// that picks no pod, a pod that has terminated, and a port of pods or Services that
// nothing declares fail the test; [Cluster.Reaches] says how to ask for such a port
// all the same.
//
// # Sets
//
// The ends of an assertion are sets, written as text:
//
//	shop/web                      the pod or workload; also all else that [reach.Graph.Lookup] reads
//	203.0.113.9, 203.0.113.0/24   the pod or node that has the address, and the outside at it
//	pods                          every pod
//	pods tier=db,env!=test        those that a label selector picks, as kubectl writes it
//	pods in shop                  those of a namespace
//	pods tier=db in shop          both
//	pods in namespaces team=a     those of the namespaces that a selector picks
//	nodes                         every node
//	outside                       every address outside the cluster
//	everything                    pods, nodes and the outside
//	svc:shop/db                   a Service, to which connections go, alone and as the second set only
//
// "and" joins sets, and "except" takes one away, from left to right: "pods in shop
// and outside except shop/web". So "everything except a and b" has b again: write
// "everything except a except b".
//
// A pod reaches itself, and a node the pods that run on it, whatever the policies
// say: such pairs are passed over, unless there are no others. Connections to a
// Service never are: take its backends and their nodes out of the set with "except".
//
// The outside is that of IPv4 and that of IPv6. What has addresses of one family
// only cannot reach all of it: write "0.0.0.0/0 except pods except nodes".
//
// # Tables
//
// [Cluster.MatchesTable] compares many pairs at once with a table in the test or in
// a file:
//
//	from \ to   | data/postgres | data/redis
//	shop/api    | 5432          | -           # a client by its label
//	shop/cart   | -             | 6379
//
// # Pods that do not exist yet
//
// [Cluster.NeverReaches] is about every pod that could come: "any pod role!=frontend"
// is one with any labels but that, in any namespace, of now or of later.
//
// # What a suite overlooks
//
// A [Coverage] tells which parts of the policies no assertion depends on. With the
// environment variable POLREACH_COVER it is written without a change of the tests:
//
//	POLREACH_COVER=$PWD/cover go test -count=1 ./...
//
// [Mutate] makes dangerous edits of the cluster, one at a time, and reports those
// that no assertion of a suite notices, each with a flow that it opens or closes.
//
// # Drawing clusters
//
// [Gen] has generators for pgregory.net/rapid, for tests of programs that make, change
// or enforce policies. A test that imports this package gets the -rapid flags.
//
// # Failures
//
// The assertions return whether they hold and go on after a failure, as those of
// testify's package assert do; those of [Cluster.Require] end the test. Both take
// a *testing.T, a *testing.B or a *rapid.T. What comes after the last fixed argument
// is printed with the failure: a text, or a format and its arguments.
package reachtest
