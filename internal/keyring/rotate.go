package keyring

import (
	"context"
	"fmt"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// maxGrace bounds how long a key can be on its way out.
const maxGrace = 10 * 366 * 24 * time.Hour

// Rotate makes a key's successor, with its scopes, constraints, label and,
// unless another is asked for, its end. The old key ends when the grace does,
// and never later than it would have.
func (k *Keyring) Rotate(ctx context.Context, by consumer.Author, id string, r Rotation) (*Issued, error) {
	grace, err := k.grace(r)
	if err != nil {
		return nil, err
	}
	var issued *Issued
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := k.held(ctx, w, id, r.Version)
		if err != nil {
			return nil, err
		}
		if err := k.rotatable(was); err != nil {
			return nil, err
		}
		issued, err = k.succeed(ctx, w, was, r.ExpiresAt)
		if err != nil {
			return nil, err
		}
		return issued, retire(ctx, w, was, issued.ID, k.now().Add(grace))
	})
	if err != nil {
		return nil, err
	}
	issued.Sequence = upto
	return issued, nil
}

func (k *Keyring) grace(r Rotation) (time.Duration, error) {
	var problems []Problem
	grace := k.options.Grace
	if r.Grace != nil {
		grace = *r.Grace
	}
	if grace < 0 || grace > maxGrace {
		problems = append(problems, Problem{Field: "grace", Text: fmt.Sprintf("expected 0 to %d days", maxGrace/(24*time.Hour))})
	}
	if !r.ExpiresAt.IsZero() && !r.ExpiresAt.After(k.now()) {
		problems = append(problems, Problem{Field: "expires_at", Text: "is in the past"})
	}
	return grace, invalid(problems)
}

// rotatable refuses what has no life to hand on. A key has one successor.
func (k *Keyring) rotatable(c *consumer.CredentialRecord) error {
	status := c.Status(k.now())
	switch {
	case c.Kind != access.KindAPIKey:
		return conflict("credential", c.ID, "is no API key; make another credential in its place")
	case status == consumer.StatusRotating || c.ReplacedBy != "":
		return conflict("credential", c.ID, "was replaced by %s already", c.ReplacedBy)
	case status != consumer.StatusActive:
		return conflict("credential", c.ID, "is %s, so it can't be rotated", status)
	}
	return nil
}

// succeed makes the new key.
func (k *Keyring) succeed(ctx context.Context, w consumer.Writer, was *consumer.CredentialRecord, end time.Time) (*Issued, error) {
	owner, err := w.Consumer(ctx, was.Consumer)
	if err != nil {
		return nil, err
	}
	if err := k.issuable(owner); err != nil {
		return nil, err
	}
	key, err := k.newKey(owner.Environment)
	if err != nil {
		return nil, err
	}
	issued := &Issued{Key: key, CredentialRecord: successor(was, key)}
	if !end.IsZero() {
		issued.ExpiresAt = toMicrosecond(end)
	}
	if err := k.roomToRotate(ctx, w, owner.Name); err != nil {
		return nil, err
	}
	if err := w.InsertCredential(ctx, issued.CredentialRecord); err != nil {
		return nil, err
	}
	return issued, note(ctx, w, &consumer.AuditRecord{Action: "create", Kind: "credential", Target: issued.ID}, nil, documentOfCredential(issued.CredentialRecord))
}

// successor has all of a key's settings.
func successor(was *consumer.CredentialRecord, key access.Secret) *consumer.CredentialRecord {
	id, prefix, lastFour := consumer.ShowKey(key)
	return &consumer.CredentialRecord{
		Credential: access.Credential{
			ID: id, Kind: access.KindAPIKey, Enabled: true,
			Scopes: was.Scopes, ExpiresAt: was.ExpiresAt, Constraints: was.Constraints,
		},
		Consumer: was.Consumer, Label: was.Label, Replaces: was.ID,
		Reference: rules.KeyReference(key), Prefix: prefix, LastFour: lastFour,
	}
}

// retire ends the old key at the end of its grace or its life.
func retire(ctx context.Context, w consumer.Writer, was *consumer.CredentialRecord, by string, end time.Time) error {
	now := *was
	now.ReplacedBy = by
	if now.ExpiresAt.IsZero() || now.ExpiresAt.After(end) {
		now.ExpiresAt = end
	}
	_, err := rewriteCredential(ctx, w, was, &now, &consumer.AuditRecord{Action: "rotate"})
	return err
}
