package author

import (
	"regexp"
	"slices"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/types"

	"github.com/postern-authz/postern/internal/policy"
)

// denial are the names that rules which deny are given, where no rule negates
// them.
var denial = regexp.MustCompile(`^(deny|denied|denies|denials?|block|blocked|forbid|forbidden|reject|rejected|violations?)$`)

// fallible are builtins that are errors for some values of the right type, and
// those that tell beforehand; always is what to say where none does.
func fallible(builtin string) (guards []string, found bool) {
	guards, found = map[string][]string{
		"to_number":                      {"regex.match", "is_number"},
		"json.unmarshal":                 {"json.is_valid"},
		"yaml.unmarshal":                 {"yaml.is_valid"},
		"base64.decode":                  {"base64.is_valid"},
		"base64url.decode":               {"regex.match"},
		"hex.decode":                     {"regex.match"},
		"urlquery.decode":                {"regex.match"},
		"urlquery.decode_object":         {"regex.match"},
		"semver.compare":                 {"semver.is_valid"},
		"net.cidr_contains":              {"net.cidr_is_valid", "regex.match"},
		"net.cidr_intersects":            {"net.cidr_is_valid", "regex.match"},
		"net.cidr_expand":                {"net.cidr_is_valid"},
		"io.jwt.decode":                  nil,
		"io.jwt.decode_verify":           nil,
		"time.parse_ns":                  {"regex.match"},
		"time.parse_rfc3339_ns":          {"regex.match"},
		"time.parse_duration_ns":         {"regex.match"},
		"units.parse":                    {"regex.match"},
		"units.parse_bytes":              {"regex.match"},
		"crypto.x509.parse_certificates": nil,
		"regex.match":                    {"regex.is_valid"},
		"regex.replace":                  {"regex.is_valid"},
		"regex.split":                    {"regex.is_valid"},
		"regex.find_n":                   {"regex.is_valid"},
		"glob.match":                     nil,
		"net.cidr_merge":                 {"net.cidr_is_valid"},
		"net.cidr_contains_matches":      {"net.cidr_is_valid"},
		"time.clock":                     {"in", "internal.member_2", "regex.match"},
		"time.date":                      {"in", "internal.member_2", "regex.match"},
		"time.weekday":                   {"in", "internal.member_2", "regex.match"},
		"substring":                      {"gte", "gt"},
		"indexof":                        {"neq"},
		"json.patch":                     nil,
		"graphql.parse_query":            {"graphql.is_valid"},
		"div":                            {"neq", "gt"},
		"rem":                            {"neq", "gt"},
	}[builtin]
	return guards, found
}

// failingDenials tells of builtins in rules that deny whose error would end the
// decision: a fault here, and elsewhere a denial that is switched off.
func (l *lint) failingDenials() {
	seen := map[*ast.Rule]bool{}
	for rule := range l.reached {
		if denial.MatchString(lastName(rule)) {
			l.denies(rule, seen)
		}
		for r := rule; r != nil; r = r.Else {
			if refuses(r) && !seen[r] {
				l.denies(r, seen)
			}
		}
		ast.WalkExprs(rule, func(expr *ast.Expr) bool {
			_, not := expr.Terms.(*ast.Not)
			if !not && !expr.Negated {
				return false
			}
			l.below(expr, seen)
			return false
		})
	}
}

// refuses reports whether a rule that is no default answers no.
func refuses(r *ast.Rule) bool {
	if r.Default || r.Head.Value == nil || len(r.Head.Args) > 0 {
		return false
	}
	answer := r.Head.Value
	if object, isObject := answer.Value.(ast.Object); isObject {
		answer = object.Get(ast.InternedTerm("allowed"))
	}
	return answer != nil && answer.Equal(ast.InternedTerm(false))
}

func lastName(rule *ast.Rule) string {
	ref := rule.Ref().GroundPrefix()
	name, _ := ref[len(ref)-1].Value.(ast.String)
	return string(name)
}

// below goes on to the rules that a node refers to.
func (l *lint) below(node any, seen map[*ast.Rule]bool) {
	ast.WalkRefs(node, func(ref ast.Ref) bool {
		if ref[0].Equal(ast.DefaultRootDocument) {
			for _, rule := range policy.RulesOf(l.snapshot.Compiler(), ref.ConstantPrefix()) {
				l.denies(rule, seen)
			}
		}
		return false
	})
}

