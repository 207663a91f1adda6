package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"google.golang.org/protobuf/reflect/protoreflect"
)

const (
	// maxDepth is how deep a body may be nested.
	maxDepth = 32
	// maxFieldProblems bounds an answer.
	maxFieldProblems = 20
)

// checkBody reads a body as strictly as a declarative file is read, and names
// every field that is not as the message wants it: unknown, given twice, in
// another spelling (protojson would take expiresAt, too) or of another type.
// Fields in hidden belong to the path, not to the body.
func checkBody(data []byte, md protoreflect.MessageDescriptor, hidden map[string]bool) *problem {
	malformed := func(detail string) *problem { return &problem{code: codeMalformed, detail: detail} }
	if !utf8.Valid(data) {
		return malformed("the body is not UTF-8")
	}
	c := &checker{tokens: json.NewDecoder(bytes.NewReader(data)), hidden: hidden}
	c.tokens.UseNumber()
	first, err := c.tokens.Token()
	if err == nil && first != json.Delim('{') {
		return malformed("the body is not a JSON object")
	}
	if err == nil {
		err = c.object("", maxDepth, func(path, name string) (check, bool) { return c.member(md, path, name) })
	}
	if err != nil {
		return malformed("the body can't be read as JSON: " + err.Error())
	}
	if _, err := c.tokens.Token(); !errors.Is(err, io.EOF) {
		return malformed("the body has something after its JSON object")
	}
	if len(c.problems) > 0 {
		return &problem{code: codeInvalidArgument, detail: "the body has invalid fields", fields: c.problems}
	}
	return nil
}

// checker walks a body. Its errors are of JSON itself; what is wrong with a
// field is a problem, and the walk goes on.
type checker struct {
	tokens   *json.Decoder
	hidden   map[string]bool
	problems []fieldProblem
}

// check looks at a value whose first token was read.
type check func(path string, first json.Token, depth int) error

func (c *checker) problem(path, format string, args ...any) {
	if len(c.problems) < maxFieldProblems {
		c.problems = append(c.problems, fieldProblem{path, fmt.Sprintf(format, args...)})
	}
}

// object walks the members of an object whose brace was read. The check of a
// member that is not known is that of any JSON.
func (c *checker) object(path string, depth int, member func(path, name string) (check, bool)) error {
	if depth == 0 {
		return errors.New("it is nested too deeply")
	}
	seen := map[string]bool{}
	for c.tokens.More() {
		token, err := c.tokens.Token()
		if err != nil {
			return err
		}
		name, _ := token.(string) // the decoder takes nothing else here
		inside := joined(path, name)
		value, known := member(path, name)
		switch {
		case !known:
			c.problem(inside, "there is no such field")
			value = c.any
		case seen[name]:
			c.problem(inside, "is given twice")
		}
		seen[name] = true
		if err := c.next(inside, depth-1, value); err != nil {
			return err
		}
	}
	_, err := c.tokens.Token()
	return err
}

// next reads the first token of a value and checks it.
func (c *checker) next(path string, depth int, value check) error {
	token, err := c.tokens.Token()
	if err != nil {
		return err
	}
	return value(path, token, depth)
}

// member finds the check of a message's field.
func (c *checker) member(md protoreflect.MessageDescriptor, path, name string) (check, bool) {
	fd := md.Fields().ByName(protoreflect.Name(name))
	if fd == nil || path == "" && c.hidden[name] {
		return nil, false
	}
	return func(path string, first json.Token, depth int) error {
		switch {
		case first == nil: // null empties a field
			return nil
		case fd.IsMap():
			return c.entries(fd, path, first, depth)
		case fd.IsList():
			return c.list(path, first, depth, func(path string, first json.Token, depth int) error {
				return c.value(fd, path, first, depth)
			})
		}
		return c.value(fd, path, first, depth)
	}, true
}

// entries walks a map from texts.
func (c *checker) entries(fd protoreflect.FieldDescriptor, path string, first json.Token, depth int) error {
	if first != json.Delim('{') {
		return c.mistaken(path, first, depth, "an object")
	}
	return c.object(path, depth, func(string, string) (check, bool) {
		return func(path string, first json.Token, depth int) error {
			return c.value(fd.MapValue(), path, first, depth)
		}, true
	})
}

func (c *checker) list(path string, first json.Token, depth int, element check) error {
	if first != json.Delim('[') {
		return c.mistaken(path, first, depth, "a list")
	}
	if depth == 0 {
		return errors.New("it is nested too deeply")
	}
	for i := 0; c.tokens.More(); i++ {
		if err := c.next(path+"["+strconv.Itoa(i)+"]", depth-1, element); err != nil {
			return err
		}
	}
	_, err := c.tokens.Token()
	return err
}

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

// joined is the path of a member. A member's name is the client's: it is cut.
func joined(path, name string) string {
	if len(name) > 64 {
		name = strings.ToValidUTF8(name[:64], "") + "…"
	}
	if path == "" {
		return name
	}
	return path + "." + name
}
