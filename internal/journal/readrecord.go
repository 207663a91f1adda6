package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/policy"
)

// Raw is a JSON value as it stands in a journal; empty where there is none.
type Raw []byte

// String is the text of a JSON string.
func (r Raw) String() string { return unquoted(r) }

// Record is a decision as it was noted.
type Record struct {
	File string
	Line int

	ID, Entrypoint, Revision, Route, Consumer Raw
	// Outcome is one of Allowed, Denied and Error; Failure is what went wrong.
	Outcome, Failure Raw
	// Answer is the keyed digest of what was answered beside yes or no.
	Answer Raw
	Status int
	At     Raw
	// Input is what is held of policy's input, empty where it could not be read.
	Input Raw
	// Held is what the input was made from; of that, Redacted, Hashed and Omitted
	// are not as policy saw them.
	Held                      *policy.Selection
	Redacted, Hashed, Omitted Raw
}

// Time is when the request was read; zero where it can't be told.
func (r *Record) Time() time.Time {
	at, err := time.Parse(time.RFC3339Nano, r.At.String())
	if err != nil {
		return time.Time{}
	}
	return at
}

// Altered is a part of the input that a record does not hold as policy saw it.
type Altered struct {
	Path policy.Path
	// How is redacted, hashed or omitted.
	How string
}

// Altered are all of a record.
func (r *Record) Altered() ([]Altered, error) {
	var all []Altered
	for _, list := range []struct {
		how string
		raw Raw
	}{{"redacted", r.Redacted}, {"hashed", r.Hashed}, {"omitted", r.Omitted}} {
		if len(list.raw) == 0 {
			continue
		}
		var paths []policy.Path
		if err := json.Unmarshal(list.raw, &paths); err != nil {
			return nil, fmt.Errorf("%s: expected a list of paths", list.how)
		}
		for _, path := range paths {
			all = append(all, Altered{path, list.how})
		}
	}
	return all, nil
}

func (r *Record) field(name string) *Raw {
	switch name {
	case `"id"`:
		return &r.ID
	case `"time"`:
		return &r.At
	case `"entrypoint"`:
		return &r.Entrypoint
	case `"revision"`:
		return &r.Revision
	case `"route"`:
		return &r.Route
	case `"consumer"`:
		return &r.Consumer
	case `"outcome"`:
		return &r.Outcome
	case `"error"`:
		return &r.Failure
	case `"answer"`:
		return &r.Answer
	case `"input"`:
		return &r.Input
	case `"redacted"`:
		return &r.Redacted
	case `"hashed"`:
		return &r.Hashed
	case `"omitted"`:
		return &r.Omitted
	}
	return nil
}

// check refuses what a journal can't have written.
func (r *Record) check() error {
	for _, text := range []Raw{r.ID, r.At, r.Entrypoint, r.Outcome} {
		if len(text) < 3 || text[0] != '"' {
			return errors.New("this is no record: expected id, time, entrypoint and outcome")
		}
	}
	for _, text := range []Raw{r.Revision, r.Route, r.Consumer, r.Failure, r.Answer} {
		if len(text) > 0 && text[0] != '"' {
			return errors.New("this is no record: expected texts")
		}
	}
	switch string(r.Outcome) {
	case `"` + Allowed + `"`, `"` + Denied + `"`, `"` + Error + `"`:
	default:
		return errors.New("this is no record: expected the outcome allowed, denied or error")
	}
	if r.Held == nil {
		return errors.New("what this record holds is not said before it")
	}
	if len(r.Input) > 0 && r.Input[0] != '{' {
		return errors.New("this is no record: expected an object as input")
	}
	return nil
}

func numberOf(value []byte) int {
	n, err := strconv.Atoi(string(value))
	if err != nil {
		return -1
	}
	return n
}
