package admin_test

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/consumer"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// rollouts are policies of which "a" is in force and "b" the candidate.
type rollouts struct {
	mu      sync.Mutex
	inForce string
	by      consumer.Author
}

func (r *rollouts) Policy() *adminv1.Policy {
	r.mu.Lock()
	defer r.mu.Unlock()
	var some int64 = 7
	keeps := true
	p := &adminv1.Policy{Revision: r.inForce, Origin: "files", FilesRevision: "a", KeepsRevisions: &keeps, Shadow: &adminv1.PolicyShadow{Revision: "b", Against: r.inForce, AllowToDeny: &some}}
	if r.inForce != "a" {
		p.Pin = &adminv1.PolicyPin{Over: "a", By: r.by.Name, At: timestamppb.New(start)}
	}
	return p
}

func (*rollouts) Revisions() []*adminv1.PolicyRevision {
	inForce := true
	return []*adminv1.PolicyRevision{{Revision: "a", InForce: &inForce, Origin: "files", KeptAt: timestamppb.New(start), InForceAt: timestamppb.New(start), Size: 5}}
}

func (r *rollouts) Promote(_ context.Context, by consumer.Author, revision string) error {
	if revision != "" && revision != "b" {
		return &admin.Conflict{Detail: "the candidate is b"}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inForce, r.by = "b", by
	return nil
}

func (r *rollouts) Rollback(_ context.Context, by consumer.Author, revision string) error {
	if revision != "" && revision != "a" {
		return &consumer.Outcome{Kind: "policy revision", Name: revision, Err: consumer.ErrNotFound}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.inForce, r.by = "a", by
	return nil
}

func TestPolicies(t *testing.T) {
	h := open(t)
	h.must("GET", "/v1/policy", "", token(viewerToken))
	h.must("GET", "/v1/policy/revisions", "", token(viewerToken))
	for _, path := range []string{"/v1/policy/promote", "/v1/policy/rollback"} {
		h.refused(401, "unauthenticated", "POST", path, "{}", func(r *http.Request) { r.Header.Del("Authorization") })
		h.refused(403, "permission_denied", "POST", path, "{}", token(editorToken))
		h.refused(400, "invalid_argument", "POST", path, `{"revision":7}`)
		h.refused(400, "invalid_argument", "POST", path, `{"revison":"b"}`)
		h.refused(400, "invalid_argument", "POST", path, `{"revision":"`+strings.Repeat("b", 257)+`"}`)
		h.refused(400, "invalid_argument", "POST", path+"?revision=b", "")
		h.refused(405, "method_not_allowed", "GET", path, "")
	}
	h.refused(409, "conflict", "POST", "/v1/policy/promote", `{"revision":"a"}`)
	promoted := h.must("POST", "/v1/policy/promote", `{"revision":"b"}`)
	if promoted.text(t, "revision") != "b" || promoted.text(t, "pin.by") != "ada" || promoted.field(t, "shadow.allow_to_deny") != 7.0 {
		t.Errorf("promoted: %s", promoted.body)
	}
	h.refused(404, "not_found", "POST", "/v1/policy/rollback", `{"revision":"../../etc/passwd"}`)
	if back := h.must("POST", "/v1/policy/rollback", ""); back.text(t, "revision") != "a" {
		t.Errorf("rolled back: %s", back.body)
	}
}

// TestPoliciesWithoutAStore: where consumers are in files alone, policies are
// there all the same, and everything else says why it is not.
func TestPoliciesWithoutAStore(t *testing.T) {
	h := open(t, func(o *admin.Options) { o.Keyring, o.Import = nil, nil })
	h.must("POST", "/v1/policy/promote", "")
	h.must("GET", "/v1/policy/revisions", "")
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/v1/consumers", ""},
		{"POST", "/v1/consumers", `{"name":"app"}`},
		{"GET", "/v1/audit", ""},
		{"GET", "/v1/export", ""},
		{"POST", "/v1/import", `{"document":"x"}`},
		{"GET", "/v1/instances", ""},
	} {
		if got := h.refused(404, "not_found", c.method, c.path, c.body, header("Idempotency-Key", "once")); !strings.Contains(got.body, "consumers.store is not configured") {
			t.Errorf("%s %s: %s", c.method, c.path, got.body)
		}
	}
}

// TestNoPolicies: who works straight on a store has none in force.
func TestNoPolicies(t *testing.T) {
	h := open(t, func(o *admin.Options) { o.Policies = nil })
	for path, method := range map[string]string{"/v1/policy": "GET", "/v1/policy/revisions": "GET", "/v1/policy/promote": "POST", "/v1/policy/rollback": "POST"} {
		h.refused(404, "not_found", method, path, "")
	}
}
