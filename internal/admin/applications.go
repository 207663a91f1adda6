package admin

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreateApplication implements adminv1.AdminServer.
func (s *Server) CreateApplication(ctx context.Context, r *adminv1.CreateApplicationRequest) (*adminv1.Application, error) {
	if r.GetApplication().GetVersion() != 0 {
		return nil, invalid("version", "a new application has none")
	}
	made, _, err := s.keys(ctx).CreateApplication(ctx, author(ctx), r.GetApplication().GetName(), applicationChange(r.GetApplication()))
	if err != nil {
		return nil, err
	}
	return showApplication(made), nil
}

// GetApplication implements adminv1.AdminServer.
func (s *Server) GetApplication(ctx context.Context, r *adminv1.GetApplicationRequest) (*adminv1.Application, error) {
	found, err := s.keys(ctx).Application(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	return showApplication(found), nil
}

// ListApplications implements adminv1.AdminServer.
func (s *Server) ListApplications(ctx context.Context, r *adminv1.ListApplicationsRequest) (*adminv1.ListApplicationsResponse, error) {
	page, err := s.page(r)
	if err != nil {
		return nil, err
	}
	found, err := s.keys(ctx).Applications(ctx, page)
	list := &adminv1.ListApplicationsResponse{}
	for _, f := range found {
		list.Applications = append(list.Applications, showApplication(f))
		list.NextPageToken = s.nextToken(r, page, len(found), f.Name)
	}
	return list, err
}

// UpdateApplication implements adminv1.AdminServer.
func (s *Server) UpdateApplication(ctx context.Context, r *adminv1.UpdateApplicationRequest) (*adminv1.Application, error) {
	fields := masked(r.GetUpdateMask())
	if err := fixed(fields, "display_name", "owner", "labels"); err != nil {
		return nil, err
	}
	by := applicationChange(r.GetApplication())
	made, _, err := s.keys(ctx).UpdateApplication(ctx, author(ctx), r.GetName(), r.GetApplication().GetVersion(), func(a *keyring.ApplicationChange) error {
		replace(fields["display_name"], &a.DisplayName, by.DisplayName)
		replace(fields["owner"], &a.Owner, by.Owner)
		replace(fields["labels"], &a.Labels, by.Labels)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return showApplication(made), nil
}

// DeleteApplication implements adminv1.AdminServer.
func (s *Server) DeleteApplication(ctx context.Context, r *adminv1.DeleteApplicationRequest) (*emptypb.Empty, error) {
	_, err := s.keys(ctx).DeleteApplication(ctx, author(ctx), r.GetName(), r.GetVersion(), r.GetCascade())
	return &emptypb.Empty{}, err
}

func applicationChange(a *adminv1.Application) keyring.ApplicationChange {
	return keyring.ApplicationChange{DisplayName: a.GetDisplayName(), Owner: a.GetOwner(), Labels: a.GetLabels()}
}

func showApplication(a *consumer.Application) *adminv1.Application {
	return &adminv1.Application{
		Name: a.Name, Id: a.Name, DisplayName: a.DisplayName, Owner: a.Owner, Labels: a.Labels,
		Version: a.Version, CreatedAt: stamp(a.CreatedAt), UpdatedAt: stamp(a.UpdatedAt),
	}
}
