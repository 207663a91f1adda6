package canon

import (
	"errors"
	"fmt"
	"strings"
)

// maxMethod is the longest method that is read, in bytes. The longest that is
// registered has 17 (UPDATEREDIRECTREF).
const maxMethod = 32

// Method checks that raw is a token of RFC 9110 (section 5.6.2) of a sane
// length. Methods are compared with case, so there is nothing to canonicalise.
func Method(raw string) error {
	switch {
	case raw == "":
		return errors.New("the method is empty")
	case len(raw) > maxMethod:
		return fmt.Errorf("the method has %d bytes, more than %d", len(raw), maxMethod)
	}
	for i := range len(raw) {
		if !isTokenByte(raw[i]) {
			return fmt.Errorf("the method holds the byte %q", raw[i])
		}
	}
	return nil
}

// isTokenByte reports that c is a tchar of RFC 9110 section 5.6.2.
func isTokenByte(c byte) bool {
	return isAlphanumeric(c) || c == '-' || strings.IndexByte("!#$%&'*+.^_`|~", c) >= 0
}
