package policy

import (
	"fmt"

	"github.com/open-policy-agent/opa/v1/ast"
)

// placed refuses data that would be nested deeper than can be read once it stands
// where it belongs: what is in force is kept as an archive, and read from there.
// What last has of the same file was looked at.
func (d *dataset) placed(last *dataset) error {
	known := last != nil && last.digest == d.digest && len(last.at) >= len(d.at)
	if len(d.at) == 0 || known || nests(d.value, maxDataDepth-len(d.at)) {
		return nil
	}
	return fmt.Errorf("nested deeper than %d, with the %d levels that it stands below", maxDataDepth, len(d.at))
}

// nests reports whether a value has at most so many objects and arrays in one
// another.
func nests(v ast.Value, most int) bool {
	within := most >= 0
	item := func(t *ast.Term) bool {
		within = nests(t.Value, most-1)
		return !within
	}
	switch v := v.(type) {
	case ast.Object:
		if most <= 0 {
			return false
		}
		v.Until(func(_, value *ast.Term) bool { return item(value) })
	case *ast.Array:
		if most <= 0 {
			return false
		}
		v.Until(item)
	}
	return within
}
