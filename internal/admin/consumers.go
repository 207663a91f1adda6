package admin

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/emptypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreateConsumer implements adminv1.AdminServer.
func (s *Server) CreateConsumer(ctx context.Context, r *adminv1.CreateConsumerRequest) (*adminv1.Consumer, error) {
	if r.GetConsumer().GetVersion() != 0 {
		return nil, invalid("version", "a new consumer has none")
	}
	made, _, err := s.keys(ctx).CreateConsumer(ctx, author(ctx), consumerRules(r.GetConsumer()))
	if err != nil {
		return nil, err
	}
	return showConsumer(made)
}

// GetConsumer implements adminv1.AdminServer.
func (s *Server) GetConsumer(ctx context.Context, r *adminv1.GetConsumerRequest) (*adminv1.Consumer, error) {
	found, err := s.keys(ctx).Consumer(ctx, r.GetName())
	if err != nil {
		return nil, err
	}
	return showConsumer(found)
}

// ListConsumers implements adminv1.AdminServer.
func (s *Server) ListConsumers(ctx context.Context, r *adminv1.ListConsumersRequest) (*adminv1.ListConsumersResponse, error) {
	page, err := s.page(r)
	if err != nil {
		return nil, err
	}
	found, err := s.keys(ctx).Consumers(ctx, consumer.ConsumerQuery{
		Environment: r.GetEnvironment(), Prefix: r.GetPrefix(), Label: r.GetLabel(), Page: page,
	})
	if err != nil {
		return nil, err
	}
	list := &adminv1.ListConsumersResponse{}
	for _, f := range found {
		shown, err := showConsumer(f)
		if err != nil {
			return nil, err
		}
		list.Consumers = append(list.Consumers, shown)
		list.NextPageToken = s.nextToken(r, page, len(found), f.Name)
	}
	return list, nil
}

// UpdateConsumer implements adminv1.AdminServer.
func (s *Server) UpdateConsumer(ctx context.Context, r *adminv1.UpdateConsumerRequest) (*adminv1.Consumer, error) {
	fields := masked(r.GetUpdateMask())
	err := fixed(fields, "display_name", "environment", "enabled", "labels", "groups", "roles", "attributes", "plan", "constraints")
	if err != nil {
		return nil, err
	}
	made, _, err := s.keys(ctx).UpdateConsumer(ctx, author(ctx), r.GetName(), r.GetConsumer().GetVersion(), func(c *rules.Consumer) error {
		replaceInConsumer(c, consumerRules(r.GetConsumer()), fields)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return showConsumer(made)
}

func replaceInConsumer(c *rules.Consumer, by rules.Consumer, fields map[string]bool) {
	replace(fields["display_name"], &c.DisplayName, by.DisplayName)
	replace(fields["environment"], &c.Environment, by.Environment)
	replace(fields["enabled"], &c.Enabled, by.Enabled)
	replace(fields["labels"], &c.Labels, by.Labels)
	replace(fields["groups"], &c.Groups, by.Groups)
	replace(fields["roles"], &c.Roles, by.Roles)
	replace(fields["attributes"], &c.Attributes, by.Attributes)
	replace(fields["plan"], &c.Plan, by.Plan)
	replace(fields["constraints"], &c.Constraints, by.Constraints)
}

func replace[T any](named bool, field *T, by T) {
	if named {
		*field = by
	}
}

// DeleteConsumer implements adminv1.AdminServer.
func (s *Server) DeleteConsumer(ctx context.Context, r *adminv1.DeleteConsumerRequest) (*emptypb.Empty, error) {
	_, err := s.keys(ctx).DeleteConsumer(ctx, author(ctx), r.GetName(), r.GetVersion())
	return &emptypb.Empty{}, err
}

// DisableConsumer implements adminv1.AdminServer.
func (s *Server) DisableConsumer(ctx context.Context, r *adminv1.DisableConsumerRequest) (*adminv1.Consumer, error) {
	made, _, err := s.keys(ctx).DisableConsumer(ctx, author(ctx), r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return showConsumer(made)
}

// EnableConsumer implements adminv1.AdminServer.
func (s *Server) EnableConsumer(ctx context.Context, r *adminv1.EnableConsumerRequest) (*adminv1.Consumer, error) {
	made, _, err := s.keys(ctx).EnableConsumer(ctx, author(ctx), r.GetName(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return showConsumer(made)
}

func consumerRules(c *adminv1.Consumer) rules.Consumer {
	return rules.Consumer{
		Name: c.GetName(), DisplayName: c.GetDisplayName(), Environment: c.GetEnvironment(), Plan: c.GetPlan(),
		Enabled: enabled(c), Labels: c.GetLabels(), Groups: c.GetGroups(), Roles: c.GetRoles(),
		Attributes: attributes(c.GetAttributes()), Constraints: constraintRules(c.GetConstraints()),
	}
}

// enabled is nil where nothing is said.
func enabled(c *adminv1.Consumer) *bool {
	if c == nil {
		return nil
	}
	return c.Enabled
}

func attributes(s *structpb.Struct) map[string]any {
	if s == nil {
		return nil
	}
	return s.AsMap()
}

func showConsumer(r *consumer.Record) (*adminv1.Consumer, error) {
	shown := &adminv1.Consumer{
		Name: r.Name, DisplayName: r.DisplayName, Environment: r.Environment, Enabled: &r.Enabled,
		Labels: r.Labels, Groups: r.Groups, Roles: r.Roles, Plan: r.Plan, Grant: r.Grant,
		Constraints: constraints(r.Constraints), Version: r.Version,
		CreatedAt: stamp(r.CreatedAt), UpdatedAt: stamp(r.UpdatedAt),
	}
	if len(r.Attributes) == 0 {
		return shown, nil
	}
	var err error
	if shown.Attributes, err = structpb.NewStruct(r.Attributes); err != nil {
		return nil, fmt.Errorf("the attributes of consumer %s can't be shown: %w", r.Name, err)
	}
	return shown, nil
}
