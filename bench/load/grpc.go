package load

import (
	"context"
	"errors"
	"fmt"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// CheckRequest is Envoy's question.
type CheckRequest = authv3.CheckRequest

// CheckResponse is the answer, without the import.
type CheckResponse = authv3.CheckResponse

// Judge says what is wrong with an answer, or nil.
type Judge func(*authv3.CheckResponse) error

// GRPC asks over Envoy's ext_authz.
type GRPC struct{ connections []*grpc.ClientConn }

// DialGRPC makes the connections; they open when they are first used.
func DialGRPC(address string) (*GRPC, error) {
	g := &GRPC{}
	for range Connections {
		c, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
		if err != nil {
			return nil, errors.Join(err, g.Close())
		}
		g.connections = append(g.connections, c)
	}
	return g, nil
}

// Ask puts n questions, with the numbers from 0, and judges each answer.
func (g *GRPC) Ask(ctx context.Context, n int, question func(i int) *CheckRequest, judge Judge) error {
	return drive(ctx, n, func(ctx context.Context, worker, i int) error {
		client := authv3.NewAuthorizationClient(g.connections[worker%Connections])
		answer, err := client.Check(ctx, question(i))
		if err != nil {
			return fmt.Errorf("check %d: %w", i, err)
		}
		if err := judge(answer); err != nil {
			return fmt.Errorf("check %d: %w", i, err)
		}
		return nil
	})
}

// Close ends the connections.
func (g *GRPC) Close() error {
	var errs []error
	for _, c := range g.connections {
		errs = append(errs, c.Close())
	}
	return errors.Join(errs...)
}

// Allowed judges that an answer lets the request through with that header.
func Allowed(name, value string) Judge {
	return func(answer *authv3.CheckResponse) error {
		if code := answer.GetStatus().GetCode(); code != 0 {
			return fmt.Errorf("code %d, body %q, want an allow", code, answer.GetDeniedResponse().GetBody())
		}
		for _, h := range answer.GetOkResponse().GetHeaders() {
			if h.GetHeader().GetKey() == name && h.GetHeader().GetValue() == value {
				return nil
			}
		}
		return fmt.Errorf("an allow without the header %s: %s", name, value)
	}
}

// Denied judges that an answer refuses the request with that HTTP status.
func Denied(status int) Judge {
	return func(answer *authv3.CheckResponse) error {
		got := int(answer.GetDeniedResponse().GetStatus().GetCode())
		if answer.GetStatus().GetCode() == 0 || got != status {
			return fmt.Errorf("code %d, HTTP status %d, want a denial with %d", answer.GetStatus().GetCode(), got, status)
		}
		return nil
	}
}
