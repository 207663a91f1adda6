package policy

import (
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
)

// reaching takes what OPA's walk over a graph does: it meets a node once for
// each way of a length to it.
func reaching(m *meter, operands []*ast.Term) string {
	graph, isObject := operands[0].Value.(ast.Object)
	if !isObject {
		return ""
	}
	var queue []*ast.Term
	vertices(operands[1].Value, func(v *ast.Term) { queue = append(queue, v) })
	reached := ast.NewSet()
	for ; len(queue) > 0 && m.left >= 0; queue = queue[1:] {
		m.left--
		edges := graph.Get(queue[0])
		if edges == nil {
			continue
		}
		vertices(edges.Value, func(v *ast.Term) {
			m.left -= 2 // it is looked up
			if m.left >= 0 && !reached.Contains(v) {
				queue = append(queue, v)
			}
		})
		reached.Add(queue[0])
	}
	return ""
}

// paths takes a piece for each step of each path.
func paths(m *meter, operands []*ast.Term) string {
	if graph, isObject := operands[0].Value.(ast.Object); isObject {
		vertices(operands[1].Value, func(v *ast.Term) { m.paths(graph, v, nil) })
	}
	return ""
}

func (m *meter) paths(graph ast.Object, root *ast.Term, path []*ast.Term) {
	edges := graph.Get(root)
	path = append(path, root)
	m.left -= 4 * len(path) // each is compared with the next nodes
	if m.left < 0 || edges == nil {
		return
	}
	vertices(edges.Value, func(v *ast.Term) {
		if m.left >= 0 && !slices.ContainsFunc(path, v.Equal) {
			m.paths(graph, v, path)
		}
	})
}

func vertices(v ast.Value, each func(*ast.Term)) {
	switch v := v.(type) {
	case *ast.Array:
		v.Foreach(each)
	case ast.Set:
		v.Foreach(each)
	}
}
