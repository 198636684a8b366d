//go:build race

package generate_test

// raceDetector tells that the race detector is on. Tests that share nothing between
// goroutines and take minutes under it run without it only.
const raceDetector = true
