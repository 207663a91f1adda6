package keyring

import (
	"context"
	"maps"
	"slices"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// CreateConsumer makes a consumer.
func (k *Keyring) CreateConsumer(ctx context.Context, by consumer.Author, c rules.Consumer) (*consumer.Record, consumer.Sequence, error) {
	if err := k.changeable(c.Name); err != nil {
		return nil, 0, err
	}
	var made *consumer.Record
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		made = &consumer.Record{}
		if err := k.fill(ctx, w, made, &c); err != nil {
			return nil, err
		}
		return made, insertConsumer(ctx, w, made, "create")
	})
	return made, upto, err
}

// fill puts a declaration into a record, if the rules have it.
func (k *Keyring) fill(ctx context.Context, r consumer.Reader, into *consumer.Record, c *rules.Consumer) error {
	owner, problems := c.Read(rules.Written{})
	if c.Plan != "" && consumer.ValidName(c.Plan) {
		known, err := k.planned(ctx, r, c.Plan)
		switch {
		case err != nil:
			return err
		case !known:
			problems = append(problems, Problem{Field: "plan", Text: "is not the name of a plan"})
		}
	}
	into.Consumer, into.Plan = *owner, c.Plan
	return invalid(problems)
}

// planned reports whether there is a plan, here or in the configuration.
func (k *Keyring) planned(ctx context.Context, r consumer.Reader, name string) (bool, error) {
	if k.options.Plans != nil && k.options.Plans(name) {
		return true, nil
	}
	_, err := r.Plan(ctx, name)
	return is(err)
}

func insertConsumer(ctx context.Context, w consumer.Writer, r *consumer.Record, action string) error {
	if err := w.InsertConsumer(ctx, r); err != nil {
		return err
	}
	return note(ctx, w, &consumer.AuditRecord{Action: action, Kind: "consumer", Target: r.Name}, nil, documentOfConsumer(r))
}

// Consumer finds one by name.
func (k *Keyring) Consumer(ctx context.Context, name string) (*consumer.Record, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.Record, error) { return r.Consumer(ctx, name) })
}

// Consumers lists.
func (k *Keyring) Consumers(ctx context.Context, q consumer.ConsumerQuery) ([]*consumer.Record, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.Record, error) { return r.Consumers(ctx, q) })
}

// UpdateConsumer hands the consumer as it is declared now to change, and writes
// what that made of it. Its name stays; so does its environment once it has
// credentials, since their keys name it.
func (k *Keyring) UpdateConsumer(ctx context.Context, by consumer.Author, name string, version int64, change func(*rules.Consumer) error) (*consumer.Record, consumer.Sequence, error) {
	return k.updateConsumer(ctx, by, name, version, "update", change)
}

// EnableConsumer lets its credentials count again.
func (k *Keyring) EnableConsumer(ctx context.Context, by consumer.Author, name string, version int64) (*consumer.Record, consumer.Sequence, error) {
	return k.updateConsumer(ctx, by, name, version, "enable", enabledAs(true))
}

// DisableConsumer lets none of its credentials count.
func (k *Keyring) DisableConsumer(ctx context.Context, by consumer.Author, name string, version int64) (*consumer.Record, consumer.Sequence, error) {
	return k.updateConsumer(ctx, by, name, version, "disable", enabledAs(false))
}

func enabledAs(enabled bool) func(*rules.Consumer) error {
	return func(c *rules.Consumer) error {
		c.Enabled = &enabled
		return nil
	}
}

func (k *Keyring) updateConsumer(ctx context.Context, by consumer.Author, name string, version int64, action string, change func(*rules.Consumer) error) (*consumer.Record, consumer.Sequence, error) {
	if err := k.changeable(name); err != nil {
		return nil, 0, err
	}
	var now *consumer.Record
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Consumer(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := expect("consumer", was.Name, was.Version, version); err != nil {
			return nil, err
		}
		declared := declaredConsumer(was)
		if err := change(declared); err != nil {
			return nil, err
		}
		now, err = k.rewriteConsumer(ctx, w, was, declared, action)
		return now, err
	})
	return now, upto, err
}

// declaredConsumer is the record in the words of a declaration. Nothing in it
// is shared with the record.
func declaredConsumer(r *consumer.Record) *rules.Consumer {
	enabled := r.Enabled
	return &rules.Consumer{
		Name: r.Name, DisplayName: r.DisplayName, Enabled: &enabled, Environment: r.Environment,
		Labels: maps.Clone(r.Labels), Groups: slices.Clone(r.Groups), Roles: slices.Clone(r.Roles), Attributes: maps.Clone(r.Attributes),
		Plan: r.Plan, Constraints: declaredConstraints(r.Constraints),
	}
}

// rewriteConsumer makes a record what is declared, unless it is that already.
func (k *Keyring) rewriteConsumer(ctx context.Context, w consumer.Writer, was *consumer.Record, declared *rules.Consumer, action string) (*consumer.Record, error) {
	now := *was
	declared.Name = was.Name
	if err := k.fill(ctx, w, &now, declared); err != nil {
		return nil, err
	}
	before, after := documentOfConsumer(was), documentOfConsumer(&now)
	if same, err := equal(before, after); same || err != nil {
		return was, err
	}
	if now.Environment != was.Environment {
		if err := movable(ctx, w, was); err != nil {
			return nil, err
		}
	}
	if err := w.UpdateConsumer(ctx, &now); err != nil {
		return nil, err
	}
	return &now, note(ctx, w, &consumer.AuditRecord{Action: action, Kind: "consumer", Target: now.Name}, before, after)
}

// equal compares documents.
func equal(before, after any) (bool, error) {
	was, err := text(before)
	if err != nil {
		return false, err
	}
	now, err := text(after)
	return was == now, err
}

// movable reports whether a consumer can go to another environment. A key that
// was made for one must never count in another.
func movable(ctx context.Context, r consumer.Reader, c *consumer.Record) error {
	if c.Grant != "" {
		return conflict("consumer", c.Name, "belongs to the grant %s, and so does its environment", c.Grant)
	}
	has, err := r.Credentials(ctx, consumer.CredentialQuery{Consumer: c.Name, Page: consumer.Page{Limit: 1}})
	if err == nil && len(has) > 0 {
		return conflict("consumer", c.Name, "has credentials for its environment; delete them first")
	}
	return err
}

// DeleteConsumer deletes it with its credentials. One that a grant made goes
// with the grant.
func (k *Keyring) DeleteConsumer(ctx context.Context, by consumer.Author, name string, version int64) (consumer.Sequence, error) {
	if err := k.changeable(name); err != nil {
		return 0, err
	}
	return k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Consumer(ctx, name)
		if err != nil {
			return nil, err
		}
		if was.Grant != "" {
			return nil, conflict("consumer", was.Name, "belongs to the grant %s; delete that", was.Grant)
		}
		return nil, deleteConsumer(ctx, w, was, version)
	})
}

// deleteConsumer notes which credentials went with it.
func deleteConsumer(ctx context.Context, w consumer.Writer, was *consumer.Record, version int64) error {
	document := documentOfConsumer(was)
	err := eachCredential(ctx, w, was.Name, func(c *consumer.CredentialRecord) { document.Credentials = append(document.Credentials, c.ID) })
	if err != nil {
		return err
	}
	if err := w.DeleteConsumer(ctx, was.Name, version); err != nil {
		return err
	}
	return note(ctx, w, &consumer.AuditRecord{Action: "delete", Kind: "consumer", Target: was.Name}, document, nil)
}
