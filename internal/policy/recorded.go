package policy

import (
	"context"
	"fmt"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// Inputs makes policy's input of questions that are to be kept.
type Inputs struct {
	snapshot *Snapshot
	// whole is everything, read what each entry point's rules can read; the
	// second of each is for requests with a body.
	whole [2]part
	read  map[string][2]part
}

// Inputs prepares what is kept of questions.
func (s *Snapshot) Inputs() *Inputs {
	all := selectParts(inputFields(s.descriptors), everything())
	in := &Inputs{snapshot: s, whole: [2]part{all, without(all, bodies())}, read: map[string][2]part{}}
	for name, e := range s.entrypoints {
		in.read[name] = [2]part{e.input, without(e.input, rawBodies())}
	}
	return in
}

// Revision names the policy whose inputs these are.
func (in *Inputs) Revision() string { return in.snapshot.revision }

// Selection is what the rules of an entry point can read.
func (in *Inputs) Selection(entrypoint string) *Selection { return in.snapshot.Selection(entrypoint) }

// bodies are where the input has a request's body, rawBodies where it stands as
// it came.
func bodies() []Path { return append(rawBodies(), Path{"parsed_body"}) }

func rawBodies() []Path {
	return []Path{{"attributes", "request", "http", "body"}, {"attributes", "request", "http", "rawBody"}}
}

func without(p part, paths []Path) part {
	kept := make([]part, 0, len(p.parts))
	for _, inner := range p.parts {
		var below []Path
		gone := false
		for _, path := range paths {
			if path[0] == inner.key.name {
				gone = gone || len(path) == 1
				below = append(below, path[1:])
			}
		}
		switch {
		case gone:
		case len(below) > 0:
			kept = append(kept, without(inner, below))
		default:
			kept = append(kept, inner)
		}
	}
	p.parts = kept
	return p
}

// Input is policy's input for a question: all but the body, or what the rules of
// its entry point can read but the body as it came. omitted says where something
// of the body would stand.
func (in *Inputs) Input(q *gate.Question, whole bool) (input *ast.Term, omitted []Path, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			input, err = nil, panicked(cause)
		}
	}()
	selected, known := in.read[q.Entrypoint]
	if !known {
		return nil, nil, fmt.Errorf("the entry point %q is not compiled", q.Entrypoint)
	}
	kept := &selected[0]
	if whole {
		kept = &in.whole[0]
	}
	if len(q.Request.Body) > 0 || q.Request.BodyTruncated {
		kept, omitted = &selected[1], rawBodies()
		if whole {
			kept, omitted = &in.whole[1], bodies()
		}
	}
	d := newDocument()
	if err := kept.write(d, q); err != nil {
		return nil, nil, unfit(err)
	}
	return d.root(), omitted, nil
}

// DecideRecorded answers as Decide does, for an input that was kept, as of a
// time. Nothing is remembered.
func (s *Snapshot) DecideRecorded(ctx context.Context, entrypoint string, input *ast.Term, at time.Time) (d access.Decision, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			d, err = access.Decision{}, panicked(cause)
		}
	}()
	e := s.entrypoints[entrypoint]
	if e == nil {
		return access.Decision{}, fmt.Errorf("the entry point %q is not compiled", entrypoint)
	}
	value, err := s.run(ctx, s.query(e, input, asked(entrypoint, at)), s.timeout)
	if err != nil {
		return access.Decision{}, err
	}
	return decisionOf(value)
}

// ProbeRecorded is Probe for an input that was kept, as of a time.
func (s *Snapshot) ProbeRecorded(input *ast.Term, at time.Time) *Probe {
	return &Probe{s, asked("", at), input}
}

// asked is a question of which only the time counts.
func asked(entrypoint string, at time.Time) *gate.Question {
	return &gate.Question{Request: &access.Request{Time: at}, Entrypoint: entrypoint}
}
