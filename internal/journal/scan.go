package journal

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// What follows reads JSON that is known to be valid, so that it can be cut
// without being looked at: a journal is checked line by line before.

// blank skips white space.
func blank(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t' || b[0] == '\n' || b[0] == '\r') {
		b = b[1:]
	}
	return b
}

// cut takes the first value off, and the white space around it.
func cut(b []byte) (value, rest []byte) {
	b = blank(b)
	if len(b) == 0 {
		return nil, nil
	}
	end := 0
	switch b[0] {
	case '"':
		end = textEnd(b)
	case '{', '[':
		end = nestedEnd(b)
	default:
		for end < len(b) && !bytes.ContainsRune([]byte(",}] \t\r\n:"), rune(b[end])) {
			end++
		}
	}
	return b[:end], blank(b[end:])
}

func textEnd(b []byte) int {
	for i := 1; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(b)
}

func nestedEnd(b []byte) int {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += textEnd(b[i:]) - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(b)
}

// members goes through an object. Names are quoted, as they stand.
func members(object []byte, each func(name, value []byte)) {
	throughObject(object, func(name, from []byte) []byte {
		value, rest := cut(from)
		each(name, value)
		return rest
	})
}

// throughObject goes through an object and gives what comes after it. What each
// is given begins with the value; it gives what comes after that. So everything
// is read once, however deep it stands.
func throughObject(object []byte, each func(name, from []byte) []byte) []byte {
	rest := blank(object[1:])
	for len(rest) > 0 && rest[0] == '"' {
		var name []byte
		if name, rest = cut(rest); len(rest) == 0 {
			return nil
		}
		rest = blank(each(name, blank(rest[1:]))) // without the colon
		if len(rest) == 0 || rest[0] != ',' {
			break
		}
		rest = blank(rest[1:])
	}
	return after(rest)
}

// throughList does the same for a list.
func throughList(list []byte, each func(i int, from []byte) []byte) []byte {
	rest := blank(list[1:])
	for i := 0; len(rest) > 0 && rest[0] != ']'; i++ {
		rest = blank(each(i, rest))
		if len(rest) == 0 || rest[0] != ',' {
			break
		}
		rest = blank(rest[1:])
	}
	return after(rest)
}

// after leaves a bracket behind.
func after(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b[1:]
}

// deeper reports whether a value is nested deeper than a bound.
func deeper(b []byte, bound int) bool {
	depth := 0
	for i := 0; i < len(b); i++ {
		switch b[i] {
		case '"':
			i += textEnd(b[i:]) - 1
		case '{', '[':
			if depth++; depth > bound {
				return true
			}
		case '}', ']':
			depth--
		}
	}
	return false
}

func unquoted(text []byte) string {
	if len(text) < 2 {
		return ""
	}
	if bytes.IndexByte(text, '\\') < 0 {
		return string(text[1 : len(text)-1])
	}
	var s string
	if json.Unmarshal(text, &s) != nil {
		return ""
	}
	return s
}

// Project appends of a valid JSON value what is selected of it: all that rules
// which read the selection can tell it by.
func Project(dst, value []byte, selected *policy.Selection) []byte {
	dst, _ = project(dst, blank(value), selected)
	return dst
}

// project gives what comes after the value, too.
func project(dst, from []byte, selected *policy.Selection) (projected, rest []byte) {
	if len(from) > 0 && !selected.IsWhole() {
		switch from[0] {
		case '{':
			return projectObject(dst, from, selected)
		case '[':
			if indexes := selected.Indexes(); len(indexes) > 0 {
				return projectList(dst, from, indexes)
			}
		}
	}
	value, rest := cut(from)
	return append(dst, value...), rest
}

func projectObject(dst, object []byte, selected *policy.Selection) (projected, rest []byte) {
	dst = append(dst, '{')
	first := true
	rest = throughObject(object, func(name, from []byte) (rest []byte) {
		var inner *policy.Selection
		if bytes.IndexByte(name, '\\') < 0 {
			inner = selected.Member(string(name[1 : len(name)-1]))
		} else {
			inner = selected.Member(unquoted(name))
		}
		if inner == nil {
			_, rest = cut(from)
			return rest
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name...), ':')
		dst, rest = project(dst, from, inner)
		return rest
	})
	return append(dst, '}'), rest
}

// projectList keeps the places that are read; the others are empty, and what
// comes after the last that is read is cut off.
func projectList(dst, list []byte, indexes []int) (projected, rest []byte) {
	dst = append(dst, '[')
	end := len(dst)
	rest = throughList(list, func(i int, from []byte) []byte {
		value, rest := cut(from)
		if i > indexes[len(indexes)-1] {
			return rest
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		if _, read := slices.BinarySearch(indexes, i); !read {
			dst = append(dst, `""`...)
			return rest
		}
		dst = append(dst, value...)
		end = len(dst)
		return rest
	})
	return append(dst[:end], ']'), rest
}

// Term is a valid JSON value as OPA's own.
func Term(value []byte) *ast.Term {
	term, _ := term(blank(value))
	return term
}

// term gives what comes after the value, too.
func term(from []byte) (t *ast.Term, rest []byte) {
	if len(from) == 0 {
		return ast.NullTerm(), nil
	}
	switch from[0] {
	case '{':
		pairs := make([][2]*ast.Term, 0, 8)
		rest = throughObject(from, func(name, from []byte) []byte {
			value, rest := term(from)
			pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(unquoted(name)), value})
			return rest
		})
		return ast.ObjectTerm(pairs...), rest
	case '[':
		var all []*ast.Term
		rest = throughList(from, func(_ int, from []byte) []byte {
			value, rest := term(from)
			all = append(all, value)
			return rest
		})
		return ast.ArrayTerm(all...), rest
	}
	value, rest := cut(from)
	return scalar(value), rest
}

func scalar(value []byte) *ast.Term {
	switch value[0] {
	case '"':
		return ast.StringTerm(unquoted(value))
	case 't', 'f':
		return ast.InternedTerm(value[0] == 't')
	case 'n':
		return ast.NullTerm()
	}
	if n, err := strconv.Atoi(string(value)); err == nil && string(value) == strconv.Itoa(n) {
		return ast.IntNumberTerm(n)
	}
	return ast.NumberTerm(json.Number(value))
}
