package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
)

// result reads the members of an object and keeps the first error. An error
// never repeats a value: it may be a secret that the policy hands on.
type result struct {
	object ast.Object
	err    error
}

func (r *result) fail(name, format string, args ...any) {
	if r.err == nil {
		r.err = fmt.Errorf("the result's %s: "+format, append([]any{name}, args...)...)
	}
}

// status is the HTTP status of a denial. A denial with a status under 300
// would look like a success to the client.
func (r *result) status(name string) int {
	v := member(r.object, name)
	if v == nil {
		return 0
	}
	number, isNumber := v.(ast.Number)
	status, whole := number.Int()
	switch {
	case !isNumber || !whole || status < 200 || status > 599:
		r.fail(name, "want a whole number from 200 to 599")
	case status < 300:
		r.fail(name, "%d with a denial would tell the client of a success", status)
	}
	return status
}

func (r *result) body(name string) (body string, found bool) {
	v := member(r.object, name)
	if v == nil {
		return "", false
	}
	text, isText := v.(ast.String)
	if !isText {
		r.fail(name, "want a string, have %s", ast.ValueName(v))
	}
	return string(text), true
}

// headers are an object of strings or lists of strings, or a list or set of
// such objects.
func (r *result) headers(name string) (all []access.Header) {
	r.pairs(name, member(r.object, name), true, func(key, value string) {
		switch {
		case !validName(key):
			r.fail(name, "%q is no header name", key)
		case !validValue(value):
			r.fail(name, "the value of %s holds control characters", key)
		}
		all = append(all, access.Header{Name: key, Value: value})
	})
	return all
}

func (r *result) query(name string) (all []access.Param) {
	r.pairs(name, member(r.object, name), false, func(key, value string) {
		all = append(all, access.Param{Name: key, Value: value})
	})
	return all
}

func (r *result) pairs(name string, v ast.Value, lists bool, add func(key, value string)) {
	switch v := v.(type) {
	case nil:
	case ast.Object:
		v.Foreach(func(key, value *ast.Term) { r.pair(name, key.Value, value.Value, add) })
	case *ast.Array, ast.Set:
		if !lists {
			r.fail(name, "want an object, have %s", ast.ValueName(v))
			return
		}
		each(v, func(item *ast.Term) {
			if _, isObject := item.Value.(ast.Object); !isObject {
				r.fail(name, "want a list of objects, have %s in it", ast.ValueName(item.Value))
				return
			}
			r.pairs(name, item.Value, false, add)
		})
	default:
		r.fail(name, "want an object, have %s", ast.ValueName(v))
	}
}

func (r *result) pair(name string, key, value ast.Value, add func(key, value string)) {
	text, isText := key.(ast.String)
	if !isText {
		r.fail(name, "want strings as names, have %s", ast.ValueName(key))
		return
	}
	if single, isText := value.(ast.String); isText {
		add(string(text), string(single))
		return
	}
	for _, each := range r.stringsOf(name, value) {
		add(string(text), each)
	}
}

// names are headers' names in lower case.
func (r *result) names(name string) []string {
	all := r.strings(name)
	for i := range all {
		if !validName(all[i]) {
			r.fail(name, "%q is no header name", all[i])
		}
		all[i] = strings.ToLower(all[i])
	}
	return all
}

func (r *result) strings(name string) []string {
	v := member(r.object, name)
	if v == nil {
		return nil
	}
	return r.stringsOf(name, v)
}

// stringsOf reads a list or set of strings.
func (r *result) stringsOf(name string, v ast.Value) (all []string) {
	isList := each(v, func(item *ast.Term) {
		text, isText := item.Value.(ast.String)
		if !isText {
			r.fail(name, "want strings, have %s", ast.ValueName(item.Value))
		}
		all = append(all, string(text))
	})
	if !isList {
		r.fail(name, "want a string or a list of strings, have %s", ast.ValueName(v))
	}
	return all
}

// each goes through a list or set, and reports whether it is one.
func each(v ast.Value, do func(*ast.Term)) bool {
	switch v := v.(type) {
	case *ast.Array:
		v.Foreach(do)
	case ast.Set:
		v.Foreach(do)
	default:
		return false
	}
	return true
}

func (r *result) metadata(name string) map[string]any {
	v := member(r.object, name)
	if v == nil {
		return nil
	}
	plain, err := ast.JSON(v)
	m, isObject := plain.(map[string]any)
	switch {
	case err != nil || !isObject:
		r.fail(name, "want an object, have %s", ast.ValueName(v))
	case !finite(m):
		r.fail(name, "holds a number that no gateway can be told")
	}
	return m
}

// finite reports whether every number in a JSON value is one that a door can
// send: within the range of 64 bits of floating point.
func finite(v any) bool {
	switch v := v.(type) {
	case json.Number:
		_, err := v.Float64()
		return err == nil
	case []any:
		return !slices.ContainsFunc(v, func(item any) bool { return !finite(item) })
	case map[string]any:
		for _, item := range v {
			if !finite(item) {
				return false
			}
		}
	}
	return true
}

// validName reports whether a header may be called so (RFC 9110 section 5.1),
// or whether it is a pseudo-header, which the gate drops with a warning.
func validName(name string) bool {
	name = strings.TrimPrefix(name, ":")
	for i := range len(name) {
		c := name[i]
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9'
		if !letter && !strings.ContainsRune("!#$%&'*+-.^_`|~", rune(c)) {
			return false
		}
	}
	return name != ""
}

// validValue reports whether a header may have this value (RFC 9110 section
// 5.5: no controls but the tab).
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}
