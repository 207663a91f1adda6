package life

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
)

const (
	// checksEach is how many checks there are for each revocation.
	checksEach = 500
	// around is how far from the key that is revoked next the keys lie that are
	// asked about, so that each is remembered when its turn comes, and is asked
	// about at that very moment.
	around = 4
	askers = 16
)

// TestRevocationRace revokes keys one by one while they are asked about. A check
// that begins after a revocation was answered must not allow the key.
func TestRevocationRace(t *testing.T) {
	revocations := 2000
	if testing.Short() || raceEnabled {
		revocations = 100
	}
	i := start(t, folder(t, onSQLite, "  keys: {max_credentials: 10000}\n", "telemetry: {log_level: warn}\n"))
	r := &revocationRace{t: t, instance: i, gone: make([]atomic.Bool, revocations)}
	i.consumer(t, "shop")
	for range revocations {
		r.keys = append(r.keys, i.key(t, "shop"))
	}
	began := time.Now()
	r.run()
	t.Logf("%d checks beside %d revocations in %s: %d allowed before, %d refused after, %d that ran into one were allowed or refused; stale: %d",
		int64(revocations)*checksEach, revocations, time.Since(began).Round(time.Millisecond), r.allowed.Load(), r.refused.Load(), r.met.Load(), r.stale.Load())
	r.judge()
}

type revocationRace struct {
	*instance
	t    *testing.T
	keys []key
	// gone are the keys whose revocation was answered; next is the one that is
	// revoked now.
	gone []atomic.Bool
	next atomic.Int64

	checks, allowed, refused, met, stale atomic.Int64
	// odd is an answer that there must not be.
	odd atomic.Pointer[string]
}

func (r *revocationRace) run() {
	ctx, cancel := context.WithCancel(r.t.Context())
	defer cancel()
	var asking sync.WaitGroup
	for range askers {
		client := checker(r.t, r.GRPC)
		asking.Go(func() {
			for r.odd.Load() == nil && r.checks.Add(1) <= int64(len(r.keys))*checksEach {
				r.check(ctx, client)
			}
		})
	}
	r.revokeAll()
	asking.Wait()
}

// revokeAll keeps pace with the checks.
func (r *revocationRace) revokeAll() {
	for at, k := range r.keys {
		r.next.Store(int64(at))
		for r.checks.Load() < int64(at)*checksEach && r.odd.Load() == nil {
			time.Sleep(100 * time.Microsecond)
		}
		status, body, err := r.call(r.t.Context(), http.MethodPost, "/v1/keys/"+k.ID+"/revoke", `{"reason":"race"}`)
		if status != http.StatusOK || err != nil {
			r.note(fmt.Sprintf("a revocation: %d %s, %v", status, body, err))
			return
		}
		r.gone[at].Store(true)
	}
}

func (r *revocationRace) note(odd string) { r.odd.CompareAndSwap(nil, &odd) }

// check asks about a key near the one that is revoked now.
func (r *revocationRace) check(ctx context.Context, client authv3.AuthorizationClient) {
	at := min(max(int(r.next.Load())+rand.IntN(2*around+1)-around, 0), len(r.keys)-1)
	before := r.gone[at].Load()
	answer, err := client.Check(ctx, checkOf(r.keys[at]))
	after := r.gone[at].Load()
	code := codes.Code(answer.GetStatus().GetCode())
	switch {
	case err != nil || code != codes.OK && code != codes.Unauthenticated:
		r.note(fmt.Sprintf("%v, %v", answer, err))
	case before && code == codes.OK:
		r.stale.Add(1)
	case before:
		r.refused.Add(1)
	case code == codes.OK && !after:
		r.allowed.Add(1)
	default: // the revocation was under way, or done between
		r.met.Add(1)
	}
}

func (r *revocationRace) judge() {
	switch odd := r.odd.Load(); {
	case odd != nil:
		r.t.Errorf("an answer that is neither yes nor no: %s", *odd)
	case r.stale.Load() > 0:
		r.t.Errorf("%d checks allowed a key whose revocation was answered before they began", r.stale.Load())
	case r.allowed.Load() == 0 || r.refused.Load() == 0:
		r.t.Error("the checks did not meet the revocations: the test shows nothing")
	}
	for _, k := range r.keys {
		r.settles(r.t, k, refused)
	}
}

// checker is a client of Envoy's door with a connection of its own.
func checker(t testing.TB, address string) authv3.AuthorizationClient {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // nothing is lost with it
	return authv3.NewAuthorizationClient(conn)
}

func checkOf(k key) *authv3.CheckRequest {
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{
		Http: &authv3.AttributeContext_HttpRequest{
			Method: http.MethodGet, Host: "api.example.com", Path: "/anything", Headers: map[string]string{"x-api-key": k.Key},
		},
	}}}
}
