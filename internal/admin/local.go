package admin

import (
	"context"
	"errors"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/consumer"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// Local returns a connection for a client in this very process, who may do
// everything: the command line that works straight on a store.
func (s *Server) Local(by consumer.Author) grpc.ClientConnInterface {
	return &conn{server: s, who: &caller{author: by, role: RoleAdmin}}
}

// inside is the gateway's connection; its callers are in the context.
func (s *Server) inside() grpc.ClientConnInterface { return &conn{server: s} }

// conn calls the service on the way that every call goes, without a wire.
type conn struct {
	server *Server
	who    *caller
}

// Invoke implements grpc.ClientConnInterface.
func (c *conn) Invoke(ctx context.Context, method string, args, reply any, _ ...grpc.CallOption) error {
	if c.who != nil {
		ctx = withCaller(ctx, c.who)
	}
	for _, m := range adminv1.Admin_ServiceDesc.Methods {
		if m.MethodName != methodName(method) {
			continue
		}
		answer, err := m.Handler(c.server, ctx, func(into any) error { return transfer(into, args) }, c.server.intercept)
		if err != nil {
			return err
		}
		return transfer(reply, answer)
	}
	return status.Error(codes.Unimplemented, "there is no such call")
}

// NewStream implements grpc.ClientConnInterface. The service has no streams.
func (*conn) NewStream(context.Context, *grpc.StreamDesc, string, ...grpc.CallOption) (grpc.ClientStream, error) {
	return nil, status.Error(codes.Unimplemented, "there are no streams")
}

func transfer(into, from any) error {
	to, ok := into.(proto.Message)
	m, ok2 := from.(proto.Message)
	if !ok || !ok2 {
		return errors.New("a call's request or answer is no message")
	}
	proto.Merge(to, m)
	return nil
}
