package admin

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// retryAfter is when to ask again while the store is away.
const retryAfter = time.Second

// explain makes of any error what the client is told. What is not known here is
// logged, once, and not told.
func (s *Server) explain(err error, conditional bool) *problem {
	var p *problem
	var wrong *keyring.Invalid
	var document strictyaml.Errors
	var conflict *Conflict
	var unwritten *Unwritten
	switch {
	case errors.As(err, &p):
		return p
	case errors.As(err, &conflict):
		return &problem{code: codeConflict, detail: conflict.Detail}
	case errors.As(err, &unwritten):
		return &problem{code: codeStoreFull, detail: unwritten.Detail}
	case errors.As(err, &wrong):
		return explainInvalid(wrong)
	case errors.As(err, &document):
		return explainDocument(document)
	case errors.Is(err, consumer.ErrFull):
		return &problem{code: codeStoreFull, detail: "the store has no room left; what is there goes on being checked"}
	case errors.Is(err, consumer.ErrUnavailable), errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return &problem{code: codeUnavailable, detail: "the store is not available now", retryAfter: retryAfter}
	}
	if code, ok := outcomeCode(err); ok {
		return &problem{code: code, detail: outcomeText(err), conditional: conditional}
	}
	return s.internal("a call failed", err)
}

func (s *Server) internal(what string, err error) *problem {
	s.options.Logger.Error("admin API: "+what, slog.Any("error", err))
	return &problem{code: codeInternal, detail: "something went wrong here; the log says what"}
}

// outcomeCode is the code of an outcome that callers bring about.
func outcomeCode(err error) (string, bool) {
	for _, known := range []struct {
		err  error
		code string
	}{
		{consumer.ErrNotFound, codeNotFound},
		{consumer.ErrExists, codeExists},
		{consumer.ErrVersion, codeVersionMismatch},
		{keyring.ErrDeclared, codeDeclared},
		{keyring.ErrState, codeConflict},
		{keyring.ErrTooMany, codeLimitReached},
	} {
		if errors.Is(err, known.err) {
			return known.code, true
		}
	}
	return "", false
}

// outcomeText tells of the thing by the name that the client gave it, and of
// nothing else that stood around the error.
func outcomeText(err error) string {
	var o *consumer.Outcome
	if errors.As(err, &o) {
		return o.Error()
	}
	return "there is no such thing, or it is in the way"
}

func explainInvalid(wrong *keyring.Invalid) *problem {
	p := &problem{code: codeInvalidArgument, detail: "the request has invalid fields"}
	if errors.Is(wrong, keyring.ErrWeak) {
		p.code, p.detail = codeUnprocessable, "the secret is too weak for its use"
	}
	for _, f := range wrong.Problems {
		p.fields = append(p.fields, fieldProblem{f.Field, f.Text})
	}
	p.fields = p.fields[:min(len(p.fields), maxFieldProblems)]
	return p
}

// explainDocument tells where in an imported document something is wrong.
func explainDocument(all strictyaml.Errors) *problem {
	p := &problem{code: codeInvalidArgument, detail: "the document can't be imported, and nothing of it was"}
	for _, d := range all[:min(len(all), maxFieldProblems)] {
		field := "document"
		if d.Line > 0 {
			field += ":" + strconv.Itoa(d.Line)
		}
		text := d.Text
		if d.Field != "" {
			text = d.Field + ": " + text
		}
		p.fields = append(p.fields, fieldProblem{field, text})
	}
	return p
}
