//go:build race

package rollout_test

// raceEnabled says that allocations can't be counted.
const raceEnabled = true
