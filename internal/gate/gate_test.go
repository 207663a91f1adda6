package gate_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// fakeKind proves what its answer says; a nil proof and a nil error panic.
type fakeKind struct {
	kind  access.Kind
	proof *access.Proof
	err   error
}

func (f fakeKind) Kind() access.Kind { return f.kind }
func (f fakeKind) Challenge(rejected bool) string {
	if rejected {
		return string(f.kind) + ` error="rejected"`
	}
	return string(f.kind)
}

func (f fakeKind) Authenticate(context.Context, *access.Request) (access.Proof, error) {
	if f.err != nil {
		return access.Proof{}, f.err
	}
	return *f.proof, nil
}

type fakePolicy struct {
	decision access.Decision
	err      error
	asked    *gate.Question
}

func (f *fakePolicy) Decide(_ context.Context, q *gate.Question) (access.Decision, error) {
	f.asked = q
	return f.decision, f.err
}

type recorder struct{ verdicts []access.Verdict }

func (r *recorder) Record(_ *access.Request, v *access.Verdict, _ time.Duration) {
	r.verdicts = append(r.verdicts, *v)
}

func proof(consumer string, change ...func(*access.Identity)) *access.Proof {
	id := &access.Identity{
		Consumer:   &access.Consumer{Name: consumer, Enabled: true, Labels: map[string]string{"custom_id": "42"}},
		Credential: &access.Credential{ID: consumer + "-key", Kind: access.KindAPIKey, Enabled: true},
		Scopes:     []string{"read"},
		Roles:      []string{"reader"},
		Groups:     []string{"premium"},
	}
	for _, c := range change {
		c(id)
	}
	return &access.Proof{Identity: id, From: access.Location{Header: "x-api-key"}}
}

// situation is one request before one gate.
type situation struct {
	key, jwt fakeKind
	route    gate.Route
	policy   fakePolicy
	request  access.Request
	managed  map[string]string
	vouch    gate.Assertion
	forward  []access.Kind
	stale    func() time.Duration
	dryRun   bool
}

func ordinary() situation {
	s := situation{
		key:     fakeKind{kind: access.KindAPIKey, proof: proof("alice")},
		jwt:     fakeKind{kind: access.KindJWT, err: access.ErrNoCredential},
		route:   gate.Route{Name: "orders", Authenticate: gate.Authenticate{Kinds: []access.Kind{access.KindJWT, access.KindAPIKey}}, Entrypoint: "a/b"},
		request: access.Request{Door: access.GRPC, Method: "GET", Path: "/orders/7", Host: "api.example.com", Client: netip.MustParseAddr("192.0.2.1")},
	}
	pattern, _ := gate.ParsePattern("/orders/{id}")
	s.route.Match.Paths = []gate.Pattern{pattern}
	s.policy.decision.Allowed = true
	s.managed, _ = gate.Preset("apisix")
	return s
}

func (s *situation) check(t *testing.T) access.Verdict {
	t.Helper()
	managed, err := gate.Manage(s.managed)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := gate.NewRules(gate.Config{
		Revision: "r1", Routes: []gate.Route{s.route}, Policy: &s.policy, Managed: managed,
		Authenticators: []gate.Authenticator{s.key, s.jwt}, CredentialHeaders: []string{"x-api-key", "authorization"},
		Assertion: s.vouch, Forward: s.forward, Staleness: s.stale, DryRun: s.dryRun,
	})
	if err != nil {
		t.Fatal(err)
	}
	log := &recorder{}
	g := gate.New(log, time.Now, func() string { return "d1" })
	g.Swap(rules)
	v := g.Check(context.Background(), &s.request)
	if len(log.verdicts) != 1 || log.verdicts[0].DecisionID != "d1" || log.verdicts[0].Revision != "r1" {
		t.Errorf("recorded %+v, want one verdict d1 of revision r1", log.verdicts)
	}
	return v
}

