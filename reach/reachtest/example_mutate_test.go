package reachtest_test

import (
	"fmt"
	"runtime"

	"github.com/polreach/polreach/reach/reachtest"
)

// A printer stands for the *testing.T of a test.
type printer struct{}

func (printer) Helper()                           {}
func (printer) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
func (printer) FailNow()                          { runtime.Goexit() }

const webAndDB = `
apiVersion: v1
kind: Pod
metadata: {name: web, namespace: default, labels: {app: web}}
spec: {containers: [{name: web}]}
---
apiVersion: v1
kind: Pod
metadata: {name: db, namespace: default, labels: {app: db}}
spec: {containers: [{name: db, ports: [{containerPort: 5432}]}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: db, namespace: default}
spec:
  podSelector: {matchLabels: {app: db}}
  ingress:
  - from:
    - podSelector: {matchLabels: {app: web}}
    ports:
    - port: 5432
`

func ExampleMutate() {
	var t printer // a *testing.T
	c := reachtest.Text(t, webAndDB)
	suite := func(t reachtest.TB, c *reachtest.Cluster) {
		c.IsReachedOnlyBy(t, "default/db", "5432", "default/web")
	}
	fmt.Println(reachtest.Mutate(t, c, suite))
	fmt.Println()

	better := func(t reachtest.TB, c *reachtest.Cluster) {
		suite(t, c)
		c.ReachesOnlyOn(t, "default/web", "default/db", "5432")
	}
	ok := reachtest.Mutate(t, c, better).NoneSurvives(t, reachtest.Accepted{
		Mutant: "NetworkPolicy default/db: drop app=db of spec.podSelector",
		Why:    "nobody connects to web",
	})
	fmt.Println(ok)
	// Output:
	// 8 mutants: 5 killed, 1 equivalent, 2 survive
	//
	// NetworkPolicy default/db: drop app=db of spec.podSelector
	// closes default/db -> default/web 5432/TCP and 196605 more ports
	// @@ -11,6 +11,4 @@
	//            app: web
	//      ports:
	//      - port: 5432
	// -  podSelector:
	// -    matchLabels:
	// -      app: db
	// +  podSelector: {}
	//
	// NetworkPolicy default/db: drop spec.ingress[0].ports[0]
	// opens default/web -> default/db 1/TCP and 196604 more ports
	// @@ -9,8 +9,6 @@
	//      - podSelector:
	//          matchLabels:
	//            app: web
	// -    ports:
	// -    - port: 5432
	//    podSelector:
	//      matchLabels:
	//        app: db
	//
	// true
}
