package life

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

// gatewayPatience is how long gateways wait for an answer.
const gatewayPatience = 200 * time.Millisecond

// TestOutage takes the store away in every way, while requests go on: those that
// are remembered are answered, others get 503, and nobody gets a wrong answer.
func TestOutage(t *testing.T) {
	o := startOutage(t)
	for _, c := range []struct {
		name       string
		begin, end func()
	}{
		{"stopped", func() { o.server.StopNow(t) }, func() { o.server.Restart(t) }},
		{"hung", o.proxy.hang, o.proxy.wake},
		{"cut off", o.proxy.cut, o.proxy.mend},
		{"failed over", func() { o.server.Crash(t) }, func() { o.server.FailOver(t) }},
	} {
		t.Run(c.name, func(t *testing.T) { o.live(t, c.begin, c.end) })
	}
}

// outage is an instance whose store can be taken away.
type outage struct {
	*instance
	server *harness.Postgres
	proxy  *proxy
	dsn    string
	rounds int
}

func startOutage(t *testing.T) *outage {
	t.Helper()
	o := &outage{server: harness.StartPostgres(t)}
	o.proxy = startProxy(t, o.server.Address)
	o.dsn = o.server.DSN(o.server.Database(t), o.proxy.Listen)
	o.instance = start(t, folderOn(t, o.dsn, ""))
	return o
}

func (o *outage) live(t *testing.T, begin, end func()) {
	o.rounds++
	name := fmt.Sprintf("round%d", o.rounds)
	hot, cold, gone := o.keys(t, name+"-hot", 5), o.keys(t, name+"-cold", 40), o.keys(t, name+"-gone", 5)
	for _, k := range gone {
		o.revoke(t, k.ID, "")
	}
	for _, k := range hot {
		o.settles(t, k, allowed)
	}
	traffic := startTraffic(o.instance, hot, cold[:5], gone)
	begin()
	o.without(t, hot, cold[5:], gone)
	late := o.startLate(t)
	end()
	o.recovers(t, time.Now())
	o.recovered(t, name, hot, cold, gone)
	harness.WaitFor(t, "the instance that was started meanwhile to be ready", func() error { return ready(late) })
	late.settles(t, cold[0], allowed)
	late.Stop(t)
	traffic.judge(t)
}

// without holds the instance to what it owes without its store.
func (o *outage) without(t *testing.T, hot, cold, gone []key) {
	t.Helper()
	for _, k := range hot {
		o.is(t, k, allowed)
	}
	o.is(t, key{ID: "declared", Key: fileKey}, allowed)
	var took []time.Duration
	for _, k := range cold[:len(cold)-1] {
		began := time.Now()
		o.is(t, k, unavailable)
		took = append(took, time.Since(began))
	}
	for _, k := range gone {
		if got, err := o.ask(t.Context(), k.Key); err != nil || got == allowed {
			t.Errorf("a revoked key gets %v, %v", got, err)
		}
	}
	t.Logf("503 for a key that is not remembered: %s", spread(took))
	if p50 := quantile(took, 0.5); p50 > gatewayPatience {
		t.Errorf("p50 is %s: gateways wait %s", p50, gatewayPatience)
	}
	if err := ready(o.instance); err != nil {
		t.Errorf("an instance that has begun goes on: %v", err)
	}
	if status, body, err := o.call(t.Context(), http.MethodPost, "/v1/consumers", `{"name":"meanwhile"}`); status != http.StatusServiceUnavailable || err != nil {
		t.Errorf("a change without a store: %d %s, %v", status, body, err)
	}
}

// wellAgain is how many answers in a row say that the store is back: more than
// there are connections that may still be broken.
const wellAgain = 50

// recovers asks about keys that nobody remembers until the store answers for
// all of them again.
func (o *outage) recovers(t *testing.T, ended time.Time) {
	t.Helper()
	took, faults := time.Since(ended), 0
	for answers := 0; answers < wellAgain; answers++ {
		got, err := o.ask(t.Context(), rand.Text())
		if err != nil || got != refused && got != unavailable {
			t.Fatalf("an unknown key gets %v, %v", got, err)
		}
		if got == unavailable {
			answers, took, faults = -1, time.Since(ended), faults+1
		}
		if time.Since(ended) > harness.Patience {
			t.Fatal("the store does not answer again")
		}
	}
	t.Logf("the last of %d times 503 came %s after the outage", faults, took)
	if took > recoveredWithin {
		t.Errorf("that is later than %s", recoveredWithin)
	}
}

// recovered holds it to what it owes once the store is back.
func (o *outage) recovered(t *testing.T, name string, hot, cold, gone []key) {
	t.Helper()
	for _, k := range append(hot, cold...) {
		o.settles(t, k, allowed)
	}
	for _, k := range gone {
		o.settles(t, k, refused)
	}
	k := o.keys(t, name+"-after", 1)[0]
	o.settles(t, k, allowed)
	if r := o.revoke(t, k.ID, "30s"); !r.Receipt.Complete {
		t.Errorf("a revocation after the outage: %+v", r)
	}
	o.settles(t, k, refused)
}

// startLate starts an instance that can't reach the store. It serves, but tells
// gateways to send it nothing.
func (o *outage) startLate(t *testing.T) *instance {
	t.Helper()
	late := attach(t, harness.StartUnready(t, folderOn(t, o.dsn, "")))
	if got, err := late.ask(t.Context(), fileKey); got != allowed || err != nil {
		t.Errorf("a key of a file at an instance without its store: %v, %v", got, err)
	}
	if ready(late) == nil {
		t.Error("an instance that has never reached its store says that it is ready")
	}
	return late
}

// ready asks an instance whether it is.
func ready(i *instance) error {
	status, body, err := i.call(context.Background(), http.MethodGet, "/readyz", "")
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("%d %s", status, body)
	}
	return err
}

// TestStaleness: past consumers.max_staleness nobody who may have been changed
// meanwhile is believed, and everybody again once the store is back.
func TestStaleness(t *testing.T) {
	server := harness.StartPostgres(t)
	proxy := startProxy(t, server.Address)
	dir := folderOn(t, server.DSN(server.Database(t), proxy.Listen), "  max_staleness: 2s\n")
	harness.Edit(t, filepath.Join(dir, "postern.yaml"), "policy:",
		"routes:\n  - {name: patient, match: {paths: [/patient]}, max_staleness: 24h}\npolicy:")
	i := start(t, dir)
	keys, declared := i.keys(t, "shop", 3), key{ID: "declared", Key: fileKey}
	hot, colds := keys[0], keys[1:]
	for at, outage := range []struct {
		name       string
		begin, end func()
	}{
		{"cut", proxy.cut, proxy.mend},
		{"hung", proxy.hang, proxy.wake},
	} {
		t.Run(outage.name, func(t *testing.T) {
			i.becomes(t, hot, allowed)
			outage.begin()
			began := time.Now()
			i.becomes(t, hot, unavailable)
			t.Logf("a key that is remembered gets 503 %s after the outage began", time.Since(began))
			i.is(t, colds[at], unavailable)
			i.is(t, key{ID: "unknown", Key: rand.Text()}, unavailable)
			i.is(t, declared, allowed)
			i.at(t, "/patient", hot, allowed)
			outage.end()
			ended := time.Now()
			i.becomes(t, hot, allowed)
			if took := time.Since(ended); took > recoveredWithin {
				t.Errorf("it is allowed again after %s, want %s", took, recoveredWithin)
			}
		})
	}
}
