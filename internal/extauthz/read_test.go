package extauthz_test

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/extauthz"
)

func peer(address string, port uint32) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
		SocketAddress: &corev3.SocketAddress{Address: address, PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: port}},
	}}}
}

// same compares requests; `headers` is a map, so its order says nothing.
func same(want, got *access.Request) string {
	return gocmp.Diff(want, got,
		cmpopts.IgnoreFields(access.Request{}, "Metadata"),
		cmpopts.EquateComparable(netip.Addr{}, netip.AddrPort{}),
		cmpopts.SortSlices(func(a, b access.Header) int { return cmp.Compare(a.Name+"\x00"+a.Value, b.Name+"\x00"+b.Value) }))
}

func fromEnvoy(source, destination uint16) access.Request {
	local := netip.MustParseAddr("127.0.0.1")
	return access.Request{
		Door: access.GRPC, Time: now(), Scheme: "http", Protocol: "HTTP/1.1", Client: local,
		Source:      access.Peer{Address: netip.AddrPortFrom(local, source)},
		Destination: access.Peer{Address: netip.AddrPortFrom(local, destination)},
		Route:       "order", Extensions: map[string]string{"postern.route": "order"},
	}
}

func TestReadsWhatEnvoySends(t *testing.T) {
	plain := fromEnvoy(46294, 44671)
	plain.ID, plain.Method = "2301807056507008902", "GET"
	plain.Malformed = "the path hides a dot segment behind an encoding or a parameter"
	plain.RawHost, plain.Host = "API.Example.test:8443", "api.example.test"
	plain.RawPath = "/a/../b//c/%2e%2e/d%2Fe;x=1?x=1&y=%20z"
	plain.Headers = access.Headers{
		{Name: "cookie", Value: "a=1,b=2"}, {Name: "x-forwarded-for", Value: "9.9.9.9"}, {Name: "x-forwarded-proto", Value: "http"},
		{Name: "x-multi", Value: "a,b"}, {Name: "x-request-id", Value: "0e6451cf-6b63-4a9f-b7d4-57db0e4ecde6"}, {Name: "x_under", Value: "u"},
	}

	raw := fromEnvoy(39884, 45431)
	raw.ID, raw.Method = "1274954490853491930", "POST"
	raw.RawHost, raw.Host, raw.RawPath, raw.Path = "api.example.test", "api.example.test", "/orders", "/orders"
	raw.Size, raw.Body, raw.BodyRaw = 16, []byte(`{"order":"abé"}`), true
	raw.Headers = access.Headers{
		{Name: "x-forwarded-for", Value: "9.9.9.9,192.0.2.2"}, {Name: "x-multi", Value: "a"}, {Name: "x-multi", Value: "b"},
		{Name: "content-type", Value: "application/json"}, {Name: "content-length", Value: "16"}, {Name: "x-forwarded-proto", Value: "http"},
		{Name: "x-envoy-external-address", Value: "127.0.0.1"}, {Name: "x-request-id", Value: "4a1ee762-11a8-492b-86bd-39b14679bdf4"},
		{Name: "x-envoy-auth-partial-body", Value: "false"},
	}

	absolute := fromEnvoy(46318, 44671)
	absolute.ID, absolute.Method = "15408564578590218421", "GET"
	absolute.RawHost, absolute.Host, absolute.RawPath, absolute.Path = "other.test", "other.test", "/abs", "/abs"
	absolute.Headers = access.Headers{
		{Name: "x-forwarded-proto", Value: "http"}, {Name: "x-request-id", Value: "f1604f34-4ac9-4b93-9502-4e170976ad4e"},
	}

	requests := recorded(t)
	for name, want := range map[string]access.Request{"plain": plain, "raw-headers": raw, "absolute": absolute} {
		if diff := same(&want, readBy(t, requests[name], extauthz.Options{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := readBy(t, requests["bad-percent"], extauthz.Options{}); got.Malformed != `the path holds the bad percent-encoding "%zz"` {
		t.Errorf("bad-percent: %q", got.Malformed)
	}
	if got := readBy(t, requests["normalised"], extauthz.Options{}); got.Malformed != "" || got.Path != "/b/d" {
		t.Errorf("normalised: %q, %q", got.Path, got.Malformed)
	}
	if got := readBy(t, requests["partial-body"], extauthz.Options{}); !got.BodyTruncated || len(got.Body) != 64 || got.Size != 100 {
		t.Errorf("partial-body: truncated %v, %d of %d bytes", got.BodyTruncated, len(got.Body), got.Size)
	}
}

func TestMultiValuedHeadersKeepTheirOrder(t *testing.T) {
	got := readBy(t, recorded(t)["raw-headers"], extauthz.Options{})
	multi := slices.DeleteFunc(slices.Clone(got.Headers), func(h access.Header) bool { return h.Name != "x-multi" })
	if want := (access.Headers{{Name: "x-multi", Value: "a"}, {Name: "x-multi", Value: "b"}}); !slices.Equal(multi, want) {
		t.Errorf("x-multi is %v, want %v", multi, want)
	}
}

func TestRefusesWhatCantBeReadSafely(t *testing.T) {
	http := func(change func(*authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
		return ask(func(a *authv3.AttributeContext) { change(a.Request.Http) })
	}
	many := &corev3.HeaderMap{}
	for i := range 1001 {
		many.Headers = append(many.Headers, &corev3.HeaderValue{Key: fmt.Sprint("x-", i)})
	}
	for _, tt := range []struct {
		name  string
		check *authv3.CheckRequest
		says  string
	}{
		{"nil", nil, "no attributes.request.http"},
		{"empty", &authv3.CheckRequest{}, "no attributes.request.http"},
		{"no request", &authv3.CheckRequest{Attributes: &authv3.AttributeContext{}}, "no attributes.request.http"},
		{"no http", ask(func(a *authv3.AttributeContext) { a.Request.Http = nil }), "no attributes.request.http"},
		{"all empty", http(func(h *authv3.AttributeContext_HttpRequest) { proto.Reset(h) }), "the method is empty; the host is empty; the path is empty"},
		{"method", http(func(h *authv3.AttributeContext_HttpRequest) { h.Method = "G ET" }), "method"},
		{"host", http(func(h *authv3.AttributeContext_HttpRequest) { h.Host = "a,b" }), "host"},
		{"path", http(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "/a/..;/b" }), "dot segment"},
		{"asterisk", http(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "*" }), "no path"},
		{"absolute form", http(func(h *authv3.AttributeContext_HttpRequest) { h.Path = "http://h.test/a" }), "does not begin"},
		{"fragment", http(func(h *authv3.AttributeContext_HttpRequest) { h.Fragment = "x" }), "fragment"},
		{"query apart", http(func(h *authv3.AttributeContext_HttpRequest) { h.Query = "x=1" }), "query"},
		{"header name", http(func(h *authv3.AttributeContext_HttpRequest) { h.Headers = map[string]string{"a b": "c"} }), "header's name"},
		{"empty header name", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{}}}
		}), "no name"},
		{"nil header", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{nil}}
		}), "no name"},
		{"raw path behind Envoy's !", http(func(h *authv3.AttributeContext_HttpRequest) {
			h.Path = "/a!"
			h.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: ":path", RawValue: []byte("/a\xff")}}}
		}), "not UTF-8"},
		{"too many headers", http(func(h *authv3.AttributeContext_HttpRequest) { h.HeaderMap = many }), "1001 header lines"},
	} {
		if got := readBy(t, tt.check, extauthz.Options{}); !strings.Contains(got.Malformed, tt.says) {
			t.Errorf("%s: malformed says %q, want %q", tt.name, got.Malformed, tt.says)
		}
	}
}

