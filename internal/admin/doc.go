// Package admin is the admin API: JSON over HTTP and gRPC, defined once in proto/,
// over the keyring.
package admin
