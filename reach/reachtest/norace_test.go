//go:build !race

package reachtest_test

const raceDetector = false
