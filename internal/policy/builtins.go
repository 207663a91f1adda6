package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// decides reports whether a builtin may take part in a decision though its
// answer is not a function of its arguments. The clock is part of a decision;
// a schema's remote references are refused by allow_net.
func decides(name string) bool {
	switch name {
	case "time.now_ns", "io.jwt.decode_verify", "json.match_schema", "json.verify_schema":
		return true
	}
	return false
}

// unsteady reports whether the answer of a builtin may change while its
// arguments don't. OPA marks all but those that check certificates by the
// clock when they are given no time.
func unsteady(name string) bool {
	switch name {
	case "crypto.x509.parse_and_verify_certificates", "crypto.x509.parse_and_verify_certificates_with_options":
		return true
	}
	builtin := ast.BuiltinMap[name]
	return builtin != nil && builtin.IsNondeterministic()
}

// refused reports whether a builtin is not to be had unless it is allowed by
// name: those that reach out of the process or roll dice. What a newer OPA adds
// of this kind is refused until it was looked at.
func refused(name string) bool {
	builtin := ast.BuiltinMap[name]
	return builtin != nil && builtin.IsNondeterministic() && !decides(name)
}

// capabilitiesFor are what policies may use. They are allowed no network
// unless a builtin that needs one is.
func capabilitiesFor(allowed []string) (*ast.Capabilities, error) {
	if err := known(allowed); err != nil {
		return nil, err
	}
	c := ast.CapabilitiesForThisVersion()
	c.Builtins = slices.DeleteFunc(c.Builtins, func(b *ast.Builtin) bool {
		return refused(b.Name) && !slices.Contains(allowed, b.Name)
	})
	if !outward(allowed) {
		c.AllowNet = []string{}
	}
	return c, nil
}

func outward(allowed []string) bool {
	return slices.Contains(allowed, "http.send") || slices.Contains(allowed, "net.lookup_ip_addr")
}

// HasBuiltin reports whether there is a builtin of a name.
func HasBuiltin(name string) bool { return ast.BuiltinMap[name] != nil }

func known(allowed []string) error {
	e := &Error{}
	for _, name := range allowed {
		if !HasBuiltin(name) {
			e.Problems = append(e.Problems, Problem{Text: fmt.Sprintf("allowed_builtins: OPA has no builtin %q", name)})
		}
	}
	if len(e.Problems) > 0 {
		return e
	}
	return nil
}

// nameRefused says why a builtin is missing: the compiler only knows that it
// is not defined.
func nameRefused(e *Error) *Error {
	for i, p := range e.Problems {
		_, name, found := strings.Cut(p.Text, "undefined function ")
		name, _, _ = strings.Cut(name, "\n")
		if found && refused(name) {
			e.Problems[i].Text += ": this builtin reaches out or is random; it is refused unless policy.allowed_builtins names it"
		}
	}
	return e
}
