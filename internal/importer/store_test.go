package importer_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
	"github.com/postern-authz/postern/internal/importer"
	"github.com/postern-authz/postern/internal/keyring"
)

// hasPlan lets our own documents name a plan of the configuration.
func hasPlan(name string) bool { return name == "gold" }

func noPlan(string) bool { return false }

func openStore(t *testing.T) *sqlstore.Store {
	t.Helper()
	store, err := sqlstore.Open(t.Context(), sqlstore.Options{
		Driver: sqlstore.SQLite, DSN: access.NewSecret(filepath.Join(t.TempDir(), "postern.db")),
		Peppers: []access.Secret{access.NewSecret(strings.Repeat("pepper..", 4))},
		Now:     clock, Random: rand.Reader,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// apply carries a plan out on a store.
func apply(t *testing.T, store *sqlstore.Store, plan *importer.Plan) *keyring.Outcome {
	t.Helper()
	options := keyring.Options{Now: clock, Random: rand.Reader, Plans: noPlan}
	if plan.Format == importer.Postern {
		options.Plans = hasPlan
	}
	keys, err := keyring.New(store, options)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := keys.Apply(t.Context(), consumer.Author{Name: "test"}, plan.Consumers, false)
	if err != nil {
		t.Fatal(err)
	}
	if outcome.Failed() {
		t.Fatalf("not carried out: %+v", outcome.Items)
	}
	return outcome
}

// TestImportTwice carries every plan out twice: all of it is made, and then
// nothing changes.
func TestImportTwice(t *testing.T) {
	for path, format := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			store := openStore(t)
			plan := read(t, format, path)
			outcome := apply(t, store, plan)
			for _, item := range outcome.Items {
				if item.Result != keyring.Created {
					t.Errorf("%s %s%s is %s", item.Kind, item.Consumer, item.ID, item.Result)
				}
			}
			again := apply(t, store, read(t, format, path))
			for _, item := range again.Items {
				if item.Result != keyring.Unchanged {
					t.Errorf("imported again, %s %s %s is %s", item.Kind, item.Consumer, item.ID, item.Result)
				}
			}
			if again.Sequence != 0 {
				t.Error("importing again is a change")
			}
		})
	}
}

