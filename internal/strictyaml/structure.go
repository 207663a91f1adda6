package strictyaml

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var (
	plainKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// harmlessKey looks like a key of a format: shorter than any credential,
	// or of words alone.
	harmlessKey = regexp.MustCompile(`^([A-Za-z0-9_.-]{1,15}|[a-z_]{1,40})$`)
)

// structure reads a mapping whose keys are known.
func (d *decoder) structure(n *yaml.Node, v reflect.Value, field string, depth int) {
	if !d.isMapping(n, field) {
		return
	}
	fields := fieldsOf(v.Type())
	d.eachKey(n, field, func(key, value *yaml.Node) {
		f, ok := fields[key.Value]
		if !ok {
			d.refuse(key.Line, field, "%s", unknownKey(key.Value, fields))
			return
		}
		d.value(value, v.Field(f.index), d.at(field, key), depth+1)
	})
	d.required(n, fields, field)
}

func (d *decoder) required(n *yaml.Node, fields map[string]knownField, field string) {
	for _, name := range names(fields) {
		present := slices.ContainsFunc(n.Content, func(k *yaml.Node) bool { return k.Value == name })
		if fields[name].required && !present {
			d.refuse(n.Line, field, "lacks the key %q", name)
		}
	}
}

func (d *decoder) isMapping(n *yaml.Node, field string) bool {
	if n.Kind != yaml.MappingNode {
		d.refuse(n.Line, field, "expected a mapping of keys to values, found %s", found(n))
		return false
	}
	return true
}

// eachKey calls do for every key that is a string and stands there once.
func (d *decoder) eachKey(n *yaml.Node, field string, do func(key, value *yaml.Node)) {
	seen := make(map[string]int, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		first, again := seen[key.Value]
		switch {
		case !d.plain(key, field, 0):
		case key.Kind != yaml.ScalarNode || key.ShortTag() != "!!str":
			d.refuse(key.Line, field, "expected a string as key; put it in quotes")
		case again:
			d.refuse(key.Line, field, "the key %s stands here twice, first on line %d", showKey(key.Value), first)
		default:
			seen[key.Value] = key.Line
			do(key, n.Content[i+1])
		}
	}
}

type knownField struct {
	index                 int
	required, unsupported bool
}

// fieldsOf lists the keys that a struct reads. A field without a tag is not
// read from files.
func fieldsOf(t reflect.Type) map[string]knownField {
	fields := make(map[string]knownField, t.NumField())
	for i := range t.NumField() {
		name, option, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name == "" || name == "-" {
			continue
		}
		fields[name] = knownField{
			index:       i,
			required:    option == "required",
			unsupported: t.Field(i).Type == reflect.TypeFor[Unsupported](),
		}
	}
	return fields
}

func names(fields map[string]knownField) []string {
	list := make([]string, 0, len(fields))
	for name, f := range fields {
		if !f.unsupported {
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

// unknownKey says what the key may have been meant to be.
func unknownKey(key string, fields map[string]knownField) string {
	known := names(fields)
	if near := nearest(key, known); near != "" {
		return fmt.Sprintf("unknown key %q; did you mean %q?", key, near)
	}
	return fmt.Sprintf("unknown key %s; known here: %s", showKey(key), strings.Join(known, ", "))
}

// showKey quotes a key, unless it may be a secret that lost its own key.
func showKey(key string) string {
	if harmlessKey.MatchString(key) {
		return fmt.Sprintf("%q", key)
	}
	return fmt.Sprintf("(of %d bytes)", len(key))
}

// nearest returns the known name that differs by a slip or two, or "".
func nearest(key string, known []string) string {
	best, distance := "", 3
	for _, name := range known {
		if len(name)-len(key) > 2 || len(key)-len(name) > 2 || len(name) < 3 {
			continue
		}
		if d := edits(key, name); d < distance && d < len(name)/2 {
			best, distance = name, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
