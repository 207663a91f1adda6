package policy

import (
	"context"
	"crypto/sha256"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/storage"
)

// program is what modules compile to: it knows nothing of data, so that
// snapshots of the same modules share it. It is never changed.
type program struct {
	key         [sha256.Size]byte
	compiler    *ast.Compiler
	entrypoints map[string]*entrypoint
}

// compile makes the program of a content, or takes last's where that is of the
// same modules, builtins and entry points.
func compile(ctx context.Context, c *content, o Options) (*program, error) {
	capabilities, err := capabilitiesFor(o.AllowedBuiltins)
	if err != nil {
		return nil, err
	}
	key := c.programKey(o)
	if o.Last != nil && o.Last.program.key == key {
		return o.Last.program, nil
	}
	under := o.Compilations
	if under == nil {
		under = &Compilations{}
	}
	return under.do(ctx, string(key[:])+o.Directory, func() (*program, error) { return c.program(o, key, capabilities) })
}

func (c *content) program(o Options, key [sha256.Size]byte, capabilities *ast.Capabilities) (*program, error) {
	p := &program{key: key, entrypoints: map[string]*entrypoint{}}
	modules, err := c.parse(capabilities)
	if err != nil {
		return nil, err
	}
	p.compiler = ast.NewCompiler().WithCapabilities(capabilities).WithStrict(true).SetErrorLimit(0)
	if p.compiler.Compile(modules); p.compiler.Failed() {
		return nil, c.explained(p.compiler.Errors)
	}
	if err := p.prepare(c, o); err != nil {
		return nil, err
	}
	return p, nil
}

// parse parses all modules, and tells of all that can't be.
func (c *content) parse(capabilities *ast.Capabilities) (map[string]*ast.Module, error) {
	all := &Error{}
	modules := make(map[string]*ast.Module, len(c.modules))
	packages := map[string]*moduleText{}
	for i := range c.modules {
		m := &c.modules[i]
		parsed, err := ast.ParseModuleWithOpts(m.name, string(m.text), ast.ParserOptions{Capabilities: capabilities})
		if err != nil {
			all.Problems = append(all.Problems, c.explained(err).Problems...)
			continue
		}
		compareWithin(parsed)
		modules[m.name] = parsed
		name := parsed.Package.Path.String()
		if first := packages[name]; first == nil {
			packages[name] = m
		} else if first.from != m.from {
			all.Problems = append(all.Problems, Problem{File: m.file, Line: parsed.Package.Location.Row,
				Text: "the package " + strings.TrimPrefix(name, "data.") + " is in " + first.file + ", too: two sources can't share one"})
		}
	}
	all.Problems = append(all.Problems, c.intruders(modules)...)
	if len(all.Problems) > 0 {
		return nil, all
	}
	return modules, nil
}

// intruders are modules of others within the roots that bundles name.
func (c *content) intruders(modules map[string]*ast.Module) (problems []Problem) {
	for _, m := range c.modules {
		parsed := modules[m.name]
		if parsed == nil {
			continue
		}
		at, err := storage.NewPathForRef(parsed.Package.Path)
		if err != nil {
			continue // a package of another kind can't be below a root
		}
		for _, b := range c.bundles {
			if root := b.root(at); root != "" && b != m.from {
				problems = append(problems, Problem{File: m.file, Line: parsed.Package.Location.Row,
					Text: "the package " + strings.Join(at, ".") + " is below " + quoted(root) + ", which is a root of " + b.file("")})
			}
		}
	}
	return problems
}

// root is the one of a bundle's that holds a path, "" for none.
func (b *Bundle) root(at []string) string {
	for _, root := range b.Roots {
		if holds(root, at) {
			return root
		}
	}
	return ""
}

func (p *program) prepare(c *content, o Options) error {
	if len(o.Entrypoints) == 0 {
		return problem("no entry point is named")
	}
	all, fields := &Error{}, inputFields(c.descriptors)
	for _, name := range o.Entrypoints {
		e, err := prepare(p.compiler, name, fields)
		if err != nil {
			all.Problems = append(all.Problems, o.named(name, c.explained(err).Problems)...)
			continue
		}
		p.entrypoints[name] = e
	}
	if len(all.Problems) > 0 {
		return all
	}
	return nil
}

// named says of problems that have no place of their own where the entry point
// that they are about is named.
func (o *Options) named(name string, problems []Problem) []Problem {
	for i := range problems {
		if p := &problems[i]; p.File == "" && o.Named != nil {
			p.File, p.Line = o.Named(name)
		}
	}
	return problems
}

// checkConflicts refuses data where a rule is. OPA would not look: rules would
// hide data, and with new data no compilation comes by.
func (p *program) checkConflicts(c *content, nonEmpty func([]string) (bool, error)) error {
	var hidden [][]string
	found := ast.CheckPathConflicts(p.compiler, func(at []string) (bool, error) {
		exists, err := nonEmpty(at)
		if exists {
			hidden = append(hidden, append([]string(nil), at...))
		}
		return exists, err
	})
	if len(found) == 0 {
		return nil
	}
	e := c.explained(found)
	for i := range e.Problems {
		if i < len(hidden) {
			e.Problems[i].Text += "; the data is in " + c.holder(hidden[i])
		}
	}
	return e
}
