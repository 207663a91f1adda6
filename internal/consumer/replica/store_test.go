package replica_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/consumertest"
	"github.com/postern-authz/postern/internal/consumer/replica"
)

// plainStore is a map, or a fault.
type plainStore struct {
	found map[consumer.Reference]*consumer.Found
	err   error
}

func (s plainStore) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	if s.err != nil {
		return nil, s.err
	}
	if found := s.found[ref]; found != nil {
		return found, nil
	}
	return nil, consumer.ErrNotFound
}

// storeOf holds records as files or a ledger would.
func storeOf(records []consumertest.Record) plainStore {
	s := plainStore{found: map[consumer.Reference]*consumer.Found{}}
	for i := range records {
		who := &records[i].Consumer
		s.found[consumer.NameReference(who.Name)] = &consumer.Found{Consumer: who}
		for _, c := range records[i].Credentials {
			credential := c.Credential
			s.found[c.Reference] = &consumer.Found{
				Consumer: who, Credential: &credential, Algorithm: c.Algorithm, Secret: c.Secret,
				PublicKey: c.PublicKey, Password: c.Password, Algorithms: c.Algorithms,
			}
		}
	}
	return s
}

func TestConformanceOfFiles(t *testing.T) {
	consumertest.Run(t, func(_ *testing.T, records []consumertest.Record) consumer.Store {
		return replica.NewStore(storeOf(records), storeOf(nil))
	})
}

func TestConformanceOfTheLedger(t *testing.T) {
	consumertest.Run(t, func(_ *testing.T, records []consumertest.Record) consumer.Store {
		store := replica.NewStore(storeOf(nil), storeOf(append([]consumertest.Record(nil), records...)))
		for i := range records {
			records[i].Consumer.Stored = true // all that must differ
		}
		return store
	})
}

func record(name, key string) consumertest.Record {
	return consumertest.Record{
		Consumer: access.Consumer{Name: name, Enabled: true},
		Credentials: []consumertest.Credential{{
			Credential: access.Credential{ID: name + "-key", Kind: access.KindAPIKey, Enabled: true}, Reference: consumertest.APIKey(key),
		}},
	}
}

func TestFilesComeFirst(t *testing.T) {
	down := errors.New("the disk is gone")
	files := storeOf([]consumertest.Record{record("Declared", "key-of-declared"), record("both", "one-key-twice")})
	ledger := storeOf([]consumertest.Record{
		record("stored", "key-of-stored"), record("dEcLaReD", "another-key"), record("thief", "one-key-twice"),
	})
	tests := map[string]struct {
		files, ledger plainStore
		ref           consumer.Reference
		want          string
		stored        bool
		err           error
	}{
		"of a file":                        {files, ledger, consumertest.APIKey("key-of-declared"), "Declared", false, nil},
		"of the ledger":                    {files, ledger, consumertest.APIKey("key-of-stored"), "stored", true, nil},
		"of both, the file's":              {files, ledger, consumertest.APIKey("one-key-twice"), "both", false, nil},
		"of neither":                       {files, ledger, consumertest.APIKey("no-key"), "", false, consumer.ErrNotFound},
		"hidden by a name in another case": {files, ledger, consumertest.APIKey("another-key"), "", false, consumer.ErrNotFound},
		"a name of a file":                 {files, ledger, consumer.NameReference("DECLARED"), "Declared", false, nil},
		"a name of the ledger":             {files, ledger, consumer.NameReference("Stored"), "stored", true, nil},
		"the ledger is down":               {files, plainStore{err: down}, consumertest.APIKey("key-of-stored"), "", false, down},
		"the ledger is not asked":          {files, plainStore{err: down}, consumertest.APIKey("key-of-declared"), "Declared", false, nil},
		"the files fail":                   {plainStore{err: down}, ledger, consumertest.APIKey("key-of-stored"), "", false, down},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found, err := replica.NewStore(tt.files, tt.ledger).Find(t.Context(), tt.ref)
			if !errors.Is(err, tt.err) || (found == nil) != (tt.want == "") {
				t.Fatalf("got %v, %v", found, err)
			}
			if found != nil && (found.Consumer.Name != tt.want || found.Consumer.Stored != tt.stored) {
				t.Errorf("got %+v", found.Consumer)
			}
		})
	}
}

func TestWhatIsFoundIsNotChanged(t *testing.T) {
	ledger := storeOf([]consumertest.Record{record("stored", "key-of-stored")})
	if _, err := replica.NewStore(storeOf(nil), ledger).Find(t.Context(), consumertest.APIKey("key-of-stored")); err != nil {
		t.Fatal(err)
	}
	for ref, found := range ledger.found {
		if found.Consumer.Stored {
			t.Errorf("%s: the ledger's own record was marked", strings.ToValidUTF8(ref.Value, "?"))
		}
	}
}
