package keyring

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
)

// maxWarning bounds how far a warning looks, either way.
const maxWarning = 10 * 366 * 24 * time.Hour

// Warnings lists credentials that somebody should look after, by id. Of those
// that count no more there is none.
func (k *Keyring) Warnings(ctx context.Context, q WarningQuery) ([]*Warning, error) {
	if err := q.check(); err != nil {
		return nil, err
	}
	return read(ctx, k, func(r consumer.Reader) ([]*Warning, error) {
		found, now := map[string]*Warning{}, k.now()
		if q.ExpiresWithin > 0 {
			if err := collect(ctx, r, consumer.CredentialQuery{ExpiresBefore: now.Add(q.ExpiresWithin), Page: q.Page}, now, found, func(w *Warning) { w.Expiring = true }); err != nil {
				return nil, err
			}
		}
		if q.UnusedFor > 0 {
			if err := collect(ctx, r, consumer.CredentialQuery{UnusedSince: now.Add(-q.UnusedFor), Page: q.Page}, now, found, func(w *Warning) { w.Unused = true }); err != nil {
				return nil, err
			}
		}
		var list []*Warning
		for _, id := range slices.Sorted(maps.Keys(found)) {
			list = append(list, found[id])
		}
		return list[:min(len(list), q.Limit)], nil
	})
}

func (q *WarningQuery) check() error {
	var problems []Problem
	for field, d := range map[string]time.Duration{"expires_within": q.ExpiresWithin, "unused_for": q.UnusedFor} {
		if d < 0 || d > maxWarning {
			problems = append(problems, Problem{Field: field, Text: fmt.Sprintf("expected 0 to %d days", maxWarning/(24*time.Hour))})
		}
	}
	if q.Limit < 1 || q.Limit > maxPage {
		problems = append(problems, Problem{Field: "limit", Text: fmt.Sprintf("expected 1 to %d", maxPage)})
	}
	return invalid(problems)
}

// collect takes the first credentials of a query that still count. The first of
// two such lists together are complete up to the same number.
func collect(ctx context.Context, r consumer.Reader, q consumer.CredentialQuery, now time.Time, into map[string]*Warning, mark func(*Warning)) error {
	limit := q.Limit
	for taken := 0; taken < limit; {
		q.Limit = maxPage
		list, err := r.Credentials(ctx, q)
		for _, c := range list {
			if q.After = c.ID; taken < limit && counts(c, now) {
				taken++
				if into[c.ID] == nil {
					into[c.ID] = &Warning{CredentialRecord: c}
				}
				mark(into[c.ID])
			}
		}
		if err != nil || len(list) < maxPage {
			return err
		}
	}
	return nil
}

func counts(c *consumer.CredentialRecord, now time.Time) bool {
	status := c.Status(now)
	return status == consumer.StatusActive || status == consumer.StatusRotating
}
