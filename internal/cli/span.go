package cli

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// span is a flag that holds a duration: Go's forms, and whole days such as 30d.
type span struct {
	text string
	time.Duration
}

// String implements pflag.Value.
func (s *span) String() string { return s.text }

// Type implements pflag.Value.
func (*span) Type() string { return "duration" }

// maxDays is near the longest duration that there is.
const maxDays = 100_000

// Set implements pflag.Value.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 31)
		d = time.Duration(min(n, maxDays)) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return errors.New("expected a duration such as 720h, 30d or 2s")
	}
	*s = span{text, d}
	return nil
}

// expiry is a flag that says when something ends: after a duration, or at a
// time.
type expiry struct {
	after span
	at    time.Time
	never bool
}

// String implements pflag.Value.
func (e *expiry) String() string {
	switch {
	case e.never:
		return "never"
	case !e.at.IsZero():
		return e.at.Format(time.RFC3339)
	}
	return e.after.text
}

// Type implements pflag.Value.
func (*expiry) Type() string { return "when" }

// Set implements pflag.Value.
func (e *expiry) Set(text string) error {
	*e = expiry{never: text == "never"}
	if e.never {
		return nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err == nil && !at.IsZero() { // the first moment of all would be no end
		e.at = at
		return nil
	}
	if e.after.Set(text) != nil || e.after.Duration == 0 {
		return errors.New("expected a duration such as 90d, a time such as 2030-01-31T00:00:00Z, or never")
	}
	return nil
}

// stamp is the time that is meant; nil: there is no end.
func (e *expiry) stamp(now time.Time) *timestamppb.Timestamp {
	switch {
	case !e.at.IsZero():
		return timestamppb.New(e.at)
	case e.after.Duration > 0:
		return timestamppb.New(now.Add(e.after.Duration).Truncate(time.Second))
	}
	return nil
}
