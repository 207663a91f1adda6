package admin

import (
	"context"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// Import implements adminv1.AdminServer.
func (s *Server) Import(ctx context.Context, r *adminv1.ImportRequest) (*adminv1.ImportResponse, error) {
	switch {
	case s.options.Import == nil:
		return nil, errNoImport()
	case r.GetDocument() == "":
		return nil, invalid("document", "expected a document")
	}
	return s.options.Import.Import(ctx, s.keys(ctx), author(ctx), r)
}

// Export implements adminv1.AdminServer.
func (s *Server) Export(ctx context.Context, _ *adminv1.ExportRequest) (*adminv1.ExportResponse, error) {
	if s.options.Import == nil {
		return nil, errNoImport()
	}
	return s.options.Import.Export(ctx, s.keys(ctx))
}

func errNoImport() error {
	return &problem{code: codeUnavailable, detail: "there is no import here"}
}

// ListInstances implements adminv1.AdminServer.
func (s *Server) ListInstances(ctx context.Context, _ *adminv1.ListInstancesRequest) (*adminv1.ListInstancesResponse, error) {
	found, err := s.keys(ctx).Instances(ctx)
	list := &adminv1.ListInstancesResponse{}
	for _, i := range found {
		live := i.Live()
		list.Instances = append(list.Instances, &adminv1.Instance{
			Id: i.ID, Name: i.Name, Version: i.Version, Applied: int64(i.Applied),
			StartedAt: stamp(i.StartedAt), LastSeenAt: stamp(s.options.Now().Add(-i.Age)), Live: &live,
		})
	}
	return list, err
}

// ListAudit implements adminv1.AdminServer.
func (s *Server) ListAudit(ctx context.Context, r *adminv1.ListAuditRequest) (*adminv1.ListAuditResponse, error) {
	limit, err := pageSize("limit", r.GetLimit())
	if err != nil {
		return nil, err
	}
	if r.GetAfter() < 0 {
		return nil, invalid("after", "expected the number of a record, or 0")
	}
	found, err := s.keys(ctx).Audit(ctx, r.GetAfter(), limit, r.GetTarget())
	list := &adminv1.ListAuditResponse{}
	for _, a := range found {
		list.Records = append(list.Records, &adminv1.AuditRecord{
			Number: a.Number, Sequence: int64(a.Sequence), At: stamp(a.At),
			Author: &adminv1.Author{Name: a.Author.Name, Address: a.Author.Address},
			Action: a.Action, Kind: a.Kind, Target: a.Target, Before: a.Before, After: a.After, Reason: a.Reason,
			Previous: a.Previous, Hash: a.Hash,
		})
		if len(found) == limit {
			list.NextAfter = a.Number
		}
	}
	return list, err
}

// VerifyAudit implements adminv1.AdminServer.
func (s *Server) VerifyAudit(ctx context.Context, _ *adminv1.VerifyAuditRequest) (*adminv1.VerifyAuditResponse, error) {
	found, err := s.keys(ctx).VerifyAudit(ctx)
	if err != nil {
		return nil, err
	}
	intact := found.Broken == 0
	return &adminv1.VerifyAuditResponse{Records: found.Records, Head: found.Head, Intact: &intact, Broken: found.Broken, Problem: found.Problem}, nil
}