func TestZeroVerdictDenies(t *testing.T) {
	var v access.Verdict
	if v.Outcome() != access.Faulted {
		t.Errorf("the zero verdict is %v", v.Outcome())
	}
}

func TestNoRulesIsAFault(t *testing.T) {
	g := gate.New(&recorder{}, time.Now, func() string { return "d1" })
	if v := g.Check(context.Background(), &access.Request{}); v.Outcome() != access.Faulted || v.Status != 503 {
		t.Errorf("verdict %+v, want a fault", v)
	}
}

func TestVerdicts(t *testing.T) {
	broken := errors.New("store is down")
	tests := []struct {
		name   string
		change func(*situation)
		want   access.Code
		detail string
	}{
		{"a proven consumer and a yes", func(*situation) {}, access.CodeAllowed, ""},
		{"unreadable comes before credentials", func(s *situation) {
			s.request.Malformed = "bad percent"
			s.key = fakeKind{kind: access.KindAPIKey, err: access.Invalid("x")}
		}, access.CodeMalformedRequest, "bad percent"},
		{"no credential", func(s *situation) { s.key.err = access.ErrNoCredential }, access.CodeMissingCredential, ""},
		{"no credential where anonymous is allowed", func(s *situation) {
			s.key.err = access.ErrNoCredential
			s.route.Anonymous = true
		}, access.CodeAllowed, ""},
		{"a requirement makes anonymous a 401", func(s *situation) {
			s.key.err = access.ErrNoCredential
			s.route.Anonymous = true
			s.route.Require.Roles = []string{"reader"}
		}, access.CodeMissingCredential, ""},
		{"a bad credential where anonymous is allowed", func(s *situation) {
			s.key.err = access.Invalid("unknown key")
			s.route.Anonymous = true
		}, access.CodeInvalidCredential, "unknown key"},
		{"one good, one bad", func(s *situation) { s.jwt.err = access.Invalid("bad signature") }, access.CodeInvalidCredential, "bad signature"},
		{"expired", func(s *situation) { s.key.err = access.Expired("since noon") }, access.CodeExpiredCredential, "since noon"},
		{"too many failures", func(s *situation) { s.key.err = access.TooManyFailures("full", time.Second) }, access.CodeTooManyFailures, "full"},
		{"credentials of two consumers", func(s *situation) { s.jwt = fakeKind{kind: access.KindJWT, proof: proof("bob")} }, access.CodeInvalidCredential, "two consumers"},
		{"a declared and an ephemeral consumer of one name", func(s *situation) {
			s.jwt = fakeKind{kind: access.KindJWT, proof: proof("alice", func(id *access.Identity) {
				consumer := *id.Consumer
				consumer.Ephemeral = true
				id.Consumer = &consumer
			})}
		}, access.CodeInvalidCredential, "two consumers"},
		{"an ephemeral consumer's name under two issuers", func(s *situation) {
			ephemeral := func(issuer string) *access.Proof {
				return proof("alice", func(id *access.Identity) { id.Consumer.Ephemeral, id.Issuer = true, issuer })
			}
			s.key.proof = ephemeral("one")
			s.jwt = fakeKind{kind: access.KindJWT, proof: ephemeral("two")}
		}, access.CodeInvalidCredential, "two consumers"},
		{"a value that every kind leaves to another", func(s *situation) {
			s.route.Anonymous = true
			s.key.err = access.ErrNoCredential
			s.jwt.err = &access.LeftToOthers{Header: "authorization"}
		}, access.CodeInvalidCredential, "authorization"},
		{"a value left beside a good credential elsewhere", func(s *situation) {
			s.jwt.err = &access.LeftToOthers{Header: "authorization"}
		}, access.CodeInvalidCredential, "authorization"},
		{"a value left to the kind that took it", func(s *situation) {
			s.jwt.err = &access.LeftToOthers{Header: "x-api-key"}
		}, access.CodeAllowed, ""},
		{"a store that fails", func(s *situation) { s.key.err = broken }, access.CodeFault, "store is down"},
		{"a rejection outranks a fault", func(s *situation) {
			s.key.err = broken
			s.jwt.err = access.Invalid("bad signature")
		}, access.CodeInvalidCredential, "bad signature"},
		{"a fault outranks a proof", func(s *situation) { s.jwt.err = broken }, access.CodeFault, "jwt: store is down"},
		{"a proof without a consumer", func(s *situation) { s.key.proof = &access.Proof{Identity: access.AnonymousIdentity()} }, access.CodeFault, "without a consumer"},
		{"an authenticator that panics", func(s *situation) { s.key.proof = nil }, access.CodeFault, "panic"},
		{"all of two kinds, one there", func(s *situation) { s.route.Authenticate.AllOf = true }, access.CodeMissingCredential, ""},
		{"all of two kinds, both there", func(s *situation) {
			s.route.Authenticate.AllOf = true
			s.jwt = fakeKind{kind: access.KindJWT, proof: proof("alice")}
		}, access.CodeAllowed, ""},
		{"a constraint of the consumer", func(s *situation) {
			s.key.proof.Identity.Consumer.Constraints = &access.Constraints{Methods: []string{"POST"}}
		}, access.CodeConstraintViolated, "consumer alice"},
		{"GET does not include HEAD", func(s *situation) {
			s.key.proof.Identity.Consumer.Constraints = &access.Constraints{Methods: []string{"GET"}}
			s.request.Method = "HEAD"
		}, access.CodeConstraintViolated, "HEAD"},
		{"a constraint of the credential", func(s *situation) {
			s.key.proof.Identity.Credential.Constraints = &access.Constraints{Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}
		}, access.CodeConstraintViolated, "192.0.2.1"},
		{"an address constraint without an address", func(s *situation) {
			s.key.proof.Identity.Credential.Constraints = &access.Constraints{Addresses: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
			s.request.Client = netip.Addr{}
		}, access.CodeConstraintViolated, "address"},
		{"a missing role comes before a missing scope", func(s *situation) {
			s.route.Require = gate.Require{Roles: []string{"admin", "owner"}, Scopes: []string{"write"}}
		}, access.CodeMissingRole, "admin, owner"},
		{"any one role does", func(s *situation) { s.route.Require.Roles = []string{"admin", "reader"} }, access.CodeAllowed, ""},
		{"all scopes are needed", func(s *situation) { s.route.Require.Scopes = []string{"read", "write"} }, access.CodeMissingScope, "write"},
		{"any one group does", func(s *situation) { s.route.Require.Groups = []string{"gold", "premium"} }, access.CodeAllowed, ""},
		{"a missing group", func(s *situation) { s.route.Require.Groups = []string{"gold"} }, access.CodeMissingGroup, "gold"},
		{"policy says no", func(s *situation) { s.policy.decision = access.Decision{Detail: "undefined"} }, access.CodeDeniedByPolicy, "undefined"},
		{"policy fails", func(s *situation) { s.policy.err = errors.New("timeout") }, access.CodeFault, "timeout"},
		{"policy can't read the body", func(s *situation) { s.policy.err = &access.Unreadable{Detail: "no JSON"} }, access.CodeMalformedRequest, "no JSON"},
		{"policy fails and says yes", func(s *situation) {
			s.policy = fakePolicy{decision: access.Decision{Allowed: true}, err: errors.New("conflict")}
		}, access.CodeFault, "conflict"},
		{"an unknown route is no default", func(s *situation) { s.request.Route = "nosuch" }, access.CodeFault, "route"},
		{"a control character in a label", func(s *situation) {
			s.key.proof.Identity.Consumer.Labels["custom_id"] = "4\r\n2"
		}, access.CodeFault, "control"},
		{"Connection names a managed header", func(s *situation) {
			s.request.Headers = access.Headers{{Name: "connection", Value: "close, X-Consumer-Username"}}
		}, access.CodeMalformedRequest, "Connection"},
		{"Connection names a credential's header", func(s *situation) {
			s.request.Headers = access.Headers{{Name: "connection", Value: "x-api-key"}}
		}, access.CodeMalformedRequest, "Connection"},
		{"an alias where the gateway can't remove it", func(s *situation) {
			s.request.Door = access.Nginx
			s.request.Headers = access.Headers{{Name: "x_consumer.username", Value: "eve"}}
		}, access.CodeMalformedRequest, "_ and ."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := ordinary()
			test.change(&s)
			v := s.check(t)
			if v.Reason.Code != test.want || !strings.Contains(v.Reason.Detail, test.detail) {
				t.Fatalf("%s (%s), want %s (%s)", v.Reason.Code, v.Reason.Detail, test.want, test.detail)
			}
			checkShape(t, &v)
		})
	}
}

