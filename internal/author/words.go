package author

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/policy"
)

// longest is how much of a value is shown.
const longest = 120

// words say why an expression failed, and whether it is about the consumer.
// They are empty when nothing that was asked could have made it hold.
func (s *search) words(f *frame, expr *ast.Expr, b bindings) (text string, identity bool) {
	source := sourceOf(expr)
	if !expr.IsCall() {
		if fixed(f.describe(termOf(expr))) {
			return "", false
		}
		return source + " does not hold", isIdentity(source)
	}
	operands := expr.Operands()
	switch expr.Operator().String() {
	case ast.Member.Name:
		return s.memberWords(f, operands[0], operands[1], b)
	case ast.Equality.Name, ast.Equal.Name, ast.Assign.Name, policy.Compared:
		return s.equalWords(f, operands[0], operands[1], b)
	case "glob.match":
		pattern, path := f.value(operands[0], b), s.seen(f, operands[2], b)
		name := f.describe(operands[2])
		if fixed(name) {
			return "", false
		}
		return fmt.Sprintf("%s %s does not match %s", name, path, plainText(pattern)), false
	}
	var saw, names []string
	if n := argumentsOf(s.compiler, expr); len(operands) > n {
		operands = operands[:n] // the last is what takes the result
	}
	for _, o := range operands {
		name := f.describe(o)
		names = append(names, name)
		if o.IsGround() && !isRef(o) {
			continue
		}
		if name == "" {
			name = f.own(o)
		}
		value := s.seen(f, o, b)
		if line := name + " is " + value; name != "_" && name != value && !slices.Contains(saw, line) {
			saw = append(saw, line)
		}
	}
	if fixed(names...) {
		return "", false
	}
	if len(saw) > 0 {
		source += " (" + strings.Join(saw, ", ") + ")"
	}
	return source + " does not hold", isIdentity(strings.Join(saw, " "))
}

func (s *search) memberWords(f *frame, member, collection *ast.Term, b bindings) (string, bool) {
	where, what := f.describe(collection), f.describe(member)
	if fixed(where, what) {
		return "", false
	}
	whole := f.value(collection, b)
	if what == "" && where != "" {
		return "lacks " + singular(where) + " " + plainText(f.value(member, b)), isIdentity(where)
	}
	if what != "" && whole.IsGround() && !isRef(whole) && !strings.HasPrefix(where, "identity.") && !strings.HasPrefix(where, "consumer.") {
		return fmt.Sprintf("%s is %s, want one of %s", what, s.seen(f, member, b), listText(whole)), isIdentity(what)
	}
	return "lacks " + singular(where) + " " + s.seen(f, member, b), isIdentity(where)
}

func (s *search) equalWords(f *frame, a, c *ast.Term, b bindings) (string, bool) {
	name, other := f.describe(a), c
	if fixed(name) || isGiven(a) && !isGiven(c) && !fixed(f.describe(c)) {
		name, other = f.describe(c), a
		a = c
	}
	if fixed(name, f.describe(other)) {
		return "", false
	}
	if hidden, free := other.Value.(ast.Var); free && b[hidden] == nil && f.describe(other) == "" {
		return name + " is not there", isIdentity(name)
	}
	saw, want := s.seen(f, a, b), s.seen(f, other, b)
	if want == unknown || want == notThere {
		if from := f.describe(other); saw != notThere && saw != unknown && from != "" {
			name, saw, want = from, want, saw
		} else {
			return name + " is not there", isIdentity(name)
		}
	}
	return fmt.Sprintf("%s is %s, want %s", name, saw, want), isIdentity(name)
}

// isGiven reports whether a term is a name of the compiler's own.
func isGiven(t *ast.Term) bool {
	_, isVar := t.Value.(ast.Var)
	return isVar
}

func isRef(t *ast.Term) bool {
	_, is := t.Value.(ast.Ref)
	return is
}

func isIdentity(path string) bool {
	for _, part := range []string{"identity.", "consumer.", "credential.", "subject."} {
		if strings.Contains(path, part) {
			return true
		}
	}
	return false
}

