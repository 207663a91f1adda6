// Package canon holds the one reading of what a client sent: path, host,
// method, client address and Authorization. Every door reads through it, so
// that a request is the same request whichever way it came in.
//
// What two programs may read in two ways is refused rather than guessed at: a
// guess that differs from the upstream's is a hole. Its errors are texts for a
// log; they say what was found, quote a few bytes at most, and never hold a
// header's value.
package canon
