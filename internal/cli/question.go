package cli

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/spf13/cobra"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/extauthz"
)

// maxQuestion is the longest CheckRequest in JSON, in bytes: what the gRPC door
// takes, with room for JSON's longer spelling.
const maxQuestion = 4 * extauthz.MaxMessage

// question is a request to ask about: in flags, or as a whole CheckRequest.
type question struct {
	file string

	method, path, host, client, route string
	headers                           []string
}

func (q *question) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&q.method, "method", "GET", "method of the request")
	f.StringVar(&q.path, "path", "", "path of the request as on the wire, with its query")
	f.StringVar(&q.host, "host", "localhost", "host of the request")
	f.StringArrayVarP(&q.headers, "header", "H", nil, "header `line` \"name: value\"; may be repeated")
	f.StringVar(&q.client, "client", "127.0.0.1", "address that the request comes from")
	f.StringVar(&q.route, "route", "", "name of the route, as a gateway may name it; left out, routes are matched")
	f.StringVar(&q.file, "check-request", "", "read a whole CheckRequest in JSON from this `file`; - is standard input")
	for _, flag := range []string{"method", "path", "host", "header", "client", "route"} {
		cmd.MarkFlagsMutuallyExclusive("check-request", flag)
	}
}

// read returns the request as Envoy's door reads it, whichever way it was
// given: there is one reading.
func (q *question) read(stdin io.Reader, trusted []netip.Prefix) (*access.Request, error) {
	check, err := q.checkRequest(stdin)
	if err != nil {
		return nil, err
	}
	return extauthz.Read(check, extauthz.Options{Trusted: canon.NewTrusted(trusted), Now: time.Now}), nil
}

func (q *question) checkRequest(stdin io.Reader) (*authv3.CheckRequest, error) {
	switch q.file {
	case "":
		return q.fromFlags()
	case "-":
		return fromJSON("standard input", stdin)
	}
	file, err := os.Open(q.file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }() // it was only read
	return fromJSON(q.file, file)
}

func fromJSON(name string, r io.Reader) (*authv3.CheckRequest, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxQuestion+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if len(data) > maxQuestion {
		return nil, fmt.Errorf("%s: longer than %d bytes", name, maxQuestion)
	}
	check := &authv3.CheckRequest{}
	if err := protojson.Unmarshal(data, check); err != nil {
		return nil, fmt.Errorf("%s is not a CheckRequest in JSON: %w", name, err)
	}
	return check, nil
}

// fromFlags makes the CheckRequest that Envoy would send of the request.
func (q *question) fromFlags() (*authv3.CheckRequest, error) {
	client, err := netip.ParseAddr(q.client)
	if err != nil {
		return nil, fmt.Errorf("--client %q is not an IP address", q.client)
	}
	headers, err := joinHeaders(q.headers)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{":method": q.method, ":path": q.path, ":authority": q.host} {
		headers[name] = value
	}
	attributes := &authv3.AttributeContext{
		Source: peer(client),
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: q.method, Path: q.path, Host: q.host, Headers: headers, Scheme: "http", Protocol: "HTTP/1.1", Size: -1,
		}},
	}
	if q.route != "" {
		attributes.ContextExtensions = map[string]string{"postern.route": q.route}
	}
	return &authv3.CheckRequest{Attributes: attributes}, nil
}

// joinHeaders joins repeated names by a bare comma, as Envoy does.
func joinHeaders(lines []string) (map[string]string, error) {
	headers := make(map[string]string, len(lines))
	for _, line := range lines {
		name, value, ok := strings.Cut(line, ":")
		if !ok || name == "" {
			// The line itself stays out of the message: it may be a credential.
			return nil, errors.New("--header is not a line like \"name: value\"")
		}
		name, value = strings.ToLower(name), strings.Trim(value, " \t")
		if before, there := headers[name]; there {
			value = before + "," + value
		}
		headers[name] = value
	}
	return headers, nil
}

func peer(addr netip.Addr) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: addr.String()},
	}}}
}
