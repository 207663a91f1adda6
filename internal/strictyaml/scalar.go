package strictyaml

import (
	"encoding"
	"math"
	"reflect"
	"regexp"
	"strconv"
	"time"

	"go.yaml.in/yaml/v3"
)

// wholeNumber is the one spelling of a whole number: no hex, octal or
// underscores.
var wholeNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)$`)

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, field string) {
	switch v.Kind() {
	case reflect.String:
		d.string(n, v, field)
	case reflect.Bool:
		if n.Kind != yaml.ScalarNode || (n.Value != "true" && n.Value != "false") || n.ShortTag() != "!!bool" {
			d.refuse(n.Line, field, "expected true or false, found %s", found(n))
			return
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int64:
		number, err := strconv.ParseInt(n.Value, 10, 64)
		if n.ShortTag() != "!!int" || !wholeNumber.MatchString(n.Value) || err != nil {
			d.refuse(n.Line, field, "expected a whole number, found %s", found(n))
			return
		}
		v.SetInt(number)
	case reflect.Float64:
		number, ok := finite(n)
		if !ok {
			d.refuse(n.Line, field, "expected a number, found %s", found(n))
			return
		}
		v.SetFloat(number)
	default:
		panic("strictyaml: can't read into " + v.Type().String())
	}
}

func (d *decoder) string(n *yaml.Node, v reflect.Value, field string) {
	switch {
	case n.Kind != yaml.ScalarNode:
		d.refuse(n.Line, field, "expected a string, found %s", found(n))
	case n.ShortTag() != "!!str":
		d.refuse(n.Line, field, "expected a string, found %s; put it in quotes", found(n))
	default:
		v.SetString(n.Value)
	}
}

func (d *decoder) text(n *yaml.Node, into encoding.TextUnmarshaler, field string) {
	if n.Kind != yaml.ScalarNode {
		d.refuse(n.Line, field, "expected a single value, found %s", found(n))
		return
	}
	if err := into.UnmarshalText([]byte(n.Value)); err != nil {
		d.refuse(n.Line, field, "%s", err)
	}
}

// rfc3339 is stricter than Go's parser, which takes a comma for the point of
// the fraction and one digit for the hour.
var rfc3339 = regexp.MustCompile(`^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)$`)

func (d *decoder) time(n *yaml.Node, into *time.Time, field string) {
	t, err := time.Parse(time.RFC3339, n.Value)
	if err != nil || !rfc3339.MatchString(n.Value) || n.Kind != yaml.ScalarNode || t.IsZero() { // the first moment of all would be no time
		d.refuse(n.Line, field, "expected a time of RFC 3339, such as 2030-01-01T00:00:00Z")
		return
	}
	*into = t
}

// freeScalar reads a scalar as what it looks like.
func (d *decoder) freeScalar(n *yaml.Node, field string) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!str":
		return n.Value
	case "!!bool":
		if n.Value == "true" || n.Value == "false" {
			return n.Value == "true"
		}
	case "!!int":
		if number, err := strconv.ParseInt(n.Value, 10, 64); err == nil && wholeNumber.MatchString(n.Value) {
			return number
		}
	case "!!float":
		if number, ok := finite(n); ok {
			return number
		}
	}
	d.refuse(n.Line, field, "expected a string, number, true or false, list or mapping, found %s; a string needs quotes here", found(n))
	return nil
}

var decimal = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

func finite(n *yaml.Node) (float64, bool) {
	if tag := n.ShortTag(); (tag != "!!float" && tag != "!!int") || !decimal.MatchString(n.Value) {
		return 0, false
	}
	number, err := strconv.ParseFloat(n.Value, 64)
	return number, err == nil && !math.IsInf(number, 0)
}

// found names what a node is, never what it says.
func found(n *yaml.Node) string {
	switch n.Kind {
	case yaml.SequenceNode:
		return "a list"
	case yaml.MappingNode:
		return "a mapping"
	}
	switch n.ShortTag() {
	case "!!str":
		return "a string"
	case "!!int", "!!float":
		return "a number"
	case "!!bool":
		return "true or false"
	case "!!timestamp":
		return "a date"
	case "!!null":
		return "nothing"
	}
	return "something else"
}
