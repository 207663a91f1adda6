package serve

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/postern-authz/postern/internal/admin"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/keyring"
)

// Life says what the administration of a store stands on, beside its
// configuration.
type Life struct {
	// Ledger is nil where there is no store: policies alone are administered then.
	Ledger consumer.Ledger
	// Policies are nil where none is in force.
	Policies admin.Policies
	// Declared are the consumers of files, as they are at the moment.
	Declared func() consumer.Store
	// Applied waits until this process has applied a change; nil: it serves
	// nothing.
	Applied func(ctx context.Context, upto consumer.Sequence) error
	// PageKey signs the page tokens of lists, 32 bytes; nil: they end with the
	// process.
	PageKey []byte
	Tokens  []admin.Token
	Logger  *slog.Logger
}

// Administration makes the admin API over a store, or over policies alone.
func Administration(c *config.Config, l Life) (*admin.Server, error) {
	o := admin.Options{
		Policies: l.Policies, Tokens: l.Tokens, Hosts: c.Listen.AdminHosts, PageKey: l.PageKey,
		Now: time.Now, Random: rand.Reader, Logger: l.Logger,
	}
	if l.Ledger == nil {
		return admin.New(o)
	}
	var err error
	if o.Keyring, err = newKeyring(c, l); err != nil {
		return nil, err
	}
	o.Import = documents{l.Ledger}
	return admin.New(o)
}

func newKeyring(c *config.Config, l Life) (*keyring.Keyring, error) {
	return keyring.New(l.Ledger, keyring.Options{
		Prefix: c.Consumers.Keys.Prefix, Grace: c.Consumers.Keys.Grace, MaxCredentials: c.Consumers.Keys.MaxCredentials,
		Environments: c.Consumers.Environments,
		Declared: func(name string) bool {
			_, err := l.Declared().Find(context.Background(), consumer.NameReference(name))
			return err == nil
		},
		Issuers: func() []string { return issuerNames(c) },
		Applied: l.Applied, Now: time.Now, Random: rand.Reader,
	})
}

// openAPI makes the admin API. It is there where it has anything to do: over a
// store, over kept revisions of policy, or for whom tokens are configured.
func (s *server) openAPI(stdout io.Writer) (http.Handler, error) {
	tokens := tokensOf(s.config)
	if len(tokens) == 0 {
		if s.ledger == nil && s.config.Policy.StateDirectory == "" {
			return http.HandlerFunc(unadministered), nil
		}
		token, err := startToken(stdout)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	life := Life{Policies: s.reloader, Tokens: tokens, Logger: s.logger}
	if s.ledger != nil {
		s.overStore(&life)
	}
	api, err := Administration(s.config, life)
	s.reloader.api = api
	return api, err
}

func (s *server) overStore(l *Life) {
	pages, err := s.ledger.store.Derive("page tokens")
	if err != nil {
		s.logger.Warn("page tokens of lists end with this process, since the store is not reached yet", "error", err.Error())
	}
	l.PageKey, l.Ledger, l.Applied = pages, s.ledger.store, s.ledger.replica.Applied
	l.Declared = func() consumer.Store { return s.reloader.inForce.Load().consumers }
}

// tokensOf digests those of a configuration.
func tokensOf(c *config.Config) []admin.Token {
	tokens := make([]admin.Token, len(c.Listen.AdminTokens))
	for i, t := range c.Listen.AdminTokens {
		tokens[i] = admin.NewToken(t.Name, admin.Role(t.Role), t.Token.Reveal())
	}
	return tokens
}

// startToken makes the token of a start whose configuration has none, and
// prints it, this once. It is no line of the log, which is kept.
func startToken(w io.Writer) (admin.Token, error) {
	var value [32]byte
	if _, err := io.ReadFull(rand.Reader, value[:]); err != nil {
		return admin.Token{}, fmt.Errorf("reading randomness: %w", err)
	}
	text := base64.RawURLEncoding.EncodeToString(value[:])
	if _, err := fmt.Fprintf(w, "postern: no listen.admin.tokens are configured; the admin API takes this token until the process ends: %s\n", text); err != nil {
		return admin.Token{}, fmt.Errorf("printing the admin token: %w", err)
	}
	return admin.NewToken("start", admin.RoleAdmin, []byte(text)), nil
}

// unadministered answers for the API where consumers are in files alone and
// nobody may call it.
func unadministered(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"there is no store of consumers here: consumers.store is not configured"}`+"\n") // the client has gone
}
