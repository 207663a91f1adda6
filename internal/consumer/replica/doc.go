// Package replica keeps a running Postern in step with a consumer.Ledger: it
// follows the changes, forgets what they touch, tells what it has applied, and
// knows how stale it is.
package replica
