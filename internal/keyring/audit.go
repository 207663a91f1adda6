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
// in, moved or cut off. Who rewrites the chain and its end shows only to who
// kept a Head.
func (k *Keyring) VerifyAudit(ctx context.Context) (*Verification, error) {
	var chain consumer.Chain
	for {
		page, err := k.auditPage(ctx, chain.Number)
		if err != nil {
			return nil, err
		}
		last := len(page.records) < maxPage
		for _, a := range page.records {
			if err := chain.Check(a); err != nil {
				return broken(chain, err), nil
			}
		}
		if !last {
			continue
		}
		if err := chain.Ends(page.end); err != nil {
			return broken(chain, err), nil
		}
		return &Verification{Records: chain.Number, Head: chain.Hash}, nil
	}
}

// auditPage is a part of the chain, with its end at the same moment.
type auditPage struct {
	records []*consumer.AuditRecord
	end     consumer.Chain
}

func (k *Keyring) auditPage(ctx context.Context, after int64) (auditPage, error) {
	return read(ctx, k, func(r consumer.Reader) (page auditPage, err error) {
		if page.end, err = r.AuditEnd(ctx); err == nil {
			page.records, err = r.Audit(ctx, after, maxPage, "")
		}
		return page, err
	})
}

// broken tells where the chain is in order no more.
func broken(upto consumer.Chain, why error) *Verification {
	return &Verification{Records: upto.Number, Head: upto.Hash, Broken: upto.Number + 1, Problem: why.Error()}
}
