package cli

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/netip"
	"net/url"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/postern-authz/postern/internal/access"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// maxAnswer bounds an answer of the API, in bytes: an export is the largest.
const maxAnswer = 256 << 20

// target is where an instance's admin listener is.
type target struct {
	// name is in gRPC's form.
	name string
	// encrypted: over TLS. local: it does not leave this machine.
	encrypted, local bool
}

// dial makes a client of an instance. Nothing is sent before the first call.
func dial(server string, token access.Secret, warn io.Writer) (adminv1.AdminClient, func() error, error) {
	to, err := readServer(server)
	if err != nil {
		return nil, nil, err
	}
	// Without TLS the token is not for a proxy to see.
	options := []grpc.DialOption{grpc.WithTransportCredentials(insecure.NewCredentials()), grpc.WithNoProxy()}
	if to.encrypted {
		options = []grpc.DialOption{grpc.WithTransportCredentials(credentials.NewTLS(&tls.Config{MinVersion: tls.VersionTLS12}))}
	}
	if !to.encrypted && !to.local {
		_, _ = fmt.Fprintln(warn, "postern: warning: the admin token and all answers go unencrypted to another machine; use https://")
	}
	options = append(options, grpc.WithPerRPCCredentials(bearer{token}), grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswer)))
	conn, err := grpc.NewClient(to.name, options...)
	if err != nil {
		return nil, nil, fmt.Errorf("--server: %w", err)
	}
	return adminv1.NewAdminClient(conn), conn.Close, nil
}

// readServer reads --server. A URL that may hold a password is not repeated.
func readServer(server string) (target, error) {
	if path, ok := strings.CutPrefix(server, "unix:"); ok && path != "" {
		return target{name: server, local: true}, nil
	}
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil ||
		strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return target{}, fmt.Errorf("--server or $%s is no address of an admin listener; expected http://HOST:PORT, https://HOST:PORT or unix:/path", serverVariable)
	}
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return target{name: "dns:///" + net.JoinHostPort(u.Hostname(), port), encrypted: u.Scheme == "https", local: loopback(u.Hostname())}, nil
}

func loopback(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// bearer shows the admin token with every call.
type bearer struct{ token access.Secret }

// GetRequestMetadata implements credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + string(b.token.Reveal())}, nil
}

// RequireTransportSecurity implements credentials.PerRPCCredentials. Loopback
// and Unix sockets have none, and need none.
func (bearer) RequireTransportSecurity() bool { return false }
