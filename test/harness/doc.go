// Package harness runs whole programs for tests: Postern itself, real gateways
// before it and an upstream behind them. Everything listens on loopback on free
// ports, writes into the test's own folders, is waited for by polling what it
// says about itself, and is stopped by its own handle when the test ends.
//
// A program that is not installed skips the test with a line that tells how to
// get it; with CI=true it fails the test instead.
package harness

import "time"

// Patience bounds every wait for another program. It is far longer than any of
// them needs, so that a slow machine fails no test.
const Patience = 3 * time.Minute

// pollEvery is the pause between two looks at a condition that is waited for.
const pollEvery = 20 * time.Millisecond
