package sqlstore_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	toxiproxy "github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/test/harness"
)

// recovery is how soon a store answers after its database is back.
const recovery = 2 * time.Second

// findTimeout is the look-up's bound in these tests.
const findTimeout = 150 * time.Millisecond

// impatient is a store as a gateway's requests use it.
func impatient(t *testing.T, o sqlstore.Options) *sqlstore.Store {
	t.Helper()
	o.FindTimeout = findTimeout
	return open(t, o)
}

// outage waits for the first look-up that fails, and checks that none is a
// wrong answer and none takes longer than its bound and the machine's delay.
func outage(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	harness.WaitFor(t, "the store to be unavailable", func() error {
		_, err := store.Find(t.Context(), consumertest.APIKey("known"))
		if err == nil {
			return errors.New("it still answers")
		}
		return nil
	})
	for range 5 {
		for _, key := range []string{"known", "unknown"} {
			began := time.Now()
			_, err := store.Find(t.Context(), consumertest.APIKey(key))
			if !errors.Is(err, consumer.ErrUnavailable) || errors.Is(err, consumer.ErrNotFound) {
				t.Errorf("%s: %v; want ErrUnavailable", key, err)
			}
			if took := time.Since(began); took > findTimeout+time.Second {
				t.Errorf("%s: the answer took %s", key, took)
			}
		}
	}
}

// back checks that the store answers within recovery after it could.
func back(t *testing.T, store *sqlstore.Store) {
	t.Helper()
	began := time.Now()
	harness.WaitFor(t, "the store to answer again", func() error {
		_, err := store.Find(t.Context(), consumertest.APIKey("known"))
		return err
	})
	if took := time.Since(began); took > recovery {
		t.Errorf("it took %s to answer again; want at most %s", took, recovery)
	} else {
		t.Logf("answers again after %s", took)
	}
	if _, err := store.Find(t.Context(), consumertest.APIKey("unknown")); !errors.Is(err, consumer.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
}

func TestPostgresStopped(t *testing.T) {
	server := harness.StartPostgres(t)
	o := onPostgres(t, server)
	store, writer := impatient(t, o), open(t, o)
	mustPut(t, store, "known")
	following := consumertest.StartFollowing(t, store, 1)
	following.WaitFor(t, 1)
	server.StopNow(t)
	outage(t, store)
	quiet := len(following.Changes())
	if _, err := put(t, store, "never"); !errors.Is(err, consumer.ErrUnavailable) {
		t.Errorf("a write: %v; want ErrUnavailable", err)
	}
	if now := len(following.Changes()); now != quiet {
		t.Errorf("a store that is not reached said %+v", following.Changes()[quiet:])
	}
	server.Restart(t)
	back(t, store)
	following.WaitFor(t, mustPut(t, writer, "after"))
	if names := following.Names(); len(names) != 1 || names[0] != "after" {
		t.Errorf("handed on: %q", names)
	}
}

// hang runs a proxy that can be made to swallow all that goes through it.
func hang(t *testing.T, upstream string) (address string, hung func(bool)) {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	address = harness.FreeAddress(t)
	proxy := toxiproxy.NewProxy(server, "postgres", address, upstream)
	if err := proxy.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(proxy.Stop)
	return address, func(on bool) {
		t.Helper()
		for _, direction := range []string{"upstream", "downstream"} {
			var err error
			if on {
				_, err = proxy.Toxics.AddToxicJson(strings.NewReader(fmt.Sprintf(`{"name":%q,"type":"timeout","stream":%q,"attributes":{"timeout":0}}`, "hang-"+direction, direction)))
			} else {
				err = proxy.Toxics.RemoveToxic(context.Background(), "hang-"+direction)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestPostgresHangs(t *testing.T) {
	server := harness.StartPostgres(t)
	name := server.Database(t)
	address, hung := hang(t, server.Address)
	store := impatient(t, options(sqlstore.Postgres, server.DSN(name, address)))
	direct := open(t, options(sqlstore.Postgres, server.DSN(name, server.Address)))
	mustPut(t, store, "known")
	following := consumertest.StartFollowing(t, store, 1)
	following.WaitFor(t, 1)
	hung(true)
	outage(t, store)
	missed := mustPut(t, direct, "meanwhile")
	hung(false)
	back(t, store)
	following.WaitFor(t, missed)
	if names := following.Names(); len(names) != 1 || names[0] != "meanwhile" {
		t.Errorf("handed on after the cut: %q", names)
	}
}

// TestHungWriterHoldsNobodyUp: an instance that vanished in the middle of a
// change holds the head row no longer than the server's patience.
func TestHungWriterHoldsNobodyUp(t *testing.T) {
	server := harness.StartPostgres(t)
	name := server.Database(t)
	address, hung := hang(t, server.Address)
	patience := "&idle_in_transaction_session_timeout=300ms"
	vanishing := open(t, options(sqlstore.Postgres, server.DSN(name, address)+patience))
	store := open(t, options(sqlstore.Postgres, server.DSN(name, server.Address)))
	ctx, cancel := context.WithCancel(t.Context())
	_, err := vanishing.Change(ctx, consumer.Author{}, func(w consumer.Writer) error {
		if err := w.InsertPlan(ctx, &consumer.Plan{Name: "p"}); err != nil {
			return err
		}
		hung(true)
		mustPut(t, store, "known")
		return errors.New("gone")
	})
	cancel()
	if err == nil {
		t.Error("the change was made")
	}
	mustFind(t, store, "known")
	hung(false)
}

// TestPostgresComesLater starts with nothing there.
func TestPostgresComesLater(t *testing.T) {
	server := harness.StartPostgres(t)
	o := onPostgres(t, server)
	server.StopNow(t)
	if _, err := sqlstore.Open(t.Context(), o); !errors.Is(err, consumer.ErrUnavailable) {
		t.Errorf("opened what is not there: %v; want ErrUnavailable", err)
	}
	o.Lazy = true
	store := impatient(t, o)
	if state := store.State(); state.Ready || !errors.Is(state.Err, consumer.ErrUnavailable) {
		t.Errorf("the state is %+v", state)
	}
	outage(t, store)
	following := consumertest.StartFollowing(t, store, 0)
	server.Restart(t)
	harness.WaitFor(t, "the store to be ready", func() error { return store.State().Err })
	mustPut(t, store, "known")
	back(t, store)
	following.WaitFor(t, 1)
}

// TestPasswordIsNotTold: what goes wrong with a DSN is told without it.
func TestPasswordIsNotTold(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	_ = listener.Close() // nobody listens there now
	for _, dsn := range []string{
		"postgres://user:canary-word@" + address + "/db", "postgres://user:canary-word@host:port/db", "postgres://user:canary-word@[::1",
		"host=127.0.0.1 port=1 user=u password=canary-word", "user=u password='canary-word",
	} {
		_, err := sqlstore.Open(t.Context(), options(sqlstore.Postgres, dsn))
		if text := fmt.Sprint(err); err == nil || strings.Contains(text, "canary") {
			t.Errorf("got %q", text)
		}
	}
}
