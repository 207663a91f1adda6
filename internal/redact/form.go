package redact

import "strings"

const (
	// keyBody is how many letters and digits follow the last underscore of a key
	// that Postern makes, but for what a slip may have cut off.
	keyBody = 55
	// tokenPart is the least length of the first part of a JWT.
	tokenPart = 12
)

// Formed reports whether a text holds what has the form of a credential, whatever
// it stands under: a key that Postern makes, a JWT, or a scheme with what
// follows it.
func Formed(text string) bool { return holdsForm(text) }

// holdsForm reports whether a text holds what has the form of a key that Postern
// makes, whatever its checksum, or of a JWT (RFC 7519), or a scheme with its
// credential (RFC 9110 section 11.4).
func holdsForm(text string) bool {
	return strings.Contains(text, "eyJ") || holdsKey(text) || holdsToken(text) || beginsWithScheme(text)
}

func holdsKey(text string) bool {
	for at := strings.IndexByte(text, '_'); at >= 0; {
		n := 0
		for at+1+n < len(text) && (isLetter(text[at+1+n]) || isDigit(text[at+1+n])) {
			n++
		}
		if n >= keyBody {
			return true
		}
		next := strings.IndexByte(text[at+1:], '_')
		if next < 0 {
			return false
		}
		at += 1 + next
	}
	return false
}

// holdsToken looks for three parts or more of base64url, the first of which can
// be an object in JSON: `{` and a blank or a quote begin with ey or ew.
func holdsToken(text string) bool {
	from := 0
	for i := 0; i <= len(text); i++ {
		if i < len(text) && (isLetter(text[i]) || isDigit(text[i]) || text[i] == '-' || text[i] == '_' || text[i] == '.') {
			continue
		}
		word := text[from:i]
		from = i + 1
		if len(word) > tokenPart && strings.Count(word, ".") >= 2 {
			first, _, _ := strings.Cut(word, ".")
			if len(first) >= tokenPart && (strings.HasPrefix(first, "ey") || strings.HasPrefix(first, "ew")) {
				return true
			}
		}
	}
	return false
}

func beginsWithScheme(text string) bool {
	scheme, rest, found := strings.Cut(text, " ")
	if !found || strings.TrimSpace(rest) == "" {
		return false
	}
	switch strings.ToLower(scheme) {
	case "bearer", "basic", "digest", "negotiate", "dpop", "apikey", "token", "hawk", "signature":
		return true
	}
	return false
}
