package sqlstore_test

import (
	"errors"
	"fmt"
	"iter"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// filling makes consumers numbered from first, each with a key and a password.
func filling(first, n int) iter.Seq2[sqlstore.Filled, error] {
	return func(yield func(sqlstore.Filled, error) bool) {
		for i := first; i < first+n; i++ {
			if !yield(filled(fmt.Sprintf("Consumer-%05d", i)), nil) {
				return
			}
		}
	}
}

func filled(name string) sqlstore.Filled {
	expires := time.Date(2030, 1, 2, 3, 4, 5, 6000, time.UTC)
	return sqlstore.Filled{
		Consumer: &consumer.Record{Plan: "Gold", Grant: "g", Consumer: access.Consumer{
			Name: name, Environment: "prod", Enabled: true, Labels: map[string]string{"team": `a"\<é`}, Attributes: map[string]any{"n": 1},
		}},
		Credentials: []*consumer.CredentialRecord{
			{
				Credential: access.Credential{ID: "k-" + name, Kind: access.KindAPIKey, Enabled: true, Scopes: []string{"orders:read"}, ExpiresAt: expires},
				Label:      "first", Prefix: "postern_prod_", LastFour: "abcd", Reference: consumertest.APIKey(name),
			},
			{
				Credential: access.Credential{ID: "p-" + name, Kind: access.KindBasic}, Password: access.NewSecret("hash of " + name),
				Reference: consumer.Reference{Kind: access.KindBasic, Value: name},
			},
		},
	}
}

// fillIsAsInserted compares what Fill writes with what a Change of the same
// records writes, over more rows than one statement takes.
func fillIsAsInserted(t *testing.T, on opener) {
	at := time.Now()
	o := on(t)
	o.Now = func() time.Time { return at }
	store := open(t, o)
	if err := store.Fill(t.Context(), filling(0, 2500)); err != nil {
		t.Fatal(err)
	}
	head, err := store.Head(t.Context())
	if err != nil || head != 1 {
		t.Errorf("the head is %d, %v; want 1", head, err)
	}
	inserted := filled("Inserted")
	_, err = store.Change(t.Context(), consumer.Author{}, func(w consumer.Writer) error {
		if err := w.InsertConsumer(t.Context(), inserted.Consumer); err != nil {
			return err
		}
		for _, c := range inserted.Credentials {
			c.Consumer = inserted.Consumer.Name
			if err := w.InsertCredential(t.Context(), c); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	want := everything(t, store, "Inserted", "Inserted")
	for _, name := range []string{"Consumer-00000", "Consumer-01234", "Consumer-02499"} {
		if got := everything(t, store, name, "Inserted"); !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %+v\nwant %+v", name, got, want)
		}
	}
}

// everything reads a consumer with what is found by its references. The name is
// put in place of its own.
func everything(t *testing.T, store *sqlstore.Store, name, as string) []any {
	t.Helper()
	var all []any
	err := store.View(t.Context(), func(r consumer.Reader) error {
		record, err := r.Consumer(t.Context(), name)
		if err != nil {
			return err
		}
		listed, err := r.Consumers(t.Context(), consumer.ConsumerQuery{Label: `team=a"\<é`, Plan: "gold", Environment: "prod", Prefix: name, Page: consumer.Page{Limit: 2}})
		if err != nil {
			return err
		}
		record.Name = as
		all = append(all, *record, len(listed))
		for _, ref := range []consumer.Reference{consumertest.APIKey(name), {Kind: access.KindBasic, Value: name}} {
			found, err := r.Find(t.Context(), ref)
			if err != nil {
				return err
			}
			password := strings.ReplaceAll(string(found.Password.Reveal()), name, as)
			found.Credential.ID, found.Consumer.Name, found.Password = "", as, access.NewSecret(password)
			all = append(all, *found.Credential, *found.Consumer, password)
		}
		credential, err := r.Credential(t.Context(), "k-"+name)
		if err != nil {
			return err
		}
		credential.ID, credential.Consumer = "", as
		all = append(all, *credential)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func fillIsAllOrNothing(t *testing.T, on opener) {
	store := open(t, on(t))
	if err := store.Fill(t.Context(), filling(2400, 1)); err != nil {
		t.Fatal(err)
	}
	if err := store.Fill(t.Context(), filling(0, 2500)); !errors.Is(err, consumer.ErrExists) {
		t.Errorf("a name that there is: %v; want ErrExists", err)
	}
	stop := errors.New("stop")
	broken := func(yield func(sqlstore.Filled, error) bool) {
		_ = yield(filled("a"), nil) && yield(sqlstore.Filled{}, stop)
	}
	if err := store.Fill(t.Context(), broken); !errors.Is(err, stop) {
		t.Errorf("records that end in an error: %v", err)
	}
	for _, name := range []string{"a\x00", "a\xff"} {
		if err := store.Fill(t.Context(), func(yield func(sqlstore.Filled, error) bool) { yield(filled(name), nil) }); err == nil {
			t.Errorf("%q was written", name)
		}
	}
	for _, name := range []string{"a", "Consumer-00000"} {
		if _, err := store.Find(t.Context(), consumertest.APIKey(name)); !errors.Is(err, consumer.ErrNotFound) {
			t.Errorf("%s: %v; want ErrNotFound", name, err)
		}
	}
	if head, err := store.Head(t.Context()); err != nil || head != 1 {
		t.Errorf("the head is %d, %v; want 1", head, err)
	}
}
