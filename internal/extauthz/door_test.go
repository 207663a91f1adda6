package extauthz_test

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func now() time.Time { return time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC) }

// fakeGate pronounces what it is told and remembers what it was asked.
type fakeGate struct {
	verdict access.Verdict
	asked   *access.Request
}

func (f *fakeGate) Check(_ context.Context, req *access.Request) access.Verdict {
	f.asked = req
	return f.verdict
}

// readBy returns the request that the door makes of a CheckRequest.
func readBy(t *testing.T, check *authv3.CheckRequest, o extauthz.Options) *access.Request {
	t.Helper()
	o.Now = now
	gate := &fakeGate{verdict: access.Allow()}
	if _, err := extauthz.New(gate, o).Check(t.Context(), check); err != nil {
		t.Fatal(err)
	}
	return gate.asked
}

// renderedBy returns the door's answer for a verdict, as it is on the wire.
func renderedBy(t *testing.T, v access.Verdict, check *authv3.CheckRequest, o extauthz.Options) *authv3.CheckResponse {
	t.Helper()
	answer, err := extauthz.New(&fakeGate{verdict: v}, o).Check(t.Context(), check)
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// recorded returns what a real Envoy asked, by name.
func recorded(t testing.TB) map[string]*authv3.CheckRequest {
	t.Helper()
	data, err := os.ReadFile("testdata/envoy-check-requests.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []struct {
		Name    string          `json:"name"`
		Request json.RawMessage `json:"check_request"`
	}
	if err := json.Unmarshal(data, &list); err != nil {
		t.Fatal(err)
	}
	requests := make(map[string]*authv3.CheckRequest, len(list))
	for _, entry := range list {
		requests[entry.Name] = new(authv3.CheckRequest)
		if err := protojson.Unmarshal(entry.Request, requests[entry.Name]); err != nil {
			t.Fatalf("%s: %v", entry.Name, err)
		}
	}
	return requests
}

// ask is a small CheckRequest, changed.
func ask(change func(*authv3.AttributeContext)) *authv3.CheckRequest {
	attributes := &authv3.AttributeContext{
		Source: peer("192.0.2.1", 4711),
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/a", Host: "h.test",
		}},
	}
	if change != nil {
		change(attributes)
	}
	return &authv3.CheckRequest{Attributes: attributes}
}
