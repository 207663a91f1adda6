package author

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/policies"
)

// What a finding is about.
const (
	// CodeInvalid can't be compiled: the gate would refuse the policy.
	CodeInvalid = "invalid"
	// CodeNotRemembered makes each decision anew.
	CodeNotRemembered = "not-remembered"
	// CodeUnreachable is evaluated for no entry point.
	CodeUnreachable = "unreachable"
	// CodeDenyFails is a rule that denies and that a builtin's error would end.
	CodeDenyFails = "deny-fails"
	// CodeUnknownInput is never there, or of another type.
	CodeUnknownInput = "unknown-input"
	// CodeRawPath is read in more ways than one.
	CodeRawPath = "raw-path"
	// CodeAlwaysAllows is an entry point that allows without looking.
	CodeAlwaysAllows = "always-allows"
	// CodeNeverHolds is a rule that constants keep from holding.
	CodeNeverHolds = "never-holds"
	// CodeClientHeader is a header that clients can write themselves.
	CodeClientHeader = "client-header"
)

// ignoreWord begins a comment that silences a finding on its line or the next.
const ignoreWord = "lint:ignore"

// Finding is one thing that an author should know of.
type Finding struct {
	File   string `json:"file,omitempty"`
	Line   int    `json:"line,omitempty"`
	Column int    `json:"column,omitempty"`
	Code   string `json:"code"`
	// Error says that the gate would refuse the policy; anything else is a
	// warning.
	Error bool `json:"error"`
	// Text says what is so, Instead what to write.
	Text    string `json:"text"`
	Instead string `json:"instead,omitempty"`
}

// String gives `file:line:column: error or warning: text; instead [code]`.
func (f *Finding) String() string {
	level, text, at := "warning", f.Text, ""
	if f.Error {
		level = "error"
	}
	if f.Instead != "" {
		text += "; " + f.Instead
	}
	switch {
	case f.File != "" && f.Line > 0:
		at = fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, max(f.Column, 1))
	case f.File != "":
		at = f.File + ": "
	}
	return fmt.Sprintf("%s%s: %s [%s]", at, level, text, f.Code)
}

// Lint looks a policy and its tests through, as it would decide by its entry
// points. Errors come alone: what can't be compiled can't be looked through.
func (s *Source) Lint(ctx context.Context, o policy.Options) ([]Finding, error) {
	o.Directory = s.Directory
	findings := s.invalidTests()
	compiled, err := policy.Compile(ctx, o)
	if err != nil {
		more, err := invalid(err, s.Directory)
		return sortFindings(append(findings, more...)), err
	}
	if len(findings) > 0 {
		return sortFindings(findings), nil
	}
	l := lint{snapshot: compiled, source: s, reached: map[*ast.Rule]bool{}}
	return sortFindings(l.find()), nil
}

// invalidTests tells of what the tests' own modules have wrong. What is wrong
// with the policy is told by its own, stricter compilation.
func (s *Source) invalidTests() (findings []Finding) {
	compiler := s.compiler().WithEnablePrintStatements(true)
	compiler.Compile(s.modules())
	if !compiler.Failed() {
		return nil
	}
	for _, p := range policy.Explained("", compiler.Errors).Problems {
		if isTest(p.File) {
			findings = append(findings, findingOf(p))
		}
	}
	return findings
}

func invalid(err error, directory string) (findings []Finding, _ error) {
	var wrong *policy.Error
	if !errors.As(err, &wrong) {
		return nil, err
	}
	for _, p := range wrong.Problems {
		if p.File == "" {
			p.File = directory
		}
		findings = append(findings, findingOf(p))
	}
	return findings, nil
}

func findingOf(p policy.Problem) Finding {
	text, _, _ := strings.Cut(p.Text, "\n")
	if _, refused, found := strings.Cut(p.Text, ": this builtin"); found {
		text = strings.TrimSuffix(text, ": this builtin"+refused) + ": this builtin" + refused
	}
	return Finding{File: p.File, Line: p.Line, Column: p.Column, Code: CodeInvalid, Error: true, Text: text}
}

