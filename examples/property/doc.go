// Package property shows property tests with the generators of package reachtest:
// of a cluster's configuration, where rapid draws flows and what must hold for each
// is said once, and of a controller, where rapid draws clusters and their changes.
// All of it is in property_test.go.
package property
