package importer

import (
	"context"
	"fmt"
	"io"

	"github.com/postern-authz/postern/internal/consumer"
)

// exportPlans writes the plans as a comment.
func exportPlans(ctx context.Context, r consumer.Reader, w io.Writer) error {
	plans := map[string]any{}
	page := consumer.Page{Limit: exportPage}
	for {
		list, err := r.Plans(ctx, page)
		if err != nil {
			return fmt.Errorf("list plans: %w", err)
		}
		for _, p := range list {
			plans[p.Name] = planOf(p)
			page.After = p.Name
		}
		if len(list) < exportPage {
			break
		}
	}
	if len(plans) == 0 {
		return nil
	}
	text, err := yamlOf(map[string]any{"limits": map[string]any{"plans": plans}})
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, "# The plans, for the configuration:\n"+indent(text, "#   "))
	return err
}

func planOf(p *consumer.Plan) mapping {
	m := mapping{}
	var rates, quotas []any
	for _, r := range p.Rates {
		rate := mapping{}
		rate.set("count", r.Count, true)
		rate.text("period", r.Period.String())
		rate.set("burst", r.Burst, r.Burst > 0)
		rates = append(rates, rate)
	}
	for _, q := range p.Quotas {
		quota := mapping{}
		quota.set("count", q.Count, true)
		quota.text("period", q.Period)
		quota.text("cap", map[bool]string{true: "hard", false: "soft"}[q.Hard])
		quotas = append(quotas, quota)
	}
	m.set("rates", rates, len(rates) > 0)
	m.set("quotas", quotas, len(quotas) > 0)
	return m
}