// checkShape holds what is true of every verdict.
func checkShape(t *testing.T, v *access.Verdict) {
	t.Helper()
	if v.Identity == nil || v.DecisionID != "d1" || v.Status != v.Reason.Code.Status() {
		t.Errorf("verdict %+v is not whole", v)
	}
	if allowed := v.Reason.Code == access.CodeAllowed; allowed != (v.Outcome() == access.Allowed) {
		t.Errorf("outcome %v with the code %s", v.Outcome(), v.Reason.Code)
	}
	if v.Outcome() == access.Allowed {
		return
	}
	var body struct{ Code, Message, DecisionID string }
	err := json.Unmarshal([]byte(strings.Replace(v.Body, "decision_id", "DecisionID", 1)), &body)
	if err != nil || body.Code != string(v.Reason.Code) || body.DecisionID != "d1" || body.Message == "" {
		t.Errorf("body %s: %v", v.Body, err)
	}
	if v.Reason.Detail != "" && strings.Contains(v.Body, v.Reason.Detail) {
		t.Errorf("the body tells the client %q", v.Reason.Detail)
	}
}

func TestChallenges(t *testing.T) {
	s := ordinary()
	s.jwt.err = access.Invalid("bad")
	v := s.check(t)
	want := []access.Header{{Name: "WWW-Authenticate", Value: "api_key"}, {Name: "WWW-Authenticate", Value: `jwt error="rejected"`}}
	if diff := cmp.Diff(want, v.Client); diff != "" {
		t.Error(diff)
	}
	s = ordinary()
	s.route.Authenticate.Kinds = []access.Kind{access.KindAPIKey}
	s.key.err = access.ErrNoCredential
	if v := s.check(t); len(v.Client) != 1 {
		t.Errorf("challenges %v, want the believed kind's alone", v.Client)
	}
}

