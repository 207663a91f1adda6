package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// Options are what the admin API stands on.
type Options struct {
	// Keyring is nil where there is no store of consumers: calls about them are
	// answered so.
	Keyring *keyring.Keyring
	// Policies are nil where none is in force, as for who works straight on a
	// store.
	Policies Policies
	// Tokens are those that callers may show. None: nobody may call, but through
	// Local.
	Tokens []Token
	// Hosts are the names, without ports, that the listener may be called by,
	// beside those of loopback and its own address.
	Hosts []string
	// Import reads and writes documents; nil: there is no import here.
	Import Importer
	Now    func() time.Time
	// Random makes the key of page tokens where PageKey is empty.
	Random io.Reader
	// PageKey signs page tokens, 32 bytes. Instances that share a store share it,
	// or a list can't be read on at another one. Empty: made at the start.
	PageKey []byte
	Logger  *slog.Logger
}

// Importer reads consumers from the documents of other gateways into a keyring,
// and writes them in the declarative format. What is wrong with a document is a
// strictyaml.Errors.
type Importer interface {
	Import(ctx context.Context, into *keyring.Keyring, by consumer.Author, r *adminv1.ImportRequest) (*adminv1.ImportResponse, error)
	Export(ctx context.Context, from *keyring.Keyring) (*adminv1.ExportResponse, error)
}

// pageKeySize is that of HMAC-SHA-256's output (RFC 2104 section 3).
const pageKeySize = 32

func (o *Options) complete() error {
	switch {
	case o.Keyring == nil && o.Policies == nil || o.Now == nil || o.Logger == nil:
		return errors.New("the admin API needs a keyring or policies, a clock and a logger")
	case len(o.PageKey) == 0 && o.Random == nil:
		return errors.New("the admin API needs a page key, or randomness to make one")
	case len(o.PageKey) == 0:
		o.PageKey = make([]byte, pageKeySize)
		if _, err := io.ReadFull(o.Random, o.PageKey); err != nil {
			return fmt.Errorf("making the key of page tokens: %w", err)
		}
	case len(o.PageKey) != pageKeySize:
		return fmt.Errorf("the key of page tokens has %d bytes, expected %d", len(o.PageKey), pageKeySize)
	}
	return checkTokens(o.Tokens)
}
