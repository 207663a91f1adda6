package telemetry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

func TestDecisionLine(t *testing.T) {
	tel, out := open(t, Options{})
	req := request()
	req.Path = "/\x1b[2J" + strings.Repeat("a", 5000)
	tel.Recorder().Record(req, denial(), 1500*time.Microsecond)
	tel.Recorder().Record(request(), allowed("not sampled"), 0)
	shutdown(t, tel)

	var line map[string]any
	if err := json.Unmarshal([]byte(out.String()), &line); err != nil {
		t.Fatalf("not one line of JSON: %v\n%s", err, out)
	}
	for field, want := range map[string]any{
		"level": "INFO", "msg": "request denied", "decision_id": "d-1", "outcome": "deny", "code": "missing_role", "status": 403.0,
		"detail": "needs one of [admin]", "door": "grpc", "route": "admin", "method": "GET", "host": "api.example.com",
		"client": "192.0.2.7", "consumer": "shop", "credential": "shop-key", "revision": "r-1", "took_us": 1500.0, "request_id": "req-1",
	} {
		if line[field] != want {
			t.Errorf("%s is %v, want %v", field, line[field], want)
		}
	}
	if path := line["path"].(string); !strings.HasPrefix(path, `/\x1b[2Jaaa`) || len(path) > 600 {
		t.Errorf("path is %q", path)
	}
}

func TestDecisionLineHoldsNoCredential(t *testing.T) {
	key := "postern_default_" + strings.Repeat("k3Y", 20) + "x"
	const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjYW5hcnkifQ.c2ln"
	for path, want := range map[string]string{
		"/x/" + key + "/y":                        "/x/[redacted]/y",
		"/x/" + jwt:                               "/x/[redacted]",
		"/x/" + jwt[:1] + "%79" + jwt[2:]:         "/x/[redacted]",
		"/login;token=canary/x;jsessionid=canary": "/login;token=[redacted]/x;jsessionid=[redacted]",
		"/login%3Btoken%3Dcanary":                 "/[redacted]",
		"/orders/7;v=1":                           "/orders/7;v=1",
	} {
		tel, out := open(t, Options{})
		req := request()
		req.Path, req.ID = path, key
		v := denial()
		v.Reason.Detail, v.Warnings = "token: canary", []string{"header x: Bearer " + jwt}
		tel.Recorder().Record(req, v, 0)
		shutdown(t, tel)
		if s := out.String(); !strings.Contains(s, `"path":"`+want+`"`) || strings.Contains(s, "k3Yk3Y") || strings.Contains(s, "eyJ") || strings.Contains(s, "canary") {
			t.Errorf("%s: %s", path, s)
		}
	}
}

func TestFaultIsAnErrorAndBareRequestsAreNoTrouble(t *testing.T) {
	tel, out := open(t, Options{})
	v := access.Fault("store: connection refused")
	tel.Recorder().Record(&access.Request{}, &v, 0)
	shutdown(t, tel)
	if s := out.String(); !strings.Contains(s, `"level":"ERROR","msg":"request faulted"`) || !strings.Contains(s, `"client":""`) {
		t.Error(s)
	}
}

func TestAllowsAreSampledByDecisionID(t *testing.T) {
	written := func(part float64) map[string]bool {
		ids := map[string]bool{}
		for i := range 10000 {
			id := fmt.Sprintf("decision-%d", i)
			if NewSampler(part).Takes(id) {
				ids[id] = true
			}
		}
		return ids
	}
	tenth, half := written(.1), written(.5)
	if n := len(tenth); n < 850 || n > 1150 {
		t.Errorf("%d of 10000 taken at 0.1", n)
	}
	for id := range tenth {
		if !half[id] {
			t.Fatalf("%s is taken at 0.1 and not at 0.5", id)
		}
	}
	if len(written(0)) != 0 || len(written(-1)) != 0 || len(written(1)) != 10000 {
		t.Error("0 is not none, or 1 not all")
	}
	tel, out := open(t, Options{AllowSample: 1})
	tel.Recorder().Record(request(), allowed("a-1"), 0)
	shutdown(t, tel)
	if !strings.Contains(out.String(), `"msg":"request allowed","decision_id":"a-1","outcome":"allow"`) {
		t.Error(out)
	}
}

func TestFloodOfDenialsIsCut(t *testing.T) {
	now := time.Unix(1000, 0)
	tel, out := open(t, Options{Now: func() time.Time { return now }})
	for range 50000 {
		tel.Recorder().Record(request(), denial(), 0)
	}
	metrics := scrape(t, tel)
	shutdown(t, tel)
	lines := strings.Count(out.String(), `"msg":"request denied"`)
	if lines == 0 || lines > decisionsPerSecond {
		t.Errorf("%d lines were written", lines)
	}
	told := 0
	for _, s := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var line struct {
			Msg   string
			Count int
		}
		if err := json.Unmarshal([]byte(s), &line); err != nil {
			t.Fatal(err)
		}
		if line.Msg == "decision lines were dropped" {
			told += line.Count
		}
	}
	if told != 50000-lines {
		t.Errorf("%d lines were dropped, %d told of", 50000-lines, told)
	}
	if want := fmt.Sprintf("postern_decision_log_dropped_total %d", 50000-lines); !strings.Contains(metrics, want) {
		t.Errorf("no %s", want)
	}
	if !strings.Contains(metrics, `postern_verdicts_total{code="missing_role",door="grpc",outcome="deny"} 50000`) {
		t.Error("dropped lines were not counted as verdicts")
	}
}

func TestPace(t *testing.T) {
	start := time.Unix(1000, 0)
	p := NewPace(1000)
	count := func(at time.Time) (n int) {
		for range 5000 {
			if p.Allow(at) {
				n++
			}
		}
		return n
	}
	if n := count(start); n != 1000 {
		t.Errorf("a burst of %d", n)
	}
	if n := count(start.Add(100 * time.Millisecond)); n != 100 {
		t.Errorf("%d after 100 ms", n)
	}
	if n := count(start.Add(-time.Hour)); n != 1000 {
		t.Errorf("%d after the clock was set back", n)
	}
}

// stuck is a disk that has stopped.
type stuck struct{ release chan struct{} }

func (s stuck) Write(p []byte) (int, error) { <-s.release; return len(p), nil }

func TestAStuckWriterBlocksNobody(t *testing.T) {
	disk := stuck{make(chan struct{})}
	tel, _ := open(t, Options{LogWriter: disk})
	for range 5000 {
		tel.Recorder().Record(request(), denial(), 0)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	// Whether lines are left, and close says so, is up to how far it came by now.
	if err := tel.decisions.close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	tel.Recorder().Record(request(), denial(), 0)
	close(disk.release)
}
