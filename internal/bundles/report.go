package bundles

import "time"

// Report is the state of one bundle.
type Report struct {
	Name string
	// Revision is what the manifest of the one in force says.
	Revision string
	// LastActivation is when it was put in force; zero: none is.
	LastActivation time.Time
	// LastSuccess is when it was last certain that nothing newer is there.
	LastSuccess time.Time
	// FromDisk says that it was kept by an earlier run, and its server has not
	// been reached since.
	FromDisk bool
	// Error is why the newest is not in force or not known; empty: it is.
	Error string
	// Polls, Activations and Failures are counted since the bundle was configured.
	Polls, Activations, Failures uint64
}
