//go:build race

package basic_test

const raceEnabled = true
