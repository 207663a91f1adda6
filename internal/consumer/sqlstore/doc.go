// Package sqlstore keeps consumers in SQLite or PostgreSQL: one schema, two
// dialects.
package sqlstore