// unknown is what is told of a value that was not found out.
const (
	unknown  = "unknown"
	notThere = "not there"
)

// seen is the value that a term had; "not there" when it is undefined.
func (s *search) seen(f *frame, term *ast.Term, b bindings) string {
	if name, isVar := term.Value.(ast.Var); isVar && throughCall(s.compiler, f.body, name) && s.veil.covers(f.body, term, b.known) {
		return "(hidden)"
	}
	term = f.value(term, b)
	if isGiven(term) {
		if term = standsFor(f.body, term); isGiven(term) {
			return unknown
		}
	}
	if _, isReference := term.Value.(ast.Ref); !isReference {
		return plainText(term)
	}
	got := ast.Var("seen")
	solutions, err := s.solve(ast.Equality.Expr(ast.NewTerm(got), term), b)
	if err != nil || len(solutions) == 0 {
		return notThere
	}
	return plainText(solutions[0][got])
}

// describe is where a term's value comes from, such as identity.scopes, or
// count(identity.roles) for what a call makes of it; "" for what the policy says
// itself.
func (f *frame) describe(term *ast.Term) string { return f.describeAt(term, 0) }

func (f *frame) describeAt(term *ast.Term, depth int) string {
	if depth > deepest {
		return ""
	}
	switch v := term.Value.(type) {
	case ast.Ref:
		if v[0].Equal(ast.InputRootDocument) || v[0].Equal(ast.DefaultRootDocument) {
			return f.search.describeRef(v)
		}
		if head := f.describeAt(v[0], depth+1); head != "" {
			return head + "." + strings.Trim(policy.Authored(f.search.compiler, v[1:]).String(), `"`)
		}
	case ast.Var:
		if name := f.names[v]; name != "" {
			return name
		}
		if call := callOf(f.search.compiler, f.body, v); call != nil {
			return f.describeCall(call, depth+1)
		}
		if from := standsFor(f.body, term); !from.Equal(term) {
			return f.describeAt(from, depth+1)
		}
	}
	return ""
}

// callOf is the call in a body whose result a name takes.
func callOf(compiler *ast.Compiler, body ast.Body, name ast.Var) *ast.Expr {
	for _, expr := range body {
		if !expr.IsCall() || expr.Negated || expr.IsEquality() {
			continue
		}
		operands := expr.Operands()
		last := len(operands) - 1
		if last >= 0 && operands[last].Value.Compare(name) == 0 && last == argumentsOf(compiler, expr) {
			return expr
		}
	}
	return nil
}

// argumentsOf is how many arguments a call has; one operand more takes what it
// gives.
func argumentsOf(compiler *ast.Compiler, call *ast.Expr) int {
	if builtin := ast.BuiltinMap[call.Operator().String()]; builtin != nil {
		return len(builtin.Decl.FuncArgs().Args)
	}
	if rules := compiler.GetRulesExact(call.Operator()); len(rules) > 0 {
		return len(rules[0].Head.Args)
	}
	return len(call.Operands())
}

// describeCall is a call with what its arguments come from; "" where all of that
// is the policy's own.
func (f *frame) describeCall(call *ast.Expr, depth int) string {
	operands := call.Operands()
	operands = operands[:len(operands)-1]
	var names, texts []string
	for _, o := range operands {
		name := f.describeAt(o, depth)
		names = append(names, name)
		texts = append(texts, cmp.Or(name, f.own(o)))
	}
	if fixed(names...) && !f.search.asks(call.Operator(), map[*ast.Rule]bool{}) {
		return ""
	}
	return callText(call, texts)
}

// asks reports whether a call answers by the request or by the clock, whatever
// it is given.
func (s *search) asks(operator ast.Ref, seen map[*ast.Rule]bool) (found bool) {
	if operator.String() == ast.NowNanos.Name {
		return true
	}
	if !operator.HasPrefix(ast.DefaultRootRef) {
		return false
	}
	for _, rule := range s.compiler.GetRules(operator.ConstantPrefix()) {
		if seen[rule] {
			continue
		}
		seen[rule] = true
		ast.WalkRefs(rule, func(ref ast.Ref) bool {
			found = found || ref[0].Equal(ast.InputRootDocument) || s.asks(ref, seen)
			return found
		})
	}
	return found
}

