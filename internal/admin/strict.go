package admin

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
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
