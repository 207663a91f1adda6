package extauthz

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"time"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

const (
	// routeExtension is the key in context_extensions by which a gateway names
	// the route.
	routeExtension = "postern.route"
	// maxHeaders is how many header lines are read. Envoy itself takes 100 by
	// default (max_headers_count).
	maxHeaders = 1000
	// partialBodyHeader is how Envoy marks a body that it cut
	// (with_request_body.allow_partial_message).
	partialBodyHeader = "x-envoy-auth-partial-body"
)

// reader makes access.Requests of CheckRequests.
type reader struct {
	trusted canon.Trusted
	now     func() time.Time
}

// Read reads a CheckRequest as the door does, for who asks without a gateway.
func Read(check *authv3.CheckRequest, o Options) *access.Request {
	r := reader{trusted: o.Trusted, now: o.Now}
	if r.now == nil {
		r.now = time.Now
	}
	return r.read(check)
}

// read reads the wire once. It always returns a request; one that can't be
// read safely says so in Malformed. The request shares memory with check.
func (r *reader) read(check *authv3.CheckRequest) *access.Request {
	attributes := check.GetAttributes()
	req := &access.Request{
		Door: access.GRPC, Time: r.now(), Size: -1,
		Source: readPeer(attributes.GetSource()), Destination: readPeer(attributes.GetDestination()),
		Extensions: attributes.GetContextExtensions(),
		Route:      attributes.GetContextExtensions()[routeExtension],
		Metadata:   metadataOf(attributes),
	}
	req.Client = canon.ClientAddr(req.Source.Address.Addr(), nil, r.trusted)
	req.Trusted = r.trusted.Contains(req.Client)
	if http := attributes.GetRequest().GetHttp(); http != nil {
		req.Malformed = r.readHTTP(req, http)
	} else {
		req.Malformed = "the CheckRequest has no attributes.request.http"
	}
	return req
}

// readHTTP returns what can't be read safely. It reads on past a problem, so
// that the log of a refused request tells what can be told.
func (r *reader) readHTTP(req *access.Request, http *authv3.AttributeContext_HttpRequest) (malformed string) {
	req.ID, req.Scheme, req.Protocol = http.GetId(), http.GetScheme(), http.GetProtocol()
	req.RawHost, req.RawPath = http.GetHost(), http.GetPath()
	var hostErr, pathErr error
	req.Host, hostErr = canon.Host(req.RawHost)
	req.Path, req.Query, pathErr = canon.Path(req.RawPath)
	methodErr := canon.Method(http.GetMethod())
	if methodErr == nil {
		req.Method = http.GetMethod()
	}
	headersErr := r.readHeaders(req, http)
	readBody(req, http)
	return problems(methodErr, hostErr, pathErr, headersErr, checkTarget(http))
}

func problems(errs ...error) string {
	var texts []string
	for _, err := range errs {
		if err != nil {
			texts = append(texts, err.Error())
		}
	}
	return strings.Join(texts, "; ")
}

// checkTarget refuses what Envoy never sends and another gateway might: a
// fragment, and a query apart from the path that policy would not see.
func checkTarget(http *authv3.AttributeContext_HttpRequest) error {
	if http.GetFragment() != "" {
		return errors.New("the request has a fragment")
	}
	if http.GetQuery() != "" && !strings.HasSuffix(http.GetPath(), "?"+http.GetQuery()) {
		return errors.New("the query is not the path's")
	}
	return nil
}

// readHeaders reads both forms that Envoy has: `headers`, where repeated lines
// are joined by a comma, and `header_map` (encode_raw_headers), one entry a
// line.
func (r *reader) readHeaders(req *access.Request, http *authv3.AttributeContext_HttpRequest) error {
	lines := http.GetHeaderMap().GetHeaders()
	count := len(http.GetHeaders()) + len(lines)
	if count > maxHeaders {
		return fmt.Errorf("the request has %d header lines, more than %d", count, maxHeaders)
	}
	req.Headers = make(access.Headers, 0, count)
	for name, value := range http.GetHeaders() {
		if err := addHeader(req, name, value); err != nil {
			return err
		}
	}
	for _, line := range lines {
		if line.GetKey() == ":path" && !utf8.Valid(line.GetRawValue()) {
			// Over HTTP/2 Envoy forwards such a path as it is, and tells us one
			// with a "!" for each bad byte. Only here does the truth show.
			return errors.New("the path is not UTF-8")
		}
		if err := addHeader(req, line.GetKey(), lineValue(line)); err != nil {
			return err
		}
	}
	r.walkForwardedFor(req)
	return nil
}

// addHeader leaves out pseudo-headers (":path"): the request line has been
// read already.
func addHeader(req *access.Request, name, value string) error {
	if strings.HasPrefix(name, ":") {
		return nil
	}
	name, err := canon.HeaderName(name)
	if err != nil {
		return err
	}
	if name == partialBodyHeader && value == "true" {
		req.BodyTruncated = true
	}
	req.Headers = append(req.Headers, access.Header{Name: name, Value: value})
	return nil
}

func lineValue(line *corev3.HeaderValue) string {
	if raw := line.GetRawValue(); len(raw) > 0 {
		return string(raw)
	}
	return line.GetValue()
}

// walkForwardedFor looks behind Envoy's source.address only where it is a
// trusted proxy's: Envoy has walked the header itself, and without
// use_remote_address the header is the client's own text.
func (r *reader) walkForwardedFor(req *access.Request) {
	if !req.Trusted {
		return
	}
	var lines []string
	for i := range req.Headers {
		if req.Headers[i].Name == "x-forwarded-for" {
			lines = append(lines, req.Headers[i].Value)
		}
	}
	req.Client = canon.ClientAddr(req.Client, lines, r.trusted)
}

func readBody(req *access.Request, http *authv3.AttributeContext_HttpRequest) {
	req.Size = max(http.GetSize(), -1)
	if raw := http.GetRawBody(); len(raw) > 0 {
		req.Body, req.BodyRaw = raw, true
	} else if body := http.GetBody(); body != "" {
		req.Body = []byte(body)
	}
}

func readPeer(peer *authv3.AttributeContext_Peer) access.Peer {
	return access.Peer{
		Address:     readAddress(peer.GetAddress().GetSocketAddress()),
		Principal:   peer.GetPrincipal(),
		Certificate: peer.GetCertificate(),
		Service:     peer.GetService(),
		Labels:      peer.GetLabels(),
	}
}

// readAddress is invalid for what has no IP address, such as a Unix socket.
func readAddress(socket *corev3.SocketAddress) netip.AddrPort {
	addr, err := netip.ParseAddr(socket.GetAddress())
	port := socket.GetPortValue()
	if err != nil || port > math.MaxUint16 {
		return netip.AddrPort{}
	}
	return netip.AddrPortFrom(addr.Unmap(), uint16(port))
}
