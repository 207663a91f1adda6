package sqlstore

import (
	"context"
	"database/sql"
	"encoding/hex"
	"fmt"
	"io"
	"slices"

	"github.com/postern-authz/postern/internal/access"
)

// defaultPepper is the name in meta of the pepper that was made because none
// was configured.
const defaultPepper = "default_pepper"

// unlock makes the vault of the configured peppers and the database's own, and
// refuses to start when credentials need another one.
func (d *database) unlock(ctx context.Context, o Options) (*live, error) {
	secrets := slices.Clone(o.Peppers)
	own, err := d.ownPepper(ctx, o)
	if err != nil {
		return nil, err
	}
	if !own.Empty() {
		secrets = append(secrets, own)
	}
	v, err := newVault(secrets, o.Random)
	if err != nil {
		return nil, err
	}
	if err := d.checkPeppers(ctx, v); err != nil {
		return nil, err
	}
	findKey := selectFound + " WHERE k.lookup IN (" + places(len(v.peppers)) + ")"
	finds, err := d.finding(ctx, findKey, findPublic, findConsumer)
	if err != nil {
		return nil, err
	}
	return &live{database: d, vault: v, defaultPepper: len(o.Peppers) == 0, findKey: findKey, finds: finds, now: o.Now}, nil
}

// ownPepper reads the pepper that lies in the database. It is made when none is
// configured.
func (d *database) ownPepper(ctx context.Context, o Options) (access.Secret, error) {
	text, err := d.meta(ctx, defaultPepper)
	if err == nil && text == "" && len(o.Peppers) == 0 {
		text, err = d.makePepper(ctx, o.Random)
	}
	if err != nil || text == "" {
		return access.Secret{}, err
	}
	key, err := hex.DecodeString(text)
	if err != nil {
		return access.Secret{}, fmt.Errorf("the pepper in the database can't be read") // the error would quote it
	}
	return access.NewSecret(string(key)), nil
}

func (d *database) makePepper(ctx context.Context, random io.Reader) (string, error) {
	key := make([]byte, minPepper)
	if _, err := io.ReadFull(random, key); err != nil {
		return "", fmt.Errorf("reading randomness: %w", err)
	}
	err := d.transaction(ctx, d.write, nil, func(tx *sql.Tx) error {
		_, err := session{d, tx}.exec(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING", defaultPepper, hex.EncodeToString(key))
		return err
	})
	if err != nil {
		return "", err
	}
	return d.meta(ctx, defaultPepper) // another process may have been first
}

func (d *database) meta(ctx context.Context, name string) (string, error) {
	var text string
	_, err := session{d, d.write}.one(ctx, []any{&text}, "SELECT value FROM meta WHERE name = $1", name)
	return text, err
}

// checkPeppers refuses credentials under a pepper that is not there: whoever
// forgot one would see keys refused that are good. It steps over the index from
// one pepper to the next, however many credentials there are.
func (d *database) checkPeppers(ctx context.Context, v *vault) error {
	s := session{d, d.read}
	for id := int64(0); ; {
		var next sql.NullInt64
		if _, err := s.one(ctx, []any{&next}, "SELECT min(pepper) FROM credentials WHERE pepper > $1", id); err != nil {
			return err
		}
		if !next.Valid {
			return nil
		}
		id = next.Int64
		if _, known := v.pepper(id); known {
			continue
		}
		var lost int64
		if _, err := s.one(ctx, []any{&lost}, "SELECT count(*) FROM credentials WHERE pepper = $1", id); err != nil {
			return err
		}
		return fmt.Errorf("%d credentials are protected by the pepper %s, which is not configured: list it after the newest one", lost, pepperName(id))
	}
}

func pepperName(id int64) string { return fmt.Sprintf("%08x", id) }

// Peppers counts the credentials under each known pepper, newest first. It
// reads an index from end to end.
func (s *Store) Peppers(ctx context.Context) ([]PepperUse, error) {
	live, err := s.open()
	if err != nil {
		return nil, err
	}
	uses := make([]PepperUse, len(live.vault.peppers))
	for i, p := range live.vault.peppers {
		uses[i] = PepperUse{ID: pepperName(p.id), Newest: i == 0}
		_, err := live.reading().one(ctx, []any{&uses[i].Credentials}, "SELECT count(*) FROM credentials WHERE pepper = $1", p.id)
		if err != nil {
			return nil, err
		}
	}
	return uses, nil
}
