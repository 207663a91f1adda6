package journal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// What is done with a field of the input.
const (
	keep = iota
	hash
	omit
)

// rule is what is done with a field, and with fields below it.
type rule struct {
	do      int
	members map[string]*rule
}

// rulesOf gathers configured fields; omitting outranks hashing.
func rulesOf(hashed, omitted [][]string) *rule {
	root := &rule{}
	for do, list := range map[int][][]string{hash: hashed, omit: omitted} {
		for _, path := range list {
			at := root
			for _, name := range path {
				if at.members == nil {
					at.members = map[string]*rule{}
				}
				if at.members[name] == nil {
					at.members[name] = &rule{}
				}
				at = at.members[name]
			}
			at.do = max(at.do, do)
		}
	}
	return root
}

func (r *rule) below(name string) *rule {
	if r == nil {
		return nil
	}
	return r.members[name]
}

// of is what is done with what stands at a path.
func (r *rule) of(path ...string) int {
	done := keep
	for _, name := range path {
		if r = r.below(name); r == nil {
			return done
		}
		done = max(done, r.do)
	}
	return done
}

// encoder writes an input as JSON, without what nobody may read in it.
type encoder struct {
	bytes []byte
	names *names
	words *words
	key   []byte
	path  policy.Path
	// depth is how many objects and lists are open.
	depth int
	// redacted, hashed and omitted are where the record does not hold what
	// policy saw.
	redacted, hashed, omitted []policy.Path
}

func (e *encoder) note(list *[]policy.Path) {
	if n := len(*list); n > 0 && slices.Equal((*list)[n-1], e.path) {
		return
	}
	*list = append(*list, slices.Clone(e.path))
}

// value writes a value and what is below it. do is inherited; secret says that
// the value stands where credentials do.
func (e *encoder) value(v ast.Value, r *rule, do int, secret bool) {
	if secret && !isContainer(v) {
		e.note(&e.redacted)
		e.quote(redacted)
		return
	}
	if do == hash && !isContainer(v) {
		e.note(&e.hashed)
		e.quote(digestOf(e.key, []byte(v.String())))
		return
	}
	if e.depth == maxDepth-4 && isContainer(v) { // nobody would read it
		e.note(&e.redacted)
		e.quote(redacted)
		return
	}
	switch v := v.(type) {
	case ast.Object:
		e.depth++
		e.object(v, r, do, secret)
		e.depth--
	case *ast.Array:
		e.depth++
		e.list(v, do, secret)
		e.depth--
	case ast.String:
		e.text(string(v))
	case ast.Number:
		e.bytes = append(e.bytes, string(v)...)
	case ast.Boolean:
		if v {
			e.bytes = append(e.bytes, "true"...)
			return
		}
		e.bytes = append(e.bytes, "false"...)
	default:
		e.bytes = append(e.bytes, "null"...)
	}
}

func isContainer(v ast.Value) bool {
	switch v.(type) {
	case ast.Object, *ast.Array, ast.Null:
		return true
	}
	return false
}

func (e *encoder) object(o ast.Object, r *rule, do int, secret bool) {
	e.bytes = append(e.bytes, '{')
	first := true
	o.Foreach(func(k, v *ast.Term) {
		name, isText := k.Value.(ast.String)
		if !isText {
			return
		}
		below := r.below(string(name))
		inner := do
		if below != nil {
			inner = max(do, below.do)
		}
		e.path = append(e.path, policy.Name(string(name)))
		defer func() { e.path = e.path[:len(e.path)-1] }()
		if inner == omit {
			e.note(&e.omitted)
			return
		}
		if !first {
			e.bytes = append(e.bytes, ',')
		}
		first = false
		e.name(string(name))
		e.value(v.Value, below, inner, secret || e.standsForSecret(string(name)))
	})
	e.bytes = append(e.bytes, '}')
}

