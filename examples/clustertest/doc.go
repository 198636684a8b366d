// Package clustertest shows how a platform team tests the configuration of its
// cluster: what must work, what must not, and why, beside the manifests and in
// the same pull request. All of it is in clustertest_test.go.
package clustertest
