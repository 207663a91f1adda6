// Package sqlstore keeps consumers in SQLite or PostgreSQL: one schema, two
// dialects. All statements are written once; what differs is in sqlite.go and
// postgres.go.
//
// One Change is one transaction and one sequence number. Both databases commit
// changes in the order of their numbers, since a change holds the one head row
// (PostgreSQL) or the one writer's lock (SQLite) from its first statement to
// its commit. So whoever has read the feed up to a number has missed none
// before it.
//
// What a thief of the database must not use is kept under a pepper that lies
// elsewhere: API keys as an HMAC, secrets that must be read back encrypted
// (vault.go).
package sqlstore
