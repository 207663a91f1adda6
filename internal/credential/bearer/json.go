package bearer

import (
	"encoding/json"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Bounds of what is read as JSON. The depth counts the outermost object.
const (
	maxDepth        = 32
	maxNumberLength = 64
	maxExponent     = 3 // digits
)

// malformed says why something can't be read. It never quotes what it found.
type malformed string

// Error implements error.
func (m malformed) Error() string { return string(m) }

// readObject reads text that is one JSON object and nothing else (RFC 8259),
// more strictly than encoding/json: duplicate members at any depth, bytes that
// are not UTF-8 and lone surrogates are errors, since other readers take them
// another way (RFC 8725 section 2.4). Numbers come as json.Number, which keeps
// every digit; strings share the memory of text.
func readObject(text string) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, malformed("JSON is not valid UTF-8")
	}
	r := reader{text: text}
	r.space()
	if r.peek() != '{' {
		return nil, malformed("not a JSON object")
	}
	object, err := r.object(1)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(text) {
		return nil, malformed("something stands behind the JSON object")
	}
	return object, nil
}

// reader is a place in a JSON text.
type reader struct {
	text string
	at   int
}

// peek returns the next byte, or 0 at the end: no JSON has a bare NUL.
func (r *reader) peek() byte {
	if r.at == len(r.text) {
		return 0
	}
	return r.text[r.at]
}

func (r *reader) space() {
	for c := r.peek(); c == ' ' || c == '\t' || c == '\n' || c == '\r'; c = r.peek() {
		r.at++
	}
}

// take steps over c and the white space around it.
func (r *reader) take(c byte) bool {
	r.space()
	if r.peek() != c {
		return false
	}
	r.at++
	r.space()
	return true
}

func (r *reader) value(depth int) (any, error) {
	switch c := r.peek(); {
	case c == '{' && depth < maxDepth:
		return r.object(depth + 1)
	case c == '[' && depth < maxDepth:
		return r.array(depth + 1)
	case c == '{' || c == '[':
		return nil, malformed("JSON is nested too deeply")
	case c == '"':
		return r.string()
	case c == '-' || digit(c):
		return r.number()
	}
	return r.literal()
}

func (r *reader) object(depth int) (map[string]any, error) {
	object := map[string]any{}
	r.take('{')
	if r.take('}') {
		return object, nil
	}
	for {
		if err := r.member(object, depth); err != nil {
			return nil, err
		}
		switch {
		case r.take(','):
		case r.take('}'):
			return object, nil
		default:
			return nil, malformed("JSON object without its end")
		}
	}
}

func (r *reader) member(object map[string]any, depth int) error {
	if r.peek() != '"' {
		return malformed("JSON member without a name")
	}
	name, err := r.string()
	if err != nil {
		return err
	}
	if _, twice := object[name]; twice {
		return malformed("JSON member twice in one object")
	}
	if !r.take(':') {
		return malformed("JSON member without a value")
	}
	object[name], err = r.value(depth)
	return err
}

func (r *reader) array(depth int) ([]any, error) {
	array := []any{}
	r.take('[')
	if r.take(']') {
		return array, nil
	}
	for {
		v, err := r.value(depth)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
		switch {
		case r.take(','):
		case r.take(']'):
			return array, nil
		default:
			return nil, malformed("JSON array without its end")
		}
	}
}

func (r *reader) literal() (any, error) {
	rest := r.text[r.at:]
	switch {
	case strings.HasPrefix(rest, "true"):
		r.at += len("true")
		return true, nil
	case strings.HasPrefix(rest, "false"):
		r.at += len("false")
		return false, nil
	case strings.HasPrefix(rest, "null"):
		r.at += len("null")
		return nil, nil
	}
	return nil, malformed("not a JSON value")
}

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
		return nil, malformed("not a JSON number, or one too long")
	}
	if _, err := strconv.ParseFloat(literal, 64); err != nil {
		return nil, malformed("JSON number out of range")
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
			return "", malformed("control character in a JSON string")
		}
		r.at++
	}
	return "", malformed("JSON string without its end")
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
			return "", malformed("control character in a JSON string")
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
	return "", malformed("JSON string without its end")
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
		return 0, malformed("unknown escape in a JSON string")
	}
	r.at++
	return rune(chars[i]), nil
}

// unicode reads \uXXXX, and the second half of a surrogate pair with it.
func (r *reader) unicode() (rune, error) {
	first, ok := r.hex4()
	if !ok {
		return 0, malformed("bad \\u escape in a JSON string")
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
	return 0, malformed("lone surrogate in a JSON string")
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
