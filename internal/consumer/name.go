package consumer

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// ByName is the kind of reference that finds a consumer itself: what is found
// has no credential and proves nobody.
const ByName access.Kind = "consumer"

// NameReference refers to a consumer by name. Names that differ in case alone
// are one to somebody, so they are one here.
func NameReference(name string) Reference {
	return Reference{Kind: ByName, Value: strings.ToLower(name)}
}

// ValidName reports whether a consumer or credential may be called so: 1 to
// 128 ASCII letters, digits, ".", "_" and "-", and not dots alone.
func ValidName(name string) bool {
	if len(name) == 0 || len(name) > 128 || strings.Trim(name, ".") == "" {
		return false
	}
	for _, c := range []byte(name) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// maxUsername is the length of the longest username in bytes.
const maxUsername = 256

// ValidUsername reports whether a basic credential may have that username: 1 to
// 256 characters of visible ASCII without a colon, which ends it in a request
// (RFC 7617 section 2). Other scripts would need one canonical form, and then
// have users whose names look alike.
func ValidUsername(name string) bool {
	if len(name) == 0 || len(name) > maxUsername {
		return false
	}
	for _, c := range []byte(name) {
		if c <= ' ' || c > '~' || c == ':' {
			return false
		}
	}
	return true
}
