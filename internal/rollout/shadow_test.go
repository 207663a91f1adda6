package rollout_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/rollout"
)

// TestKinds asks candidates that differ in each way.
func TestKinds(t *testing.T) {
	const live = `allow := true`
	for _, c := range []struct{ live, candidate, kind, code string }{
		{live, "allow if true", "same", "allowed"},
		{live, "allow := false", "allow_to_deny", "denied_by_policy"},
		{live, "default allow := false\nallow if input.route.name == \"other\"", "allow_to_deny", "denied_by_policy"},
		{live, "allow if input.route.name == \"other\"", "allow_to_deny", "denied_by_policy"},
		{"allow := false", live, "deny_to_allow", "allowed"},
		{live, `allow := {"allowed": true}`, "same", "allowed"},
		{live, `allow := {"allowed": true, "headers": {"x-tier": "gold"}}`, "changed", "allowed"},
		{live, `allow := {"allowed": true, "response_headers_to_add": {"x-tier": "gold"}}`, "changed", "allowed"},
		{live, `allow := {"allowed": true, "request_headers_to_remove": ["x-tier"]}`, "changed", "allowed"},
		{live, `allow := {"allowed": true, "dynamic_metadata": {"tier": "gold"}}`, "changed", "allowed"},
		{`allow := {"allowed": false, "http_status": 403}`, `allow := {"allowed": false, "http_status": 404}`, "changed", "denied_by_policy"},
		{`allow := {"allowed": false, "body": "a"}`, `allow := {"allowed": false, "body": "b"}`, "changed", "denied_by_policy"},
		{live, "allow if to_number(input.route.name) > 1", "error", "fault"},
		{"allow if to_number(input.route.name) > 1", live, "deny_to_allow", "allowed"},
	} {
		m := &meter{}
		s := newShadow(t, m, &log{})
		inForce := rules(t, c.live)
		s.Set(rules(t, c.candidate), 1, inForce.Revision())
		_, _ = s.Policy(inForce, inForce.Revision()).Decide(t.Context(), question("/orders/7"))
		want := c.kind + " " + c.code + " order"
		until(t, want, func() bool { return m.count(want) == 1 })
		if r := s.Report(); r.Compared[c.kind] != 1 {
			t.Errorf("%s: reported %v", want, r.Compared)
		}
	}
}

// TestTells: a difference is logged with all that finds the decision again, and
// with nothing that the request held.
func TestTells(t *testing.T) {
	m, l := &meter{}, &log{}
	s := newShadow(t, m, l)
	live := rules(t, "allow := true")
	next := rules(t, "default allow := false\n\nallow if not refused\n\nrefused if input.attributes.request.http.headers.authorization")
	s.Set(next, 1, live.Revision())
	for range 100 {
		_, _ = s.Policy(live, live.Revision()).Decide(t.Context(), question("/orders/the-path"))
	}
	until(t, "all are compared", func() bool { return s.Report().Compared["allow_to_deny"] == 100 })
	text := l.String()
	for _, want := range []string{
		"kind=allow_to_deny", "decision_id=decision-7", "consumer=shop", "route=order", "code=allowed", "candidate_code=denied_by_policy",
		"candidate=" + next.Revision(), "policy=" + live.Revision(), "authz.rego:7 refused", "differs=\"[code allowed]\"",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing says %q:\n%s", want, text)
		}
	}
	if strings.Contains(text, "the-secret") || strings.Contains(text, "the-path") {
		t.Errorf("the log repeats the request:\n%s", text)
	}
	if n := strings.Count(text, "\n"); n > 30 {
		t.Errorf("%d lines: nothing bounds them", n)
	}
}

// TestTimeout: a candidate that never ends is ended, and counted.
func TestTimeout(t *testing.T) {
	m := &meter{}
	s := newShadow(t, m, &log{})
	live := rules(t, "allow := true")
	dir := t.TempDir()
	write(t, dir, "authz.rego", "package postern.authz\n\nallow if {\n\tsome i in numbers.range(1, 100000)\n\tsome j in numbers.range(1, 100000)\n\ti * j == -1\n}\n")
	s.Set(compile(t, policy.Options{Directory: dir, Timeout: 5 * time.Millisecond}), 1, live.Revision())
	_, _ = s.Policy(live, live.Revision()).Decide(t.Context(), question("/"))
	until(t, "a timeout", func() bool { return s.Report().Compared["timeout"] == 1 })
}

// slow is a policy that takes its time.
type slow struct{ until chan struct{} }

func (s slow) Decide(context.Context, *gate.Question) (access.Decision, error) {
	<-s.until
	return access.Decision{Allowed: true}, nil
}

// TestNeverWaits: with a candidate that hangs in each evaluation, requests are
// decided as ever, and what finds no room is dropped and counted.
func TestNeverWaits(t *testing.T) {
	m := &meter{}
	s := newShadow(t, m, &log{})
	dir := t.TempDir()
	write(t, dir, "authz.rego", "package postern.authz\n\nallow if {\n\tsome i in numbers.range(1, 1000000)\n\tsome j in numbers.range(1, 1000000)\n\ti * j == -1\n}\n")
	live := rules(t, "allow := true")
	s.Set(compile(t, policy.Options{Directory: dir, Timeout: time.Minute}), 1, live.Revision())
	p := s.Policy(live, live.Revision())
	for range 2000 {
		if d, err := p.Decide(t.Context(), question("/")); !d.Allowed || err != nil {
			t.Fatal(d, err)
		}
	}
	if m.count("dropped") < 900 || s.Report().Dropped < 900 {
		t.Errorf("%d were dropped", m.count("dropped"))
	}
	began := time.Now()
	s.Close() // in the middle of an evaluation that would take a minute
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("it ended after %v", took)
	}
}

