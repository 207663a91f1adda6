package consumer

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
)

// ErrChain: an audit record is not the one that was written in its place.
var ErrChain = errors.New("the audit chain is broken")

// Chain is the end of a chain of audit records; its zero value is before the
// first. The hash of each record covers all that it says and the hash before
// it, so nobody can change, drop or put in one without every later hash being
// another.
type Chain struct {
	Number int64
	Hash   string
}

// Append makes r the next record: it sets Number, Previous and Hash.
func (c *Chain) Append(r *AuditRecord) {
	r.Number, r.Previous = c.Number+1, c.Hash
	r.Hash = r.digest()
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
	case r.Hash != r.digest():
		return fmt.Errorf("%w: record %d was changed", ErrChain, r.Number)
	}
	c.Number, c.Hash = r.Number, r.Hash
	return nil
}

// digest is the SHA-256 of every field with its length before it, so that no
// text can be moved from one field into the next. Time counts in microseconds,
// which is what ledgers keep.
func (r *AuditRecord) digest() string {
	h := sha256.New()
	var size [8]byte
	for _, field := range []string{
		r.Previous, integer(r.Number), integer(int64(r.Sequence)), integer(r.At.UnixMicro()),
		r.Author.Name, r.Author.Address, r.Action, r.Kind, r.Target, r.Before, r.After, r.Reason,
	} {
		binary.BigEndian.PutUint64(size[:], uint64(len(field)))
		h.Write(size[:])
		h.Write([]byte(field))
	}
	return hex.EncodeToString(h.Sum(nil))
}

func integer(n int64) string { return string(binary.BigEndian.AppendUint64(nil, uint64(n))) }
