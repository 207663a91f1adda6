// Package keyring is the life of consumers and keys: create, show once, rotate
// with grace, revoke and have it proven, grant and take away. It decides what a
// change means and notes it in the audit chain; a consumer.Ledger keeps it.
package keyring
