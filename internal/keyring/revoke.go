package keyring

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// leastWait and maxWait bound how long a receipt is waited for: the instance
// that answers has applied the change, and needs a moment to say so. askEvery is
// how often the instances are asked.
const (
	leastWait = 100 * time.Millisecond
	maxWait   = time.Minute
	askEvery  = 10 * time.Millisecond
)

// Revoke ends a credential for good. One that was revoked already stays as it
// is, with its first reason. The receipt tells who refuses it by now.
func (k *Keyring) Revoke(ctx context.Context, by consumer.Author, id string, r Revocation) (*consumer.CredentialRecord, *Receipt, error) {
	problems := rules.Text("reason", r.Reason)
	if r.Wait < 0 || r.Wait > maxWait {
		problems = append(problems, Problem{Field: "wait", Text: fmt.Sprintf("expected 0 to %s", maxWait)})
	}
	if err := invalid(problems); err != nil {
		return nil, nil, err
	}
	var now *consumer.CredentialRecord
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := k.held(ctx, w, id, 0)
		if err != nil {
			return nil, err
		}
		changed := *was
		if changed.RevokedAt.IsZero() {
			changed.RevokedAt, changed.RevokedReason = k.now(), r.Reason
		}
		now, err = rewriteCredential(ctx, w, was, &changed, &consumer.AuditRecord{Action: "revoke", Reason: r.Reason})
		return now, err
	})
	if err != nil {
		return nil, nil, err
	}
	return now, k.Await(ctx, upto, r.Wait), nil
}

// Await tells which live instances have applied a change, waiting for them. An
// instance that ended meanwhile answers nobody any more, so it is not in the
// receipt. Where the instances can't be asked the receipt is not complete.
func (k *Keyring) Await(ctx context.Context, upto consumer.Sequence, wait time.Duration) *Receipt {
	receipt := &Receipt{Sequence: upto}
	wait = min(max(wait, leastWait), maxWait)
	ctx, cancel := context.WithTimeout(ctx, wait+time.Second) // one look is always possible
	defer cancel()
	over := time.NewTimer(wait)
	defer over.Stop()
	var waited map[string]bool
	for {
		instances, err := k.ledger.Instances(ctx)
		if err == nil {
			if waited == nil {
				waited = live(instances)
			}
			receipt.fill(instances, waited)
		}
		if err == nil && receipt.settled(waited) {
			return receipt
		}
		select {
		case <-time.After(askEvery):
		case <-over.C:
			return receipt
		case <-ctx.Done():
			return receipt
		}
	}
}

// settled reports whether all have applied it that are waited for.
func (r *Receipt) settled(waited map[string]bool) bool {
	return !slices.ContainsFunc(r.Instances, func(a Acknowledgement) bool { return waited[a.ID] && !a.Done })
}

// live are the ids of the instances that a receipt waits for. Those that start
// later begin with the change.
func live(instances []consumer.Instance) map[string]bool {
	ids := map[string]bool{}
	for _, i := range instances {
		if i.Live() {
			ids[i.ID] = true
		}
	}
	return ids
}

// fill says what the instances that are waited for have applied. One that was
// silent already is not waited for, but named where it has not: it may still let
// through what it remembers.
func (r *Receipt) fill(instances []consumer.Instance, waited map[string]bool) {
	r.Instances, r.Complete = nil, true
	for _, i := range instances {
		done := i.Applied >= r.Sequence
		if !waited[i.ID] && (done || !i.Silent()) {
			continue
		}
		r.Instances = append(r.Instances, Acknowledgement{ID: i.ID, Name: i.Name, Applied: i.Applied, Done: done})
		r.Complete = r.Complete && done
	}
}