func TestReadsBothFormsOfHeaders(t *testing.T) {
	got := readBy(t, ask(func(a *authv3.AttributeContext) {
		a.Request.Http.Headers = map[string]string{":path": "/forged", "X-API-Key": "1"}
		a.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
			{Key: ":method", RawValue: []byte("DELETE")}, {Key: "X-API-Key", RawValue: []byte("2")}, {Key: "x-value", Value: "v"},
		}}
	}), extauthz.Options{})
	want := access.Headers{{Name: "x-api-key", Value: "1"}, {Name: "x-api-key", Value: "2"}, {Name: "x-value", Value: "v"}}
	if line := got.Method + " " + got.Path; !slices.Equal(got.Headers, want) || line != "GET /a" {
		t.Errorf("read %v, %s; want %v, GET /a", got.Headers, line, want)
	}
}

func TestClientAddress(t *testing.T) {
	trusted := canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	unix := &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/x"}}}}
	for _, tt := range []struct {
		name    string
		source  *authv3.AttributeContext_Peer
		trusted canon.Trusted
		want    string
	}{
		{"source.address counts", peer("10.0.0.1", 1), canon.Trusted{}, "10.0.0.1"},
		{"an untrusted source is not walked behind", peer("192.0.2.1", 1), trusted, "192.0.2.1"},
		{"a trusted one is", peer("10.0.0.1", 1), trusted, "198.51.100.1"},
		{"mapped", peer("::ffff:192.0.2.1", 1), trusted, "192.0.2.1"},
		{"port out of range", peer("192.0.2.1", 1<<20), trusted, "invalid IP"},
		{"junk", peer("example.com", 1), trusted, "invalid IP"},
		{"unix socket", unix, trusted, "invalid IP"},
		{"none", nil, trusted, "invalid IP"},
	} {
		got := readBy(t, ask(func(a *authv3.AttributeContext) {
			a.Source = tt.source
			a.Request.Http.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
				{Key: "x-forwarded-for", RawValue: []byte("203.0.113.7")},
				{Key: "X-Forwarded-For", RawValue: []byte("198.51.100.1, 10.0.0.2")},
			}}
		}), extauthz.Options{Trusted: tt.trusted})
		if got.Client.String() != tt.want {
			t.Errorf("%s: client is %v, want %s", tt.name, got.Client, tt.want)
		}
	}
}