// TestHoldsLittle: requests with large bodies do not pile up.
func TestHoldsLittle(t *testing.T) {
	m := &meter{}
	s := newShadow(t, m, &log{})
	dir := t.TempDir()
	write(t, dir, "authz.rego", "package postern.authz\n\nallow if {\n\tsome i in numbers.range(1, 1000000)\n\tsome j in numbers.range(1, 1000000)\n\ti * j == -1\n}\n")
	live := rules(t, "allow := true")
	s.Set(compile(t, policy.Options{Directory: dir, Timeout: time.Minute}), 1, live.Revision())
	p := s.Policy(live, live.Revision())
	body := make([]byte, 1<<20)
	for range 100 {
		q := question("/")
		q.Request.Body = body
		_, _ = p.Decide(t.Context(), q)
	}
	if n := m.count("dropped"); n < 60 {
		t.Errorf("%d of 100 requests of 1 MiB were dropped", n)
	}
}

// TestSample: a part is asked, the same ids each time; explained requests never.
func TestSample(t *testing.T) {
	m := &meter{}
	s := newShadow(t, m, &log{})
	live := rules(t, "allow := true")
	s.Set(rules(t, "allow if true"), 0.25, live.Revision())
	p := s.Policy(live, live.Revision())
	for i := range 800 {
		q := question("/")
		q.DecisionID = fmt.Sprint("id-", i)
		_, _ = p.Decide(t.Context(), q)
	}
	settled := func() int64 { r := s.Report(); return r.Compared["same"] + r.Dropped }
	until(t, "about a quarter is compared", func() bool { return settled() > 130 && settled() < 270 })
	s.Set(rules(t, "allow if not false"), 1, live.Revision())
	q := question("/")
	q.Request.Explain = &access.Explanation{}
	before := len(q.Request.Explain.Steps)
	_, _ = live.Decide(t.Context(), q)
	alone := len(q.Request.Explain.Steps) - before
	_, _ = p.Decide(t.Context(), q)
	if steps := len(q.Request.Explain.Steps) - before; steps != 2*alone {
		t.Errorf("the candidate wrote into an explanation: %d steps, want %d", steps, 2*alone)
	}
	_, _ = p.Decide(t.Context(), question("/"))
	until(t, "one is compared", func() bool { return s.Report().Compared["same"] == 1 })
}

// TestCountsBelongToAPair: another candidate, or another policy in force, is
// counted anew; the same pair goes on.
func TestCountsBelongToAPair(t *testing.T) {
	m := &meter{}
	s := newShadow(t, m, &log{})
	live, other, next := rules(t, "allow := true"), rules(t, "allow := false"), rules(t, "allow if true")
	s.Set(next, 1, live.Revision())
	_, _ = s.Policy(live, live.Revision()).Decide(t.Context(), question("/"))
	until(t, "one is compared", func() bool { return s.Report().Compared["same"] == 1 })
	s.Set(next, 0.5, live.Revision())
	if n := s.Report().Compared["same"]; n != 1 {
		t.Errorf("the same pair begins anew: %d", n)
	}
	s.Set(next, 1, other.Revision())
	if n := s.Report().Compared["same"]; n != 0 {
		t.Errorf("another policy in force goes on with %d", n)
	}
	// What was decided before the swap is compared with nothing.
	_, _ = s.Policy(live, live.Revision()).Decide(t.Context(), question("/"))
	_, _ = s.Policy(other, other.Revision()).Decide(t.Context(), question("/"))
	until(t, "one is compared", func() bool { return s.Report().Compared["deny_to_allow"] == 1 })
	if r := s.Report(); r.Compared["same"] != 0 || r.Against != other.Revision() || r.Revision != next.Revision() {
		t.Errorf("reported %+v", r)
	}
}

func TestNoCandidate(t *testing.T) {
	s := newShadow(t, &meter{}, &log{})
	live := rules(t, "allow := true")
	s.Set(live, 1, live.Revision())
	s.Fail(errors.New("policies/authz.rego:3: it does not compile"))
	if r := s.Report(); r.Revision != "" || !strings.Contains(r.Error, "authz.rego:3") || s.Candidate() != nil {
		t.Errorf("reported %+v", r)
	}
	if d, err := s.Policy(live, live.Revision()).Decide(t.Context(), question("/")); !d.Allowed || err != nil {
		t.Error(d, err)
	}
	s.Fail(nil)
	if r := s.Report(); r.Error != "" {
		t.Errorf("reported %+v", r)
	}
}

// TestAllocations: handing a decision over takes no memory.
func TestAllocations(t *testing.T) {
	for _, sample := range []float64{0, 1} {
		p, q := handing(t, sample), question("/")
		if n := testing.AllocsPerRun(1000, func() { _, _ = p.Decide(t.Context(), q) }); n > 0 && !raceEnabled {
			t.Errorf("%v allocations a decision at the sample %v", n, sample)
		}
	}
}

// handing is a policy that costs nothing, and a candidate that hangs.
func handing(t testing.TB, sample float64) gate.Policy {
	s := rollout.NewShadow(rollout.ShadowOptions{Meter: &meter{}, Logger: (&log{}).logger(), Now: time.Now})
	t.Cleanup(s.Close)
	s.Set(rules(t, "allow := true"), sample, "a")
	open := make(chan struct{})
	close(open)
	return s.Policy(slow{open}, "b") // decided under another revision: nothing is evaluated
}

func BenchmarkDecorator(b *testing.B) {
	for name, sample := range map[string]float64{"none": 0, "tenth": 0.1, "all": 1} {
		b.Run(name, func(b *testing.B) {
			p, q := handing(b, sample), question("/")
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					_, _ = p.Decide(context.Background(), q)
				}
			})
		})
	}
}
