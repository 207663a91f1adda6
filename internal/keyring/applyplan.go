package keyring

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
)

// plan makes or changes the plan that comes with a consumer, once for all that
// share it.
func (a *applying) plan(ctx context.Context, p *consumer.Plan) error {
	if p == nil {
		return nil
	}
	if told := a.plans[p.Name]; told != nil {
		return a.samePlan(told, p)
	}
	a.plans[p.Name] = p
	item := Item{Kind: "plan", ID: p.Name}
	result, err := a.applyPlan(ctx, p)
	return a.tell(item, result, err)
}

// samePlan refuses two plans of one name: whichever came second would be lost.
func (a *applying) samePlan(told, p *consumer.Plan) error {
	same, err := equal(documentOfPlan(told), documentOfPlan(p))
	if err != nil || same {
		return err
	}
	return a.tell(Item{Kind: "plan", ID: p.Name}, "", conflict("plan", p.Name, "stands in the import already, with other limits"))
}

func (a *applying) applyPlan(ctx context.Context, p *consumer.Plan) (Result, error) {
	told := &PlanChange{DisplayName: p.DisplayName, Rates: p.Rates, Quotas: p.Quotas}
	if err := invalid(told.problems()); err != nil {
		return "", err
	}
	if a.options.Plans != nil && a.options.Plans(p.Name) {
		return "", outcome("plan", p.Name, ErrDeclared)
	}
	was, err := a.w.Plan(ctx, p.Name)
	exists, err := is(err)
	switch {
	case err != nil:
		return "", err
	case !exists:
		made := &consumer.Plan{Name: p.Name, DisplayName: p.DisplayName, Rates: p.Rates, Quotas: p.Quotas}
		if err := a.w.InsertPlan(ctx, made); err != nil {
			return "", err
		}
		return Created, note(ctx, a.w, &consumer.AuditRecord{Action: "import", Kind: "plan", Target: made.Name}, nil, documentOfPlan(made))
	}
	now, err := rewritePlan(ctx, a.w, was, told)
	if now == was {
		return Unchanged, err
	}
	return Updated, err
}
