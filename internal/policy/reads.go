package policy

import (
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxIndex bounds the places of a list that are told apart.
const maxIndex = 32

// reads is a tree of the names that are read below a document.
type reads struct {
	// whole says that everything below counts as read.
	whole bool
	parts map[string]*reads
	// indexes are the places that are read of a list.
	indexes []int
	// keys are the names of parts in order, once settled.
	keys []key
	// at is the first place in the policy that reads it, or the whole of it.
	at *ast.Location
}

// everything is what reads a whole document.
func everything() *reads { return &reads{whole: true} }

// read notes that a path is read, and where. It ends at the first part that is
// not constant: a variable reads all that is there.
func (r *reads) read(path ast.Ref, at *ast.Location) {
	end := r.touch(path, at)
	if end != nil && !end.whole {
		*end = reads{whole: true, at: at}
	}
}

// touch notes that it matters whether a path is there, and what kind of value
// stands at its end, and gives what is read below it: nil below a place in a
// list, which is read whole.
func (r *reads) touch(path ast.Ref, at *ast.Location) *reads {
	if r.at == nil {
		r.at = at
	}
	if r.whole || len(path) == 0 {
		return r
	}
	if i, isIndex := index(path[0]); isIndex {
		if !slices.Contains(r.indexes, i) {
			r.indexes = append(r.indexes, i)
		}
		return nil
	}
	name, isText := path[0].Value.(ast.String)
	if !isText {
		*r = reads{whole: true, at: at}
		return r
	}
	return r.part(string(name)).touch(path[1:], at)
}

func (r *reads) part(name string) *reads {
	if r.parts == nil {
		r.parts = map[string]*reads{}
	}
	if r.parts[name] == nil {
		r.parts[name] = &reads{}
	}
	return r.parts[name]
}

// index is a constant place in a list.
func index(term *ast.Term) (i int, ok bool) {
	n, isNumber := term.Value.(ast.Number)
	if !isNumber {
		return 0, false
	}
	i, ok = n.Int()
	return i, ok && i >= 0 && i < maxIndex
}

// below is what is read below a name, nil for nothing.
func (r *reads) below(name string) *reads {
	if r.whole {
		return r
	}
	return r.parts[name]
}

// settle puts the names and places in order.
func (r *reads) settle() {
	for name, part := range r.parts {
		r.keys = append(r.keys, newKey(name))
		part.settle()
	}
	slices.SortFunc(r.keys, key.compare)
	slices.Sort(r.indexes)
}

// masked is of the segments of a path what is read by its place: the others are
// empty, and what comes after the last that is read is cut off.
func (r *reads) masked(path string) []string {
	if len(r.indexes) == 0 {
		return nil
	}
	kept, end := make([]string, r.indexes[len(r.indexes)-1]+1), 0
	for at, more := 0, true; more && at < len(kept); at++ {
		var segment string
		segment, path, more = strings.Cut(path, "/")
		if slices.Contains(r.indexes, at) {
			kept[at], end = segment, at+1
		}
	}
	return kept[:end]
}