// What a proxy forwards of its client is believed by who is connected to
// Envoy, not by what X-Forwarded-For says.
func TestTrustIsInThePeer(t *testing.T) {
	trusted := canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")})
	for _, tt := range []struct {
		name   string
		source *authv3.AttributeContext_Peer
		want   bool
	}{
		{"a trusted proxy", peer("10.0.0.1", 1), true},
		{"mapped", peer("::ffff:10.0.0.1", 1), true},
		{"another", peer("192.0.2.1", 1), false},
		{"none", nil, false},
	} {
		check := ask(func(a *authv3.AttributeContext) {
			a.Source = tt.source
			a.Request.Http.Headers = map[string]string{
				"x-forwarded-for": "10.0.0.9", "X-Forwarded-Client-Cert": "Hash=1", "Client-Cert": ":AQ==:",
			}
		})
		got := readBy(t, check, extauthz.Options{Trusted: trusted})
		if got.Trusted != tt.want {
			t.Errorf("%s: trusted %v", tt.name, got.Trusted)
		}
		for name, want := range map[string]string{"x-forwarded-client-cert": "Hash=1", "client-cert": ":AQ==:"} {
			if value, lines := got.Headers.Get(name); value != want || lines != 1 {
				t.Errorf("%s: %s is %q in %d lines", tt.name, name, value, lines)
			}
		}
		if readBy(t, check, extauthz.Options{}).Trusted {
			t.Errorf("%s: trusted by a door that trusts nobody", tt.name)
		}
	}
}

