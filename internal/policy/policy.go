package policy

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/gate"
)

// DefaultTimeout is how long a decision may take when Options name no time.
const DefaultTimeout = 20 * time.Millisecond

// Options say where a policy is and how it may run.
type Options struct {
	// Directory holds modules (.rego) and data (.json, .yaml); tests
	// (_test.rego, _test.yaml) are no part of the policy. Empty: Embedded is read.
	Directory string
	Embedded  fs.FS
	// Entrypoints are the rules that may be asked, as paths such as
	// "postern/authz/allow".
	Entrypoints []string
	// Timeout bounds one evaluation; 0 is DefaultTimeout.
	Timeout time.Duration
	// AllowedBuiltins are builtins that reach out or are random, by name. All
	// others of this kind are refused.
	AllowedBuiltins []string
	// Memory remembers decisions across snapshots; nil remembers none. A
	// decision is remembered under the revision, the entry point and all that
	// its rules can read, and only where that determines it.
	Memory *cache.Cache[access.Decision]
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Snapshot is a compiled policy with its data. It never changes and holds
// nothing that must be closed. It is used by many goroutines at once.
type Snapshot struct {
	compiler    *ast.Compiler
	store       storage.Store
	txn         storage.Transaction
	entrypoints map[string]*entrypoint
	revision    string
	outward     bool
	timeout     time.Duration
	memory      *cache.Cache[access.Decision]
	now         func() time.Time
}

var _ gate.Policy = (*Snapshot)(nil)

// Compile reads and compiles a policy. Its errors are a *Error with all that
// is wrong, unless ctx has ended.
func Compile(ctx context.Context, o Options) (*Snapshot, error) {
	if o.Directory == "" && o.Embedded == nil {
		return nil, problem("there is no policy: neither a directory nor an embedded one")
	}
	BoundBuiltins()
	capabilities, err := capabilitiesFor(o.AllowedBuiltins)
	if err != nil {
		return nil, err
	}
	src := open(o)
	loaded, err := src.load(capabilities)
	if err != nil {
		return nil, err
	}
	s := newSnapshot(o)
	if s.revision, err = revisionOf(loaded); err != nil {
		return nil, problem("data: %v", err)
	}
	if err := s.compile(ctx, loaded, capabilities); err != nil {
		return nil, nameRefused(explained(src.directory, err))
	}
	if err := s.prepare(o.Entrypoints, src.directory); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return s, nil
}

func newSnapshot(o Options) *Snapshot {
	s := &Snapshot{
		entrypoints: map[string]*entrypoint{},
		outward:     outward(o.AllowedBuiltins),
		timeout:     o.Timeout,
		memory:      o.Memory,
		now:         o.Now,
	}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// compile makes the data a store that is never written, read in one
// transaction that never ends, and compiles the modules over it.
func (s *Snapshot) compile(ctx context.Context, loaded *loader.Result, capabilities *ast.Capabilities) error {
	s.store = inmem.NewFromObjectWithOpts(loaded.Documents, inmem.OptRoundTripOnWrite(false), inmem.OptReturnASTValuesOnRead(true))
	txn, err := s.store.NewTransaction(ctx)
	if err != nil {
		return err
	}
	s.txn = txn
	s.compiler = ast.NewCompiler().
		WithCapabilities(capabilities).
		WithStrict(true).
		WithPathConflictsCheck(storage.NonEmpty(ctx, s.store, txn)).
		SetErrorLimit(0)
	s.compiler.Compile(loaded.ParsedModules())
	if s.compiler.Failed() {
		return s.compiler.Errors
	}
	return nil
}

func (s *Snapshot) prepare(names []string, directory string) error {
	if len(names) == 0 {
		return problem("no entry point is named")
	}
	all := &Error{}
	for _, name := range names {
		e, err := prepare(s.compiler, name, s.revision)
		if err != nil {
			all.Problems = append(all.Problems, explained(directory, err).Problems...)
			continue
		}
		s.entrypoints[name] = e
	}
	if len(all.Problems) > 0 {
		return all
	}
	return nil
}

// Revision names the modules and data, in hexadecimal digits. Two snapshots of
// one revision decide alike.
func (s *Snapshot) Revision() string { return s.revision }

// Forgetful says, by entry point, why its decisions can't be remembered. It
// has no word on those that can.
func (s *Snapshot) Forgetful() map[string]string {
	reasons := map[string]string{}
	for name, e := range s.entrypoints {
		if e.forgetful != "" {
			reasons[name] = e.forgetful
		}
	}
	return reasons
}

// Decide answers a question. Decisions are shared once they are remembered:
// their maps and slices are read only.
func (s *Snapshot) Decide(ctx context.Context, q *gate.Question) (access.Decision, error) {
	e := s.entrypoints[q.Entrypoint]
	if e == nil {
		return access.Decision{}, fmt.Errorf("the entry point %q is not compiled", q.Entrypoint)
	}
	if q.Request.Explain.On() {
		return s.explain(ctx, e, q)
	}
	if !s.remembers(e) {
		return s.evaluate(ctx, e, q)
	}
	return s.remember(ctx, e, q)
}
