package keyring

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
)

// What a plan may hold: a rate is counted in memory, so its period is short;
// longer ones are quotas.
const (
	maxLimits = 16
	maxCount  = 1 << 53 // what a JSON number can carry
	minPeriod = time.Millisecond
	maxPeriod = 24 * time.Hour
)

// periods are those of a quota.
var periods = []string{"hour", "day", "week", "month", "year"}

// CreatePlan makes a plan.
func (k *Keyring) CreatePlan(ctx context.Context, by consumer.Author, name string, p PlanChange) (*consumer.Plan, consumer.Sequence, error) {
	problems := p.problems()
	if !consumer.ValidName(name) {
		problems = append(problems, Problem{Field: "name", Text: "expected 1 to 128 ASCII letters, digits, '.', '_' and '-'"})
	}
	if err := invalid(problems); err != nil {
		return nil, 0, err
	}
	if k.options.Plans != nil && k.options.Plans(name) {
		return nil, 0, outcome("plan", name, ErrDeclared)
	}
	var made *consumer.Plan
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		made = &consumer.Plan{Name: name, DisplayName: p.DisplayName, Rates: p.Rates, Quotas: p.Quotas}
		if err := w.InsertPlan(ctx, made); err != nil {
			return nil, err
		}
		return made, note(ctx, w, &consumer.AuditRecord{Action: "create", Kind: "plan", Target: name}, nil, documentOfPlan(made))
	})
	return made, upto, err
}

func (p *PlanChange) problems() []Problem {
	problems := rules.Text("display_name", p.DisplayName)
	if len(p.Rates) > maxLimits || len(p.Quotas) > maxLimits {
		return append(problems, Problem{Text: fmt.Sprintf("expected at most %d rates and as many quotas", maxLimits)})
	}
	for i, r := range p.Rates {
		field := fmt.Sprintf("rates[%d]", i)
		problems = append(problems, within(field+".count", r.Count, 1)...)
		problems = append(problems, within(field+".burst", r.Burst, 0)...)
		if r.Period < minPeriod || r.Period > maxPeriod {
			problems = append(problems, Problem{Field: field + ".period", Text: fmt.Sprintf("expected %s to %s", minPeriod, maxPeriod)})
		}
	}
	for i, q := range p.Quotas {
		field := fmt.Sprintf("quotas[%d]", i)
		problems = append(problems, within(field+".count", q.Count, 1)...)
		if !slices.Contains(periods, q.Period) {
			problems = append(problems, Problem{Field: field + ".period", Text: "expected " + strings.Join(periods, ", ")})
		}
	}
	return problems
}

func within(field string, count, least int64) []Problem {
	if count < least || count > maxCount {
		return []Problem{{Field: field, Text: fmt.Sprintf("expected %d to %d", least, int64(maxCount))}}
	}
	return nil
}

// Plan finds one by name.
func (k *Keyring) Plan(ctx context.Context, name string) (*consumer.Plan, error) {
	return read(ctx, k, func(r consumer.Reader) (*consumer.Plan, error) { return r.Plan(ctx, name) })
}

// Plans lists.
func (k *Keyring) Plans(ctx context.Context, p consumer.Page) ([]*consumer.Plan, error) {
	return read(ctx, k, func(r consumer.Reader) ([]*consumer.Plan, error) { return r.Plans(ctx, p) })
}

// UpdatePlan hands the plan as it is now to change, and writes what that made
// of it. Its name stays.
func (k *Keyring) UpdatePlan(ctx context.Context, by consumer.Author, name string, version int64, change func(*PlanChange) error) (*consumer.Plan, consumer.Sequence, error) {
	var now *consumer.Plan
	upto, err := k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Plan(ctx, name)
		if err != nil {
			return nil, err
		}
		if err := expect("plan", was.Name, was.Version, version); err != nil {
			return nil, err
		}
		p := PlanChange{DisplayName: was.DisplayName, Rates: slices.Clone(was.Rates), Quotas: slices.Clone(was.Quotas)}
		if err := change(&p); err != nil {
			return nil, err
		}
		now, err = rewritePlan(ctx, w, was, &p)
		return now, err
	})
	return now, upto, err
}

func rewritePlan(ctx context.Context, w consumer.Writer, was *consumer.Plan, p *PlanChange) (*consumer.Plan, error) {
	if err := invalid(p.problems()); err != nil {
		return nil, err
	}
	now := *was
	now.DisplayName, now.Rates, now.Quotas = p.DisplayName, p.Rates, p.Quotas
	before, after := documentOfPlan(was), documentOfPlan(&now)
	if same, err := equal(before, after); same || err != nil {
		return was, err
	}
	if err := w.UpdatePlan(ctx, &now); err != nil {
		return nil, err
	}
	return &now, note(ctx, w, &consumer.AuditRecord{Action: "update", Kind: "plan", Target: now.Name}, before, after)
}

// DeletePlan deletes it. One that consumers are on is an ErrState: without it
// they would have no limits.
func (k *Keyring) DeletePlan(ctx context.Context, by consumer.Author, name string, version int64) (consumer.Sequence, error) {
	return k.change(ctx, by, func(w consumer.Writer) (any, error) {
		was, err := w.Plan(ctx, name)
		if err != nil {
			return nil, err
		}
		on, err := w.Consumers(ctx, consumer.ConsumerQuery{Plan: was.Name, Page: consumer.Page{Limit: 1}})
		if err != nil {
			return nil, err
		}
		if len(on) > 0 {
			return nil, conflict("plan", was.Name, "has consumers on it, such as %s", on[0].Name)
		}
		if err := w.DeletePlan(ctx, was.Name, version); err != nil {
			return nil, err
		}
		return nil, note(ctx, w, &consumer.AuditRecord{Action: "delete", Kind: "plan", Target: was.Name}, documentOfPlan(was), nil)
	})
}
