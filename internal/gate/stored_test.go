package gate_test

import (
	"errors"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

func inEnvironment(name string) func(*access.Identity) {
	return func(id *access.Identity) { id.Consumer.Environment = name }
}

func isStored(id *access.Identity) { id.Consumer.Stored = true }

func isEphemeral(id *access.Identity) { id.Consumer.Ephemeral = true }

// verdictOf checks one situation's code and what its detail says.
func verdictOf(t *testing.T, s *situation, want access.Code, detail string) access.Verdict {
	t.Helper()
	v := s.check(t)
	if v.Reason.Code != want || !strings.Contains(v.Reason.Detail, detail) {
		t.Errorf("%s (%s), want %s (%s)", v.Reason.Code, v.Reason.Detail, want, detail)
	}
	checkShape(t, &v)
	return v
}

func TestEnvironmentsOfARoute(t *testing.T) {
	prod := []string{"prod", "pre-prod"}
	tests := map[string]struct {
		believed []string
		proof    *access.Proof
		want     access.Code
		detail   string
	}{
		"one of them":             {prod, proof("alice", inEnvironment("pre-prod")), access.CodeAllowed, ""},
		"another":                 {prod, proof("alice", inEnvironment("dev")), access.CodeInvalidCredential, `consumer alice is of environment "dev", which this route does not believe`},
		"none":                    {prod, proof("alice"), access.CodeInvalidCredential, `environment ""`},
		"an ephemeral consumer":   {prod, proof("alice", isEphemeral), access.CodeAllowed, ""},
		"a route that asks none":  {nil, proof("alice", inEnvironment("dev")), access.CodeAllowed, ""},
		"another, case is no way": {prod, proof("alice", inEnvironment("PROD")), access.CodeInvalidCredential, "PROD"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			s.route.Environments, s.key.proof = tt.believed, tt.proof
			v := verdictOf(t, &s, tt.want, tt.detail)
			rejected := access.Header{Name: "WWW-Authenticate", Value: `api_key error="rejected"`}
			if told := slices.Contains(v.Client, rejected); told != (tt.want == access.CodeInvalidCredential) {
				t.Errorf("challenges %v, and whether one tells of the rejection: %v", v.Client, told)
			}
		})
	}
}

// Every proof is of the same consumer, but each is asked for.
func TestEnvironmentOfASecondProof(t *testing.T) {
	s := ordinary()
	s.route.Environments = []string{"prod"}
	s.key.proof = proof("alice", inEnvironment("prod"))
	s.jwt = fakeKind{kind: access.KindJWT, proof: proof("alice", inEnvironment("dev"))}
	verdictOf(t, &s, access.CodeInvalidCredential, "dev")
}

func TestStaleness(t *testing.T) {
	key := func(change ...func(*access.Identity)) fakeKind {
		return fakeKind{kind: access.KindAPIKey, proof: proof("alice", change...)}
	}
	refused := func(err error) fakeKind { return fakeKind{kind: access.KindAPIKey, err: err} }
	tests := map[string]struct {
		stale, most time.Duration
		key         fakeKind
		want        access.Code
		detail      string
	}{
		"fresh":                              {9 * time.Second, 10 * time.Second, key(isStored), access.CodeAllowed, ""},
		"just fresh":                         {10 * time.Second, 10 * time.Second, key(isStored), access.CodeAllowed, ""},
		"stale":                              {10*time.Second + 1, 10 * time.Second, key(isStored), access.CodeFault, "last heard of 10s ago; at most 10s"},
		"never heard of":                     {math.MaxInt64, 10 * time.Second, key(isStored), access.CodeFault, "not heard of yet"},
		"stale, without a limit":             {time.Hour, 0, key(isStored), access.CodeAllowed, ""},
		"stale, of a file":                   {time.Hour, time.Second, key(), access.CodeAllowed, ""},
		"stale, ephemeral":                   {time.Hour, time.Second, key(isEphemeral), access.CodeAllowed, ""},
		"stale, unknown":                     {time.Hour, time.Second, refused(access.Unknown("unknown key")), access.CodeFault, "last heard of"},
		"fresh, unknown":                     {0, time.Second, refused(access.Unknown("unknown key")), access.CodeInvalidCredential, "unknown key"},
		"stale, malformed":                   {time.Hour, time.Second, refused(access.Invalid("a comma")), access.CodeInvalidCredential, "a comma"},
		"stale, expired":                     {time.Hour, time.Second, refused(access.Expired("since noon")), access.CodeExpiredCredential, "since noon"},
		"stale, and nobody":                  {time.Hour, time.Second, refused(access.ErrNoCredential), access.CodeMissingCredential, ""},
		"stale, and the store is down":       {time.Hour, time.Second, refused(errors.New("store is down")), access.CodeFault, "store is down"},
		"stale, and of a wrong environment":  {time.Hour, time.Second, key(isStored, inEnvironment("dev")), access.CodeInvalidCredential, "dev"},
		"fresh, and of a wrong environment":  {0, time.Second, key(isStored, inEnvironment("dev")), access.CodeInvalidCredential, "dev"},
		"stale, of a file and the wrong one": {time.Hour, time.Second, key(inEnvironment("dev")), access.CodeInvalidCredential, "dev"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			s := ordinary()
			s.key, s.route.MaxStaleness = tt.key, tt.most
			if strings.Contains(name, "wrong") {
				s.route.Environments = []string{"prod"}
			}
			s.stale = func() time.Duration { return tt.stale }
			verdictOf(t, &s, tt.want, tt.detail)
		})
	}
}

// A credential that is bad whatever the store knows makes the answer a no, also
// beside one that rests on a stale store.
func TestStaleBesideBad(t *testing.T) {
	s := ordinary()
	s.route.MaxStaleness, s.stale = time.Second, func() time.Duration { return time.Hour }
	s.key.proof = proof("alice", isStored)
	s.jwt.err = access.Invalid("bad signature")
	verdictOf(t, &s, access.CodeInvalidCredential, "bad signature")
}

func TestAnonymousDoesNotRestOnTheStore(t *testing.T) {
	s := ordinary()
	s.route.MaxStaleness, s.route.Anonymous = time.Second, true
	s.stale = func() time.Duration { t.Error("asked for nothing"); return time.Hour }
	s.key.err = access.ErrNoCredential
	verdictOf(t, &s, access.CodeAllowed, "")
}

func TestFilesAloneAreNeverStale(t *testing.T) {
	s := ordinary()
	s.route = gate.Route{Name: "orders", Match: s.route.Match, Authenticate: s.route.Authenticate, Entrypoint: "a/b", MaxStaleness: time.Second}
	s.key.proof = proof("alice", isStored)
	verdictOf(t, &s, access.CodeAllowed, "")
}