// TestManagedNameWithUnderscore: whatever the spelling of the managed name, its
// aliases are told apart from it.
func TestManagedNameWithUnderscore(t *testing.T) {
	s := ordinary()
	s.managed = map[string]string{"X_User": "consumer.name"}
	s.request.Headers = access.Headers{{Name: "x_user", Value: "eve"}, {Name: "x-user", Value: "eve"}, {Name: "x.user", Value: "eve"}}
	if v := s.check(t); len(v.Remove) < 2 || v.Remove[0] != "x-user" || v.Remove[1] != "x.user" {
		t.Errorf("removed %q, want both aliases", v.Remove)
	}
	s.request.Headers = access.Headers{{Name: "connection", Value: "X_User"}}
	if v := s.check(t); v.Reason.Code != access.CodeMalformedRequest {
		t.Errorf("Connection: X_User: %s", v.Reason.Code)
	}
}

// TestProofOfSeveralHeaders: what is part of the proof is hidden with it, where
// the request has it.
func TestProofOfSeveralHeaders(t *testing.T) {
	s := ordinary()
	s.key.proof.Beside = []string{"x-signature", "x-nonce"}
	s.request.Headers = access.Headers{{Name: "x-api-key", Value: "id"}, {Name: "x-signature", Value: "00"}}
	if diff := cmp.Diff([]string{"x-api-key", "x-signature"}, s.check(t).Remove); diff != "" {
		t.Error(diff)
	}
}

