package admin

import (
	"encoding/json"
	"errors"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

// value checks one value of a field's type.
func (c *checker) value(fd protoreflect.FieldDescriptor, path string, first json.Token, depth int) error {
	switch fd.Kind() {
	case protoreflect.BoolKind:
		if _, ok := first.(bool); !ok {
			return c.mistaken(path, first, depth, "true or false")
		}
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		return c.number(fd, path, first, depth)
	case protoreflect.MessageKind:
		return c.message(fd.Message(), path, first, depth)
	default: // texts: the API has no other types
		text, ok := first.(string)
		if !ok {
			return c.mistaken(path, first, depth, "a text")
		}
		c.whole(path, text)
	}
	return nil
}

func (c *checker) number(fd protoreflect.FieldDescriptor, path string, first json.Token, depth int) error {
	number, ok := first.(json.Number)
	if !ok {
		return c.mistaken(path, first, depth, "a whole number")
	}
	bits := 64
	if fd.Kind() == protoreflect.Int32Kind {
		bits = 32
	}
	if _, err := strconv.ParseInt(number.String(), 10, bits); err != nil {
		c.problem(path, "expected a whole number of at most %d bits", bits)
	}
	return nil
}

func (c *checker) message(md protoreflect.MessageDescriptor, path string, first json.Token, depth int) error {
	switch md.FullName() {
	case timestampName:
		text, ok := first.(string)
		if !ok {
			return c.mistaken(path, first, depth, "a time as text")
		}
		if _, err := readTime(text); err != nil {
			c.problem(path, "expected a time in RFC 3339 such as 2027-01-31T12:00:00Z")
		}
		return nil
	case structName:
		if first != json.Delim('{') {
			return c.mistaken(path, first, depth, "an object")
		}
		return c.any(path, first, depth)
	}
	if first != json.Delim('{') {
		return c.mistaken(path, first, depth, "an object")
	}
	return c.object(path, depth, func(path, name string) (check, bool) { return c.member(md, path, name) })
}

// The messages whose JSON is not an object of their fields.
const (
	timestampName = "google.protobuf.Timestamp"
	structName    = "google.protobuf.Struct"
)

// readTime reads a time of a year that RFC 3339 can write and protobuf can hold.
func readTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err == nil && (t.UTC().Year() < 1 || t.UTC().Year() > 9999) {
		err = errors.New("is out of range")
	}
	return t, err
}

// mistaken notes a value of another type and walks over it.
func (c *checker) mistaken(path string, first json.Token, depth int, expected string) error {
	c.problem(path, "expected %s", expected)
	return c.any(path, first, depth)
}

// any walks over a value that may be anything.
func (c *checker) any(path string, first json.Token, depth int) error {
	switch first {
	case json.Delim('{'):
		return c.object(path, depth, func(string, string) (check, bool) { return c.any, true })
	case json.Delim('['):
		return c.list(path, first, depth, c.any)
	}
	switch value := first.(type) {
	case string:
		c.whole(path, value)
	case json.Number:
		c.exact(path, value)
	}
	return nil
}

// maxExact is the whole number below which a float64 holds all of them
// (RFC 8259 section 6).
const maxExact = 1 << 53

// exact refuses a number that would come back as another one.
func (c *checker) exact(path string, number json.Number) {
	value, err := number.Float64()
	if err != nil || strings.Trim(number.String(), "-0123456789") == "" && math.Abs(value) >= maxExact {
		c.problem(path, "expected a number that a 64-bit float holds")
	}
}

// whole refuses the character that encoding/json puts in place of a lone
// surrogate; nobody sends it on purpose.
func (c *checker) whole(path, text string) {
	if strings.ContainsRune(text, utf8.RuneError) {
		c.problem(path, "is no proper Unicode")
	}
}
