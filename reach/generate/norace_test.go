//go:build !race

package generate_test

const raceDetector = false