// neighbour leaves to others what it is told it may.
type neighbour struct {
	fakeKind
	among *[]access.Kind
}

func (n neighbour) Among(kinds []access.Kind) gate.Authenticator {
	*n.among = kinds
	return n.fakeKind
}

// TestNeighboursAreTheRoutesKinds: a kind is told which others are believed
// beside it, route by route.
func TestNeighboursAreTheRoutesKinds(t *testing.T) {
	var among []access.Kind
	_, err := gate.NewRules(gate.Config{
		Policy:         &fakePolicy{},
		Authenticators: []gate.Authenticator{neighbour{fakeKind{kind: access.KindAPIKey}, &among}, fakeKind{kind: access.KindJWT}},
		Routes:         []gate.Route{{Name: "keys", Authenticate: gate.Authenticate{Kinds: []access.Kind{access.KindAPIKey}}}},
	})
	if diff := cmp.Diff([]access.Kind{access.KindAPIKey}, among); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

// TestManagedHeadersAreNeverRead: neither authenticators nor policy see what a
// client says in them.
func TestManagedHeadersAreNeverRead(t *testing.T) {
	s := ordinary()
	s.request.Headers = access.Headers{{Name: "x-consumer-username", Value: "root"}, {Name: "x_consumer_id", Value: "root"}, {Name: "accept", Value: "*/*"}}
	s.check(t)
	if diff := cmp.Diff(access.Headers{{Name: "accept", Value: "*/*"}}, s.policy.asked.Request.Headers); diff != "" {
		t.Error(diff)
	}
	if len(s.request.Headers) != 3 {
		t.Error("the door's own request was changed")
	}
}

func TestTooManyFailuresSaysWhenToComeBack(t *testing.T) {
	s := ordinary()
	s.key.err = access.TooManyFailures("the pool is full", 1500*time.Millisecond)
	v := s.check(t)
	if diff := cmp.Diff([]access.Header{{Name: "Retry-After", Value: "2"}}, v.Client); diff != "" || v.Status != 429 {
		t.Error(v.Status, diff)
	}
}

func TestAllowCarriesIdentity(t *testing.T) {
	s := ordinary()
	s.request.Headers = access.Headers{{Name: "x-consumer-username", Value: "eve"}, {Name: "x_consumer_username", Value: "eve"}, {Name: "x-consumer.id", Value: "1"}}
	v := s.check(t)
	want := []access.Header{
		{Name: "X-Anonymous-Consumer"}, {Name: "X-Authenticated-Groups"}, {Name: "X-Consumer-Custom-ID", Value: "42"},
		{Name: "X-Consumer-Groups"}, {Name: "X-Consumer-ID"}, {Name: "X-Consumer-Username", Value: "alice"},
		{Name: "X-Credential-Identifier", Value: "alice-key"}, {Name: "X-Decision-Id", Value: "d1"},
	}
	if diff := cmp.Diff(want, v.Managed); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x_consumer_username", "x-consumer.id", "x-api-key"}, v.Remove); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]access.Param{{Name: "id", Value: "7"}}, s.policy.asked.Params); diff != "" {
		t.Error(diff)
	}
}

