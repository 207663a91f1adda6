package strictyaml

import (
	"encoding"
	"fmt"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// maxProblems bounds what is reported of one file.
const maxProblems = 200

// Kind is the form that a value has in a file.
type Kind int

// The forms of a value.
const (
	Scalar Kind = iota
	List
	Mapping
)

// Shaped is a type that may be written in more than one form.
type Shaped interface {
	// Shape returns a pointer to what a value of that form is read into, or
	// nil when the form is not accepted.
	Shape(Kind) any
	// Expected names the accepted forms, for a problem's text.
	Expected() string
}

// Unsupported is the type of a field whose key belongs to the format and which
// this version can't honour. A file that has it is refused.
type Unsupported struct{}

// Decode reads data into the struct that `into` points to. Struct fields are
// named by the tag `yaml:"name"`, with `,required` for those that can't be
// left out; what a file leaves out keeps the value that it had. Values that
// know their text form implement encoding.TextUnmarshaler, whose errors must
// say what was expected and not repeat the text.
//
// The document is never nil, so that further checks can go on where the
// decoding found problems.
func Decode(file string, data []byte, into any) (*Document, Errors) {
	d := &decoder{doc: &Document{file: file, lines: map[string]int{}}}
	root, problems := d.doc.parse(data)
	if len(problems) > 0 {
		return d.doc, problems
	}
	d.value(root, reflect.ValueOf(into).Elem(), "", 0)
	return d.doc, d.problems
}

type decoder struct {
	doc      *Document
	problems Errors
}

func (d *decoder) refuse(line int, field, format string, args ...any) {
	if len(d.problems) == maxProblems {
		d.problems = append(d.problems, Problem{File: d.doc.file, Line: line, Text: "and more; the rest is not told"})
	}
	if len(d.problems) > maxProblems {
		return
	}
	d.problems = append(d.problems, Problem{File: d.doc.file, Line: line, Field: field, Text: fmt.Sprintf(format, args...)})
}

// value reads one node. Where a key led here, its line is noted already.
func (d *decoder) value(n *yaml.Node, v reflect.Value, field string, depth int) {
	if !d.doc.Has(field) {
		d.doc.lines[field] = n.Line
	}
	if !d.plain(n, field, depth) {
		return
	}
	if v.Kind() == reflect.Pointer {
		if n.ShortTag() == "!!null" {
			v.SetZero()
			return
		}
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if n.ShortTag() == "!!null" && v.Kind() != reflect.Interface && v.Type() != reflect.TypeFor[Unsupported]() {
		d.refuse(n.Line, field, "has no value; give it one or leave the key out")
		return
	}
	if !d.special(n, v, field, depth) {
		d.byKind(n, v, field, depth)
	}
}

// plain refuses what makes a file mean something else than it shows.
func (d *decoder) plain(n *yaml.Node, field string, depth int) bool {
	switch {
	case n.Kind == yaml.AliasNode:
		d.refuse(n.Line, field, "aliases are not accepted; write the value out")
	case n.Anchor != "":
		d.refuse(n.Line, field, "anchors are not accepted; a value that begins with & needs quotes")
	case n.Style&yaml.TaggedStyle != 0:
		d.refuse(n.Line, field, "tags are not accepted; a value that begins with ! needs quotes")
	case depth > MaxDepth:
		d.refuse(n.Line, field, "is nested more than %d deep", MaxDepth)
	default:
		return true
	}
	return false
}

// special reads the types that have a form of their own.
func (d *decoder) special(n *yaml.Node, v reflect.Value, field string, depth int) bool {
	switch into := v.Addr().Interface().(type) {
	case *Unsupported:
		d.refuse(n.Line, field, "is not supported by this version")
	case Shaped:
		d.shaped(n, into, field, depth)
	case *time.Time:
		d.time(n, into, field)
	case encoding.TextUnmarshaler:
		d.text(n, into, field)
	default:
		return false
	}
	return true
}

func (d *decoder) shaped(n *yaml.Node, into Shaped, field string, depth int) {
	kind := map[yaml.Kind]Kind{yaml.ScalarNode: Scalar, yaml.SequenceNode: List, yaml.MappingNode: Mapping}[n.Kind]
	target := into.Shape(kind)
	if target == nil {
		d.refuse(n.Line, field, "expected %s", into.Expected())
		return
	}
	d.value(n, reflect.ValueOf(target).Elem(), field, depth)
}

func (d *decoder) byKind(n *yaml.Node, v reflect.Value, field string, depth int) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, field, depth)
	case reflect.Map:
		d.mapping(n, v, field, depth)
	case reflect.Slice:
		d.list(n, v, field, depth)
	case reflect.Interface:
		if value := reflect.ValueOf(d.free(n, field, depth)); value.IsValid() {
			v.Set(value)
		}
	default:
		d.scalar(n, v, field)
	}
}

func (d *decoder) list(n *yaml.Node, v reflect.Value, field string, depth int) {
	if n.Kind != yaml.SequenceNode {
		d.refuse(n.Line, field, "expected a list, found %s", found(n))
		return
	}
	list := reflect.MakeSlice(v.Type(), len(n.Content), len(n.Content))
	for i, item := range n.Content {
		d.value(item, list.Index(i), fmt.Sprintf("%s[%d]", field, i), depth+1)
	}
	v.Set(list)
}

func (d *decoder) mapping(n *yaml.Node, v reflect.Value, field string, depth int) {
	if !d.isMapping(n, field) {
		return
	}
	m := reflect.MakeMapWithSize(v.Type(), len(n.Content)/2)
	d.eachKey(n, field, func(key, value *yaml.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.value(value, item, d.at(field, key), depth+1)
		m.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	})
	v.Set(m)
}

// free reads a value of any type, as JSON has them.
func (d *decoder) free(n *yaml.Node, field string, depth int) any {
	switch n.Kind {
	case yaml.SequenceNode:
		var list []any
		d.list(n, reflect.ValueOf(&list).Elem(), field, depth)
		return list
	case yaml.MappingNode:
		var m map[string]any
		d.mapping(n, reflect.ValueOf(&m).Elem(), field, depth)
		return m
	}
	return d.freeScalar(n, field)
}

// at is the field under a key, and notes the key's line for it.
func (d *decoder) at(field string, key *yaml.Node) string {
	name := key.Value
	switch {
	case !plainKey.MatchString(name):
		field += fmt.Sprintf("[%q]", shorten(name))
	case field == "":
		field = name
	default:
		field += "." + name
	}
	if !d.doc.Has(field) {
		d.doc.lines[field] = key.Line
	}
	return field
}

func shorten(s string) string {
	if len(s) > 64 {
		return strings.ToValidUTF8(s[:64], "") + "…"
	}
	return s
}