// name writes a member's name; in what clients name themselves it may hold
// anything.
func (e *encoder) name(name string) {
	if e.namedByClient() {
		if safe := e.safe(name); safe != name {
			last := len(e.path) - 1
			e.path = e.path[:last]
			e.note(&e.redacted)
			e.path = append(e.path, policy.Name(safe))
			name = safe
		}
	}
	e.quote(name)
	e.bytes = append(e.bytes, ':')
}

// namedByClient tells names that may hold anything from policy's own, which no
// word of a client may take out.
func (e *encoder) namedByClient() bool {
	switch {
	case e.path[0] == "parsed_query" || e.path[0] == "parsed_body":
		return len(e.path) > 1
	case len(e.path) < 3:
		return false
	case e.path[0] != "attributes":
		return true
	case e.path[1] == "request":
		return len(e.path) > 4
	case e.path[1] == "source" || e.path[1] == "destination":
		return len(e.path) > 3 && e.path[2] == "labels"
	}
	return true
}

// safe is a text without credentials.
func (e *encoder) safe(text string) string {
	if e.words.over && len(text) >= shortest && e.ofClient() {
		return redacted
	}
	return e.names.withoutSecrets(text, e.words)
}

// ofClient tells where a client's texts stand, but for what it has proven.
func (e *encoder) ofClient() bool {
	if len(e.path) < 2 {
		return true
	}
	switch e.path[0] {
	case "attributes":
		return e.path[1] != "source" && e.path[1] != "destination"
	case "route":
		return e.path[1] != "name"
	case "consumer", "credential", "identity", "version":
		return false
	}
	return true
}

// gather takes up the credentials of the body and of metadata; the others are
// the question's.
func (e *encoder) gather(v ast.Value, secret bool) {
	switch v := v.(type) {
	case ast.String:
		if secret {
			e.words.add(string(v))
			e.words.credential(string(v))
		}
	case *ast.Array:
		v.Foreach(func(one *ast.Term) { e.gather(one.Value, secret) })
	case ast.Object:
		v.Foreach(func(k, one *ast.Term) {
			name, isText := k.Value.(ast.String)
			if !isText || len(e.path) == 0 && name != "attributes" && name != "parsed_body" ||
				len(e.path) == 1 && e.path[0] == "attributes" && name == "request" {
				return
			}
			e.path = append(e.path, policy.Name(string(name)))
			e.gather(one.Value, secret || e.standsForSecret(string(name)))
			e.path = e.path[:len(e.path)-1]
		})
	}
}

// standsForSecret reports whether what stands at the path may be a credential,
// by its name.
func (e *encoder) standsForSecret(name string) bool {
	switch {
	case e.path[0] == "parsed_query" || e.path[0] == "parsed_body":
		return len(e.path) > 1 && e.names.query(name)
	case len(e.path) < 3: // these are policy's own names
		return false
	case len(e.path) == 5 && e.path[3] == "headers":
		return e.names.header(name)
	}
	return e.names.query(name)
}

func (e *encoder) list(list *ast.Array, do int, secret bool) {
	e.bytes = append(e.bytes, '[')
	for i := range list.Len() {
		if i > 0 {
			e.bytes = append(e.bytes, ',')
		}
		e.value(list.Elem(i).Value, nil, do, secret)
	}
	e.bytes = append(e.bytes, ']')
}

func (e *encoder) text(s string) {
	safe := e.safe(s)
	if !utf8.ValidString(safe) {
		safe = strings.ToValidUTF8(safe, "\ufffd")
	}
	if safe != s {
		e.note(&e.redacted)
	}
	e.quote(safe)
}

func (e *encoder) quote(s string) { e.bytes = appendQuoted(e.bytes, s) }

func appendQuoted(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(dst, `""`...)
			}
			return append(dst, quoted...)
		}
	}
	dst = append(dst, '"')
	dst = append(dst, s...)
	return append(dst, '"')
}

// digestOf is a keyed digest: equal values have equal ones, and without the key
// nobody can try values.
func digestOf(key, value []byte) string {
	mac := hmac.New(sha256.New, key)
	_, _ = mac.Write(value) // a hash never fails
	return "hmac:" + base64.RawURLEncoding.EncodeToString(mac.Sum(nil)[:16])
}
