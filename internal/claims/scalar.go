package claims

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of a number. Policy may calculate with it to any precision, and would
// take minutes over 1e1000000000.
const (
	maxNumberLength = 64
	maxExponent     = 3 // digits
)

// number reads a number within the range of a float64. Its length and exponent
// are bounded for those who will calculate with it to any precision.
func (r *reader) number() (any, error) {
	start := r.at
	if r.peek() == '-' {
		r.at++
	}
	whole := r.digits()
	ok := whole == 1 || whole > 1 && r.text[r.at-whole] != '0'
	if ok && r.peek() == '.' {
		r.at++
		ok = r.digits() > 0
	}
	if c := r.peek(); ok && (c == 'e' || c == 'E') {
		ok = r.exponent()
	}
	literal := r.text[start:r.at]
	if !ok || len(literal) > maxNumberLength {
		return nil, Malformed("not a JSON number, or one too long")
	}
	if _, err := strconv.ParseFloat(literal, 64); err != nil {
		return nil, Malformed("JSON number out of range")
	}
	return json.Number(literal), nil
}

func (r *reader) exponent() bool {
	r.at++
	if c := r.peek(); c == '+' || c == '-' {
		r.at++
	}
	n := r.digits()
	return n > 0 && n <= maxExponent
}

func (r *reader) digits() int {
	start := r.at
	for digit(r.peek()) {
		r.at++
	}
	return r.at - start
}

func digit(c byte) bool { return '0' <= c && c <= '9' }

// string reads a string; one without escapes is a part of the text.
func (r *reader) string() (string, error) {
	r.at++
	start := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return r.text[start : r.at-1], nil
		case c == '\\':
			return r.escaped(start)
		case c < ' ':
			return "", Malformed("control character in a JSON string")
		}
		r.at++
	}
	return "", Malformed("JSON string without its end")
}

// escaped goes on with a string in which an escape was met.
func (r *reader) escaped(start int) (string, error) {
	b := append(make([]byte, 0, 2*(r.at-start)+16), r.text[start:r.at]...)
	for r.at < len(r.text) {
		c := r.text[r.at]
		r.at++
		switch {
		case c == '"':
			return string(b), nil
		case c < ' ':
			return "", Malformed("control character in a JSON string")
		case c != '\\':
			b = append(b, c)
		default:
			char, err := r.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, char)
		}
	}
	return "", Malformed("JSON string without its end")
}

// escape reads what stands behind a backslash.
func (r *reader) escape() (rune, error) {
	const names, chars = `"\/bfnrt`, "\"\\/\b\f\n\r\t"
	c := r.peek()
	if c == 'u' {
		return r.unicode()
	}
	i := strings.IndexByte(names, c)
	if i < 0 {
		return 0, Malformed("unknown escape in a JSON string")
	}
	r.at++
	return rune(chars[i]), nil
}

// unicode reads \uXXXX, and the second half of a surrogate pair with it.
func (r *reader) unicode() (rune, error) {
	first, ok := r.hex4()
	if !ok {
		return 0, Malformed("bad \\u escape in a JSON string")
	}
	if !utf16.IsSurrogate(first) {
		return first, nil
	}
	if r.peek() == '\\' {
		r.at++
		if second, ok := r.hex4(); ok {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				return pair, nil
			}
		}
	}
	return 0, Malformed("lone surrogate in a JSON string")
}

// hex4 reads uXXXX.
func (r *reader) hex4() (rune, bool) {
	if len(r.text)-r.at < 5 || r.text[r.at] != 'u' {
		return 0, false
	}
	for _, c := range []byte(r.text[r.at+1 : r.at+5]) {
		if !digit(c) && (c|0x20 < 'a' || c|0x20 > 'f') {
			return 0, false
		}
	}
	n, err := strconv.ParseUint(r.text[r.at+1:r.at+5], 16, 16)
	r.at += 5
	return rune(n), err == nil
}
