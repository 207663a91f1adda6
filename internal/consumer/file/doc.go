// Package file keeps consumers that are declared in YAML files. Load reads all
// of them into one immutable Snapshot, or says everything that is wrong with
// them, with file and line.
//
// The files are believed entirely or not at all: a key or field that this
// version does not honour is refused, since a constraint that is ignored would
// open a door. An API key is digested as it is read and kept nowhere. A
// password is hashed with argon2id, which takes about 30 ms of one core for
// each: many belong into the files as password_hash.
package file
