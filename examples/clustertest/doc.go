// Package clustertest shows how a platform team tests the configuration of its
// cluster: what must work, what must not, and why, beside the manifests and in
// the same pull request. The tests are in clustertest_test.go, and in
// mutants_test.go is what finds out which mistakes they would overlook.
package clustertest
