package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"iter"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/sqlstore"
)

// environment is that of all consumers.
const environment = "prod"

func consumerName(i int) string { return fmt.Sprintf("consumer-%08d", i) }

// keyOf makes the key of that number, always the same: an id that counts, and a
// secret that is scattered like a random one. It takes its bytes in the order in
// which consumer.NewKey asks for them.
func keyOf(i int) (access.Secret, error) {
	var number [9]byte
	binary.BigEndian.PutUint64(number[:], uint64(i))
	secret := sha256.Sum256(number[:])
	return consumer.NewKey("postern", environment, bytes.NewReader(append(number[:], secret[:]...)))
}

// reference is what a request with that key is looked up by.
func reference(key access.Secret) consumer.Reference {
	sum := sha256.Sum256(key.Reveal())
	return consumer.Reference{Kind: access.KindAPIKey, Value: string(sum[:])}
}

// records are consumers, each with one key, numbered from first.
func records(first, n int) iter.Seq2[sqlstore.Filled, error] {
	return func(yield func(sqlstore.Filled, error) bool) {
		for i := first; i < first+n; i++ {
			record, err := recordOf(i)
			if !yield(record, err) || err != nil {
				return
			}
		}
	}
}

func recordOf(i int) (sqlstore.Filled, error) {
	key, err := keyOf(i)
	if err != nil {
		return sqlstore.Filled{}, err
	}
	id, prefix, lastFour := consumer.ShowKey(key)
	return sqlstore.Filled{
		Consumer: &consumer.Record{Consumer: access.Consumer{
			Name: consumerName(i), DisplayName: fmt.Sprintf("Customer %d", i), Environment: environment, Enabled: true,
			Roles: []string{"reader"}, Groups: []string{"customers"},
		}},
		Credentials: []*consumer.CredentialRecord{{
			Credential: access.Credential{ID: id, Kind: access.KindAPIKey, Enabled: true, Scopes: []string{"orders:read"}},
			Reference:  reference(key), Prefix: prefix, LastFour: lastFour,
		}},
	}, nil
}