func TestPeersAndBody(t *testing.T) {
	got := readBy(t, ask(func(a *authv3.AttributeContext) {
		a.Source.Principal, a.Source.Certificate = "spiffe://td/a", "-----BEGIN%20"
		a.Source.Service, a.Source.Labels = "svc", map[string]string{"app": "x"}
		a.Request.Http.Body, a.Request.Http.Size = "text", -7
	}), extauthz.Options{})
	want := access.Peer{
		Address: netip.MustParseAddrPort("192.0.2.1:4711"), Principal: "spiffe://td/a", Certificate: "-----BEGIN%20",
		Service: "svc", Labels: map[string]string{"app": "x"},
	}
	if diff := gocmp.Diff(want, got.Source, cmpopts.EquateComparable(netip.AddrPort{})); diff != "" {
		t.Error(diff)
	}
	if string(got.Body) != "text" || got.BodyRaw || got.BodyTruncated || got.Size != -1 {
		t.Errorf("body %q, raw %v, truncated %v, size %d", got.Body, got.BodyRaw, got.BodyTruncated, got.Size)
	}
}

func TestMetadata(t *testing.T) {
	fields, err := structpb.NewStruct(map[string]any{"tier": "gold", "n": 2})
	if err != nil {
		t.Fatal(err)
	}
	got := readBy(t, ask(func(a *authv3.AttributeContext) {
		a.MetadataContext = &corev3.Metadata{
			FilterMetadata:      map[string]*structpb.Struct{"f": fields},
			TypedFilterMetadata: map[string]*anypb.Any{"t": {TypeUrl: "type.test/x", Value: []byte{1, 2}}, "nil": nil},
		}
		a.RouteMetadataContext = &corev3.Metadata{}
		a.TlsSession = &authv3.AttributeContext_TLSSession{Sni: "sni.test"}
	}), extauthz.Options{})
	want := map[string]any{
		"metadataContext": map[string]any{
			"filterMetadata": map[string]any{"f": map[string]any{"tier": "gold", "n": 2.0}},
			"typedFilterMetadata": map[string]any{
				"t":   map[string]any{"@type": "type.test/x", "value": "AQI="},
				"nil": map[string]any{"@type": "", "value": ""},
			},
		},
		"routeMetadataContext": map[string]any{},
		"tlsSession":           map[string]any{"sni": "sni.test"},
	}
	if diff := gocmp.Diff(want, got.Metadata()); diff != "" {
		t.Error(diff)
	}
	if got := readBy(t, ask(nil), extauthz.Options{}); got.Metadata != nil {
		t.Errorf("a request without metadata has %v", got.Metadata())
	}
}

func FuzzRead(f *testing.F) {
	for _, check := range recorded(f) {
		data, err := proto.Marshal(check)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	trusted := canon.NewTrusted([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})
	f.Fuzz(func(t *testing.T, data []byte) {
		check := new(authv3.CheckRequest)
		if proto.Unmarshal(data, check) != nil {
			return
		}
		got := readBy(t, check, extauthz.Options{Trusted: trusted})
		if got == nil {
			t.Fatal("the door panicked")
		}
		if got.Metadata != nil {
			got.Metadata()
		}
		checkInvariants(t, got)
		// Whatever the query is, an allow that changes it can be sent.
		if _, err := proto.Marshal(renderedBy(t, allowed(), check, extauthz.Options{})); err != nil {
			t.Errorf("the answer can't be sent: %v", err)
		}
	})
}

func checkInvariants(t *testing.T, req *access.Request) {
	for _, h := range req.Headers {
		if h.Name == "" || h.Name != strings.ToLower(h.Name) || strings.HasPrefix(h.Name, ":") {
			t.Errorf("header name %q", h.Name)
		}
	}
	if req.Client.Is4In6() || req.Size < -1 || req.Door != access.GRPC {
		t.Errorf("client %v, size %d, door %q", req.Client, req.Size, req.Door)
	}
	if req.Malformed == "" && (req.Host == "" || !strings.HasPrefix(req.Path, "/") || req.Method == "") {
		t.Errorf("read as good: %q %q %q", req.Method, req.Host, req.Path)
	}
}
