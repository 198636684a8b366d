//go:build race

package report

// raceDetector tells that the race detector is on. Tests that start programs and share
// nothing between goroutines run without it only.
const raceDetector = true
