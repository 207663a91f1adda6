package bearer

import (
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/claims"
)

// maxKeyID bounds a `kid`, in bytes.
const maxKeyID = 512

// header is what counts of a token's header.
type header struct {
	alg string
	// kid is a name to look up in a table, never a path or an address.
	kid    string
	hasKid bool
}

// refusedParameters change what is signed or which key is believed (`crit`,
// `b64`, `zip`, the keys that a token brings along), or belong to encryption.
// `crit` is refused whatever it lists: no extension is understood here.
// Parameters that are not named anywhere here are merely informative and
// ignored, as RFC 7515 section 4 wants it.
func refusedParameters() []string {
	return []string{
		"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c",
		"enc", "epk", "apu", "apv", "iv", "tag", "p2s", "p2c",
	}
}

func readHeader(part string) (header, error) {
	text, err := decode(part)
	if err != nil {
		return header{}, within("header", err)
	}
	members, err := claims.ReadObject(string(text))
	if err != nil {
		return header{}, within("header", err)
	}
	if err := checkParameters(members); err != nil {
		return header{}, err
	}
	var h header
	var ok bool
	if h.alg, ok = members["alg"].(string); !ok {
		return header{}, malformed("header has no alg, or one that is not a string")
	}
	if kid, present := members["kid"]; present {
		if h.kid, h.hasKid = kid.(string); !h.hasKid || len(h.kid) > maxKeyID {
			return header{}, malformed("header's kid is not a string, or too long")
		}
	}
	return h, nil
}

func checkParameters(members map[string]any) error {
	for name, value := range members {
		switch name {
		case "alg", "kid", "x5t", "x5t#S256":
		case "typ":
			if t, ok := value.(string); !ok || !slices.Contains([]string{"jwt", "at+jwt"}, mediaType(t)) {
				return malformed("header's typ is not that of a JWT or an access token")
			}
		case "cty":
			if t, ok := value.(string); !ok || mediaType(t) == "jwt" {
				return malformed("header's cty announces a nested token")
			}
		default:
			if err := checkParameterName(name); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkParameterName refuses what must not be ignored. A name that differs in
// case alone is refused with them: other readers may take it for the real one.
func checkParameterName(name string) error {
	for _, refused := range refusedParameters() {
		if strings.EqualFold(name, refused) {
			return malformed("header has the parameter " + refused + ", which is never believed")
		}
	}
	for _, known := range []string{"alg", "kid", "typ", "cty"} {
		if strings.EqualFold(name, known) {
			return malformed("header spells " + known + " in another case")
		}
	}
	return nil
}

// mediaType is a media type without case and without the prefix that RFC 7515
// section 4.1.9 lets a token leave out.
func mediaType(t string) string {
	return strings.TrimPrefix(strings.ToLower(t), "application/")
}

func within(part string, err error) error { return malformed(part + ": " + err.Error()) }
