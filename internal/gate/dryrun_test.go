package gate_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/postern-authz/postern/internal/access"
)

// whatPolicySays is a denial with all that a policy may say in one.
func whatPolicySays() access.Decision {
	return access.Decision{
		Status: 302, HasBody: true, Body: "no", Detail: "undefined",
		Headers:         []access.Header{{Name: "Location", Value: "https://a.test/"}, {Name: "X-API-Key", Value: "other"}, {Name: "X-Consumer-Username", Value: "root"}},
		ResponseHeaders: []access.Header{{Name: "X-Why", Value: "late"}}, RemoveHeaders: []string{"accept"},
		SetQuery: []access.Param{{Name: "a", Value: "b"}}, RemoveQuery: []string{"c"},
		Metadata: map[string]any{"why": "late"},
	}
}

// On a dry run the request goes on as if policy had plainly allowed it, and the
// verdict says that it had not.
func TestDryRunLetsThroughWhatPolicyDenies(t *testing.T) {
	s := ordinary()
	s.request.Headers = access.Headers{{Name: "x-api-key", Value: "k"}}
	plain := s.check(t)
	s.dryRun, s.policy.decision = true, whatPolicySays()
	v := s.check(t)
	if v.Outcome() != access.Allowed || v.Reason.Code != access.CodeAllowed || v.DryRun != (access.Reason{Code: access.CodeDeniedByPolicy, Detail: "undefined"}) {
		t.Errorf("verdict %v, %+v, dry run %+v", v.Outcome(), v.Reason, v.DryRun)
	}
	if diff := cmp.Diff(map[string]any{"why": "late"}, v.Metadata); diff != "" {
		t.Error(diff)
	}
	v.DryRun, v.Metadata = access.Reason{}, nil
	if diff := cmp.Diff(plain, v, cmp.AllowUnexported(access.Verdict{})); diff != "" {
		t.Errorf("it is not the plain allow: %s", diff)
	}
	if len(v.Remove) == 0 || !slices.Contains(v.Managed, access.Header{Name: "X-Consumer-Username", Value: "alice"}) {
		t.Errorf("removed %v, managed %v: what is compared is too little", v.Remove, v.Managed)
	}
}

func TestDryRunLeavesAllowsAlone(t *testing.T) {
	s := ordinary()
	s.dryRun, s.policy.decision = true, access.Decision{Allowed: true, Headers: []access.Header{{Name: "X-Mine", Value: "1"}}}
	if v := s.check(t); v.DryRun != (access.Reason{}) || len(v.Upstream) != 1 {
		t.Errorf("verdict %+v", v)
	}
}

// Everything but a plain no of policy closes as ever.
func TestDryRunWaivesPolicyAlone(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*situation)
		want   access.Code
	}{
		"no credential":    {func(s *situation) { s.key.proof, s.key.err = nil, access.ErrNoCredential }, access.CodeMissingCredential},
		"a bad credential": {func(s *situation) { s.key.proof, s.key.err = nil, access.Invalid("x") }, access.CodeInvalidCredential},
		"a missing role":   {func(s *situation) { s.route.Require.Roles = []string{"admin"} }, access.CodeMissingRole},
		"a constraint": {func(s *situation) {
			s.key.proof = proof("alice", func(id *access.Identity) { id.Credential.Constraints = &access.Constraints{Methods: []string{"PUT"}} })
		}, access.CodeConstraintViolated},
		"a malformed request": {func(s *situation) { s.request.Malformed = "x" }, access.CodeMalformedRequest},
		"an unreadable body":  {func(s *situation) { s.policy.err = &access.Unreadable{Detail: "x"} }, access.CodeMalformedRequest},
		"policy fails":        {func(s *situation) { s.policy.err = errors.New("conflict") }, access.CodeFault},
		"a route unknown":     {func(s *situation) { s.request.Route = "nowhere" }, access.CodeFault},
		"a value for no header": {func(s *situation) {
			s.key.proof = proof("alice", func(id *access.Identity) { id.Consumer.Name = "a\nb" })
		}, access.CodeFault},
	} {
		s := ordinary()
		s.dryRun = true
		c.change(&s)
		if v := s.check(t); v.Outcome() == access.Allowed || v.Reason.Code != c.want || v.DryRun != (access.Reason{}) {
			t.Errorf("%s: %v, %+v, dry run %+v", name, v.Outcome(), v.Reason, v.DryRun)
		}
	}
}

// A denial has the policy's metadata too: Envoy gives it to the access log.
func TestDenialHasMetadata(t *testing.T) {
	s := ordinary()
	s.policy.decision = whatPolicySays()
	if diff := cmp.Diff(map[string]any{"why": "late"}, s.check(t).Metadata); diff != "" {
		t.Error(diff)
	}
}
