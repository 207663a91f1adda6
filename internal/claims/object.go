package claims

import (
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep JSON may be nested, the outermost object counted.
const maxDepth = 32

// Malformed says why something can't be read. It never quotes what it found.
type Malformed string

// Error implements error.
func (m Malformed) Error() string { return string(m) }

// ReadObject reads text that is one JSON object and nothing else (RFC 8259),
// more strictly than encoding/json: duplicate members at any depth, bytes that
// are not UTF-8 and lone surrogates are errors, since other readers take them
// another way (RFC 8725 section 2.4). Numbers come as json.Number, which keeps
// every digit; strings share the memory of text.
func ReadObject(text string) (map[string]any, error) {
	if !utf8.ValidString(text) {
		return nil, Malformed("JSON is not valid UTF-8")
	}
	r := reader{text: text}
	r.space()
	if r.peek() != '{' {
		return nil, Malformed("not a JSON object")
	}
	object, err := r.object(1)
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(text) {
		return nil, Malformed("something stands behind the JSON object")
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
		return nil, Malformed("JSON is nested too deeply")
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
			return nil, Malformed("JSON object without its end")
		}
	}
}

func (r *reader) member(object map[string]any, depth int) error {
	if r.peek() != '"' {
		return Malformed("JSON member without a name")
	}
	name, err := r.string()
	if err != nil {
		return err
	}
	if _, twice := object[name]; twice {
		return Malformed("JSON member twice in one object")
	}
	if !r.take(':') {
		return Malformed("JSON member without a value")
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
			return nil, Malformed("JSON array without its end")
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
	return nil, Malformed("not a JSON value")
}
