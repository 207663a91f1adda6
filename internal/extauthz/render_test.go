package extauthz_test

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	gocmp "github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
)

// allowed is a verdict with something in every field of an allow.
func allowed() access.Verdict {
	v := access.Allow()
	v.DecisionID, v.Route = "d1", "orders"
	v.Identity = &access.Identity{Consumer: &access.Consumer{Name: "alice"}, Credential: &access.Credential{ID: "alice-key"}}
	v.Managed = []access.Header{
		{Name: "X-Consumer-Username", Value: "alice"}, {Name: "X-Consumer-Custom-ID"}, {Name: "X-Decision-Id", Value: "d1"},
	}
	v.Upstream = []access.Header{{Name: "X-Tier", Value: "gold"}, {Name: "X-List", Value: "é"}, {Name: "x-list", Value: "2"}}
	v.Remove = []string{"x-api-key", "x_consumer_username"}
	v.SetQuery = []access.Param{{Name: "me & you", Value: "a=b&c"}}
	v.RemoveQuery = []string{"api_key"}
	v.Client = []access.Header{{Name: "X-Policy", Value: "1"}, {Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}}
	v.Metadata = map[string]any{"tier": "gold", "n": json.Number("2"), "consumer": "forged"}
	return v
}

func denied() access.Verdict {
	v := access.Deny(access.Reason{Code: access.CodeMissingCredential, Detail: "for the log alone"})
	v.DecisionID, v.Body, v.ContentType = "d2", `{"code":"missing_credential"}`, "application/json"
	v.Client = []access.Header{{Name: "WWW-Authenticate", Value: "ApiKey"}, {Name: "WWW-Authenticate", Value: "Bearer"}}
	return v
}

// told writes an option as Envoy's two ways of saying it and the line.
func told(options []*corev3.HeaderValueOption) []string {
	var lines []string
	for _, o := range options {
		appending := "unset"
		if set := o.GetAppend(); set != nil { //nolint:staticcheck // deprecated, and yet what Envoy goes by first
			appending = strconv.FormatBool(set.GetValue())
		}
		lines = append(lines, strings.TrimSuffix(o.GetAppendAction().String(), "_IF_EXISTS_OR_ADD")+" "+appending+" "+o.GetHeader().GetKey()+": "+o.GetHeader().GetValue())
	}
	return lines
}

