package policy

import (
	"context"
	"fmt"
	"io/fs"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
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
	// (_test.rego, _test.yaml) are no part of the policy. Empty: Embedded is
	// read, or the bundles alone where there are some.
	Directory string
	Embedded  fs.FS
	// Data are further files of data.
	Data []DataFiles
	// Bundles are further modules and data. They are not changed.
	Bundles []*Bundle
	// Last is the snapshot that this one follows: what did not change of it is
	// used again. Nil: all is read and compiled.
	Last *Snapshot
	// Compilations are those that are under way, for who compiles again and
	// again; nil: this is the only one.
	Compilations *Compilations
	// Revision names the rules (Snapshot.Rules) where their name is known; empty:
	// a digest does.
	Revision string
	// Entrypoints are the rules that may be asked, as paths such as
	// "postern/authz/allow".
	Entrypoints []string
	// Named tells of the file and line that name an entry point, for problems;
	// nil: nobody knows.
	Named func(entrypoint string) (file string, line int)
	// Timeout bounds one evaluation; 0 is DefaultTimeout.
	Timeout time.Duration
	// AllowedBuiltins are builtins that reach out or are random, by name. All
	// others of this kind are refused.
	AllowedBuiltins []string
	// Memory remembers decisions across snapshots; nil remembers none. A
	// decision is remembered under the revision, the entry point and all that
	// its rules can read, and only where that determines it.
	Memory *cache.Cache[access.Decision]
	// Descriptors is the path of a protobuf FileDescriptorSet, by which
	// parsed_body tells of gRPC messages; empty: it is null for them.
	Descriptors string
	// Now is the clock; nil is time.Now.
	Now func() time.Time
}

// Snapshot is a compiled policy with its data. It never changes and holds
// nothing that must be closed. It is used by many goroutines at once, and
// shares with its successors what they have in common.
type Snapshot struct {
	content     *content
	program     *program
	compiler    *ast.Compiler // the program's
	store       storage.Store
	txn         storage.Transaction
	entrypoints map[string]*entrypoint
	revision    string
	outward     bool
	timeout     time.Duration
	memory      *cache.Cache[access.Decision]
	now         func() time.Time
	descriptors *descriptors
}

var _ gate.Policy = (*Snapshot)(nil)

// Compile reads and compiles a policy. Its errors are a *Error with all that
// is wrong, unless ctx has ended.
func Compile(ctx context.Context, o Options) (*Snapshot, error) {
	if o.Directory == "" && o.Embedded == nil && len(o.Bundles) == 0 {
		return nil, problem("there is no policy: neither a directory nor an embedded one")
	}
	BoundBuiltins()
	s := newSnapshot(o)
	var err error
	if s.content, err = readContent(o, s.now()); err != nil {
		return nil, err
	}
	if s.program, err = compile(ctx, s.content, o); err != nil {
		return nil, err
	}
	if err := s.hold(ctx); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s.name()
	return s, nil
}

func newSnapshot(o Options) *Snapshot {
	s := &Snapshot{
		outward: outward(o.AllowedBuiltins),
		timeout: o.Timeout,
		memory:  o.Memory,
		now:     o.Now,
	}
	if s.timeout == 0 {
		s.timeout = DefaultTimeout
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

// hold makes the data a store that is never written, read in one transaction
// that never ends. The store holds the very values that were read.
func (s *Snapshot) hold(ctx context.Context) (err error) {
	s.store = inmem.NewFromASTObject(s.content.data)
	if s.txn, err = s.store.NewTransaction(ctx); err != nil {
		return err
	}
	return s.program.checkConflicts(s.content, storage.NonEmpty(ctx, s.store, s.txn))
}

// name gives the entry points keys of this revision.
func (s *Snapshot) name() {
	s.compiler, s.revision, s.descriptors = s.program.compiler, s.content.revision, s.content.descriptors
	s.entrypoints = make(map[string]*entrypoint, len(s.program.entrypoints))
	for name, e := range s.program.entrypoints {
		s.entrypoints[name] = e.of(s.revision + s.descriptors.name())
	}
}

// Revision names the modules and data, in hexadecimal digits. Two snapshots of
// one revision decide alike.
func (s *Snapshot) Revision() string { return s.revision }

// Bundles are those that it was made of. They are not changed.
func (s *Snapshot) Bundles() []*Bundle { return s.content.bundles }

// Rules names the modules and the data that came with them, and not further data:
// files of Options.Data, and bundles of data alone. Without such it is the
// revision.
func (s *Snapshot) Rules() string { return s.content.rules }

// Forgetful says, by entry point, why its decisions can't be remembered. It
// has no word on those that can.
func (s *Snapshot) Forgetful() map[string]string {
	reasons := map[string]string{}
	for name := range s.entrypoints {
		if causes := s.Unremembered(name); len(causes) > 0 {
			reasons[name] = onOneLine(causes)
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