func (l *lint) denies(rule *ast.Rule, seen map[*ast.Rule]bool) {
	if seen[rule] {
		return
	}
	seen[rule] = true
	ast.WalkBodies(rule, func(body ast.Body) bool {
		for i, expr := range body {
			l.mayFail(rule, body[:i], expr)
		}
		return false
	})
	l.below(rule, seen)
}

func (l *lint) mayFail(rule *ast.Rule, before ast.Body, expr *ast.Expr) {
	if !expr.IsCall() {
		return
	}
	name := expr.Operator().String()
	l.mayMistake(rule, before, expr, name)
	guards, found := fallible(name)
	if !found || harmless(before, name, expr.Operands()) || l.guarded(before, expr, guards) {
		return
	}
	instead := "do without it"
	if len(guards) > 0 {
		instead = "test its operand before with " + guards[0] + ", and deny where that fails"
	}
	if name == "div" || name == "rem" {
		instead = "test before that the divisor is not 0, and deny where it is"
	}
	l.add(expr.Location, CodeDenyFails, name+" is an error for some values, and "+lastName(rule)+
		" is part of what denies: such a request is a fault (503) here, and a policy engine that takes errors for undefined would let it through", instead)
}

// harmless reports whether the operands that an error would be about are
// constants: all of them for most builtins. Patterns and time zones are the
// author's, unless they come with the request.
func harmless(before ast.Body, name string, operands []*ast.Term) bool {
	switch name {
	case "div", "rem", "substring":
		return isConstant(operands[1])
	case "indexof":
		return !ofRequest(before, operands[1])
	case "regex.match", "regex.split", "regex.find_n", "glob.match":
		return !ofRequest(before, operands[0])
	case "regex.replace":
		return !ofRequest(before, operands[1])
	case "time.clock", "time.date", "time.weekday":
		zone, isList := standsFor(before, operands[0]).Value.(*ast.Array)
		return !isList || zone.Len() < 2 || !ofRequest(before, zone.Elem(1))
	}
	if n := len(ast.BuiltinMap[name].Decl.FuncArgs().Args); len(operands) > n {
		operands = operands[:n] // the last is what takes the result
	}
	return !slices.ContainsFunc(operands, func(o *ast.Term) bool { return !isConstant(o) })
}

func ofRequest(before ast.Body, term *ast.Term) bool {
	ref, isRef := standsFor(before, term).Value.(ast.Ref)
	return isRef && ref[0].Equal(ast.InputRootDocument)
}

func isConstant(term *ast.Term) bool { return term.IsGround() && isPlain(term.Value) }

func isPlain(v ast.Value) bool {
	_, isRef := v.(ast.Ref)
	return !isRef
}

// guarded reports whether an expression before tests one of the operands, by
// itself or by a function of the policy.
func (l *lint) guarded(before ast.Body, expr *ast.Expr, guards []string) bool {
	return slices.ContainsFunc(before, func(earlier *ast.Expr) bool {
		return earlier.IsCall() && !earlier.Negated && l.tests(earlier.Operator(), guards) && shareOperand(before, earlier, expr)
	})
}

// tests reports whether a call is one of the guards, or of a function each of
// whose rules calls one.
func (l *lint) tests(operator ast.Ref, guards []string) bool {
	if slices.Contains(guards, operator.String()) {
		return true
	}
	rules := l.snapshot.Compiler().GetRulesExact(operator)
	return len(rules) > 0 && !slices.ContainsFunc(rules, func(rule *ast.Rule) bool {
		return !slices.ContainsFunc(rule.Body, func(e *ast.Expr) bool {
			return e.IsCall() && !e.Negated && slices.Contains(guards, e.Operator().String())
		})
	})
}

func shareOperand(body ast.Body, a, b *ast.Expr) bool {
	for _, x := range a.Operands() {
		for _, y := range b.Operands() {
			x, y := standsFor(body, x), standsFor(body, y)
			if _, scalar := x.Value.(ast.String); !scalar && x.Equal(y) {
				return true
			}
		}
	}
	return false
}

