package life

import (
	"fmt"
	"maps"
	"math"
	"net/http"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

const (
	// refusedWithin bounds the time from a revocation to its refusal at another
	// instance, for ninety-nine of a hundred.
	refusedWithin = 100 * time.Millisecond
	// recoveredWithin bounds what comes after an outage of the store.
	recoveredWithin = 2 * time.Second
)

// pair is two instances on one PostgreSQL. The second reaches it by a proxy.
type pair struct {
	a, b     *instance
	idA, idB string
	proxy    *proxy
	server   *harness.Postgres
}

func startPair(t *testing.T) *pair {
	t.Helper()
	p := &pair{server: harness.StartPostgres(t)}
	database := p.server.Database(t)
	p.proxy = startProxy(t, p.server.Address)
	p.a = start(t, folderOn(t, p.server.DSN(database, p.server.Address), ""))
	p.idA = p.newest(t)
	p.b = start(t, folderOn(t, p.server.DSN(database, p.proxy.Listen), ""))
	p.idB = p.newest(t)
	return p
}

// newest waits for an instance that is not known yet to be in the list.
func (p *pair) newest(t *testing.T) string {
	t.Helper()
	var id string
	harness.WaitFor(t, "the instance to be in the list", func() error {
		ids := p.a.instances(t)
		delete(ids, p.idA)
		if len(ids) != 1 {
			return fmt.Errorf("there are %d others", len(ids))
		}
		id = slices.Collect(maps.Keys(ids))[0]
		return nil
	})
	return id
}

// TestRevocationReachesOthers measures from the answer of one instance to the
// refusal at another that remembers the key.
func TestRevocationReachesOthers(t *testing.T) {
	p := startPair(t)
	revocations, bound := 300, refusedWithin
	if testing.Short() || raceEnabled {
		revocations, bound = 50, recoveredWithin // too few for a percentile, on a machine with more to do
	}
	var sinceAnswer, sinceAsked []time.Duration
	for _, k := range p.a.keys(t, "shop", revocations) {
		p.b.settles(t, k, allowed)
		asked := time.Now()
		p.a.revoke(t, k.ID, "")
		answered := time.Now()
		p.b.becomes(t, k, refused)
		sinceAnswer, sinceAsked = append(sinceAnswer, time.Since(answered)), append(sinceAsked, time.Since(asked))
		p.a.settles(t, k, refused)
	}
	t.Logf("%d revocations at A; refusal at B after the answer: %s; after the question: %s", revocations, spread(sinceAnswer), spread(sinceAsked))
	if p99 := quantile(sinceAnswer, 0.99); p99 > bound {
		t.Errorf("p99 is %s, want at most %s", p99, bound)
	}
}

// TestReceiptNamesInstances: who waits is told which instances refuse the key,
// and which of them has not said so.
func TestReceiptNamesInstances(t *testing.T) {
	p := startPair(t)
	keys := p.a.keys(t, "shop", 2)
	p.receipt(t, p.a.revoke(t, keys[0].ID, "30s"), map[string]bool{p.idA: true, p.idB: true})
	p.b.settles(t, keys[0], refused)

	p.b.settles(t, keys[1], allowed)
	p.b.Signal(t, syscall.SIGSTOP)
	defer p.b.Signal(t, syscall.SIGCONT)
	p.receipt(t, p.a.revoke(t, keys[1].ID, "1s"), map[string]bool{p.idA: true, p.idB: false})
	p.b.Signal(t, syscall.SIGCONT)
	p.receipt(t, p.a.revoke(t, keys[1].ID, "30s"), map[string]bool{p.idA: true, p.idB: true})
	p.b.settles(t, keys[1], refused)
}

// inStep waits until the second instance has heard of all changes. One that it
// hears of later makes it forget what it remembers of that consumer.
func (p *pair) inStep(t *testing.T) {
	t.Helper()
	harness.WaitFor(t, "the instances to be in step", func() error {
		if a, b := p.a.sequence(t), p.b.sequence(t); a != b {
			return fmt.Errorf("A is at %d, B at %d", a, b)
		}
		return nil
	})
}

// sequence is the last change that an instance has applied.
func (i *instance) sequence(t *testing.T) int64 {
	t.Helper()
	var report struct {
		Store struct {
			Sequence int64 `json:"sequence"`
		} `json:"store"`
	}
	i.must(t, http.MethodGet, "/readyz", "", &report)
	return report.Store.Sequence
}

// receipt holds a receipt to the instances that it must name, done or not.
func (p *pair) receipt(t *testing.T, r revocation, want map[string]bool) {
	t.Helper()
	got, complete := map[string]bool{}, true
	for _, i := range r.Receipt.Instances {
		got[i.ID] = i.Done
		complete = complete && i.Done
		if i.Name == "" {
			t.Errorf("the instance %s has no name", i.ID)
		}
	}
	if !maps.Equal(got, want) || r.Receipt.Complete != complete || r.Receipt.Sequence == 0 {
		t.Errorf("the receipt is %+v, want %v", r.Receipt, want)
	}
}

// TestNothingIsMissed revokes while an instance can't hear of it. It hears of
// all once it can.
func TestNothingIsMissed(t *testing.T) {
	p := startPair(t)
	for name, outage := range map[string]struct{ begin, end func() }{
		"cut":  {p.proxy.cut, p.proxy.mend},
		"hung": {p.proxy.hang, p.proxy.wake},
	} {
		t.Run(name, func(t *testing.T) {
			keys := p.a.keys(t, name, 50)
			p.inStep(t)
			for _, k := range keys {
				p.b.settles(t, k, allowed)
			}
			outage.begin()
			for _, k := range keys {
				p.a.revoke(t, k.ID, "")
				p.b.is(t, k, allowed) // it can't know, and is not told to mind
			}
			outage.end()
			p.allRefused(t, keys)
			p.receipt(t, p.a.revoke(t, keys[0].ID, "30s"), map[string]bool{p.idA: true, p.idB: true})
		})
	}
	t.Run("cut again and again", func(t *testing.T) {
		keys := p.a.keys(t, "again", 100)
		for at, k := range keys {
			if got, err := p.b.ask(t.Context(), k.Key); err != nil || got != allowed && got != unavailable {
				t.Fatalf("%v, %v", got, err)
			}
			if at%10 == 3 {
				p.proxy.cut()
			}
			p.a.revoke(t, k.ID, "")
			if at%10 == 7 {
				p.proxy.mend()
			}
		}
		p.allRefused(t, keys)
	})
}

// allRefused holds the second instance to its bound after an outage.
func (p *pair) allRefused(t *testing.T, keys []key) {
	t.Helper()
	ended := time.Now()
	for _, k := range keys {
		p.b.becomes(t, k, refused)
	}
	took := time.Since(ended)
	t.Logf("all %d that were revoked meanwhile are refused %s after the outage", len(keys), took)
	if took > recoveredWithin {
		t.Errorf("that took longer than %s", recoveredWithin)
	}
}

// spread describes measured times.
func spread(times []time.Duration) string {
	return fmt.Sprintf("p50 %s, p99 %s, longest %s", quantile(times, 0.5), quantile(times, 0.99), quantile(times, 1))
}

// quantile is the least time that so much of them do not exceed.
func quantile(times []time.Duration, q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	at := int(math.Ceil(q*float64(len(sorted)))) - 1
	return sorted[max(at, 0)].Round(10 * time.Microsecond)
}
