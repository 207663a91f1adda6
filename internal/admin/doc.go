// Package admin is the admin API: JSON over HTTP and gRPC, defined once in proto/,
// over the keyring, and over the policy in force.
package admin