// standsFor is what a name of the compiler's own was given.
func standsFor(body ast.Body, term *ast.Term) *ast.Term {
	for _, expr := range body {
		if (expr.IsEquality() || expr.IsAssignment()) && expr.Operand(0).Equal(term) {
			return expr.Operand(1)
		}
	}
	return term
}

// untyped are the parts of the input of which whoever made a token, a consumer
// or a body chooses the types.
var untyped = []string{"input.identity.claims", "input.consumer.attributes", "input.parsed_body"}

// mayMistake tells of what must be a text or a number and may be anything: a
// claim that is a list where a text was thought of ends the rule as an error.
func (l *lint) mayMistake(rule *ast.Rule, before ast.Body, expr *ast.Expr, name string) {
	builtin := ast.BuiltinMap[name]
	if slices.Contains([]string{"plus", "minus", "mul", "div", "rem"}, name) {
		l.mayMiscount(rule, before, expr, name)
		return
	}
	if builtin == nil || builtin.Infix != "" && len(builtin.Decl.FuncArgs().Args) == 2 && takesAny(builtin) {
		return
	}
	for i, wanted := range builtin.Decl.FuncArgs().Args {
		if i >= len(expr.Operands()) {
			return
		}
		kind := wantedType(wanted)
		operand := standsFor(before, expr.Operand(i))
		if kind == "" || !isUntyped(operand) || l.guardedAs(before, operand, "is_"+kind) {
			continue
		}
		l.add(expr.Location, CodeDenyFails, name+" is an error where "+operand.String()+" is no "+kind+", and "+lastName(rule)+
			" is part of what denies: such a request is a fault (503) here, and a policy engine that takes errors for undefined would let it through",
			"test it before with is_"+kind+", and deny where it is none")
		return
	}
}

// mayMiscount tells of arithmetic with a part of the input that may be no number:
// texts, such as labels and headers, never are.
func (l *lint) mayMiscount(rule *ast.Rule, before ast.Body, expr *ast.Expr, name string) {
	for _, o := range expr.Operands()[:2] {
		operand := standsFor(before, o)
		ref, isRef := operand.Value.(ast.Ref)
		if !isRef || !ref[0].Equal(ast.InputRootDocument) || isCounted(ref) || l.guardedAs(before, operand, "is_number") {
			continue
		}
		sign := ast.BuiltinMap[name].Infix
		l.add(expr.Location, CodeDenyFails, sign+" is an error where "+policy.Authored(l.snapshot.Compiler(), ref).String()+" is no number, and "+lastName(rule)+
			" is part of what denies: such a request is a fault (503) here, and a policy engine that takes errors for undefined would let it through",
			"test it before with is_number, and deny where it is none")
		return
	}
}

// isCounted reports whether a part of the input is a number.
func isCounted(ref ast.Ref) bool {
	last, _ := ref[len(ref)-1].Value.(ast.String)
	return slices.Contains([]ast.String{"size", "portValue", "time", "expires_at"}, last)
}

func takesAny(builtin *ast.Builtin) bool {
	return !slices.ContainsFunc(builtin.Decl.FuncArgs().Args, func(t types.Type) bool { return wantedType(t) != "" })
}

// wantedType is the one type that an argument must be of, "" where it may be more.
func wantedType(t types.Type) string {
	if named, isNamed := t.(*types.NamedType); isNamed {
		t = named.Type
	}
	switch t.(type) {
	case types.String:
		return "string"
	case types.Number:
		return "number"
	}
	return ""
}

func isUntyped(term *ast.Term) bool {
	ref, isRef := term.Value.(ast.Ref)
	return isRef && slices.ContainsFunc(untyped, func(prefix string) bool {
		known := ast.MustParseRef(prefix)
		return len(ref) > len(known) && ref.HasPrefix(known)
	})
}

func (l *lint) guardedAs(before ast.Body, operand *ast.Term, guard string) bool {
	return slices.ContainsFunc(before, func(earlier *ast.Expr) bool {
		return earlier.IsCall() && !earlier.Negated && l.tests(earlier.Operator(), []string{guard}) &&
			slices.ContainsFunc(earlier.Operands(), func(o *ast.Term) bool { return standsFor(before, o).Equal(operand) })
	})
}
