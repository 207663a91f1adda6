package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/user"
	"strconv"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/consumer"
	"github.com/postern-authz/postern/internal/consumer/file"
	"github.com/postern-authz/postern/internal/serve"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// openStore makes a client of the admin API over the store that a configuration
// names, in this process: the very service that an instance has, without a
// wire and without a token. Who can open the store may do everything.
func openStore(ctx context.Context, path string, logs io.Writer) (adminv1.AdminClient, func() error, error) {
	c, err := config.Load(path, os.LookupEnv)
	if err != nil {
		return nil, nil, err
	}
	if c.Consumers.Store == nil {
		return nil, nil, fmt.Errorf("%s has no consumers.store: its consumers are in files, which are changed there", path)
	}
	declared, err := file.Load(c.Consumers.Files, file.Options{Env: os.LookupEnv, Hasher: unhashed{}})
	if err != nil {
		return nil, nil, err
	}
	logger := slog.New(slog.NewTextHandler(logs, &slog.HandlerOptions{Level: slog.LevelWarn}))
	store, err := serve.OpenStore(ctx, c.Consumers.Store, false, logger)
	if err != nil {
		return nil, nil, err
	}
	api, err := serve.Administration(c, serve.Life{ //nolint:contextcheck // what it makes outlives this call
		Ledger: store, Declared: func() consumer.Store { return declared }, Logger: logger,
	})
	if err != nil {
		return nil, nil, errors.Join(err, store.Close())
	}
	return adminv1.NewAdminClient(api.Local(consumer.Author{Name: "cli:" + userName()})), store.Close, nil
}

// userName is who runs this, as the system knows them: what the environment
// says could be anybody.
func userName() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return u.Username
	}
	return strconv.Itoa(os.Getuid())
}

// unhashed spares the hashing of passwords in files: here it matters only which
// consumers they declare.
type unhashed struct{}

// Hash implements file.Hasher.
func (unhashed) Hash(string, string) (access.Secret, error) {
	return access.NewSecret("not hashed"), nil
}
