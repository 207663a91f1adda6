package keyring

import (
	"context"
	"maps"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// maxApplicationName leaves room for environment and grant in the name of a
// grant's consumer.
const maxApplicationName = 64

// CreateApplication makes an application.
func (k *Keyring) CreateApplication(ctx context.Context, by consumer.Author, name string, a ApplicationChange) (*consumer.Application, consumer.Sequence, error) {
	problems := a.problems()
	if !consumer.ValidName(name) || len(name) > maxApplicationName {
		problems = append(problems, Problem{Field: "name", Text: "expected 1 to 64 ASCII letters, digits, '.', '_' and '-'"})
	}
	if err := invalid(problems); err != nil {
		return nil, 0, err
	}
	var made *consumer.Application
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		made = &consumer.Application{Name: name, DisplayName: a.DisplayName, Owner: a.Owner, Labels: a.Labels}
		if err := w.InsertApplication(ctx, made); err != nil {
			return nil, err
		}
		return made, note(ctx, w, &consumer.AuditRecord{Action: "create", Kind: "application", Target: name}, nil, documentOfApplication(made))
	})
	return made, upto, err
}

func (a *ApplicationChange) problems() []Problem {
	problems := rules.Text("display_name", a.DisplayName)
	problems = append(problems, rules.Text("owner", a.Owner)...)
	return append(problems, rules.Labels(a.Labels)...)
}

// Application finds one by name.
func (k *Keyring) Application(ctx context.Context, name string) (*consumer.Application, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.Application, error) { return r.Application(ctx, name) })
}

// Applications lists.
func (k *Keyring) Applications(ctx context.Context, p consumer.Page) ([]*consumer.Application, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.Application, error) { return r.Applications(ctx, p) })
}

// UpdateApplication hands the application as it is now to change, and writes
// what that made of it. Its name stays.
func (k *Keyring) UpdateApplication(ctx context.Context, by consumer.Author, name string, version int64, change func(*ApplicationChange) error) (*consumer.Application, consumer.Sequence, error) {
	var now *consumer.Application
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Application(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := expect("application", was.Name, was.Version, version); err != nil {
			return nil, err
		}
		a := ApplicationChange{DisplayName: was.DisplayName, Owner: was.Owner, Labels: maps.Clone(was.Labels)}
		if err := change(&a); err != nil {
			return nil, err
		}
		now, err = rewriteApplication(ctx, w, was, &a)
		return now, err
	})
	return now, upto, err
}

func rewriteApplication(ctx context.Context, w consumer.Writer, was *consumer.Application, a *ApplicationChange) (*consumer.Application, error) {
	if err := invalid(a.problems()); err != nil {
		return nil, err
	}
	now := *was
	now.DisplayName, now.Owner, now.Labels = a.DisplayName, a.Owner, a.Labels
	before, after := documentOfApplication(was), documentOfApplication(&now)
	if same, err := equal(before, after); same || err != nil {
		return was, err
	}
	if err := w.UpdateApplication(ctx, &now); err != nil {
		return nil, err
	}
	return &now, note(ctx, w, &consumer.AuditRecord{Action: "update", Kind: "application", Target: now.Name}, before, after)
}

// DeleteApplication deletes it. One with grants is an ErrState unless cascade
// takes these away, too.
func (k *Keyring) DeleteApplication(ctx context.Context, by consumer.Author, name string, version int64, cascade bool) (consumer.Sequence, error) {
	return k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Application(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := k.deleteGrants(ctx, w, was.Name, cascade); err != nil {
			return nil, err
		}
		if err := w.DeleteApplication(ctx, was.Name, version); err != nil {
			return nil, err
		}
		return nil, note(ctx, w, &consumer.AuditRecord{Action: "delete", Kind: "application", Target: was.Name}, documentOfApplication(was), nil)
	})
}

// deleteGrants takes all grants of an application away, page by page.
func (k *Keyring) deleteGrants(ctx context.Context, w consumer.Writer, application string, cascade bool) error {
	for {
		grants, err := w.Grants(ctx, application, consumer.Page{Limit: maxPage})
		if err != nil || len(grants) == 0 {
			return err
		}
		if !cascade {
			return conflict("application", application, "has grants; delete them first, or with it")
		}
		for _, g := range grants {
			if err := k.deleteGrant(ctx, w, g, 0); err != nil {
				return err
			}
		}
	}
}
