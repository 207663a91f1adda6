// Package cache is Ristretto made safe for what was proven: the full digest is
// compared on a hit, an entry that was loaded before a Forget can't come back
// after it, one load runs for many callers, and entries end by the clock.
package cache
