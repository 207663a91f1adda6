package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// codesOf is the domain of the API's own codes.
const codesOf = "postern"

// refusal is the admin API's no: what it says, its stable code, and what is
// wrong with which field.
type refusal struct {
	code, detail string
	fields       []*errdetails.BadRequest_FieldViolation
}

// Error implements error.
func (r *refusal) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)", printable(r.detail), printable(r.code))
	for _, f := range r.fields {
		fmt.Fprintf(&b, "\n  %s: %s", printable(f.GetField()), printable(f.GetDescription()))
	}
	return b.String()
}

// explain makes an exit of what a task returned. A no of the API itself is a
// no; where the API could not be asked, nobody said so.
func explain(err error) error {
	var end exit
	if err == nil || errors.As(err, &end) {
		return err
	}
	if r := readRefusal(err); r != nil {
		return no(r)
	}
	return unasked(unanswered(err))
}

// readRefusal is nil where the API itself did not answer.
func readRefusal(err error) *refusal {
	s, ok := status.FromError(err)
	if !ok {
		return nil
	}
	r := &refusal{detail: s.Message()}
	for _, detail := range s.Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			if d.GetDomain() == codesOf {
				r.code = d.GetReason()
			}
		case *errdetails.BadRequest:
			r.fields = d.GetFieldViolations()
		}
	}
	if r.code == "" {
		return nil
	}
	if len(r.fields) > 0 { // the message has them too, in one line
		r.detail, _, _ = strings.Cut(r.detail, ": "+r.fields[0].GetField()+": ")
	}
	return r
}

// unanswered says why no answer came, as far as that is known here.
func unanswered(err error) error {
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	message := printable(s.Message())
	switch s.Code() {
	case codes.Canceled:
		return errors.New("interrupted; whether it was done is not known")
	case codes.DeadlineExceeded:
		return errors.New("no answer came in time; whether it was done is not known")
	case codes.Unavailable:
		return fmt.Errorf("the instance can't be reached: %s", message)
	}
	return fmt.Errorf("what answers there is no admin API of Postern with a store, or does not go by this name (listen.admin.hosts): %s", message)
}

// tellRefusal writes a refusal with its fields below it.
func tellRefusal(w io.Writer, err error) bool {
	var r *refusal
	if !errors.As(err, &r) {
		return false
	}
	_, _ = fmt.Fprintf(w, "postern: %v\n", r) // there is nowhere else to tell
	return true
}
