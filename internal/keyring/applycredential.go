package keyring

import (
	"context"
	"fmt"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/password"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// preparedImport is an import whose credentials were read, and whose passwords
// were hashed.
type preparedImport struct {
	Import
	credentials []preparedCredential
}

// preparedCredential is a record, or what is wrong with it.
type preparedCredential struct {
	record *consumer.CredentialRecord
	// given: its id was told, not made here. enabled: whether it counts was told.
	given, enabled bool
	err            error
}

func (k *Keyring) prepareAll(ctx context.Context, imports []Import) ([]preparedImport, error) {
	prepared := make([]preparedImport, len(imports))
	for i := range imports {
		prepared[i].Import = imports[i]
		for _, c := range imports[i].Credentials {
			one, err := k.prepareOne(ctx, imports[i].Consumer.Name, &c)
			if err != nil {
				return nil, err
			}
			prepared[i].credentials = append(prepared[i].credentials, *one)
		}
	}
	return prepared, nil
}

// prepareOne reads a credential. A password that is the one that is held
// already gets the hash that it has, so that it counts as equal.
func (k *Keyring) prepareOne(ctx context.Context, owner string, c *rules.Credential) (*preparedCredential, error) {
	proof, problems := c.Read(rules.Written{Issuers: k.issuers()})
	if err := invalid(problems); err != nil {
		record := &consumer.CredentialRecord{Credential: access.Credential{ID: c.ID, Kind: c.Kind}}
		return &preparedCredential{record: record, given: c.ID != "", err: err}, nil //nolint:nilerr // it is what becomes of the item
	}
	if !proof.Plain.Empty() {
		held, err := k.heldPassword(ctx, proof)
		if err != nil {
			return nil, err
		}
		if !held.Empty() {
			proof.Password, proof.Plain = held, access.Secret{}
		}
	}
	record, err := k.record(owner, c, proof)
	return &preparedCredential{record: record, given: c.ID != "", enabled: c.Enabled != nil}, err
}

// heldPassword is the hash of the same password of the same username; empty if
// there is none.
func (k *Keyring) heldPassword(ctx context.Context, proof *rules.Proof) (access.Secret, error) {
	found, err := k.ledger.Find(ctx, proof.Reference)
	if exists, err := is(err); !exists {
		return access.Secret{}, err
	}
	same, err := password.Verify(found.Password, proof.Plain.Reveal())
	if err != nil || !same {
		return access.Secret{}, err
	}
	return found.Password, nil
}

// credential applies one credential of a consumer; nil: that failed already.
func (a *applying) credential(ctx context.Context, owner *consumer.Record, p *preparedCredential) error {
	item := Item{Kind: "credential", ID: p.record.ID, Credential: p.record.Kind}
	if owner != nil {
		item.Consumer = owner.Name
	}
	if p.err != nil {
		return a.tell(item, "", p.err)
	}
	if owner == nil {
		return a.tell(item, "", conflict("credential", item.ID, "goes with a consumer that failed"))
	}
	record := *p.record
	record.Consumer = owner.Name
	result, err := a.applyCredential(ctx, owner, &record, p)
	item.ID = record.ID
	return a.tell(item, result, err)
}

// applyCredential makes the ledger hold a credential. One without an id is that
// which has its reference.
func (a *applying) applyCredential(ctx context.Context, owner *consumer.Record, c *consumer.CredentialRecord, p *preparedCredential) (Result, error) {
	held, err := a.w.Find(ctx, c.Reference)
	taken, err := is(err)
	if err != nil {
		return "", err
	}
	if taken && !p.given {
		c.ID = held.Credential.ID
	}
	if err := a.once("credential", c.ID); err != nil {
		return "", err
	}
	if err := a.first("credential", c.ID, fmt.Sprintf("%q", c.Reference)); err != nil {
		return "", err
	}
	if taken && held.Credential.ID != c.ID {
		return "", conflict("credential", c.ID, "is %s already, of consumer %s", held.Credential.ID, held.Consumer.Name)
	}
	was, err := a.w.Credential(ctx, c.ID)
	switch exists, err := is(err); {
	case err != nil:
		return "", err
	case !exists:
		return Created, a.insert(ctx, a.w, c, owner.Environment, "import")
	case was.Consumer != owner.Name:
		return "", conflict("credential", c.ID, "is one of consumer %s", was.Consumer)
	case !was.RevokedAt.IsZero():
		return Skipped, nil
	}
	if !p.enabled {
		c.Enabled = was.Enabled
	}
	if taken && sameProof(was, held, c) {
		return a.rewrite(ctx, was, c)
	}
	return Updated, a.replace(ctx, was, c)
}

// sameProof reports whether what verifies a credential is the same.
func sameProof(was *consumer.CredentialRecord, held *consumer.Found, c *consumer.CredentialRecord) bool {
	return was.Kind == c.Kind && was.Algorithm == c.Algorithm && slices.Equal(was.Algorithms, c.Algorithms) && was.PublicKey == c.PublicKey &&
		held.Secret.Equal(c.Secret.Reveal()) && held.Password.Equal(c.Password.Reveal())
}

// rewrite gives a credential the settings that were told. A key that is on its
// way out stays so.
func (a *applying) rewrite(ctx context.Context, was, told *consumer.CredentialRecord) (Result, error) {
	now := *was
	now.Label, now.Enabled, now.Scopes, now.Constraints = told.Label, told.Enabled, told.Scopes, told.Constraints
	if was.ReplacedBy == "" {
		now.ExpiresAt = told.ExpiresAt
	}
	written, err := rewriteCredential(ctx, a.w, was, &now, &consumer.AuditRecord{Action: "import"})
	if err == nil && written == was {
		return Unchanged, nil
	}
	return Updated, err
}

// replace puts a credential with another proof in the place of one.
func (a *applying) replace(ctx context.Context, was, now *consumer.CredentialRecord) error {
	if err := a.w.DeleteCredential(ctx, was.ID, was.Version); err != nil {
		return err
	}
	if err := a.w.InsertCredential(ctx, now); err != nil {
		return err
	}
	return note(ctx, a.w, &consumer.AuditRecord{Action: "import", Kind: "credential", Target: now.ID}, documentOfCredential(was), documentOfCredential(now))
}
