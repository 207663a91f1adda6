package config_test

import (
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/config"
)

func TestStores(t *testing.T) {
	for text, want := range map[string]config.Store{
		"{driver: sqlite, dsn: postern.db}":                                 {Driver: "sqlite", DSN: access.NewSecret("DIR/postern.db")},
		"{driver: sqlite, dsn: /var/lib/postern.db}":                        {Driver: "sqlite", DSN: access.NewSecret("/var/lib/postern.db")},
		"{driver: sqlite, dsn: env:PATH_OF_STORE}":                          {Driver: "sqlite", DSN: access.NewSecret("DIR/canary/from-env.db")},
		"{driver: sqlite, dsn: a.db, pepper: env:PEPPER}":                   {Driver: "sqlite", DSN: access.NewSecret("DIR/a.db"), Peppers: []access.Secret{access.NewSecret("canary-pepper-of-thirty-two-bytes")}},
		"{driver: postgres, dsn: env:DSN_WORDS, pepper: [file:pepper.txt]}": {Driver: "postgres", DSN: access.NewSecret("host=db password=canary"), Peppers: []access.Secret{access.NewSecret("canary-pepper-in-a-file-0123456789")}},
		"{driver: postgres, dsn: env:DSN, pepper: [env:PEPPER, env:OLD_PEPPER]}": {Driver: "postgres", DSN: access.NewSecret("postgres://postern:canary@db/postern"), Peppers: []access.Secret{
			access.NewSecret("canary-pepper-of-thirty-two-bytes"), access.NewSecret("canary-pepper-that-was-used-before"),
		}},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "pepper.txt"), "canary-pepper-in-a-file-0123456789\n")
		write(t, filepath.Join(dir, "postern.yaml"), "consumers: {store: "+text+"}")
		c, err := loadPath(filepath.Join(dir, "postern.yaml"))
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		want.DSN = access.NewSecret(strings.Replace(string(want.DSN.Reveal()), "DIR", dir, 1))
		if !reflect.DeepEqual(*c.Consumers.Store, want) {
			t.Errorf("%s: another store was read", text)
		}
		if shown := fmt.Sprintf("%+v %#v", *c, c.Consumers.Store); strings.Contains(shown, "canary") {
			t.Errorf("%s: a secret can be printed", text)
		}
	}
}

// What a route leaves out is the default's, and what the default leaves out the
// file's.
func TestStalenessIsHandedDown(t *testing.T) {
	const store = "consumers: {store: {driver: sqlite, dsn: a.db}, max_staleness: 1m}\nroutes: [{name: a, match: {paths: [/a]}}, {name: b, match: {paths: [/b]}, max_staleness: 2s}, {name: c, match: {paths: [/c]}, max_staleness: 0s}]\n"
	for text, want := range map[string][]time.Duration{
		store:                                   {time.Minute, time.Minute, 2 * time.Second, 0},
		store + "default: {max_staleness: 30s}": {30 * time.Second, 30 * time.Second, 2 * time.Second, 0},
		store + "default: {max_staleness: 0s}":  {0, 0, 2 * time.Second, 0},
	} {
		c, _, err := load(t, text)
		if err != nil {
			t.Fatal(err)
		}
		got := []time.Duration{c.Default.MaxStaleness, c.Routes[0].MaxStaleness, c.Routes[1].MaxStaleness, c.Routes[2].MaxStaleness}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

func TestAdminOnThisMachineNeedsNoToken(t *testing.T) {
	for address, alone := range map[string]bool{
		"127.0.0.1:9193": true, "127.9.9.9:1": true, "[::1]:9193": true, "localhost:9193": true, "unix:/run/postern.sock": true,
		"0.0.0.0:9193": false, "[::]:9193": false, "10.0.0.1:9193": false, "192.0.2.1:1": false,
	} {
		_, _, err := load(t, "listen: {admin: {address: '"+address+"'}}")
		if (err == nil) != alone {
			t.Errorf("%s without tokens: %v", address, err)
		}
		if _, _, err := load(t, "listen: {admin: {address: '"+address+"', tokens: [{name: a, role: viewer, token: env:TOKEN}]}}"); err != nil {
			t.Errorf("%s with a token: %v", address, err)
		}
		// A flag may put another address in place of the file's.
		l := config.Listen{Admin: config.Listener{Address: address}}
		if l.Guarded() != alone {
			t.Errorf("%s: guarded %v", address, l.Guarded())
		}
	}
	if l := (config.Listen{Admin: config.Listener{Address: "example.com:80"}}); l.Guarded() {
		t.Error("an address that is none is guarded")
	}
}