func export(t *testing.T, store *sqlstore.Store) string {
	t.Helper()
	var out bytes.Buffer
	err := store.View(t.Context(), func(r consumer.Reader) error { return importer.Export(context.Background(), r, &out) })
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestExport writes what a store holds, and reads that as a file of consumers
// and as an import: what can be read back is the same, and what can't is there
// as a comment.
func TestExport(t *testing.T) {
	for path, format := range documents(t) {
		t.Run(path, func(t *testing.T) {
			t.Parallel()
			store := openStore(t)
			plan := read(t, format, path)
			apply(t, store, plan)
			text := export(t, store)
			if strings.Contains(text, canary) {
				t.Fatalf("a secret is exported:\n%s", text)
			}
			golden(t, strings.TrimSuffix(path, filepath.Ext(path))+".exported", []byte(text))
			back, err := importer.Read(importer.Postern, []importer.Source{{Name: "exported", Data: []byte(text)}}, options())
			if err != nil {
				t.Fatalf("%v in:\n%s", err, text)
			}
			sameConsumers(t, plan, back, text)
		})
	}
}

// sameConsumers holds an export to what was imported: every consumer as it was,
// every credential whole or as a comment.
func sameConsumers(t *testing.T, plan, back *importer.Plan, text string) {
	t.Helper()
	exported := map[string]keyring.Import{}
	for _, c := range back.Consumers {
		exported[c.Consumer.Name] = c
	}
	for _, c := range plan.Consumers {
		got, ok := exported[c.Consumer.Name]
		if !ok {
			t.Errorf("consumer %s is missing", c.Consumer.Name)
			continue
		}
		want, have := normal(t, &c), normal(t, &got)
		if want != have {
			t.Errorf("consumer %s was\n%s and is\n%s", c.Consumer.Name, want, have)
		}
		for _, credential := range c.Credentials {
			if !strings.Contains(text, "id: "+credential.ID+"\n") && !strings.Contains(text, `id: "`+credential.ID+"\"\n") {
				t.Errorf("credential %s is missing", credential.ID)
			}
		}
	}
}

// TestExportIsAFile reads an export as the files of consumers are read.
func TestExportIsAFile(t *testing.T) {
	store := openStore(t)
	apply(t, store, read(t, importer.Deck, "testdata/deck/kong.yaml"))
	text := strings.ReplaceAll(export(t, store), "    plan: gold\n", "") // files of this version know no plans
	snapshot, err := file.Load([]string{"/exported"}, file.Options{ReadFile: func(string, int64) ([]byte, error) { return []byte(text), nil }})
	if err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	for _, ref := range []consumer.Reference{
		{Kind: access.KindClientCertificate, Value: "dns:bob.example.com"},
		{Kind: access.KindClientCertificate, Value: "uri:spiffe://example.com/bob"},
		{Kind: access.KindJWT, Value: "bob-es-issuer"},
	} {
		found, err := snapshot.Find(t.Context(), ref)
		if err != nil || found.Consumer.Name != "bob" {
			t.Errorf("%v finds %v, %v", ref, found, err)
		}
	}
}

// TestWrite writes records that hold more than a store reads back: a key's
// digest and a password's hash go over whole.
func TestWrite(t *testing.T) {
	digest := sha256.Sum256([]byte("some key"))
	hash := "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e"
	records := []*consumer.Record{{Consumer: access.Consumer{Name: "a", Enabled: true}}, {Consumer: access.Consumer{Name: "b"}}}
	credentials := []*consumer.CredentialRecord{
		{Consumer: "a", Credential: access.Credential{ID: "k", Kind: access.KindAPIKey, Enabled: true}, Reference: consumer.Reference{Kind: access.KindAPIKey, Value: string(digest[:])}},
		{Consumer: "a", Credential: access.Credential{ID: "p", Kind: access.KindBasic}, Reference: consumer.Reference{Kind: access.KindBasic, Value: "a"}, Password: access.NewSecret(hash)},
		{Consumer: "a", Credential: access.Credential{ID: "s", Kind: access.KindSignature, Enabled: true}, Reference: consumer.Reference{Kind: access.KindSignature, Value: "x"}, Secret: access.NewSecret(canary)},
		{Consumer: "b", Credential: access.Credential{ID: "r", Kind: access.KindIssuer}, Reference: consumer.Reference{Kind: access.KindIssuer, Issuer: "i", Value: "v"}, RevokedAt: now},
	}
	var out bytes.Buffer
	if err := importer.Write(&out, records, credentials); err != nil {
		t.Fatal(err)
	}
	want := `consumers:
  - name: a
    credentials:
      - id: k
        type: api_key
        key_sha256: ` + hex.EncodeToString(digest[:]) + `
      - id: p
        type: basic
        username: a
        password_hash: ` + hash + `
        enabled: false
    # lacks secret, which can't be read back:
    #   - id: s
    #     type: signature
    #     key_id: x
  - name: b
    enabled: false
`
	if out.String() != want {
		t.Errorf("got\n%s", out.String())
	}
	out.Reset()
	if err := importer.Write(&out, nil, nil); err != nil || out.String() != "consumers: []\n" {
		t.Errorf("no records are %q, %v", out.String(), err)
	}
}

// normal is a consumer as JSON, with what is left out as its default.
func normal(t *testing.T, c *keyring.Import) string {
	t.Helper()
	n := c.Consumer
	if n.Enabled == nil {
		on := true
		n.Enabled = &on
	}
	owner, problems := n.Read(written)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return describe(t, owner, n.Plan)
}
