package admin

import (
	"context"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreateGrant implements adminv1.AdminServer.
func (s *Server) CreateGrant(ctx context.Context, r *adminv1.CreateGrantRequest) (*adminv1.Grant, error) {
	asked := r.GetGrant()
	ends, err := moment("expires_at", asked.GetExpiresAt())
	if err != nil {
		return nil, err
	}
	made, err := s.keys(ctx).CreateGrant(ctx, author(ctx), r.GetApplication(), keyring.NewGrant{
		API: asked.GetApi(), Environment: asked.GetEnvironment(),
		Plan: asked.GetPlan(), Groups: asked.GetGroups(), Roles: asked.GetRoles(),
		Scopes: asked.GetScopes(), ExpiresAt: ends, Constraints: constraintRules(asked.GetConstraints()),
	})
	if err != nil {
		return nil, err
	}
	return showGranted(made), nil
}

// GetGrant implements adminv1.AdminServer.
func (s *Server) GetGrant(ctx context.Context, r *adminv1.GetGrantRequest) (*adminv1.Grant, error) {
	found, err := s.keys(ctx).Grant(ctx, r.GetApplication(), r.GetId())
	if err != nil {
		return nil, err
	}
	return showGrant(found), nil
}

// ListGrants implements adminv1.AdminServer.
func (s *Server) ListGrants(ctx context.Context, r *adminv1.ListGrantsRequest) (*adminv1.ListGrantsResponse, error) {
	page, err := s.page(r)
	if err != nil {
		return nil, err
	}
	if r.GetApplication() != "" {
		if _, err := s.keys(ctx).Application(ctx, r.GetApplication()); err != nil {
			return nil, err
		}
	}
	found, err := s.keys(ctx).Grants(ctx, r.GetApplication(), page)
	list := &adminv1.ListGrantsResponse{}
	for _, f := range found {
		list.Grants = append(list.Grants, showGrant(f))
		list.NextPageToken = s.nextToken(r, page, len(found), f.ID)
	}
	return list, err
}

// DeleteGrant implements adminv1.AdminServer.
func (s *Server) DeleteGrant(ctx context.Context, r *adminv1.DeleteGrantRequest) (*emptypb.Empty, error) {
	_, err := s.keys(ctx).DeleteGrant(ctx, author(ctx), r.GetApplication(), r.GetId(), r.GetVersion())
	return &emptypb.Empty{}, err
}

func showGrant(g *consumer.Grant) *adminv1.Grant {
	return &adminv1.Grant{
		Id: g.ID, Api: g.API, Environment: g.Environment, Application: g.Application, Consumer: g.Consumer,
		Version: g.Version, CreatedAt: stamp(g.CreatedAt),
	}
}

// showGranted shows a grant with the key that was just made.
func showGranted(g *keyring.Granted) *adminv1.Grant {
	shown := showGrant(g.Grant)
	shown.Key, shown.KeyId = string(g.Issued.Key.Reveal()), g.Issued.ID
	return shown
}
