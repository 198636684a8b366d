// Package property shows a property test of a cluster's configuration: rapid
// draws flows, and what must hold for each is said once. All of it is in
// property_test.go.
package property
