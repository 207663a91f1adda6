package policy

import (
	"fmt"
	"io"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/dependencies"

	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

// GiveEverything makes a snapshot build the whole input for each evaluation.
func (s *Snapshot) GiveEverything() *Snapshot {
	for _, e := range s.entrypoints {
		e.input = selectParts(e.fields, everything())
	}
	return s
}

// Blind surveys the entry points anew, without the nodes that skip says.
func (s *Snapshot) Blind(skip func(node any) bool) {
	for name, e := range s.entrypoints {
		ref, _ := refOf(name)
		e.study(surveyWithout(s.compiler, ref, skip))
	}
}

// Key is what a question's decision is remembered under.
func (s *Snapshot) Key(q *gate.Question) (cache.Key, error) {
	return s.entrypoints[q.Entrypoint].key(q)
}

// Reads lists what an entry point was found to read of the input, by dotted
// path; "input" alone is everything.
func (s *Snapshot) Reads(name string) []string {
	ref, _ := refOf(name)
	found := surveyOf(s.compiler, ref)
	return found.input.list("input", nil)
}

func (r *reads) list(at string, all []string) []string {
	if r.whole || len(r.parts) == 0 && len(r.indexes) == 0 && at != "input" {
		return append(all, at)
	}
	for _, i := range r.indexes {
		all = append(all, fmt.Sprintf("%s[%d]", at, i))
	}
	for _, name := range sorted(r.parts) {
		all = r.parts[name].list(at+"."+name, all)
	}
	return all
}

// Dependencies is OPA's own list of what an entry point reads of the input.
func (s *Snapshot) Dependencies(name string) ([]string, error) {
	ref, _ := refOf(name)
	base, err := dependencies.Base(s.compiler, ref)
	var paths []string
	for _, r := range base {
		if r.HasPrefix(ast.InputRootRef) {
			paths = append(paths, dotted(r))
		}
	}
	slices.Sort(paths)
	return paths, err
}

func dotted(r ast.Ref) string {
	path := "input"
	for _, term := range r[1:] {
		name, isText := term.Value.(ast.String)
		if !isText {
			break
		}
		path += "." + string(name)
	}
	return path
}

// ReadJSON, ReadYAML and WriteJSON read and write data.
func ReadJSON(text []byte) (ast.Value, error)      { return readJSON(text) }
func ReadYAML(text []byte) (ast.Value, error)      { return readYAML(text) }
func WriteJSON(w io.Writer, value ast.Value) error { return writeJSON(w, value) }

// Data is what stands at a name below data; "" is all of it.
func (s *Snapshot) Data(name string) ast.Value {
	if name == "" {
		return s.content.data
	}
	return s.content.data.Get(ast.StringTerm(name)).Value
}
