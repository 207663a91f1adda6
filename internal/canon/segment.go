package canon

import (
	"errors"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// decodeSegment appends one segment, its percent-encodings decoded once, to
// out. It refuses what may part two readers: see [Path].
func decodeSegment(out []byte, segment string) ([]byte, error) {
	start := len(out)
	for i := 0; i < len(segment); i++ {
		c := segment[i]
		switch {
		case c <= ' ', c == 0x7f, c == '\\', c == '#':
			return nil, fmt.Errorf("the path holds a raw %q", c)
		case c == '%':
			decoded, err := decodePercent(segment[i:])
			if err != nil {
				return nil, err
			}
			c, i = decoded, i+2
		}
		out = append(out, c)
	}
	return out, checkDecoded(out[start:])
}

// decodePercent reads the percent-encoding that s begins with.
func decodePercent(s string) (byte, error) {
	if len(s) < 3 || !isHex(s[1]) || !isHex(s[2]) {
		return 0, fmt.Errorf("the path holds the bad percent-encoding %q", s[:min(len(s), 3)])
	}
	c := unhex(s[1])<<4 | unhex(s[2])
	if c == '/' || c == '\\' || c < ' ' || c == 0x7f {
		return 0, fmt.Errorf("the path holds an encoded %q", c)
	}
	return c, nil
}

// checkDecoded refuses what a second reader may decode or read once more.
func checkDecoded(segment []byte) error {
	for i := 0; i+2 < len(segment); i++ {
		if segment[i] == '%' && isHex(segment[i+1]) && isHex(segment[i+2]) {
			return fmt.Errorf("the path is encoded twice: %q is left after decoding", segment[i:i+3])
		}
	}
	return checkCharacters(segment)
}

// copySegment appends a segment that has been decoded already.
func copySegment(out []byte, segment string) ([]byte, error) {
	for i := range len(segment) {
		if c := segment[i]; c < ' ' || c == 0x7f || c == '\\' {
			return nil, fmt.Errorf("the path holds a %q", c)
		}
	}
	start := len(out)
	out = append(out, segment...)
	return out, checkCharacters(out[start:])
}

// checkCharacters refuses what is not UTF-8 (overlong forms and surrogates
// among it) and the control characters beyond ASCII, U+0080 to U+009F.
func checkCharacters(segment []byte) error {
	for len(segment) > 0 {
		r, size := utf8.DecodeRune(segment)
		if r == utf8.RuneError && size == 1 {
			return errors.New("the path is not UTF-8 after decoding")
		}
		if unicode.IsControl(r) {
			return fmt.Errorf("the path holds the control character %U", r)
		}
		segment = segment[size:]
	}
	return nil
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	if c <= '9' {
		return c - '0'
	}
	return c&^0x20 - 'A' + 10
}
