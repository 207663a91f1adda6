package author

import (
	"context"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// change is what a lack asks of the input, where that can be made there.
type change struct {
	// path stands below input.
	path  ast.Ref
	value *ast.Term
	// member says that value joins what stands at path, instead of standing
	// there.
	member bool
	// guessed says that path is only where the value would mostly come from.
	guessed bool
}

// worth is what became of a near miss that was tried.
type worth int

const (
	// untrue: with the change there is still no allow.
	untrue worth = iota
	// proven: with the change there is an allow.
	proven
	// untried: it is not known what would change it.
	untried
)

func entrypointOf(rule ast.Ref) string {
	var parts []string
	for _, term := range rule[1:] {
		part, _ := term.Value.(ast.String)
		parts = append(parts, string(part))
	}
	return strings.Join(parts, "/")
}

// try makes a near miss's changes in the input and asks again, as the gate would:
// what can't be obeyed is no allow.
func (s *search) try(ctx context.Context, entrypoint string, miss Miss) worth {
	input, guessed := s.probe.Input(), false
	for i := range miss {
		c := miss[i].change
		if c == nil {
			return untried
		}
		guessed = guessed || c.guessed
		if input = changed(input, c.path, c); input == nil {
			return untried
		}
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	d, err := s.probe.Decide(ctx, entrypoint, input)
	switch {
	case err == nil && d.Allowed:
		return proven
	case ctx.Err() != nil || guessed && err == nil:
		return untried
	}
	return untrue
}

// changed is a copy of a value with a change at a path in it, nil where it does
// not fit.
func changed(in *ast.Term, path ast.Ref, c *change) *ast.Term {
	if len(path) == 0 {
		return c.at(in)
	}
	if in == nil || in.Value.Compare(ast.Null{}) == 0 {
		in = ast.ObjectTerm()
	}
	switch v := in.Value.(type) {
	case ast.Object:
		inner := changed(v.Get(path[0]), path[1:], c)
		if inner == nil {
			return nil
		}
		pairs := [][2]*ast.Term{{path[0], inner}}
		v.Foreach(func(key, value *ast.Term) {
			if !key.Equal(path[0]) {
				pairs = append(pairs, [2]*ast.Term{key, value})
			}
		})
		return ast.ObjectTerm(pairs...)
	case *ast.Array:
		i, isNumber := path[0].Value.(ast.Number)
		at, isIndex := i.Int()
		if !isNumber || !isIndex || at < 0 || at >= v.Len() {
			return nil
		}
		inner := changed(v.Elem(at), path[1:], c)
		if inner == nil {
			return nil
		}
		elements := elementsOf(v)
		elements[at] = inner
		return ast.ArrayTerm(elements...)
	}
	return nil
}

func (c *change) at(in *ast.Term) *ast.Term {
	if !c.member {
		return c.value
	}
	if in == nil || in.Value.Compare(ast.Null{}) == 0 {
		return ast.ArrayTerm(c.value)
	}
	switch v := in.Value.(type) {
	case *ast.Array:
		return ast.ArrayTerm(append(elementsOf(v), c.value)...)
	case ast.Set:
		return ast.SetTerm(append(v.Slice(), c.value)...)
	}
	return nil
}

func elementsOf(v *ast.Array) []*ast.Term {
	elements := make([]*ast.Term, 0, v.Len()+1)
	v.Foreach(func(term *ast.Term) { elements = append(elements, term) })
	return elements
}

// setting is the change that gives what a term was read from a value, nil where
// that is no part of the input.
func (f *frame) setting(term, value *ast.Term) *change {
	ref := f.inputRef(term)
	if ref == nil || value == nil || !value.IsGround() || isRef(value) {
		return nil
	}
	return &change{path: ref[1:], value: value}
}

// joining is the change that adds a member to what a collection was read from.
// The roles, scopes and groups that rules collect come from the identity's, as
// far as they come from the request.
func (f *frame) joining(collection, value *ast.Term) *change {
	if c := f.setting(collection, value); c != nil {
		c.member = true
		return c
	}
	ref, isRef := f.resolve(collection).Value.(ast.Ref)
	if !isRef || value == nil || !value.IsGround() {
		return nil
	}
	last := ref[len(ref)-1]
	if name, _ := last.Value.(ast.String); !slices.Contains([]ast.String{"roles", "scopes", "groups"}, name) {
		return nil
	}
	return &change{path: ast.Ref{ast.StringTerm("identity"), last}, value: value, member: true, guessed: true}
}

// inputRef is the part of the input that a term was read from, nil when it is
// from elsewhere or there is no saying which part.
func (f *frame) inputRef(term *ast.Term) ast.Ref {
	ref, isRef := f.resolve(term).Value.(ast.Ref)
	if !isRef || len(ref) < 2 || !ref.IsGround() || !ref[0].Equal(ast.InputRootDocument) {
		return nil
	}
	return ref
}

// resolve follows names to what they stand for: the references that arguments
// were given and the frame's own names.
func (f *frame) resolve(term *ast.Term) *ast.Term {
	for range deepest {
		var next *ast.Term
		switch v := term.Value.(type) {
		case ast.Var:
			next = f.from[v]
			if next == nil {
				next = standsFor(f.body, term)
			}
		case ast.Ref:
			head := f.resolveHead(v[0])
			if head == nil {
				return term
			}
			next = ast.NewTerm(slices.Concat(head, v[1:]))
		default:
			return term
		}
		if next.Equal(term) {
			return term
		}
		term = next
	}
	return term
}

func (f *frame) resolveHead(head *ast.Term) ast.Ref {
	name, isVar := head.Value.(ast.Var)
	if !isVar || ast.RootDocumentNames.Contains(head) {
		return nil
	}
	from := f.from[name]
	if from == nil {
		from = standsFor(f.body, head)
	}
	ref, _ := from.Value.(ast.Ref)
	return ref
}
