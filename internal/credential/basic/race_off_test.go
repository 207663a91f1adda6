//go:build !race

package basic_test

const raceEnabled = false
