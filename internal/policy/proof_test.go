package policy_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// The size of the proof: `make proof` asks for a million.
var proofInputs = flag.Int("proof", 20_000, "how many inputs the proof of the decision memory asks")

const (
	// perPolicy is how many questions each generated policy is asked.
	perPolicy = 250
	// proofShards run at once, where there are cores for them.
	proofShards = 4
)

// asked draws a question of few words.
func asked(r *rand.Rand) *gate.Question {
	word := func() string { return pick(r, "", "a", "b", "1", "reader", "x") }
	list := func() []string {
		words := make([]string, r.IntN(4))
		for i := range words {
			words[i] = word()
		}
		return words
	}
	q := question()
	q.Request.ID, q.Request.Time = fmt.Sprint(r.Uint64()), q.Request.Time.Add(time.Duration(r.Uint32()))
	q.Request.Method = pick(r, "GET", "PUT")
	q.Request.Path = "/" + strings.Join(list(), "/")
	q.Request.Query = pick(r, "", "a=1", "a=b&a=1", "b=a", "a=a&b=1")
	q.Request.Headers = access.Headers{{Name: "x-request-id", Value: q.Request.ID}}
	for _, name := range []string{"x-a", "x-b", "x-a"} {
		if r.IntN(2) == 0 {
			q.Request.Headers = append(q.Request.Headers, access.Header{Name: name, Value: word()})
		}
	}
	q.Request.Extensions = pick(r, nil, map[string]string{"a": word()}, map[string]string{"b": "a"})
	q.Route, q.Params = pick(r, word(), "route", "consumer"), pick(r, nil, []access.Param{{Name: pick(r, "id", "a"), Value: word()}})
	if r.IntN(4) == 0 {
		q.Identity = access.AnonymousIdentity()
		return q
	}
	value := func() any {
		return pick[any](r, word(), word(), 1, 2, 1.0, true, nil, list(), []any{word()}, map[string]any{"id": word()})
	}
	object := func() map[string]any {
		m := map[string]any{}
		for range r.IntN(4) {
			m[pick(r, "a", "n", "id", "x", "name")] = value()
		}
		return m
	}
	c := q.Identity.Consumer
	c.Name, c.Attributes, c.Labels = word(), object(), map[string]string{pick(r, "a", "b", "x"): word()}
	q.Identity.Roles, q.Identity.Scopes, q.Identity.Claims = list(), list(), object()
	if r.IntN(2) == 0 {
		q.Identity.Claims["org"] = pick[any](r, object(), word())
	}
	if r.IntN(4) == 0 {
		q.Identity.Credential = nil
	}
	return q
}

// difference asks one policy with memory and without, and tells where the two
// part, "" if nowhere. The one without is given the whole input.
func difference(t *testing.T, r *rand.Rand, texts map[string]string, shared func(*policy.Options), blind func(any) bool, questions int) string {
	t.Helper()
	o := policy.Options{Embedded: files(texts), Entrypoints: []string{entrypoint}, Timeout: time.Minute}
	plain, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatalf("a generated policy: %v\n%s", err, texts["authz.rego"])
	}
	shared(&o)
	remembering, err := policy.Compile(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	plain.GiveEverything()
	if blind != nil {
		remembering.Blind(blind)
	}
	for range questions {
		q := asked(r)
		want, wantErr := plain.Decide(context.Background(), q)
		for _, when := range []string{"first", "again"} {
			got, gotErr := remembering.Decide(context.Background(), q)
			if !reflect.DeepEqual(got, want) || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
				return fmt.Sprintf("%s: got %+v, %v; want %+v, %v; it reads %v\n%s", when, got, gotErr, want, wantErr, remembering.Reads(entrypoint), texts["authz.rego"])
			}
		}
	}
	return ""
}

