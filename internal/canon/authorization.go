package canon

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

// CredentialState says what is known of a place that holds one credential.
type CredentialState uint8

const (
	// Absent means that there is no such header: no credential there.
	Absent CredentialState = iota
	// Present means that there is one credential.
	Present
	// Repeated means that there are two, as two lines or as two that a gateway
	// joined by a comma. It is never settled which one counts.
	Repeated
	// Empty means that there is a header without a scheme: empty, or white
	// space in front of what should be one.
	Empty
)

// Authorization reads the one Authorization line of a request (RFC 9110
// section 11.6.2). The scheme is in lower case; the value is what stands after
// one space, exactly: white space in and around it is for the caller to
// refuse. "Bearer" alone is Present with an empty value.
func Authorization(h access.Headers) (scheme, value string, state CredentialState) {
	line, lines := h.Get("authorization")
	switch {
	case lines == 0:
		return "", "", Absent
	case lines > 1:
		return "", "", Repeated
	}
	end := strings.IndexAny(line, " \t")
	if end < 0 {
		end = len(line)
	}
	scheme, value = line[:end], line[end:]
	switch {
	case isJoined(scheme, value):
		return "", "", Repeated
	case scheme == "":
		return "", "", Empty
	}
	// A tab in the space's place stays in the value, which is refused for it.
	return lowerScheme(scheme), strings.TrimPrefix(value, " "), Present
}

// isJoined finds a second credential behind a bare comma: Envoy joins repeated
// lines so ("Negotiate YQ==,Bearer x"). Parameters of one credential
// ("Digest a=1,b=2") have no white space behind their name.
func isJoined(scheme, value string) bool {
	if strings.Contains(scheme, ",") {
		return true
	}
	for _, rest, more := strings.Cut(value, ","); more; _, rest, more = strings.Cut(rest, ",") {
		if startsWithScheme(rest) {
			return true
		}
	}
	return false
}

func startsWithScheme(s string) bool {
	i := 0
	for i < len(s) && isTokenByte(s[i]) {
		i++
	}
	return i > 0 && i < len(s) && (s[i] == ' ' || s[i] == '\t')
}

// lowerScheme spares the common schemes an allocation.
func lowerScheme(scheme string) string {
	switch scheme {
	case "Bearer":
		return "bearer"
	case "Basic":
		return "basic"
	case "ApiKey":
		return "apikey"
	}
	return lowerASCII(scheme)
}
