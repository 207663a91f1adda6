package admin

import (
	"context"
	"time"

	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/rules"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreateCredential implements adminv1.AdminServer.
func (s *Server) CreateCredential(ctx context.Context, r *adminv1.CreateCredentialRequest) (*adminv1.Credential, error) {
	if r.GetCredential().GetType() == "" {
		return nil, invalid("type", "expected api_key, jwt, issuer, basic, signature or client_certificate")
	}
	return s.create(ctx, r.GetConsumer(), r.GetCredential())
}

func (s *Server) create(ctx context.Context, owner string, c *adminv1.Credential) (*adminv1.Credential, error) {
	if c.GetVersion() != 0 {
		return nil, invalid("version", "a new credential has none")
	}
	asked, err := credentialRules(c)
	if err != nil {
		return nil, err
	}
	made, err := s.keys(ctx).CreateCredential(ctx, author(ctx), owner, asked)
	if err != nil {
		return nil, err
	}
	return s.showIssued(made), nil
}

// GetCredential implements adminv1.AdminServer.
func (s *Server) GetCredential(ctx context.Context, r *adminv1.GetCredentialRequest) (*adminv1.Credential, error) {
	found, err := s.keys(ctx).Credential(ctx, r.GetId())
	if err != nil {
		return nil, err
	}
	return s.showCredential(found), nil
}

// ListCredentials implements adminv1.AdminServer.
func (s *Server) ListCredentials(ctx context.Context, r *adminv1.ListCredentialsRequest) (*adminv1.ListCredentialsResponse, error) {
	shown, next, err := s.credentials(ctx, r, r.GetType())
	return &adminv1.ListCredentialsResponse{Credentials: shown, NextPageToken: next}, err
}

// credentialListing is what both lists of credentials are asked with.
type credentialListing interface {
	listing
	GetConsumer() string
	GetPrefix() string
	GetLabel() string
	GetExpiresWithin() string
	GetUnusedFor() string
}

func (s *Server) credentials(ctx context.Context, r credentialListing, kind string) ([]*adminv1.Credential, string, error) {
	page, err := s.page(r)
	if err != nil {
		return nil, "", err
	}
	query := consumer.CredentialQuery{Consumer: r.GetConsumer(), Prefix: r.GetPrefix(), Label: r.GetLabel(), Kind: kind, Page: page}
	if query.ExpiresBefore, err = s.fromNow("expires_within", r.GetExpiresWithin(), ahead); err != nil {
		return nil, "", err
	}
	if query.UnusedSince, err = s.fromNow("unused_for", r.GetUnusedFor(), back); err != nil {
		return nil, "", err
	}
	if err := s.mustExist(ctx, r.GetConsumer()); err != nil {
		return nil, "", err
	}
	found, err := s.keys(ctx).Credentials(ctx, query)
	shown, next := make([]*adminv1.Credential, len(found)), ""
	for i, f := range found {
		shown[i] = s.showCredential(f)
		next = s.nextToken(r, page, len(found), f.ID)
	}
	return shown, next, err
}

// mustExist parts a consumer without credentials from one that there is not.
func (s *Server) mustExist(ctx context.Context, name string) error {
	if name == "" {
		return nil
	}
	_, err := s.keys(ctx).Consumer(ctx, name)
	return err
}

func ahead(d time.Duration) time.Duration { return d }

func back(d time.Duration) time.Duration { return -d }

// fromNow is the time that far ahead or back; zero where nothing is asked.
func (s *Server) fromNow(field, text string, way func(time.Duration) time.Duration) (time.Time, error) {
	d, err := duration(field, text)
	if text == "" || err != nil {
		return time.Time{}, err
	}
	return s.options.Now().Add(way(d)), nil
}

// UpdateCredential implements adminv1.AdminServer.
func (s *Server) UpdateCredential(ctx context.Context, r *adminv1.UpdateCredentialRequest) (*adminv1.Credential, error) {
	fields := masked(r.GetUpdateMask())
	if err := fixed(fields, "label", "scopes", "expires_at", "constraints"); err != nil {
		return nil, err
	}
	by, err := credentialRules(r.GetCredential())
	if err != nil {
		return nil, err
	}
	made, _, err := s.keys(ctx).UpdateCredential(ctx, author(ctx), r.GetId(), r.GetCredential().GetVersion(), func(c *keyring.Settings) error {
		replace(fields["label"], &c.Label, by.Label)
		replace(fields["scopes"], &c.Scopes, by.Scopes)
		replace(fields["expires_at"], &c.ExpiresAt, by.ExpiresAt)
		replace(fields["constraints"], &c.Constraints, by.Constraints)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return s.showCredential(made), nil
}

// DeleteCredential implements adminv1.AdminServer.
func (s *Server) DeleteCredential(ctx context.Context, r *adminv1.DeleteCredentialRequest) (*emptypb.Empty, error) {
	_, err := s.keys(ctx).DeleteCredential(ctx, author(ctx), r.GetId(), r.GetVersion())
	return &emptypb.Empty{}, err
}

// DisableCredential implements adminv1.AdminServer.
func (s *Server) DisableCredential(ctx context.Context, r *adminv1.DisableCredentialRequest) (*adminv1.Credential, error) {
	made, _, err := s.keys(ctx).DisableCredential(ctx, author(ctx), r.GetId(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return s.showCredential(made), nil
}

// EnableCredential implements adminv1.AdminServer.
func (s *Server) EnableCredential(ctx context.Context, r *adminv1.EnableCredentialRequest) (*adminv1.Credential, error) {
	made, _, err := s.keys(ctx).EnableCredential(ctx, author(ctx), r.GetId(), r.GetVersion())
	if err != nil {
		return nil, err
	}
	return s.showCredential(made), nil
}

func credentialRules(c *adminv1.Credential) (rules.Credential, error) {
	ends, err := moment("expires_at", c.GetExpiresAt())
	asked := rules.Credential{
		ID: c.GetId(), Kind: access.Kind(c.GetType()), Label: c.GetLabel(), Scopes: c.GetScopes(),
		ExpiresAt: ends, Constraints: constraintRules(c.GetConstraints()),
		Key: access.NewSecret(c.GetKey()), KeySHA256: c.GetKeySha256(),
		Algorithm: c.GetAlgorithm(), Secret: access.NewSecret(c.GetSecret()), PublicKey: c.GetPublicKey(),
		Issuer: c.GetIssuer(), Value: c.GetValue(),
		Username: c.GetUsername(), Password: access.NewSecret(c.GetPassword()), PasswordHash: access.NewSecret(c.GetPasswordHash()),
		KeyID: c.GetKeyId(), Algorithms: c.GetAlgorithms(),
		URISAN: c.GetUriSan(), DNSSAN: c.GetDnsSan(), Subject: c.GetSubject(), SHA256: c.GetSha256(),
	}
	if c != nil {
		asked.Enabled = c.Enabled
	}
	return asked, err
}
