package journal_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// TestQueueIsBoundInBytes lets a client send as much as it may beside its body
// while nothing can be written, and closes then.
func TestQueueIsBoundInBytes(t *testing.T) {
	s := compiled(t, rules)
	big := strings.Repeat("x", 56<<10)
	for name, change := range map[string]func(*gate.Question){
		"header":    func(q *gate.Question) { q.Request.Headers = headers("cookie", big) },
		"path":      func(q *gate.Question) { q.Request.RawPath = "/" + big },
		"query":     func(q *gate.Question) { q.Request.Query = big },
		"extension": func(q *gate.Question) { q.Request.Extensions = map[string]string{"a": big} },
		"parameter": func(q *gate.Question) { q.Params = []access.Param{{Name: "a", Value: big}} },
		"body":      func(q *gate.Question) { q.Request.Body = []byte(big) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				j, _, counts, log := kept(t)
				p := j.Policy(allowing{}, s, nil, nil)
				begun, release := make(chan struct{}), make(chan struct{})
				_, _ = p.Decide(t.Context(), question(0, func(q *gate.Question) {
					q.Request.Metadata = func() map[string]any { close(begun); <-release; return nil }
				}))
				<-begun
				for i := range 1000 {
					_, _ = p.Decide(t.Context(), question(1+i, change))
				}
				if n := counts.Dropped.Load(); n < 400 {
					t.Errorf("%d of 1000 are dropped: %d MB wait", n, 56*(1000-n)>>10)
				}
				j.Close()
				if n := counts.Dropped.Load(); n != 1000 || !strings.Contains(log.String(), "lost=") {
					t.Errorf("%d of 1000 that were lost are counted, log %s", n, log)
				}
				close(release)
			})
		})
	}
}
