package admin

import (
	"context"

	"github.com/postern-authz/postern/internal/consumer"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// Policies are the policy in force at this instance, its candidate and the
// revisions that are kept. What they refuse is a *Conflict, an *Unwritten, or
// consumer.ErrNotFound about a revision.
type Policies interface {
	Policy() *adminv1.Policy
	Revisions() []*adminv1.PolicyRevision
	// Promote puts the candidate in force. A revision that is not empty must be
	// the candidate's.
	Promote(ctx context.Context, by consumer.Author, revision string) error
	// Rollback puts a kept revision in force; empty: the one before.
	Rollback(ctx context.Context, by consumer.Author, revision string) error
}

// Conflict is a refusal since something is not in the state for it. The client
// is told of Detail.
type Conflict struct{ Detail string }

// Error implements error.
func (c *Conflict) Error() string { return c.Detail }

// Unwritten is a refusal since a change could not be made safe on the disk. The
// client is told of Detail.
type Unwritten struct{ Detail string }

// Error implements error.
func (u *Unwritten) Error() string { return u.Detail }

// maxRevision bounds the name of a revision in bytes.
const maxRevision = 256

// GetPolicy implements adminv1.AdminServer.
func (s *Server) GetPolicy(context.Context, *adminv1.GetPolicyRequest) (*adminv1.Policy, error) {
	if s.options.Policies == nil {
		return nil, errNoPolicies()
	}
	return s.options.Policies.Policy(), nil
}

// ListPolicyRevisions implements adminv1.AdminServer.
func (s *Server) ListPolicyRevisions(context.Context, *adminv1.ListPolicyRevisionsRequest) (*adminv1.ListPolicyRevisionsResponse, error) {
	if s.options.Policies == nil {
		return nil, errNoPolicies()
	}
	return &adminv1.ListPolicyRevisionsResponse{Revisions: s.options.Policies.Revisions()}, nil
}

// PromotePolicy implements adminv1.AdminServer.
func (s *Server) PromotePolicy(ctx context.Context, r *adminv1.PromotePolicyRequest) (*adminv1.Policy, error) {
	return s.change(ctx, r.GetRevision(), Policies.Promote)
}

// RollbackPolicy implements adminv1.AdminServer.
func (s *Server) RollbackPolicy(ctx context.Context, r *adminv1.RollbackPolicyRequest) (*adminv1.Policy, error) {
	return s.change(ctx, r.GetRevision(), Policies.Rollback)
}

func (s *Server) change(ctx context.Context, revision string, change func(Policies, context.Context, consumer.Author, string) error) (*adminv1.Policy, error) {
	switch {
	case s.options.Policies == nil:
		return nil, errNoPolicies()
	case len(revision) > maxRevision:
		return nil, invalid("revision", "expected at most 256 bytes")
	}
	if err := change(s.options.Policies, ctx, author(ctx), revision); err != nil {
		return nil, err
	}
	return s.options.Policies.Policy(), nil
}

func errNoPolicies() error {
	return &problem{code: codeNotFound, detail: "no policy is in force here: ask a running instance"}
}

// ofPolicies reports whether a call is about policies, which are there where no
// store of consumers is.
func ofPolicies(fullMethod string) bool {
	switch fullMethod {
	case adminv1.Admin_GetPolicy_FullMethodName, adminv1.Admin_ListPolicyRevisions_FullMethodName,
		adminv1.Admin_PromotePolicy_FullMethodName, adminv1.Admin_RollbackPolicy_FullMethodName:
		return true
	}
	return false
}

func errNoStore() *problem {
	return &problem{code: codeNotFound, detail: "there is no store of consumers here: consumers.store is not configured"}
}
