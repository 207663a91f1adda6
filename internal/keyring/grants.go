package keyring

import (
	"context"
	"encoding/hex"
	"fmt"
	"io"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// maxGrantTries is how many ids are tried for a grant: among a million grants
// one try in 4,000 finds its id taken.
const maxGrantTries = 8

// CreateGrant makes a grant, its consumer and its first key.
func (k *Keyring) CreateGrant(ctx context.Context, by consumer.Author, application string, g NewGrant) (*Granted, error) {
	if err := g.check(); err != nil {
		return nil, err
	}
	var made *Granted
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		of, err := w.Application(ctx, application)
		if err != nil {
			return nil, err
		}
		made, err = k.newGrant(ctx, w, of, &g)
		if err != nil {
			return nil, err
		}
		return made, k.insertGrant(ctx, w, made)
	})
	if err != nil {
		return nil, err
	}
	made.Issued.Sequence = upto
	return made, nil
}

func (g *NewGrant) check() error {
	var problems []Problem
	if !consumer.ValidName(g.API) {
		problems = append(problems, Problem{Field: "api", Text: "expected 1 to 128 ASCII letters, digits, '.', '_' and '-'"})
	}
	if !rules.ValidEnvironment(g.Environment) {
		problems = append(problems, Problem{Field: "environment", Text: "expected lower-case letters, digits and -, at most 32"})
	}
	return invalid(problems)
}

// newGrant prepares all three records.
func (k *Keyring) newGrant(ctx context.Context, r consumer.Reader, of *consumer.Application, g *NewGrant) (*Granted, error) {
	id, err := k.grantID(ctx, r)
	if err != nil {
		return nil, err
	}
	name := fmt.Sprintf("%s-%s-%s", of.Name, g.Environment, id)
	if err := k.changeable(name); err != nil {
		return nil, err
	}
	owner := &consumer.Record{Grant: id}
	if err := k.fill(ctx, r, owner, &rules.Consumer{
		Name: name, DisplayName: of.DisplayName, Environment: g.Environment, Plan: g.Plan, Groups: g.Groups, Roles: g.Roles,
		Labels: map[string]string{"application": of.Name, "api": g.API},
	}); err != nil {
		return nil, err
	}
	issued, err := k.prepare(owner, &rules.Credential{Kind: access.KindAPIKey, Scopes: g.Scopes, ExpiresAt: g.ExpiresAt, Constraints: g.Constraints})
	if err != nil {
		return nil, err
	}
	grant := &consumer.Grant{ID: id, Application: of.Name, API: g.API, Environment: g.Environment, Consumer: name}
	return &Granted{Grant: grant, Consumer: owner, Issued: issued}, nil
}

// grantID is one that no grant has.
func (k *Keyring) grantID(ctx context.Context, r consumer.Reader) (string, error) {
	for range maxGrantTries {
		var random [4]byte
		if _, err := io.ReadFull(k.options.Random, random[:]); err != nil {
			return "", fmt.Errorf("reading randomness: %w", err)
		}
		id := hex.EncodeToString(random[:])
		_, err := r.Grant(ctx, id)
		if taken, err := is(err); !taken {
			return id, err
		}
	}
	return "", fmt.Errorf("no free id for a grant in %d tries", maxGrantTries)
}

func (k *Keyring) insertGrant(ctx context.Context, w consumer.Writer, g *Granted) error {
	if err := w.InsertGrant(ctx, g.Grant); err != nil {
		return err
	}
	if err := note(ctx, w, &consumer.AuditRecord{Action: "create", Kind: "grant", Target: g.ID}, nil, documentOfGrant(g.Grant)); err != nil {
		return err
	}
	if err := insertConsumer(ctx, w, g.Consumer, "create"); err != nil {
		return err
	}
	return k.insert(ctx, w, g.Issued.CredentialRecord, g.Environment, "create")
}

// Grant finds one of an application's; an empty application is any.
func (k *Keyring) Grant(ctx context.Context, application, id string) (*consumer.Grant, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.Grant, error) { return grantOf(ctx, r, application, id) })
}

func grantOf(ctx context.Context, r consumer.Reader, application, id string) (*consumer.Grant, error) {
	grant, err := r.Grant(ctx, id)
	if err == nil && application != "" && consumer.NameReference(application) != consumer.NameReference(grant.Application) {
		return nil, outcome("grant", id, consumer.ErrNotFound)
	}
	return grant, err
}

// Grants lists those of an application, or all. Those of an application that
// there is not are ErrNotFound.
func (k *Keyring) Grants(ctx context.Context, application string, p consumer.Page) ([]*consumer.Grant, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.Grant, error) {
		if application != "" {
			if _, err := r.Application(ctx, application); err != nil {
				return nil, err
			}
		}
		return r.Grants(ctx, application, p)
	})
}

// DeleteGrant takes the grant away with its consumer and keys. An empty
// application is any.
func (k *Keyring) DeleteGrant(ctx context.Context, by consumer.Author, application, id string, version int64) (consumer.Sequence, error) {
	return k.change(ctx, by, func(w consumer.Writer) (any, error) {
		grant, err := grantOf(ctx, w, application, id)
		if err != nil {
			return nil, err
		}
		return nil, k.deleteGrant(ctx, w, grant, version)
	})
}

func (k *Keyring) deleteGrant(ctx context.Context, w consumer.Writer, g *consumer.Grant, version int64) error {
	if err := k.changeable(g.Consumer); err != nil {
		return err
	}
	owner, err := w.Consumer(ctx, g.Consumer)
	if err != nil {
		return err
	}
	if err := deleteConsumer(ctx, w, owner, 0); err != nil {
		return err
	}
	if err := w.DeleteGrant(ctx, g.ID, version); err != nil {
		return err
	}
	return note(ctx, w, &consumer.AuditRecord{Action: "delete", Kind: "grant", Target: g.ID}, documentOfGrant(g), nil)
}
