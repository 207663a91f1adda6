package admin

import (
	"context"

	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// CreateKey implements adminv1.AdminServer.
func (s *Server) CreateKey(ctx context.Context, r *adminv1.CreateKeyRequest) (*adminv1.Credential, error) {
	key, ok := proto.Clone(r.GetKey()).(*adminv1.Credential)
	if !ok || r.GetKey() == nil {
		key = &adminv1.Credential{}
	}
	switch kind := key.GetType(); {
	case kind != "" && kind != string(access.KindAPIKey):
		return nil, invalid("type", "a key is an api_key; other kinds are made below …/credentials")
	case key.GetKey() != "":
		return nil, invalid("key", "is made here; one that exists already is added below …/credentials")
	case key.GetKeySha256() != "":
		return nil, invalid("key_sha256", "the key is made here; one that exists already is added below …/credentials")
	}
	key.Type = string(access.KindAPIKey)
	return s.create(ctx, r.GetConsumer(), key)
}

// ListKeys implements adminv1.AdminServer.
func (s *Server) ListKeys(ctx context.Context, r *adminv1.ListKeysRequest) (*adminv1.ListKeysResponse, error) {
	shown, next, err := s.credentials(ctx, r, string(access.KindAPIKey))
	return &adminv1.ListKeysResponse{Keys: shown, NextPageToken: next}, err
}

// RotateKey implements adminv1.AdminServer.
func (s *Server) RotateKey(ctx context.Context, r *adminv1.RotateKeyRequest) (*adminv1.Credential, error) {
	rotation := keyring.Rotation{Version: r.GetVersion()}
	var err error
	if rotation.ExpiresAt, err = moment("expires_at", r.GetExpiresAt()); err != nil {
		return nil, err
	}
	if r.GetGrace() != "" {
		grace, err := duration("grace", r.GetGrace())
		if err != nil {
			return nil, err
		}
		rotation.Grace = &grace
	}
	made, err := s.keys(ctx).Rotate(ctx, author(ctx), r.GetId(), rotation)
	if err != nil {
		return nil, err
	}
	return s.showIssued(made), nil
}

// RevokeCredential implements adminv1.AdminServer.
func (s *Server) RevokeCredential(ctx context.Context, r *adminv1.RevokeCredentialRequest) (*adminv1.RevokeCredentialResponse, error) {
	wait, err := duration("wait", r.GetWait())
	if err != nil {
		return nil, err
	}
	made, receipt, err := s.keys(ctx).Revoke(ctx, author(ctx), r.GetId(), keyring.Revocation{Reason: r.GetReason(), Wait: wait})
	if err != nil {
		return nil, err
	}
	return &adminv1.RevokeCredentialResponse{Credential: s.showCredential(made), Receipt: showReceipt(receipt)}, nil
}

func showReceipt(r *keyring.Receipt) *adminv1.Receipt {
	shown := &adminv1.Receipt{Sequence: int64(r.Sequence), Complete: &r.Complete}
	for _, a := range r.Instances {
		shown.Instances = append(shown.Instances, &adminv1.Acknowledgement{Id: a.ID, Name: a.Name, Applied: int64(a.Applied), Done: &a.Done})
	}
	return shown
}
