package importer

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// field is a place in a document that is being read. Its node is nil where
// nothing is written, or null: other programs write null for what they leave
// out.
type field struct {
	r    *reader
	file string
	path string
	line int
	node *yaml.Node
	// fromSecret: all its values are texts, since they come from a Secret.
	fromSecret bool
}

func (f field) has() bool { return f.node != nil }

func (f field) place() place { return place{f.file, f.line} }

// problem notes what is wrong here. The text never repeats a value that may be
// a secret.
func (f field) problem(format string, args ...any) {
	f.r.refuse(strictyaml.Problem{File: f.file, Line: f.line, Field: f.path, Text: fmt.Sprintf(format, args...)})
}

// sound refuses what makes a document mean something else than it shows, or
// grow without end: aliases and merges, keys that stand twice or are no
// strings, and depth.
func (f field) sound() bool {
	before := len(f.r.problems)
	f.check(f.node, 0)
	return len(f.r.problems) == before
}

func (f field) check(n *yaml.Node, depth int) {
	f.line = n.Line
	switch {
	case n.Kind == yaml.AliasNode:
		f.problem("aliases are not accepted; write the value out")
	case depth > strictyaml.MaxDepth:
		f.problem("is nested more than %d deep", strictyaml.MaxDepth)
	case n.Kind == yaml.MappingNode:
		f.checkKeys(n, depth)
	default:
		for _, item := range n.Content {
			f.check(item, depth+1)
		}
	}
}

func (f field) checkKeys(n *yaml.Node, depth int) {
	seen := make(map[string]bool, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		f.line = key.Line
		switch {
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			f.problem("expected a string as key; put it in quotes")
		case seen[key.Value]:
			f.problem("a key stands here twice")
		}
		seen[key.Value] = true
		f.check(n.Content[i+1], depth+1)
	}
}

// child is the place under a key, with nothing there.
func (f field) child(key string) field {
	f.node = nil
	f.path = strings.TrimPrefix(f.path+"."+key, ".")
	return f
}

// at is the place under a key. It looks through the whole mapping: whoever
// reads all of it asks for its entries.
func (f field) at(key string) field {
	child := f.child(key)
	if f.node == nil || f.node.Kind != yaml.MappingNode {
		return child
	}
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		if f.node.Content[i].Value == key {
			return child.on(f.node.Content[i+1], f.node.Content[i].Line)
		}
	}
	return child
}

func (f field) on(n *yaml.Node, line int) field {
	f.line = line
	if n.ShortTag() != "!!null" {
		f.node = n
	}
	return f
}

// mapping reports whether a mapping stands here.
func (f field) mapping() bool { return f.is(yaml.MappingNode, "a mapping of keys to values") }

func (f field) is(kind yaml.Kind, what string) bool {
	if f.has() && f.node.Kind != kind {
		f.problem("expected %s", what)
	}
	return f.has() && f.node.Kind == kind
}

// entry is a key of a mapping and what stands there.
type entry struct {
	key string
	field
}

// entries are those of the mapping that stands here.
func (f field) entries() []entry {
	if !f.mapping() {
		return nil
	}
	entries := make([]entry, 0, len(f.node.Content)/2)
	for i := 0; i+1 < len(f.node.Content); i += 2 {
		key := f.node.Content[i]
		entries = append(entries, entry{key.Value, f.child(key.Value).on(f.node.Content[i+1], key.Line)})
	}
	return entries
}

// items are those of the list that stands here.
func (f field) items() []field {
	if !f.is(yaml.SequenceNode, "a list") {
		return nil
	}
	items := make([]field, len(f.node.Content))
	for i, n := range f.node.Content {
		items[i] = f
		items[i].node = nil
		items[i].path = fmt.Sprintf("%s[%d]", f.path, i)
		items[i] = items[i].on(n, n.Line)
		if !items[i].has() {
			items[i].problem("has no value")
		}
	}
	return items
}

func (f field) isList() bool { return f.has() && f.node.Kind == yaml.SequenceNode }

func (f field) isNumber() bool {
	return f.has() && f.node.Kind == yaml.ScalarNode && (f.node.ShortTag() == "!!int" || f.node.ShortTag() == "!!float")
}

// text is the string that stands here, or "".
func (f field) text() string {
	switch {
	case !f.has():
		return ""
	case f.node.Kind == yaml.ScalarNode && f.node.ShortTag() == "!!timestamp" && f.node.Style == 0:
		return f.node.Value // a date without quotes is a text to others
	case f.node.Kind != yaml.ScalarNode || f.node.ShortTag() != "!!str":
		f.problem("expected a string; a number or a word such as true needs quotes")
		return ""
	}
	return f.node.Value
}

// texts are the strings of the list that stands here.
func (f field) texts() []string {
	var list []string
	for _, item := range f.items() {
		list = append(list, item.text())
	}
	return list
}

// flag is the boolean that stands here.
func (f field) flag(otherwise bool) bool {
	if !f.has() {
		return otherwise
	}
	if f.node.Kind != yaml.ScalarNode || !f.fromSecret && f.node.ShortTag() != "!!bool" {
		f.problem("expected true or false")
		return otherwise
	}
	value, err := strconv.ParseBool(strings.ToLower(f.node.Value))
	if err != nil {
		f.problem("expected true or false")
	}
	return value
}

// maxNumber is what a float holds exactly.
const maxNumber = 1 << 53

// number is the number that stands here, or 0.
func (f field) number() float64 {
	if !f.has() {
		return 0
	}
	tag := f.node.ShortTag()
	numeric := f.node.Kind == yaml.ScalarNode && (tag == "!!int" || tag == "!!float" || f.fromSecret)
	value, err := strconv.ParseFloat(f.node.Value, 64)
	if !numeric || err != nil || !(value >= -maxNumber && value <= maxNumber) {
		f.problem("expected a number")
		return 0
	}
	return value
}

// whole is the whole number that stands here, or 0.
func (f field) whole() int64 {
	value := f.number()
	if value != float64(int64(value)) {
		f.problem("expected a whole number")
		return 0
	}
	return int64(value)
}

// others are the keys here that are not among the known ones.
func (f field) others(known ...string) []field {
	var others []field
	for _, e := range f.entries() {
		if !slices.Contains(known, e.key) {
			others = append(others, e.field)
		}
	}
	return others
}
