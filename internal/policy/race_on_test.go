//go:build race

package policy_test

// raceEnabled says that pools forget on purpose, so that allocations can't be
// counted.
const raceEnabled = true