// A decision from memory is the decision that would be made: asked of generated
// policies with generated inputs.
func TestProof(t *testing.T) {
	policies := max(*proofInputs/perPolicy/proofShards, 1)
	for shard := range uint64(proofShards) {
		t.Run(fmt.Sprint("shard ", shard), func(t *testing.T) {
			t.Parallel()
			c := memory(t)
			for n := range uint64(policies) {
				r := rand.New(rand.NewPCG(shard, n))
				texts := newAuthor(r).policy()
				if found := difference(t, r, texts, func(o *policy.Options) { o.Memory = c }, nil, perPolicy); found != "" {
					t.Fatalf("seed %d, %d: %s", shard, n, found)
				}
			}
			// The first question of two is a hit where the same was asked before.
			hits := c.Stats().Hits
			t.Logf("%d policies, %d inputs, %d answers from memory", policies, policies*perPolicy, hits)
			if hits < uint64(policies*perPolicy/4) {
				t.Errorf("%d hits: next to nothing was remembered, so that this proves nothing", hits)
			}
		})
	}
}

// blindnesses are faults of the survey: each leaves out a part of the walk.
func blindnesses() map[string]func(any) bool {
	ref := func(is func(ast.Ref) bool) func(any) bool {
		return func(node any) bool { r, isRef := node.(ast.Ref); return isRef && is(r) }
	}
	input := func(r ast.Ref) bool { return r[0].Equal(ast.InputRootDocument) }
	data := func(r ast.Ref) bool { return r[0].Equal(ast.DefaultRootDocument) }
	operator := func(e *ast.Expr) string {
		if !e.IsCall() {
			return ""
		}
		return e.Operator().String()
	}
	expr := func(is func(*ast.Expr) bool) func(any) bool {
		return func(node any) bool { e, isExpr := node.(*ast.Expr); return isExpr && is(e) }
	}
	return map[string]func(any) bool{
		"input":                 ref(input),
		"variable input":        ref(func(r ast.Ref) bool { return input(r) && !r.IsGround() }),
		"places in lists":       ref(func(r ast.Ref) bool { return input(r) && strings.Contains(r.String(), "[0]") }),
		"rules":                 ref(data),
		"variable rules":        ref(func(r ast.Ref) bool { return data(r) && !r.IsGround() }),
		"functions":             ref(func(r ast.Ref) bool { return data(r) && strings.Contains(r.String(), ".holds") }),
		"names":                 ref(func(r ast.Ref) bool { return strings.HasPrefix(r.String(), "__local") && len(r) > 1 }),
		"bare names":            func(node any) bool { _, is := node.(ast.Var); return is },
		"else":                  func(node any) bool { _, is := node.(*ast.Rule); return is },
		"heads":                 func(node any) bool { _, is := node.(*ast.Head); return is },
		"with":                  func(node any) bool { _, is := node.(*ast.With); return is },
		"every":                 func(node any) bool { _, is := node.(*ast.Every); return is },
		"list comprehensions":   func(node any) bool { _, is := node.(*ast.ArrayComprehension); return is },
		"set comprehensions":    func(node any) bool { _, is := node.(*ast.SetComprehension); return is },
		"object comprehensions": func(node any) bool { _, is := node.(*ast.ObjectComprehension); return is },
		"negation":              expr(func(e *ast.Expr) bool { return e.Negated }),
		"object.get":            expr(func(e *ast.Expr) bool { return operator(e) == "object.get" }),
		"equality":              expr(func(e *ast.Expr) bool { return e.IsEquality() }),
		"calls":                 expr(func(e *ast.Expr) bool { return e.IsCall() && !e.IsEquality() }),
	}
}

// telling are the kinds of conditions that show a fault soonest, where chance
// would take long to come upon them.
func telling() map[string][]int {
	return map[string][]int{
		"functions": {19, 20}, "names": {6}, "heads": {28}, "negation": {1}, "every": {4}, "variable input": {8},
		"list comprehensions": {5}, "set comprehensions": {5}, "object comprehensions": {5},
	}
}

// The proof notices each fault of the survey.
func TestProofNoticesBlindness(t *testing.T) {
	for name, blind := range blindnesses() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := memory(t)
			for n := range uint64(2000) {
				r := rand.New(rand.NewPCG(7, n))
				a := newAuthor(r)
				if kinds := telling()[name]; kinds != nil {
					a.kinds = kinds
				}
				if difference(t, r, a.policy(), func(o *policy.Options) { o.Memory = c }, blind, 60) != "" {
					t.Logf("noticed by policy %d", n)
					return
				}
			}
			t.Error("nothing differs")
		})
	}
}
