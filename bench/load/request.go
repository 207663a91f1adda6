package load

import (
	"fmt"
	"net/http"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Question is what a client asked of the gateway, as far as the cases differ.
type Question struct {
	Method, Path string
	// Header and Value hold the credential; the header's name is in lower case.
	Header, Value string
}

const host = "api.example.com"

// Check writes a question as Envoy does, with the fifteen headers that a
// browser's request has behind a gateway. Its id is another each time.
func (q Question) Check(i int) *authv3.CheckRequest {
	id := requestID(i)
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:      peer("203.0.113.77", 46294),
		Destination: peer("10.0.0.7", 8443),
		Request: &authv3.AttributeContext_Request{
			Time: timestamppb.Now(),
			Http: &authv3.AttributeContext_HttpRequest{
				Id: id, Method: q.Method, Path: q.Path, Host: host, Scheme: "https", Protocol: "HTTP/2",
				Headers: map[string]string{
					":authority": host, ":method": q.Method, ":path": q.Path, ":scheme": "https",
					"accept":            "application/json, text/plain, */*",
					"accept-encoding":   "gzip, deflate, br, zstd",
					"accept-language":   "en-GB,en;q=0.9,de;q=0.8",
					"cookie":            "session=8f14e45fceea167a5a36dedd4bea2543; theme=dark; consent=yes",
					"referer":           "https://www.example.com/account/orders?page=2",
					"traceparent":       "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
					"user-agent":        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
					"x-forwarded-for":   "203.0.113.77",
					"x-forwarded-proto": "https",
					"x-request-id":      id,
					q.Header:            q.Value,
				},
			},
		},
		MetadataContext: &corev3.Metadata{}, RouteMetadataContext: &corev3.Metadata{},
	}}
}

// Forward writes a question as nginx's auth_request does.
func (q Question) Forward(i int) http.Header {
	h := http.Header{}
	for name, value := range q.Check(i).GetAttributes().GetRequest().GetHttp().GetHeaders() {
		if name[0] != ':' {
			h.Set(name, value)
		}
	}
	h.Set("X-Original-URI", q.Path)
	h.Set("X-Original-Method", q.Method)
	h.Set("X-Forwarded-Host", host)
	return h
}

func requestID(i int) string { return fmt.Sprintf("0e6451cf-6b63-4a9f-b7d4-%012x", i) }

func peer(address string, port uint32) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
	}}}
}