// callText is a call of these arguments.
func callText(call *ast.Expr, texts []string) string {
	operator := call.Operator().String()
	if builtin := ast.BuiltinMap[operator]; builtin != nil && builtin.Infix != "" && len(texts) == 2 {
		return texts[0] + " " + builtin.Infix + " " + texts[1]
	}
	if strings.HasPrefix(operator, "data.") {
		operator = operator[strings.LastIndexByte(operator, '.')+1:]
	}
	return operator + "(" + strings.Join(texts, ", ") + ")"
}

// own is a term of the policy's own as its author wrote it.
func (f *frame) own(term *ast.Term) string {
	switch v := standsFor(f.body, term).Value.(type) {
	case ast.Var:
		return policy.Authored(f.search.compiler, ast.Ref{ast.NewTerm(v)}).String()
	case ast.Ref:
		return policy.Authored(f.search.compiler, v).String()
	}
	return policy.AuthoredText(f.search.compiler, plainText(term))
}

// describeRef leaves out what goes without saying. What stands in the policy's
// data keeps its prefix: it is neither the consumer's nor the request's.
func (s *search) describeRef(ref ast.Ref) string {
	made := s.made(ref.GroundPrefix())
	if ref = policy.Authored(s.compiler, ref); made {
		return strings.TrimPrefix(ref.String(), "data.")
	}
	return describeInput(ref)
}

func describeInput(ref ast.Ref) string {
	for _, prefix := range []string{"input.attributes.request.http.", "input."} {
		if text, found := strings.CutPrefix(ref.String(), prefix); found {
			return text
		}
	}
	return ref.String()
}

// made reports whether a reference is to what rules make, or below it.
func (s *search) made(ref ast.Ref) bool {
	for n := len(ref); n > 1 && ref[0].Equal(ast.DefaultRootDocument); n-- {
		if len(s.compiler.GetRulesExact(ref[:n])) > 0 {
			return true
		}
	}
	return false
}

// fixed reports whether all of these are the policy's own: none of them can be
// changed by asking in another way.
func fixed(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return name != "" && !strings.HasPrefix(name, "data.") })
}

// singular is the name of one member of a collection.
func singular(path string) string {
	last := path[strings.LastIndexByte(path, '.')+1:]
	switch last {
	case "scopes", "roles", "groups":
		return strings.TrimSuffix(last, "s")
	}
	return "in " + path + ":"
}

func plainText(t *ast.Term) string {
	if t == nil {
		return notThere
	}
	text := t.String()
	if s, isText := t.Value.(ast.String); isText && !strings.ContainsAny(string(s), " \t\n\"") && s != "" {
		text = string(s)
	}
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func listText(collection *ast.Term) string {
	var all []string
	each(collection, func(_, v *ast.Term) { all = append(all, plainText(v)) })
	text := strings.Join(all, ", ")
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

// given are names of the compiler's own.
var given = regexp.MustCompile(`__local[0-9]+__|\$[0-9]+\b`)

// sourceOf is an expression as its author wrote it, on one line.
func sourceOf(expr *ast.Expr) string {
	if expr.Location == nil || len(expr.Location.Text) == 0 {
		return given.ReplaceAllString(expr.String(), "_")
	}
	return strings.Join(strings.Fields(string(expr.Location.Text)), " ")
}

func sourceOfBody(body ast.Body) string {
	var all []string
	for _, expr := range body {
		if !expr.Generated {
			all = append(all, sourceOf(expr))
		}
	}
	return strings.Join(all, "; ")
}

// termOf is what an expression that is no call tests.
func termOf(expr *ast.Expr) *ast.Term {
	if term, isTerm := expr.Terms.(*ast.Term); isTerm {
		return term
	}
	return ast.NullTerm()
}
