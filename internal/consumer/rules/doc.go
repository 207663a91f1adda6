// Package rules says what a consumer and a credential may be, and what finds
// and verifies a credential. Files, the admin API and importers read all that
// they are told with it, so that none of them lets in what another refuses.
//
// A problem names its field as it is written in the declarative format
// ("credentials" and its index are the caller's to add) and never repeats a
// value that may be a secret.
package rules
