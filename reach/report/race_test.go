//go:build race

package report

// RaceDetector tells that the race detector is on. Tests that start programs, or share
// nothing between goroutines and take minutes under it, run without it only.
const RaceDetector = true
