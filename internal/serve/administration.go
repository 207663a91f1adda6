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
	Ledger consumer.Ledger
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

// Administration makes the admin API over a store.
func Administration(c *config.Config, l Life) (*admin.Server, error) {
	ring, err := keyring.New(l.Ledger, keyring.Options{
		Prefix: c.Consumers.Keys.Prefix, Grace: c.Consumers.Keys.Grace, MaxCredentials: c.Consumers.Keys.MaxCredentials,
		Environments: c.Consumers.Environments,
		Declared: func(name string) bool {
			_, err := l.Declared().Find(context.Background(), consumer.NameReference(name))
			return err == nil
		},
		Issuers: func() []string { return issuerNames(c) },
		Applied: l.Applied, Now: time.Now, Random: rand.Reader,
	})
	if err != nil {
		return nil, err
	}
	return admin.New(admin.Options{
		Keyring: ring, Tokens: l.Tokens, Hosts: c.Listen.AdminHosts, Import: documents{l.Ledger}, PageKey: l.PageKey,
		Now: time.Now, Random: rand.Reader, Logger: l.Logger,
	})
}

// openAPI makes the admin API over the store, or tells that there is none.
func (s *server) openAPI(stdout io.Writer) (http.Handler, error) {
	if s.ledger == nil {
		return http.HandlerFunc(unadministered), nil
	}
	tokens := tokensOf(s.config)
	if len(tokens) == 0 {
		token, err := startToken(stdout)
		if err != nil {
			return nil, err
		}
		tokens = append(tokens, token)
	}
	pages, err := s.ledger.store.Derive("page tokens")
	if err != nil {
		s.logger.Warn("page tokens of lists end with this process, since the store is not reached yet", "error", err.Error())
	}
	api, err := Administration(s.config, Life{
		PageKey: pages,
		Ledger:  s.ledger.store, Applied: s.ledger.replica.Applied, Tokens: tokens, Logger: s.logger,
		Declared: func() consumer.Store { return s.reloader.inForce.Load().consumers },
	})
	s.reloader.api = api
	return api, err
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

// unadministered answers for the API where consumers are in files alone.
func unadministered(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusNotFound)
	_, _ = io.WriteString(w, `{"type":"about:blank","title":"Not Found","status":404,"code":"not_found","detail":"there is no store of consumers here: consumers.store is not configured"}`+"\n") // the client has gone
}