func TestRendersAllow(t *testing.T) {
	check := ask(func(a *authv3.AttributeContext) {
		a.Request.Http.Path = "/a?api%5Fkey=1&me+%26%20you=2&other=3&api_key=4&bad%zz=5"
	})
	answer := renderedBy(t, allowed(), check, extauthz.Options{})
	if answer.GetStatus() == nil || answer.GetStatus().GetCode() != int32(codes.OK) {
		t.Fatalf("status is %v, want an OK", answer.GetStatus())
	}
	ok := answer.GetOkResponse()
	for _, tt := range []struct {
		name      string
		want, got []string
	}{
		{"headers", []string{
			"OVERWRITE false X-Consumer-Username: alice", "OVERWRITE false X-Decision-Id: d1", "OVERWRITE false X-Tier: gold",
			"OVERWRITE false X-List: é", "APPEND true x-list: 2",
		}, told(ok.GetHeaders())},
		{"headers_to_remove", []string{"x-consumer-custom-id", "x-api-key", "x_consumer_username"}, ok.GetHeadersToRemove()},
		{"response_headers_to_add", []string{
			"OVERWRITE false X-Policy: 1", "APPEND true Set-Cookie: a=1", "APPEND true Set-Cookie: b=2",
		}, told(ok.GetResponseHeadersToAdd())},
		{"query_parameters_to_remove", []string{"api%5Fkey", "me+%26%20you", "api_key"}, ok.GetQueryParametersToRemove()},
	} {
		if diff := gocmp.Diff(tt.want, tt.got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if set := ok.GetQueryParametersToSet(); len(set) != 1 || set[0].GetKey() != "me+%26+you" || set[0].GetValue() != "a%3Db%26c" {
		t.Errorf("query_parameters_to_set is %v", set)
	}
	want := map[string]any{"consumer": "alice", "credential": "alice-key", "route": "orders", "decision_id": "d1", "tier": "gold", "n": 2.0}
	if diff := gocmp.Diff(want, answer.GetDynamicMetadata().AsMap()); diff != "" {
		t.Errorf("dynamic_metadata (-want +got):\n%s", diff)
	}
}

func TestNoNameIsSetAndRemoved(t *testing.T) {
	v := allowed()
	v.Upstream = append(v.Upstream, access.Header{Name: "Authorization", Value: "other"})
	v.Remove = append(v.Remove, "authorization", "x-tier", "x-consumer-custom-id", "x-decision-id", "x-api-key")
	v.RemoveQuery = append(v.RemoveQuery, "me & you", "me+%26+you")
	ok := renderedBy(t, v, ask(func(a *authv3.AttributeContext) { a.Request.Http.Path = "/a?me+%26+you=1" }), extauthz.Options{}).GetOkResponse()
	set := map[string]bool{}
	for _, o := range ok.GetHeaders() {
		set[strings.ToLower(o.GetHeader().GetKey())] = true
	}
	for _, name := range ok.GetHeadersToRemove() {
		if set[strings.ToLower(name)] {
			t.Errorf("%s is set and removed", name)
		}
	}
	if got := slices.Compact(slices.Sorted(slices.Values(ok.GetHeadersToRemove()))); len(got) != len(ok.GetHeadersToRemove()) {
		t.Errorf("a header is removed twice: %v", ok.GetHeadersToRemove())
	}
	if slices.Contains(ok.GetQueryParametersToRemove(), ok.GetQueryParametersToSet()[0].GetKey()) {
		t.Errorf("a parameter is set and removed: %v", ok.GetQueryParametersToRemove())
	}
}

func TestAnonymousAllow(t *testing.T) {
	v := access.Allow()
	v.Identity = access.AnonymousIdentity()
	v.Managed = []access.Header{{Name: "X-Consumer-Username"}}
	answer := renderedBy(t, v, ask(nil), extauthz.Options{})
	if got := answer.GetOkResponse().GetHeadersToRemove(); !slices.Equal(got, []string{"x-consumer-username"}) {
		t.Errorf("headers_to_remove is %v", got)
	}
	if got := slices.Collect(maps.Keys(answer.GetDynamicMetadata().GetFields())); len(got) != 0 {
		t.Errorf("dynamic_metadata has %v", got)
	}
}

func TestRendersDenials(t *testing.T) {
	status := func(code access.Code, status int) access.Verdict {
		v := access.Deny(access.Reason{Code: code})
		v.Status = status
		return v
	}
	for _, tt := range []struct {
		name    string
		verdict access.Verdict
		code    codes.Code
		status  int32
	}{
		{"unauthenticated", denied(), codes.Unauthenticated, 401},
		{"forbidden", status(access.CodeMissingRole, 403), codes.PermissionDenied, 403},
		{"malformed", status(access.CodeMalformedRequest, 400), codes.InvalidArgument, 400},
		{"limited", status("rate_limited", 429), codes.ResourceExhausted, 429},
		{"policy's redirect", status(access.CodeDeniedByPolicy, 302), codes.PermissionDenied, 302},
		{"policy's 200", status(access.CodeDeniedByPolicy, 200), codes.PermissionDenied, 200},
		{"policy's 503", status(access.CodeDeniedByPolicy, 503), codes.PermissionDenied, 503},
		{"fault", access.Fault("secret detail"), codes.Unavailable, 503},
		{"nobody pronounced", access.Verdict{}, codes.Unavailable, 503},
		{"no HTTP status", status(access.CodeDeniedByPolicy, 0), codes.Unavailable, 503},
		{"an interim status", status(access.CodeDeniedByPolicy, 101), codes.Unavailable, 503},
		{"beyond HTTP", status(access.CodeDeniedByPolicy, 600), codes.Unavailable, 503},
	} {
		answer := renderedBy(t, tt.verdict, ask(nil), extauthz.Options{})
		if got := codes.Code(answer.GetStatus().GetCode()); got != tt.code {
			t.Errorf("%s: status code is %v, want %v", tt.name, got, tt.code)
		}
		if got := int32(answer.GetDeniedResponse().GetStatus().GetCode()); got != tt.status {
			t.Errorf("%s: HTTP status is %d, want %d", tt.name, got, tt.status)
		}
		if strings.Contains(answer.String(), "detail") {
			t.Errorf("%s: the log's detail is in the answer: %v", tt.name, answer)
		}
	}
}

func TestDenialKeepsEveryChallenge(t *testing.T) {
	answer := renderedBy(t, denied(), ask(nil), extauthz.Options{})
	want := []string{
		"OVERWRITE false X-Decision-Id: d2", "OVERWRITE false X-Postern-Code: missing_credential", "OVERWRITE false Content-Type: application/json",
		"OVERWRITE false WWW-Authenticate: ApiKey", "APPEND unset WWW-Authenticate: Bearer",
	}
	if diff := gocmp.Diff(want, told(answer.GetDeniedResponse().GetHeaders())); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if got := answer.GetDeniedResponse().GetBody(); got != `{"code":"missing_credential"}` {
		t.Errorf("body is %q", got)
	}
}

// What HTTP or protobuf forbids is never emitted: the verdict becomes a fault,
// which is closed and still names the decision.
func TestUnsendableVerdictIsAFault(t *testing.T) {
	for name, change := range map[string]func(*access.Verdict){
		"CRLF in a managed value":        func(v *access.Verdict) { v.Managed[0].Value = "a\r\nX-Admin: 1" },
		"NUL in a policy's value":        func(v *access.Verdict) { v.Upstream[0].Value = "a\x00" },
		"DEL":                            func(v *access.Verdict) { v.Upstream[0].Value = "a\x7f" },
		"value that is not UTF-8":        func(v *access.Verdict) { v.Upstream[0].Value = "a\xff" },
		"space in a name":                func(v *access.Verdict) { v.Upstream[0].Name = "X Tier" },
		"empty name":                     func(v *access.Verdict) { v.Upstream[0].Name = "" },
		"pseudo-header":                  func(v *access.Verdict) { v.Upstream[0].Name = ":path" },
		"a managed name again":           func(v *access.Verdict) { v.Upstream[0].Name = "x-consumer-username" },
		"a managed name again, unset":    func(v *access.Verdict) { v.Upstream[0].Name = "x-consumer-custom-id" },
		"CR to the client":               func(v *access.Verdict) { v.Client[0].Value = "\r" },
		"name to remove":                 func(v *access.Verdict) { v.Remove[0] = "a\n" },
		"parameter to remove":            func(v *access.Verdict) { v.RemoveQuery[0] = "\xff" },
		"metadata of an unknown type":    func(v *access.Verdict) { v.Metadata["x"] = struct{}{} },
		"metadata that is not UTF-8":     func(v *access.Verdict) { v.Metadata["x"] = "\xff" },
		"metadata's name is not UTF-8":   func(v *access.Verdict) { v.Metadata["\xff"] = "x" },
		"consumer's name is not UTF-8":   func(v *access.Verdict) { v.Identity.Consumer.Name = "\xff" },
		"nested metadata that is not so": func(v *access.Verdict) { v.Metadata["x"] = map[string]any{"y": []any{"\xff"}} },
	} {
		v := allowed()
		change(&v)
		checkFault(t, name, renderedBy(t, v, ask(nil), extauthz.Options{}), "d1")
	}
	for name, change := range map[string]func(*access.Verdict){
		"LF in a challenge":     func(v *access.Verdict) { v.Client[0].Value = "a\nb" },
		"body is not UTF-8":     func(v *access.Verdict) { v.Body = "\xff" },
		"LF in the media type":  func(v *access.Verdict) { v.ContentType = "a\nb" },
		"space in a code":       func(v *access.Verdict) { v.Reason.Code = "a\rb" },
		"name with a colon":     func(v *access.Verdict) { v.Client[0].Name = "a:" },
		"status beyond HTTP":    func(v *access.Verdict) { v.Status = 1000 },
		"status that is no one": func(v *access.Verdict) { v.Status = -1 },
	} {
		v := denied()
		change(&v)
		checkFault(t, name, renderedBy(t, v, ask(nil), extauthz.Options{}), "d2")
	}
	v := denied()
	v.DecisionID = "d\r\n"
	checkFault(t, "LF in the decision id", renderedBy(t, v, ask(nil), extauthz.Options{}), "")
}

func checkFault(t *testing.T, name string, answer *authv3.CheckResponse, decisionID string) {
	t.Helper()
	if _, err := proto.Marshal(answer); err != nil {
		t.Errorf("%s: the answer can't be sent: %v", name, err)
	}
	if answer.GetStatus().GetCode() != int32(codes.Unavailable) || answer.GetDeniedResponse().GetStatus().GetCode() != 503 {
		t.Errorf("%s: answered %v", name, answer)
		return
	}
	want := map[string]string{"code": "fault", "message": "The request could not be authorized.", "decision_id": decisionID}
	var got map[string]string
	if err := json.Unmarshal([]byte(answer.GetDeniedResponse().GetBody()), &got); err != nil || !maps.Equal(got, want) {
		t.Errorf("%s: body is %v (%v), want %v", name, got, err, want)
	}
	if headers := told(answer.GetDeniedResponse().GetHeaders()); !slices.Contains(headers, "OVERWRITE false X-Postern-Code: fault") ||
		slices.Contains(headers, "OVERWRITE false X-Decision-Id: "+decisionID) != (decisionID != "") {
		t.Errorf("%s: headers are %v", name, headers)
	}
}

func TestFaultAsError(t *testing.T) {
	answer := renderedBy(t, access.Fault("x"), ask(nil), extauthz.Options{FaultAsError: true})
	if answer.GetErrorResponse().GetStatus().GetCode() != 503 || answer.GetStatus().GetCode() != int32(codes.Unavailable) {
		t.Errorf("a fault is answered %v", answer)
	}
	if answer := renderedBy(t, denied(), ask(nil), extauthz.Options{FaultAsError: true}); answer.GetErrorResponse() != nil || answer.GetDeniedResponse() == nil {
		t.Errorf("a denial is answered %v", answer)
	}
}
