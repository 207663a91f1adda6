package admin_test

import (
	"context"
	"strings"
	"testing"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/fieldmaskpb"

	"github.com/postern-authz/postern/internal/consumer"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

func (h *house) dial(authority string) adminv1.AdminClient {
	h.t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+strings.TrimPrefix(h.URL, "http://"),
		grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithAuthority(authority))
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = conn.Close() })
	return adminv1.NewAdminClient(conn)
}

func as(token string, more ...string) context.Context {
	return metadata.AppendToOutgoingContext(context.Background(), append([]string{"authorization", "Bearer " + token}, more...)...)
}

// reason is the stable code in an error's details, with its first field.
func reason(err error) (code, field string) {
	for _, detail := range status.Convert(err).Details() {
		switch d := detail.(type) {
		case *errdetails.ErrorInfo:
			code = d.GetReason()
		case *errdetails.BadRequest:
			field = d.GetFieldViolations()[0].GetField()
		}
	}
	return code, field
}

func TestGRPC(t *testing.T) {
	h := open(t)
	c := h.dial("localhost")
	made, err := c.CreateConsumer(as(editorToken), &adminv1.CreateConsumerRequest{Consumer: &adminv1.Consumer{Name: "app"}})
	if err != nil || made.GetVersion() != 1 {
		t.Fatal(made, err)
	}
	key := &adminv1.CreateKeyRequest{Consumer: "app", Key: &adminv1.Credential{Scopes: []string{"a"}}}
	first, err := c.CreateKey(as(editorToken, "idempotency-key", "one"), key)
	if err != nil || !consumer.LooksLikeKey(first.GetKey()) {
		t.Fatal(err)
	}
	if again, err := c.CreateKey(as(editorToken, "idempotency-key", "one"), key); err != nil || again.GetKey() != first.GetKey() {
		t.Errorf("asked twice, made twice: %v", err)
	}
	updated, err := c.UpdateConsumer(as(editorToken, "if-match", "1"), &adminv1.UpdateConsumerRequest{
		Name: "app", Consumer: &adminv1.Consumer{DisplayName: "App"}, UpdateMask: &fieldmaskpb.FieldMask{Paths: []string{"display_name"}},
	})
	if err != nil || updated.GetDisplayName() != "App" {
		t.Errorf("%v %v", updated, err)
	}
	records, err := c.ListAudit(as(adminToken), &adminv1.ListAuditRequest{Limit: 1})
	if err != nil || records.GetRecords()[0].GetAuthor().GetName() != "edgar" || records.GetRecords()[0].GetAuthor().GetAddress() != "127.0.0.1" {
		t.Errorf("%v %v", records, err)
	}
}

func TestGRPCErrors(t *testing.T) {
	h := open(t)
	c := h.dial("localhost")
	if _, err := c.CreateConsumer(as(adminToken), &adminv1.CreateConsumerRequest{Consumer: &adminv1.Consumer{Name: "app"}}); err != nil {
		t.Fatal(err)
	}
	create := func(ctx context.Context, c *adminv1.Consumer) func(adminv1.AdminClient) error {
		return func(client adminv1.AdminClient) error {
			_, err := client.CreateConsumer(ctx, &adminv1.CreateConsumerRequest{Consumer: c})
			return err
		}
	}
	for _, c := range []struct {
		code   codes.Code
		reason string
		field  string
		call   func(adminv1.AdminClient) error
	}{
		{codes.Unauthenticated, "unauthenticated", "", create(context.Background(), &adminv1.Consumer{Name: "x"})},
		{codes.Unauthenticated, "unauthenticated", "", create(as("wrong"), &adminv1.Consumer{Name: "x"})},
		{codes.PermissionDenied, "permission_denied", "", create(as(viewerToken), &adminv1.Consumer{Name: "x"})},
		{codes.AlreadyExists, "exists", "", create(as(adminToken), &adminv1.Consumer{Name: "app"})},
		{codes.FailedPrecondition, "declared", "", create(as(adminToken), &adminv1.Consumer{Name: "declared"})},
		{codes.InvalidArgument, "invalid_argument", "name", create(as(adminToken), &adminv1.Consumer{Name: "no name"})},
		{codes.InvalidArgument, "invalid_argument", "grant", create(as(adminToken), &adminv1.Consumer{Name: "x", Grant: "12345678"})},
		{codes.InvalidArgument, "invalid_argument", "Idempotency-Key", create(as(adminToken, "idempotency-key", "a b"), &adminv1.Consumer{Name: "x"})},
		{codes.ResourceExhausted, "too_large", "", create(as(adminToken), &adminv1.Consumer{Name: "x", DisplayName: strings.Repeat("x", 1<<20)})},
		{codes.NotFound, "not_found", "", func(client adminv1.AdminClient) error {
			_, err := client.GetConsumer(as(adminToken), &adminv1.GetConsumerRequest{Name: "nobody"})
			return err
		}},
		{codes.Aborted, "version_mismatch", "", func(client adminv1.AdminClient) error {
			_, err := client.DeleteConsumer(as(adminToken), &adminv1.DeleteConsumerRequest{Name: "app", Version: 9})
			return err
		}},
	} {
		err := c.call(h.dial("localhost"))
		code, field := reason(err)
		if status.Code(err) != c.code || code != c.reason || field != c.field {
			t.Errorf("%v with %s %s, expected %v with %s %s", err, code, field, c.code, c.reason, c.field)
		}
	}
	if err := create(as(adminToken), &adminv1.Consumer{Name: "x"})(h.dial("evil.example")); err == nil {
		t.Error("a foreign name is answered")
	}
}

// TestLocal: the command line's connection goes the way of every call.
func TestLocal(t *testing.T) {
	h := open(t)
	c := adminv1.NewAdminClient(h.api.Local(consumer.Author{Name: "cli:root"}))
	ctx := context.Background()
	if _, err := c.CreateConsumer(ctx, &adminv1.CreateConsumerRequest{Consumer: &adminv1.Consumer{Name: "app"}}); err != nil {
		t.Fatal(err)
	}
	_, err := c.CreateConsumer(ctx, &adminv1.CreateConsumerRequest{Consumer: &adminv1.Consumer{Name: "app"}})
	if code, _ := reason(err); code != "exists" || status.Code(err) != codes.AlreadyExists {
		t.Errorf("%v", err)
	}
	list, err := c.ListAudit(ctx, &adminv1.ListAuditRequest{})
	if err != nil || list.GetRecords()[0].GetAuthor().GetName() != "cli:root" {
		t.Errorf("%v %v", list, err)
	}
	if _, err := h.api.Local(consumer.Author{}).NewStream(ctx, &grpc.StreamDesc{}, "x"); status.Code(err) != codes.Unimplemented {
		t.Errorf("%v", err)
	}
	if err := h.api.Local(consumer.Author{}).Invoke(ctx, "/postern.admin.v1.Admin/Nothing", nil, nil); status.Code(err) != codes.Unimplemented {
		t.Errorf("%v", err)
	}
}
