package keyring

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
)

// Audit lists records after a number; with a target, only its own.
func (k *Keyring) Audit(ctx context.Context, after int64, limit int, target string) ([]*consumer.AuditRecord, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.AuditRecord, error) { return r.Audit(ctx, after, limit, target) })
}

// VerifyAudit walks the whole chain: that no record was changed, left out, put
// in or moved. What was cut off at its end shows only to who kept a Head.
func (k *Keyring) VerifyAudit(ctx context.Context) (*Verification, error) {
	v := &Verification{}
	for v.Broken == 0 {
		records, err := k.Audit(ctx, v.Records, maxPage, "")
		if err != nil {
			return nil, err
		}
		for _, a := range records {
			if v.follow(a); v.Broken != 0 {
				break
			}
		}
		if len(records) < maxPage {
			break
		}
	}
	return v, nil
}

// follow holds the next record against the chain.
func (v *Verification) follow(a *consumer.AuditRecord) {
	switch {
	case a.Number != v.Records+1:
		v.Problem = "is not there"
	case a.Previous != v.Head:
		v.Problem = "does not follow the record before it"
	case a.Hash != a.Sum():
		v.Problem = "is not as it was written"
	default:
		v.Records, v.Head = a.Number, a.Hash
		return
	}
	v.Broken = v.Records + 1
}
