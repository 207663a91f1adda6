package gateway

import (
	"encoding/base64"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/postern-authz/postern/test/harness"
)

// TestFloodOfPasswords asks Postern itself, as Envoy's HTTP filter does. Every
// password is another one, so that nothing can be remembered of it.
func TestFloodOfPasswords(t *testing.T) {
	dir := harness.Example(t)
	harness.Edit(t, dir+"/postern.yaml", "burst: 30m ", "burst: 2s ")
	postern := harness.StartPostern(t, dir)
	client := harness.NewClient(t, "http://"+postern.HTTP)
	keys := harness.StartTraffic(t, client, 2, func() harness.Request { return question("X-Api-Key", mobileKey) })
	keys.WaitTotal(t, 100)
	var n atomic.Int64
	flood := harness.StartTraffic(t, client, 64, func() harness.Request {
		return question("Authorization", basicOf("mobile", "wrong-password-"+strconv.FormatInt(n.Add(1), 10)))
	})
	before := keys.Total()
	flood.WaitTotal(t, 2000)
	during := keys.Total() - before
	keys.WaitTotal(t, before+100)
	statuses := flood.Stop(t)
	if statuses[http.StatusUnauthorized] == 0 || statuses[http.StatusTooManyRequests] == 0 || len(statuses) != 2 {
		t.Errorf("bad passwords were answered %v, want some 401 and, beyond what is verified at once, 429", statuses)
	}
	if of := keys.Stop(t); len(of) != 1 || of[http.StatusOK] == 0 {
		t.Errorf("keys were answered %v, want nothing but 200", of)
	}
	t.Logf("%d keys were proven while 2000 passwords were refused", during)
	status := 0
	for end := time.Now().Add(harness.Patience); status != http.StatusOK && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		status = (&suite{client: client}).do(t, question("Authorization", basicOf("mobile", "demo-password"))).Status
	}
	if status != http.StatusOK {
		t.Errorf("after the flood the good password has status %d", status)
	}
}

// TestRefusedPasswordsAreToldWhenToComeBack fills the one place that there is.
func TestRefusedPasswordsAreToldWhenToComeBack(t *testing.T) {
	dir := harness.Example(t)
	harness.Edit(t, dir+"/postern.yaml", "    # workers: 1 ", "    workers: 1 ")
	harness.Edit(t, dir+"/postern.yaml", "    # queue: 4 ", "    queue: 1 ")
	postern := harness.StartPostern(t, dir)
	client := harness.NewClient(t, "http://"+postern.HTTP)
	var n atomic.Int64
	wrong := func() harness.Request {
		return question("Authorization", basicOf("nobody-"+strconv.FormatInt(n.Add(1), 10), "wrong-password"))
	}
	flood := harness.StartTraffic(t, client, 16, wrong)
	flood.WaitTotal(t, 100)
	var refused *harness.Answer
	for range 10_000 {
		if refused = (&suite{client: client}).do(t, wrong()); refused.Status == http.StatusTooManyRequests {
			break
		}
	}
	flood.Stop(t)
	if refused.Status != http.StatusTooManyRequests || refused.Header.Get("Retry-After") != "1" || refused.Header.Get("X-Postern-Code") != "too_many_failures" {
		t.Errorf("status %d, headers %v, want 429 with too_many_failures and Retry-After", refused.Status, refused.Header)
	}
	if refused.Header.Get("WWW-Authenticate") != "" {
		t.Error("a client that shall come back later is asked for another credential")
	}
}

func question(name, value string) harness.Request {
	return harness.Request{Target: "/forward-auth/envoy/catalog", Header: header(name, value)}
}

func basicOf(username, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(username+":"+password))
}
