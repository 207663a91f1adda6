package sqlstore

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
)

func (r *namedRow) plan() (*consumer.Plan, error) {
	var doc planDoc
	if err := r.read(&doc); err != nil {
		return nil, err
	}
	p := &consumer.Plan{Name: r.name, DisplayName: doc.DisplayName, Stamp: r.stamp}
	for _, rate := range doc.Rates {
		p.Rates = append(p.Rates, consumer.Rate(rate))
	}
	for _, quota := range doc.Quotas {
		p.Quotas = append(p.Quotas, consumer.Quota(quota))
	}
	return p, nil
}

func newPlanDoc(p *consumer.Plan) planDoc {
	doc := planDoc{DisplayName: p.DisplayName}
	for _, rate := range p.Rates {
		doc.Rates = append(doc.Rates, rateDoc(rate))
	}
	for _, quota := range p.Quotas {
		doc.Quotas = append(doc.Quotas, quotaDoc(quota))
	}
	return doc
}

// Plan implements consumer.Reader.
func (r *reader) Plan(ctx context.Context, name string) (*consumer.Plan, error) {
	row, err := r.named(ctx, "plans", "plan", name)
	if err != nil {
		return nil, err
	}
	return row.plan()
}

// Plans implements consumer.Reader.
func (r *reader) Plans(ctx context.Context, p consumer.Page) ([]*consumer.Plan, error) {
	var all []*consumer.Plan
	err := r.listNamed(ctx, "plans", p, func(row *namedRow) error {
		plan, err := row.plan()
		all = append(all, plan)
		return err
	})
	return all, err
}

// InsertPlan implements consumer.Writer.
func (w *writer) InsertPlan(ctx context.Context, p *consumer.Plan) error {
	return w.insertNamed(ctx, "plans", "plan", p.Name, newPlanDoc(p), &p.Stamp)
}

// UpdatePlan implements consumer.Writer.
func (w *writer) UpdatePlan(ctx context.Context, p *consumer.Plan) error {
	return w.updateNamed(ctx, "plans", "plan", &p.Name, newPlanDoc(p), &p.Stamp)
}

// DeletePlan implements consumer.Writer.
func (w *writer) DeletePlan(ctx context.Context, name string, version int64) error {
	return w.deleteNamed(ctx, "plans", "plan", name, version)
}