func sortFindings(all []Finding) []Finding {
	slices.SortStableFunc(all, func(a, b Finding) int {
		if c := strings.Compare(a.File, b.File); c != 0 {
			return c
		}
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	return slices.CompactFunc(all, func(a, b Finding) bool { return a == b })
}

// lint looks through a policy that compiles.
type lint struct {
	snapshot *policy.Snapshot
	source   *Source
	reached  map[*ast.Rule]bool
	findings []Finding
}

func (l *lint) find() []Finding {
	for _, entrypoint := range l.snapshot.Entrypoints() {
		for rule := range l.snapshot.Reached(entrypoint) {
			l.reached[rule] = true
		}
		for _, cause := range l.snapshot.Unremembered(entrypoint) {
			l.add(&ast.Location{File: cause.File, Row: cause.Row}, CodeNotRemembered,
				"decisions of "+entrypoint+" are not remembered: "+cause.Text, cause.Hint)
		}
	}
	l.unreachable()
	l.rawPaths()
	l.unknownInput()
	l.failingDenials()
	l.constants()
	l.headers()
	return l.kept()
}

func (l *lint) add(at *ast.Location, code, text, instead string) {
	f := Finding{Code: code, Text: text, Instead: instead, File: l.source.Directory}
	if at != nil && at.File != "" {
		f.File, f.Line, f.Column = filepath.Join(l.source.Directory, at.File), at.Row, at.Col
	}
	l.findings = append(l.findings, f)
}

// unreachable tells of rules that no entry point evaluates, by their first
// definition.
func (l *lint) unreachable() {
	used, first := map[string]bool{}, map[string]*ast.Rule{}
	for _, module := range l.snapshot.Compiler().Modules {
		for _, rule := range module.Rules {
			name := rule.Ref().GroundPrefix().String()
			used[name] = used[name] || l.reached[rule]
			if known := first[name]; known == nil || rule.Location.Compare(known.Location) < 0 {
				first[name] = rule
			}
		}
	}
	for name, rule := range first {
		if !used[name] {
			l.add(rule.Location, CodeUnreachable, name+" is evaluated for none of "+strings.Join(l.snapshot.Entrypoints(), ", "),
				"use it, take it out, or mark its entry point by `# METADATA` with `# entrypoint: true`")
		}
	}
}

// unknownInput compiles once more by the schema of the input, and tells of what
// is read of it that is never there.
func (l *lint) unknownInput() {
	var schema any
	text, err := policies.Schema.ReadFile("schema/input.jsonschema")
	if err != nil || util.UnmarshalJSON(text, &schema) != nil {
		return // it is embedded, and a test of its own holds that it can be read
	}
	set := ast.NewSchemaSet()
	set.Put(ast.SchemaRootRef, schema)
	modules := l.source.modules()
	for name := range modules {
		if isTest(name) {
			delete(modules, name)
		}
	}
	compiler := l.source.compiler().WithSchemas(set)
	compiler.Compile(modules)
	if !compiler.Failed() {
		return
	}
	for _, p := range policy.Explained("", compiler.Errors).Problems {
		f := findingOf(p)
		f.Code, f.Error = CodeUnknownInput, false
		f.Instead = "see the fields of the input in policies/README.md; what is never there never holds, and a rule that denies on it never denies"
		l.findings = append(l.findings, f)
	}
}

// rawPaths tells of rules that read the path as the client spelt it.
func (l *lint) rawPaths() {
	raw := ast.MustParseRef("input.attributes.request.http.path")
	header := ast.MustParseRef(`input.attributes.request.http.headers[":path"]`)
	for rule := range l.reached {
		ast.WalkTerms(rule, func(term *ast.Term) bool {
			ref, isRef := term.Value.(ast.Ref)
			if isRef && (ref.HasPrefix(raw) || ref.HasPrefix(header)) {
				l.add(term.Location, CodeRawPath, "a raw path can be spelt in many ways: an encoded or doubled slash passes by a rule",
					"decide on input.route.path or input.parsed_path")
			}
			return false
		})
	}
}

// kept leaves out what a comment on the line or the one above it silences.
func (l *lint) kept() []Finding {
	silenced := map[string]map[int]string{}
	for name, module := range l.snapshot.Compiler().Modules {
		file := filepath.Join(l.source.Directory, name)
		silenced[file] = map[int]string{}
		for _, comment := range module.Comments {
			if _, codes, found := strings.Cut(string(comment.Text), ignoreWord); found {
				silenced[file][comment.Location.Row] = codes
			}
		}
	}
	return slices.DeleteFunc(l.findings, func(f Finding) bool {
		here := strings.Fields(silenced[f.File][f.Line] + " " + silenced[f.File][f.Line-1])
		return slices.Contains(here, f.Code)
	})
}

// Unreadable makes findings of what is wrong with a policy that can't be read.
// Any other error stays one.
func Unreadable(err error) ([]Finding, error) { return invalid(err, "") }