// TestForward: what is forwarded is chosen by the kind that proved it, not by
// where it stood or by the kind of the record.
func TestForward(t *testing.T) {
	for name, test := range map[string]struct {
		forward []access.Kind
		remove  []string
		query   []string
	}{
		"none":    {nil, []string{"authorization"}, []string{"api_key"}},
		"one":     {[]access.Kind{access.KindJWT}, nil, []string{"api_key"}},
		"another": {[]access.Kind{access.KindAPIKey}, []string{"authorization"}, nil},
		"unused":  {[]access.Kind{access.KindBasic, access.KindIssuer}, []string{"authorization"}, []string{"api_key"}},
		"both":    {[]access.Kind{access.KindJWT, access.KindAPIKey}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			s.key.proof.From = access.Location{Query: "api_key"}
			token := proof("alice", func(id *access.Identity) { id.Credential.Kind = access.KindIssuer })
			token.From = access.Location{Header: "authorization"}
			s.jwt, s.forward = fakeKind{kind: access.KindJWT, proof: token}, test.forward
			v := s.check(t)
			if diff := cmp.Diff(test.remove, v.Remove) + cmp.Diff(test.query, v.RemoveQuery); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestForwardedOnlyByAll: one place that proved two kinds is forwarded only
// when both are.
func TestForwardedOnlyByAll(t *testing.T) {
	s := ordinary()
	s.jwt, s.forward = fakeKind{kind: access.KindJWT, proof: proof("alice")}, []access.Kind{access.KindJWT}
	if diff := cmp.Diff([]string{"x-api-key"}, s.check(t).Remove); diff != "" {
		t.Error(diff)
	}
}

// fakeSigner writes down what it was asked to sign.
type fakeSigner struct{ err error }

func (f fakeSigner) Sign(_ context.Context, req *access.Request, id *access.Identity, decisionID string) (string, error) {
	return strings.Join([]string{id.Consumer.Name, req.Method, req.Path, decisionID}, " "), f.err
}

func header(t *testing.T, v *access.Verdict, name string) string {
	t.Helper()
	var values []string
	for _, h := range v.Managed {
		if h.Name == name {
			values = append(values, h.Value)
		}
	}
	if len(values) != 1 {
		t.Fatalf("%s stands in the verdict as %q, want it once", name, values)
	}
	return values[0]
}

func TestAssertion(t *testing.T) {
	const name = "X-Postern-Identity"
	s := ordinary()
	s.vouch = gate.Assertion{Header: name, Signer: fakeSigner{}}
	s.request.Headers = access.Headers{{Name: "x-postern-identity", Value: "forged"}, {Name: "x_postern.identity", Value: "forged"}}
	s.policy.decision.Headers = []access.Header{{Name: "x-postern-identity", Value: "forged"}}
	v := s.check(t)
	if got := header(t, &v, name); got != "alice GET /orders/7 d1" {
		t.Errorf("assertion %q", got)
	}
	if diff := cmp.Diff([]string{"x_postern.identity", "x-api-key"}, v.Remove); diff != "" || len(v.Upstream) != 0 {
		t.Errorf("set by policy %v, removed %s", v.Upstream, diff)
	}

	s.request.Door = access.Traefik
	if v := s.check(t); v.Reason.Code != access.CodeMalformedRequest {
		t.Errorf("an alias at a door that removes none: %s", v.Reason.Code)
	}
	s.request.Door, s.request.Headers = access.GRPC, access.Headers{{Name: "connection", Value: "X-Postern-Identity"}}
	if v := s.check(t); v.Reason.Code != access.CodeMalformedRequest {
		t.Errorf("a Connection header that names it: %s", v.Reason.Code)
	}
}

// TestAssertionIsForProvenAndAllowed: who is anonymous or refused gets none,
// and nobody is asked to sign one.
func TestAssertionIsForProvenAndAllowed(t *testing.T) {
	const name = "X-Postern-Identity"
	s := ordinary()
	s.vouch = gate.Assertion{Header: name, Signer: fakeSigner{errors.New("no entropy")}}
	v := s.check(t)
	if v.Reason.Code != access.CodeFault || len(v.Managed) != 0 || !strings.Contains(v.Reason.Detail, "no entropy") {
		t.Errorf("a signer that fails: %+v", v)
	}
	s.policy.decision.Allowed = false
	if v := s.check(t); v.Reason.Code != access.CodeDeniedByPolicy || len(v.Managed) != 0 {
		t.Errorf("denied by policy: %+v", v)
	}
	s.policy.decision.Allowed = true
	s.key.err = access.ErrNoCredential
	if v := s.check(t); v.Status != 401 || len(v.Managed) != 0 {
		t.Errorf("no credential: %+v", v)
	}
	s.route.Anonymous = true
	if v := s.check(t); v.Outcome() != access.Allowed || header(t, &v, name) != "" {
		t.Errorf("anonymous: %+v", v)
	}
}

func TestClientID(t *testing.T) {
	read, err := gate.Field("identity.client_id")
	if err != nil {
		t.Fatal(err)
	}
	for want, claims := range map[string]map[string]any{
		"shop":  {"azp": "shop", "client_id": "other"},
		"other": {"azp": "", "client_id": "other"},
		"third": {"azp": []any{"shop"}, "client_id": "third"},
		"":      {"sub": "shop"},
	} {
		if got := read(&access.Identity{Claims: claims}); got != want {
			t.Errorf("%v: %q, want %q", claims, got, want)
		}
	}
	if got := read(access.AnonymousIdentity()); got != "" {
		t.Errorf("anonymous: %q", got)
	}
}

func TestAnonymousHasEveryManagedHeaderEmpty(t *testing.T) {
	s := ordinary()
	s.key.err, s.route.Anonymous = access.ErrNoCredential, true
	s.managed, _ = gate.Preset("kong")
	for _, h := range s.check(t).Managed {
		want := map[string]string{"X-Anonymous-Consumer": "true", "X-Decision-Id": "d1"}[h.Name]
		if h.Value != want {
			t.Errorf("%s: %q, want %q", h.Name, h.Value, want)
		}
	}
}

func TestAllOfJoins(t *testing.T) {
	s := ordinary()
	s.route.Authenticate.AllOf = true
	second := proof("alice", func(id *access.Identity) {
		id.Scopes, id.Roles, id.Claims = []string{"read", "write"}, []string{"editor"}, map[string]any{"sub": "x"}
	})
	s.jwt = fakeKind{kind: access.KindJWT, proof: second}
	s.check(t)
	id := s.policy.asked.Identity
	if diff := cmp.Diff([]string{"read", "write"}, id.Scopes); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"reader", "editor"}, id.Roles); diff != "" {
		t.Error(diff)
	}
	if id.Claims["sub"] != "x" || id.Credential.ID != "alice-key" {
		t.Errorf("joined %+v", id)
	}
	s.route.Authenticate.AllOf = false
	s.check(t)
	if id := s.policy.asked.Identity; len(id.Scopes) != 1 || len(id.Roles) != 1 {
		t.Errorf("without all_of the first proof counts alone, got %v %v", id.Scopes, id.Roles)
	}
}

func TestPolicyCanNotSpeakForPostern(t *testing.T) {
	forged := []access.Header{{Name: "X-Consumer-Username", Value: "root"}, {Name: "x_decision.id", Value: "1"}, {Name: "X-Postern-Code", Value: "allowed"}, {Name: "X-Mine", Value: "1"}}
	s := ordinary()
	s.policy.decision = access.Decision{
		Allowed: true, Headers: forged, ResponseHeaders: forged,
		RemoveHeaders: []string{"X-Consumer-Username", "X-Secret", "x-both"},
	}
	s.policy.decision.Headers = append(s.policy.decision.Headers, access.Header{Name: "X-Both", Value: "1"}, access.Header{Name: "X-API-Key", Value: "other"})
	v := s.check(t)
	if diff := cmp.Diff([]access.Header{{Name: "X-Mine", Value: "1"}, {Name: "X-API-Key", Value: "other"}}, v.Upstream); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"x-secret", "x-both"}, v.Remove); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]access.Header{{Name: "X-Mine", Value: "1"}}, v.Client); diff != "" {
		t.Error(diff)
	}
	if len(v.Warnings) != 7 {
		t.Errorf("warnings %q, want one for each thing dropped", v.Warnings)
	}
}

