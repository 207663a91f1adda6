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
	rest := blank(object[1:])
	for len(rest) > 0 && rest[0] == '"' {
		var name, value []byte
		name, rest = cut(rest)
		if len(rest) == 0 {
			return
		}
		value, rest = cut(rest[1:]) // the colon
		each(name, value)
		if len(rest) == 0 || rest[0] != ',' {
			return
		}
		rest = blank(rest[1:])
	}
}

// elements goes through a list.
func elements(list []byte, each func(i int, value []byte)) {
	rest := blank(list[1:])
	for i := 0; len(rest) > 0 && rest[0] != ']'; i++ {
		var value []byte
		value, rest = cut(rest)
		each(i, value)
		if len(rest) == 0 || rest[0] != ',' {
			return
		}
		rest = rest[1:]
	}
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
	if selected.IsWhole() || len(value) == 0 {
		return append(dst, value...)
	}
	switch value[0] {
	case '{':
		return projectObject(dst, value, selected)
	case '[':
		if indexes := selected.Indexes(); len(indexes) > 0 {
			return projectList(dst, value, indexes)
		}
	}
	return append(dst, value...)
}

func projectObject(dst, object []byte, selected *policy.Selection) []byte {
	dst = append(dst, '{')
	first := true
	members(object, func(name, value []byte) {
		var inner *policy.Selection
		if bytes.IndexByte(name, '\\') < 0 {
			inner = selected.Member(string(name[1 : len(name)-1]))
		} else {
			inner = selected.Member(unquoted(name))
		}
		if inner == nil {
			return
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(dst, name...), ':')
		dst = Project(dst, value, inner)
	})
	return append(dst, '}')
}

// projectList keeps the places that are read; the others are empty, and what
// comes after the last that is read is cut off.
func projectList(dst, list []byte, indexes []int) []byte {
	dst = append(dst, '[')
	end := len(dst)
	elements(list, func(i int, value []byte) {
		if i > indexes[len(indexes)-1] {
			return
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		if !slices.Contains(indexes, i) {
			dst = append(dst, `""`...)
			return
		}
		dst = append(dst, value...)
		end = len(dst)
	})
	return append(dst[:end], ']')
}

// Term is a valid JSON value as OPA's own.
func Term(value []byte) *ast.Term {
	if len(value) == 0 {
		return ast.NullTerm()
	}
	switch value[0] {
	case '{':
		pairs := make([][2]*ast.Term, 0, 8)
		members(value, func(name, v []byte) {
			pairs = append(pairs, [2]*ast.Term{ast.InternedTerm(unquoted(name)), Term(v)})
		})
		return ast.ObjectTerm(pairs...)
	case '[':
		var all []*ast.Term
		elements(value, func(_ int, v []byte) { all = append(all, Term(v)) })
		return ast.ArrayTerm(all...)
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
