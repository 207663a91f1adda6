package policy

import (
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// located is data with what it is from.
type located struct {
	value ast.Value
	from  *dataset
}

// rooted is a document's data as it stands below data. It is none when a value
// that is no object would stand at the top.
func (d *dataset) rooted() (located, bool) {
	value := d.value
	for i := len(d.at) - 1; i >= 0; i-- {
		value = ast.NewObject([2]*ast.Term{ast.StringTerm(d.at[i]), ast.NewTerm(value)})
	}
	_, ok := value.(ast.Object)
	return located{value, d}, ok
}

// mergeAll puts parts together that stand at one path. What only one of them
// has is shared with it and not copied; what two define is an error that names
// both.
func mergeAll(at []string, parts []located) (ast.Value, error) {
	if len(parts) == 0 {
		return ast.NewObject(), nil
	}
	if len(parts) == 1 {
		return parts[0].value, nil
	}
	objects, members := make([]ast.Object, len(parts)), 0
	for i, part := range parts {
		object, isObject := part.value.(ast.Object)
		if !isObject {
			return nil, defined(at, parts)
		}
		objects[i] = object
		members += object.Len()
	}
	pairs := make([][2]*ast.Term, 0, members)
	for _, object := range objects {
		object.Foreach(func(key, value *ast.Term) { pairs = append(pairs, [2]*ast.Term{key, value}) })
	}
	if object, _ := objectOf(pairs); object != nil {
		return object, nil
	}
	return mergeMembers(at, parts, objects)
}

// fewMembers is up to how many members each is compared with each.
const fewMembers = 8

// objectOf makes an object of members, or names the first that stands twice:
// OPA takes it on trust that there is none. The object is sorted here, since it
// would be by the first decision that goes through its members, and of what is
// shared nothing may change later.
func objectOf(members [][2]*ast.Term) (object ast.Object, twice *ast.Term) {
	if len(members) > fewMembers {
		object, twice = objectOfMany(members)
	} else {
		object, twice = objectOfFew(members)
	}
	if object != nil {
		object.Until(func(_, _ *ast.Term) bool { return true })
	}
	return object, twice
}

func objectOfFew(members [][2]*ast.Term) (ast.Object, *ast.Term) {
	for i := range members {
		for j := range i {
			if members[i][0].Value == members[j][0].Value {
				return nil, members[i][0]
			}
		}
	}
	return ast.NewObject(members...), nil
}

func objectOfMany(members [][2]*ast.Term) (ast.Object, *ast.Term) {
	object := ast.NewObjectWithCapacity(len(members))
	for i, member := range members {
		if object.Insert(member[0], member[1]); object.Len() == i {
			return nil, member[0]
		}
	}
	return object, nil
}

// mergeMembers puts parts together of which some have the same members.
func mergeMembers(at []string, parts []located, objects []ast.Object) (ast.Value, error) {
	var names []ast.Value
	held := map[ast.Value][]located{}
	for i, object := range objects {
		object.Foreach(func(key, value *ast.Term) {
			if held[key.Value] == nil {
				names = append(names, key.Value)
			}
			held[key.Value] = append(held[key.Value], located{value.Value, parts[i].from})
		})
	}
	pairs := make([][2]*ast.Term, len(names))
	for i, name := range names {
		text, _ := name.(ast.String)
		value, err := mergeAll(append(at[:len(at):len(at)], string(text)), held[name])
		if err != nil {
			return nil, err
		}
		pairs[i] = [2]*ast.Term{ast.NewTerm(name), ast.NewTerm(value)}
	}
	object, _ := objectOf(pairs)
	return object, nil
}

// defined tells of a place that more than one source defines.
func defined(at []string, parts []located) *Error {
	path := strings.Join(append([]string{"data"}, at...), ".")
	return &Error{Problems: []Problem{{
		File: parts[len(parts)-1].from.name,
		Line: parts[len(parts)-1].from.line(at),
		Text: path + " is defined here and in " + parts[0].from.place(at) + "; what both have can't be put together",
	}}}
}