func TestPolicyDenialInItsOwnWords(t *testing.T) {
	s := ordinary()
	s.policy.decision = access.Decision{Status: 401, HasBody: true, Body: `{"why":"late"}`, Headers: []access.Header{{Name: "X-Why", Value: "late"}, {Name: "x-decision-id", Value: "forged"}}}
	v := s.check(t)
	if v.Status != 401 || v.Body != `{"why":"late"}` || v.ContentType != "application/json" || v.Reason.Code != access.CodeDeniedByPolicy {
		t.Errorf("verdict %+v", v)
	}
	want := []access.Header{{Name: "WWW-Authenticate", Value: "api_key"}, {Name: "WWW-Authenticate", Value: "jwt"}, {Name: "X-Why", Value: "late"}}
	if diff := cmp.Diff(want, v.Client); diff != "" {
		t.Error(diff)
	}
}

func TestRouteNamedByTheGateway(t *testing.T) {
	s := ordinary()
	s.request.Route, s.request.Path = "orders", "/elsewhere"
	if v := s.check(t); v.Route != "orders" || len(s.policy.asked.Params) != 0 {
		t.Errorf("route %q with %v", v.Route, s.policy.asked.Params)
	}
	s.request.Path = "/orders/9"
	if s.check(t); s.policy.asked.Params[0].Value != "9" {
		t.Errorf("params %v", s.policy.asked.Params)
	}
	s.request.Entrypoint = "other/allow"
	if s.check(t); s.policy.asked.Entrypoint != "other/allow" {
		t.Errorf("entry point %q", s.policy.asked.Entrypoint)
	}
}

