package keyring

import (
	"context"
	"slices"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// maxPage is consumer.Page's greatest limit.
const maxPage = 1000

// CreateCredential makes a credential of any kind. An API key without Key and
// KeySHA256 is made here, and shown in what is returned alone.
func (k *Keyring) CreateCredential(ctx context.Context, by consumer.Author, owner string, c rules.Credential) (*Issued, error) {
	if err := k.changeable(owner); err != nil {
		return nil, err
	}
	of, err := k.Consumer(ctx, owner)
	if err != nil {
		return nil, err
	}
	issued, err := k.prepare(of, &c)
	if err != nil {
		return nil, err
	}
	issued.Sequence, err = k.change(ctx, by, func(w consumer.Writer) (any, error) {
		record := *issued.CredentialRecord
		issued.CredentialRecord = &record
		return issued, k.insert(ctx, w, issued.CredentialRecord, of.Environment, "create")
	})
	if err != nil {
		return nil, err
	}
	return issued, nil
}

// insert adds a credential to its consumer, if that may have one more and is
// still of the environment that the credential was made for.
func (k *Keyring) insert(ctx context.Context, w consumer.Writer, c *consumer.CredentialRecord, environment, action string) error {
	owner, err := w.Consumer(ctx, c.Consumer)
	if err != nil {
		return err
	}
	if owner.Environment != environment {
		return outcome("consumer", owner.Name, consumer.ErrVersion)
	}
	if err := k.room(ctx, w, owner.Name); err != nil {
		return err
	}
	if err := w.InsertCredential(ctx, c); err != nil {
		return err
	}
	return note(ctx, w, &consumer.AuditRecord{Action: action, Kind: "credential", Target: c.ID}, nil, documentOfCredential(c))
}

// room reports whether a consumer may have one more credential. Rotating ones
// do not count, so that a rotation is always possible.
func (k *Keyring) room(ctx context.Context, r consumer.Reader, owner string) error {
	counts, err := k.count(ctx, r, owner)
	if err == nil && counts[consumer.StatusActive]+counts[consumer.StatusDisabled] >= k.options.MaxCredentials {
		return outcome("consumer", owner, ErrTooMany)
	}
	return err
}

// roomToRotate bounds the keys on their way out to as many again.
func (k *Keyring) roomToRotate(ctx context.Context, r consumer.Reader, owner string) error {
	counts, err := k.count(ctx, r, owner)
	if err == nil && counts[consumer.StatusRotating] >= k.options.MaxCredentials {
		return outcome("consumer", owner, ErrTooMany)
	}
	return err
}

func (k *Keyring) count(ctx context.Context, r consumer.Reader, owner string) (map[consumer.Status]int, error) {
	counts, now := map[consumer.Status]int{}, k.now()
	err := eachCredential(ctx, r, owner, func(c *consumer.CredentialRecord) { counts[c.Status(now)]++ })
	return counts, err
}

// eachCredential goes through all credentials of a consumer.
func eachCredential(ctx context.Context, r consumer.Reader, owner string, do func(*consumer.CredentialRecord)) error {
	q := consumer.CredentialQuery{Consumer: owner, Page: consumer.Page{Limit: maxPage}}
	for {
		list, err := r.Credentials(ctx, q)
		for _, c := range list {
			do(c)
			q.After = c.ID
		}
		if err != nil || len(list) < maxPage {
			return err
		}
	}
}

// Credential finds one by id.
func (k *Keyring) Credential(ctx context.Context, id string) (*consumer.CredentialRecord, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.CredentialRecord, error) { return r.Credential(ctx, id) })
}

// Credentials lists. Of a consumer that there is not, that is ErrNotFound.
func (k *Keyring) Credentials(ctx context.Context, q consumer.CredentialQuery) ([]*consumer.CredentialRecord, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.CredentialRecord, error) {
		if q.Consumer != "" {
			if _, err := r.Consumer(ctx, q.Consumer); err != nil {
				return nil, err
			}
		}
		return r.Credentials(ctx, q)
	})
}

