package policy

import (
	"encoding/base64"
	"strconv"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// inputFields is policy's input, whole: OPA-Envoy's, which is a CheckRequest
// in protojson with what it parsed from it, and Postern's own words beside it.
// Descriptors tell what gRPC messages hold; nil: nothing is told of them.
func inputFields(d *descriptors) *field {
	return &field{name: "input", fields: []field{
		{name: "attributes", fields: []field{
			{name: "source", fields: peerFields(func(q *gate.Question) *access.Peer { return &q.Request.Source })},
			{name: "destination", fields: peerFields(func(q *gate.Question) *access.Peer { return &q.Request.Destination })},
			{name: "request", fields: []field{
				{name: "time", write: text(requestTime), varies: true},
				{name: "http", fields: httpFields()},
			}},
			{name: "contextExtensions", write: filledWords(func(q *gate.Question) map[string]string { return q.Request.Extensions })},
			{name: "metadataContext", write: metadata},
			{name: "routeMetadataContext", write: metadata},
			{name: "tlsSession", write: metadata},
		}},
		{name: "version", fields: []field{
			{name: "ext_authz", write: text(func(*gate.Question) string { return "v3" })},
			{name: "encoding", write: text(func(*gate.Question) string { return "protojson" })},
		}},
		{name: "parsed_path", write: parsedPath},
		{name: "parsed_query", write: parsedQuery},
		{name: "parsed_body", write: d.parsedBody, varies: true},
		{name: "truncated_body", write: d.truncatedBody},
		{name: "source_principal", write: filled(func(q *gate.Question) string { return q.Request.Source.Principal })},

		{name: "consumer", fields: consumerFields(), null: anonymous},
		{name: "credential", fields: credentialFields(), null: func(q *gate.Question) bool { return q.Identity == nil || q.Identity.Credential == nil }},
		{name: "identity", fields: identityFields()},
		{name: "route", fields: []field{
			{name: "name", write: text(func(q *gate.Question) string { return q.Route })},
			{name: "path", write: text(func(q *gate.Question) string { return q.Request.Path })},
			{name: "params", write: params},
		}},
		{name: "time", write: text(requestTime), varies: true},
	}}
}

// httpFields are envoy.service.auth.v3.AttributeContext.HttpRequest. Protojson
// leaves out what is empty and writes 64-bit numbers and bytes as text.
func httpFields() []field {
	return []field{
		{name: "id", write: filled(func(q *gate.Question) string { return q.Request.ID }), varies: true},
		{name: "method", write: filled(func(q *gate.Question) string { return q.Request.Method })},
		{name: "headers", write: headers, allVaries: true},
		{name: "path", write: filled(func(q *gate.Question) string { return q.Request.RawPath })},
		{name: "host", write: filled(func(q *gate.Question) string { return q.Request.RawHost })},
		{name: "scheme", write: filled(func(q *gate.Question) string { return q.Request.Scheme })},
		{name: "protocol", write: filled(func(q *gate.Question) string { return q.Request.Protocol })},
		{name: "size", write: filled(size)},
		{name: "body", write: filled(textBody), varies: true},
		{name: "rawBody", write: filled(rawBody), varies: true},
	}
}

// peerFields are envoy.service.auth.v3.AttributeContext.Peer.
func peerFields(of func(*gate.Question) *access.Peer) []field {
	return []field{
		{name: "address", fields: []field{{name: "socketAddress", fields: []field{
			{name: "address", write: filled(func(q *gate.Question) string { return address(of(q)) })},
			{name: "portValue", write: port(of), varies: true},
		}}}},
		{name: "principal", write: filled(func(q *gate.Question) string { return of(q).Principal })},
		{name: "certificate", write: filled(func(q *gate.Question) string { return of(q).Certificate })},
		{name: "service", write: filled(func(q *gate.Question) string { return of(q).Service })},
		{name: "labels", write: filledWords(func(q *gate.Question) map[string]string { return of(q).Labels })},
	}
}

func anonymous(q *gate.Question) bool { return q.Identity.Anonymous() }

func consumerFields() []field {
	return []field{
		{name: "name", write: text(func(q *gate.Question) string { return q.Identity.Consumer.Name })},
		{name: "display_name", write: text(func(q *gate.Question) string { return q.Identity.Consumer.DisplayName })},
		{name: "environment", write: text(func(q *gate.Question) string { return q.Identity.Consumer.Environment })},
		{name: "labels", write: words(func(q *gate.Question) map[string]string { return q.Identity.Consumer.Labels })},
		{name: "groups", write: list(func(q *gate.Question) []string { return q.Identity.Consumer.Groups })},
		{name: "roles", write: list(func(q *gate.Question) []string { return q.Identity.Consumer.Roles })},
		{name: "attributes", write: values(func(q *gate.Question) map[string]any { return q.Identity.Consumer.Attributes })},
	}
}

func credentialFields() []field {
	return []field{
		{name: "id", write: text(func(q *gate.Question) string { return q.Identity.Credential.ID })},
		{name: "kind", write: text(func(q *gate.Question) string { return string(q.Identity.Credential.Kind) })},
		{name: "scopes", write: list(func(q *gate.Question) []string { return q.Identity.Credential.Scopes })},
	}
}

func identityFields() []field {
	return []field{
		{name: "anonymous", write: func(s sink, k key, q *gate.Question, _ *reads) error {
			s.flag(k, anonymous(q))
			return nil
		}},
		{name: "claims", write: values(func(q *gate.Question) map[string]any { return q.Identity.Claims })},
		{name: "scopes", write: list(func(q *gate.Question) []string { return q.Identity.Scopes })},
		{name: "roles", write: list(func(q *gate.Question) []string { return q.Identity.Roles })},
		{name: "groups", write: list(func(q *gate.Question) []string { return q.Identity.Groups })},
		{name: "issuer", write: text(func(q *gate.Question) string { return q.Identity.Issuer })},
	}
}

func requestTime(q *gate.Question) string { return q.Request.Time.UTC().Format(time.RFC3339Nano) }

func size(q *gate.Question) string {
	if q.Request.Size == 0 {
		return ""
	}
	return strconv.FormatInt(q.Request.Size, 10)
}

func textBody(q *gate.Question) string {
	if q.Request.BodyRaw {
		return ""
	}
	return string(q.Request.Body)
}

func rawBody(q *gate.Question) string {
	if !q.Request.BodyRaw {
		return ""
	}
	return base64.StdEncoding.EncodeToString(q.Request.Body)
}

func address(p *access.Peer) string {
	if !p.Address.IsValid() {
		return ""
	}
	return p.Address.Addr().String()
}

func port(of func(*gate.Question) *access.Peer) writer {
	return func(s sink, k key, q *gate.Question, _ *reads) error {
		if n := of(q).Address.Port(); n != 0 {
			s.number(k, int64(n))
		}
		return nil
	}
}
