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
	var chain consumer.Chain
	for {
		records, err := k.Audit(ctx, chain.Number, maxPage, "")
		if err != nil {
			return nil, err
		}
		for _, a := range records {
			if err := chain.Check(a); err != nil {
				return &Verification{Records: chain.Number, Head: chain.Hash, Broken: chain.Number + 1, Problem: err.Error()}, nil //nolint:nilerr // it is what was asked for
			}
		}
		if len(records) < maxPage {
			return &Verification{Records: chain.Number, Head: chain.Hash}, nil
		}
	}
}
