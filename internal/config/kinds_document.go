package config

import "github.com/postern-authz/postern/internal/strictyaml"

type basicPart struct {
	Realm   string              `yaml:"realm" doc:"What a login window shows."`
	Workers int                 `yaml:"workers" doc:"How many passwords are verified at once; left out: half of the cores."`
	Queue   int                 `yaml:"queue" doc:"How many wait for their turn; left out: four times the workers."`
	Wait    strictyaml.Duration `yaml:"wait" doc:"How long they wait; then the answer is 429."`
	Burst   strictyaml.Duration `yaml:"burst" doc:"How much work wrong passwords may take at once, in time of one core; in the long run they get a sixteenth of the cores, and beyond it the answer is 429."`
}

type signaturePart struct {
	ClockSkew       strictyaml.Duration `yaml:"clock_skew" doc:"How far a request's date may be from our clock, either way; at most 15m."`
	Dialects        []dialect           `yaml:"dialects" doc:"The forms of signed requests that are read; left out: all."`
	RequiredHeaders []string            `yaml:"required_headers" doc:"What must be signed beside the date and the request target, such as host; not for plain, which signs no headers."`
	Repeatable      []dialect           `yaml:"dangerously_repeatable" doc:"Dialects whose requests may be repeated while their date is good: whoever sees one can send it again."`
	UnsignedTarget  bool                `yaml:"dangerously_unsigned_target" doc:"Accepts requests whose method and path are not signed: whoever sees one can turn it into any other."`
	UnsignedBody    bool                `yaml:"dangerously_unsigned_body" doc:"Accepts requests whose body is not signed, or was not passed to us: anybody on the way can replace it."`
}

type certificatePart struct {
	Headers                []string `yaml:"headers" doc:"Client-Cert, X-Forwarded-Client-Cert: those that trusted proxies replace; left out: what Envoy tells over gRPC alone."`
	CAFile                 string   `yaml:"ca_file" doc:"Certificates in PEM that a client's must lead to, relative to this file; watched. Left out: as the gateway verified."`
	Unknown                unknown  `yaml:"unknown" doc:"What becomes of a certificate that leads to no consumer: reject, or ignore where a mesh gives everybody one."`
	IgnoreProxyCertificate bool     `yaml:"ignore_proxy_certificate" doc:"The certificate of a trusted proxy's own connection is nobody's credential."`
}

type introspectionPart struct {
	Name            string              `yaml:"name,required" doc:"The server's name in consumers' credentials of type issuer, logs and policy input."`
	URL             string              `yaml:"url" doc:"The introspection endpoint."`
	Issuer          string              `yaml:"issuer" doc:"In place of url: the issuer that it is discovered from."`
	PlainHTTP       bool                `yaml:"dangerously_ask_over_plain_http" doc:"Accepts plain HTTP to another machine: whoever is in between reads tokens and answers in the server's place."`
	ClientID        string              `yaml:"client_id,required" doc:"Our own credentials at the server."`
	ClientSecret    string              `yaml:"client_secret,required" doc:"env:NAME or file:PATH."`
	ClientAuth      clientAuth          `yaml:"client_auth" doc:"How they are sent: in the Basic scheme or in the body."`
	TokenTypeHint   string              `yaml:"token_type_hint" doc:"Sent with every token, such as refresh_token; left out: none."`
	Timeout         strictyaml.Duration `yaml:"timeout" doc:"Bounds one answer with all that it takes; left out: 150ms, within the 200ms that Envoy waits."`
	In              []tokenPlace        `yaml:"in" doc:"All places where a token may stand."`
	Audiences       []string            `yaml:"audiences" doc:"An answer must name one of them; left out: aud is not looked at."`
	TokenTypes      []string            `yaml:"token_types" doc:"The kinds of token that are believed; left out: Bearer."`
	TakesJWT        bool                `yaml:"takes_jwt" doc:"Tokens in the form of a JWT are asked about too. Where a route believes jwt as well, both must prove the token."`
	ConsumerClaim   string              `yaml:"consumer_claim" doc:"The claim that names the consumer; left out: client_id."`
	UnknownConsumer string              `yaml:"unknown_consumer" doc:"deny (when left out), or ephemeral: a consumer with nothing but what the answer says."`
	Roles           []string            `yaml:"roles" doc:"Claims that hold roles, such as realm_access.roles; left out: none."`
	Groups          []string            `yaml:"groups" doc:"Claims that hold groups; left out: none."`
	Scopes          []string            `yaml:"scopes" doc:"Claims that hold scopes; left out: scope."`
	TTL             strictyaml.Duration `yaml:"ttl" doc:"How long an answer counts at most, and a token that was revoked with it; left out: cache.ttl."`
}

type assertionPart struct {
	Header       string              `yaml:"header" doc:"The header that it stands in."`
	Key          string              `yaml:"key,required" doc:"env:NAME or file:PATH of the private key in PEM (PKCS #8): EC P-256 signs ES256, Ed25519 signs EdDSA."`
	TTL          strictyaml.Duration `yaml:"ttl" doc:"How long it is good for, 2s to 15m."`
	Audience     string              `yaml:"audience" doc:"The claim aud; left out: none."`
	Issuer       string              `yaml:"issuer" doc:"The claim iss."`
	PreviousKeys []string            `yaml:"previous_keys" doc:"References to keys that are published beside it and sign nothing: those of before, and the next."`
}
