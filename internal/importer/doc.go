// Package importer reads the consumers that users already have, in the forms of
// APISIX and Kong, and writes ours.
package importer