// UpdateCredential hands the settings as they are now to change, and writes
// what that made of them. This alone can lengthen a life, though not of a key
// that was rotated.
func (k *Keyring) UpdateCredential(ctx context.Context, by consumer.Author, id string, version int64, change func(*Settings) error) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return k.updateCredential(ctx, by, id, version, "update", func(c *consumer.CredentialRecord) error {
		settings := &Settings{Label: c.Label, Scopes: slices.Clone(c.Scopes), ExpiresAt: c.ExpiresAt, Constraints: declaredConstraints(c.Constraints)}
		if err := change(settings); err != nil {
			return err
		}
		if err := lengthened(c, settings.ExpiresAt); err != nil {
			return err
		}
		constraints, problems := settings.Read()
		c.Label, c.Scopes, c.ExpiresAt, c.Constraints = settings.Label, settings.Scopes, toMicrosecond(settings.ExpiresAt), constraints
		return invalid(problems)
	})
}

// lengthened refuses a later end to a key that was replaced: the end of its
// grace stands, and what has ended is not brought back.
func lengthened(c *consumer.CredentialRecord, end time.Time) error {
	if c.ReplacedBy == "" || c.ExpiresAt.IsZero() || !end.IsZero() && !end.After(c.ExpiresAt) {
		return nil
	}
	return conflict("credential", c.ID, "was replaced by %s, so its end can't be put off", c.ReplacedBy)
}

// EnableCredential lets it count again.
func (k *Keyring) EnableCredential(ctx context.Context, by consumer.Author, id string, version int64) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return k.updateCredential(ctx, by, id, version, "enable", func(c *consumer.CredentialRecord) error {
		c.Enabled = true
		return nil
	})
}

// DisableCredential lets it not count until it is enabled.
func (k *Keyring) DisableCredential(ctx context.Context, by consumer.Author, id string, version int64) (*consumer.CredentialRecord, consumer.Sequence, error) {
	return k.updateCredential(ctx, by, id, version, "disable", func(c *consumer.CredentialRecord) error {
		c.Enabled = false
		return nil
	})
}

// updateCredential changes one that was not revoked: that is final.
func (k *Keyring) updateCredential(ctx context.Context, by consumer.Author, id string, version int64, action string, change func(*consumer.CredentialRecord) error) (*consumer.CredentialRecord, consumer.Sequence, error) {
	var now *consumer.CredentialRecord
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := k.held(ctx, w, id, version)
		if err != nil {
			return nil, err
		}
		if !was.RevokedAt.IsZero() {
			return nil, conflict("credential", id, "was revoked, which is final")
		}
		changed := *was
		if err := change(&changed); err != nil {
			return nil, err
		}
		now, err = rewriteCredential(ctx, w, was, &changed, &consumer.AuditRecord{Action: action})
		return now, err
	})
	return now, upto, err
}

// held finds a credential that may be changed here.
func (k *Keyring) held(ctx context.Context, r consumer.Reader, id string, version int64) (*consumer.CredentialRecord, error) {
	c, err := r.Credential(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := k.changeable(c.Consumer); err != nil {
		return nil, err
	}
	return c, expect("credential", c.ID, c.Version, version)
}

// rewriteCredential writes a credential unless nothing was changed.
func rewriteCredential(ctx context.Context, w consumer.Writer, was, now *consumer.CredentialRecord, a *consumer.AuditRecord) (*consumer.CredentialRecord, error) {
	before, after := documentOfCredential(was), documentOfCredential(now)
	if same, err := equal(before, after); same || err != nil {
		return was, err
	}
	if err := w.UpdateCredential(ctx, now); err != nil {
		return nil, err
	}
	a.Kind, a.Target = "credential", now.ID
	return now, note(ctx, w, a, before, after)
}

// DeleteCredential deletes it.
func (k *Keyring) DeleteCredential(ctx context.Context, by consumer.Author, id string, version int64) (consumer.Sequence, error) {
	return k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := k.held(ctx, w, id, version)
		if err != nil {
			return nil, err
		}
		if err := w.DeleteCredential(ctx, id, version); err != nil {
			return nil, err
		}
		return nil, note(ctx, w, &consumer.AuditRecord{Action: "delete", Kind: "credential", Target: id}, documentOfCredential(was), nil)
	})
}
