package consumer

import (
	"errors"
	"fmt"
)

// ErrChain is the word that an audit record is not the one that was written in
// its place.
var ErrChain = errors.New("the audit chain is broken")

// Chain is the end of a chain of audit records; its zero value is before the
// first. The hash of each record covers all that it says and the hash before
// it, so nobody can change, drop or put in one without every later hash being
// another. Whoever drops the last ones leaves a chain that is whole: compare
// its end with Reader.AuditEnd, and with what was noted elsewhere.
type Chain struct {
	Number int64
	Hash   string
}

// Append makes r the next record: it sets Number, Previous and Hash.
func (c *Chain) Append(r *AuditRecord) {
	r.Number, r.Previous = c.Number+1, c.Hash
	r.Hash = r.Sum()
	c.Number, c.Hash = r.Number, r.Hash
}

// Check takes r as the next record. The error is ErrChain with the number of
// the record at which the chain breaks.
func (c *Chain) Check(r *AuditRecord) error {
	switch {
	case r.Number != c.Number+1:
		return fmt.Errorf("%w: after record %d comes %d", ErrChain, c.Number, r.Number)
	case r.Previous != c.Hash:
		return fmt.Errorf("%w: record %d does not follow the one before it", ErrChain, r.Number)
	case r.Hash != r.Sum():
		return fmt.Errorf("%w: record %d was changed", ErrChain, r.Number)
	}
	c.Number, c.Hash = r.Number, r.Hash
	return nil
}

// Ends takes the chain as ended. The error is ErrChain when it was last written
// with another end.
func (c *Chain) Ends(at Chain) error {
	switch {
	case c.Number < at.Number:
		return fmt.Errorf("%w: after record %d comes none, and %d were written", ErrChain, c.Number, at.Number)
	case *c != at:
		return fmt.Errorf("%w: record %d is not the last that was written", ErrChain, c.Number)
	}
	return nil
}