func TestRulesAreChecked(t *testing.T) {
	yes := &fakePolicy{}
	vouch := func(header string, signer gate.Signer) gate.Config {
		return gate.Config{Policy: yes, CredentialHeaders: []string{"x-api-key"}, Assertion: gate.Assertion{Header: header, Signer: signer}}
	}
	for name, c := range map[string]gate.Config{
		"an assertion without a signer":               vouch("X-Postern-Identity", nil),
		"an assertion without a header":               vouch("", fakeSigner{}),
		"an assertion in the decision id's header":    vouch("x-decision-id", fakeSigner{}),
		"an assertion in a credential's header":       vouch("X-API-Key", fakeSigner{}),
		"an assertion whose name is read in two ways": vouch("X_Postern_Identity", fakeSigner{}),
		"no policy":                {},
		"a kind nobody proves":     {Policy: yes, Default: gate.Route{Authenticate: gate.Authenticate{Kinds: []access.Kind{access.KindJWT}}}},
		"a route without a name":   {Policy: yes, Routes: []gate.Route{{}}},
		"two routes of one name":   {Policy: yes, Routes: []gate.Route{{Name: "a"}, {Name: "a"}}},
		"a kind that stands twice": {Policy: yes, Authenticators: []gate.Authenticator{fakeKind{kind: access.KindJWT}}, Default: gate.Route{Authenticate: gate.Authenticate{Kinds: []access.Kind{access.KindJWT, access.KindJWT}}}},
	} {
		if _, err := gate.NewRules(c); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

// TestPresetIsTheCallersOwn: who adds to a preset changes nobody else's.
func TestPresetIsTheCallersOwn(t *testing.T) {
	mine, _ := gate.Preset("apisix")
	mine["X-Mine"] = "consumer"
	if again, ok := gate.Preset("apisix"); !ok || again["X-Mine"] != "" {
		t.Errorf("ok %v, the next one got %v", ok, again)
	}
}
