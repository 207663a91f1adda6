package admin

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreatePlan implements adminv1.AdminServer.
func (s *Server) CreatePlan(ctx context.Context, r *adminv1.CreatePlanRequest) (*adminv1.Plan, error) {
	if r.GetPlan().GetVersion() != 0 {
		return nil, invalid("version", "a new plan has none")
	}
	change, err := planChange(r.GetPlan())
	if err != nil {
		return nil, err
	}
	made, _, err := s.keys(ctx).CreatePlan(ctx, author(ctx), r.GetPlan().GetName(), change)
	if err != nil {
		return nil, err
	}
	return showPlan(made), nil
}

// GetPlan implements adminv1.AdminServer.
func (s *Server) GetPlan(ctx context.Context, r *adminv1.GetPlanRequest) (*adminv1.Plan, error) {
	found, err := s.keys(ctx).Plan(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	return showPlan(found), nil
}

// ListPlans implements adminv1.AdminServer.
func (s *Server) ListPlans(ctx context.Context, r *adminv1.ListPlansRequest) (*adminv1.ListPlansResponse, error) {
	page, err := s.page(r)
	if err != nil {
		return nil, err
	}
	found, err := s.keys(ctx).Plans(ctx, page)
	list := &adminv1.ListPlansResponse{}
	for _, f := range found {
		list.Plans = append(list.Plans, showPlan(f))
		list.NextPageToken = s.nextToken(r, page, len(found), f.Name)
	}
	return list, err
}

// UpdatePlan implements adminv1.AdminServer.
func (s *Server) UpdatePlan(ctx context.Context, r *adminv1.UpdatePlanRequest) (*adminv1.Plan, error) {
	fields := masked(r.GetUpdateMask())
	if err := fixed(fields, "display_name", "rates", "quotas"); err != nil {
		return nil, err
	}
	by, err := planChange(r.GetPlan())
	if err != nil {
		return nil, err
	}
	made, _, err := s.keys(ctx).UpdatePlan(ctx, author(ctx), r.GetName(), r.GetPlan().GetVersion(), func(p *keyring.PlanChange) error {
		replace(fields["display_name"], &p.DisplayName, by.DisplayName)
		replace(fields["rates"], &p.Rates, by.Rates)
		replace(fields["quotas"], &p.Quotas, by.Quotas)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return showPlan(made), nil
}

// DeletePlan implements adminv1.AdminServer.
func (s *Server) DeletePlan(ctx context.Context, r *adminv1.DeletePlanRequest) (*emptypb.Empty, error) {
	_, err := s.keys(ctx).DeletePlan(ctx, author(ctx), r.GetName(), r.GetVersion())
	return &emptypb.Empty{}, err
}

func planChange(p *adminv1.Plan) (keyring.PlanChange, error) {
	change := keyring.PlanChange{DisplayName: p.GetDisplayName()}
	for i, r := range p.GetRates() {
		period, err := duration(fmt.Sprintf("rates[%d].period", i), r.GetPeriod())
		if err != nil {
			return change, err
		}
		change.Rates = append(change.Rates, consumer.Rate{Count: r.GetCount(), Period: period, Burst: r.GetBurst()})
	}
	for i, q := range p.GetQuotas() {
		if c := q.GetCap(); c != "" && c != "hard" && c != "soft" {
			return change, invalid(fmt.Sprintf("quotas[%d].cap", i), "expected hard or soft")
		}
		change.Quotas = append(change.Quotas, consumer.Quota{Count: q.GetCount(), Period: q.GetPeriod(), Hard: q.GetCap() != "soft"})
	}
	return change, nil
}

func showPlan(p *consumer.Plan) *adminv1.Plan {
	shown := &adminv1.Plan{
		Name: p.Name, DisplayName: p.DisplayName,
		Version: p.Version, CreatedAt: stamp(p.CreatedAt), UpdatedAt: stamp(p.UpdatedAt),
	}
	for _, r := range p.Rates {
		shown.Rates = append(shown.Rates, &adminv1.Rate{Count: r.Count, Period: r.Period.String(), Burst: r.Burst})
	}
	for _, q := range p.Quotas {
		shown.Quotas = append(shown.Quotas, &adminv1.Quota{Count: q.Count, Period: q.Period, Cap: hardness(q.Hard)})
	}
	return shown
}

func hardness(hard bool) string {
	if hard {
		return "hard"
	}
	return "soft"
}
