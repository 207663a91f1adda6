package strictyaml

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// MaxSize is the size, in bytes, of the largest file that is read, and
// MaxDepth the deepest nesting.
const (
	MaxSize  = 16 << 20
	MaxDepth = 32
)

// Document is a file that was read. It knows where its fields stand.
type Document struct {
	file  string
	lines map[string]int
}

// Has reports whether the field was written in the file.
func (d *Document) Has(field string) bool {
	_, ok := d.lines[field]
	return ok
}

// Line is where the field stands, or the nearest thing around it that is in
// the file.
func (d *Document) Line(field string) int {
	for {
		if line, ok := d.lines[field]; ok {
			return line
		}
		if field == "" {
			return 0
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
}

// Problem says what is wrong with a field. The field need not be in the file.
func (d *Document) Problem(field string, format string, args ...any) Problem {
	return Problem{File: d.file, Line: d.Line(field), Field: field, Text: fmt.Sprintf(format, args...)}
}

// parse returns the file's only document.
func (d *Document) parse(data []byte) (*yaml.Node, Errors) {
	if len(data) > MaxSize {
		return nil, Errors{d.Problem("", "is larger than %d bytes", MaxSize)}
	}
	r := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	if err := r.Decode(&first); errors.Is(err, io.EOF) {
		return nil, Errors{d.Problem("", "is empty; expected a mapping")}
	} else if err != nil {
		return nil, Errors{d.syntax(err)}
	}
	switch err := r.Decode(&second); {
	case err == nil:
		return nil, Errors{{File: d.file, Line: second.Line, Text: "a second document begins here; expected one only"}}
	case !errors.Is(err, io.EOF):
		return nil, Errors{d.syntax(err)}
	}
	return first.Content[0], nil
}

var syntaxLine = regexp.MustCompile(`^yaml: line (\d+): `)

// syntax tells the parser's error in our form. An unknown alias is quoted by
// the parser; it may be the beginning of a secret that lacks its quotes.
func (d *Document) syntax(err error) Problem {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 0
	if m := syntaxLine.FindStringSubmatch(err.Error()); m != nil {
		line, _ = strconv.Atoi(m[1]) // digits; beyond int it stays at the limit
		text = strings.TrimPrefix(err.Error(), m[0])
	}
	if strings.Contains(text, "'") && strings.Contains(text, "anchor") {
		text = "an alias of an unknown anchor; a value that begins with * needs quotes"
	}
	return Problem{File: d.file, Line: line, Text: "not valid YAML: " + text}
}
