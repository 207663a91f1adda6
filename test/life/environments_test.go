package life

import (
	"net/http"
	"testing"
)

// TestEnvironments: an instance of prod, and a route of prod, refuse the keys of
// dev, though they are in the same store.
func TestEnvironments(t *testing.T) {
	const prodRoute = "routes:\n  - name: prod\n    match: {paths: [/prod]}\n    environments: [prod]\n"
	both := start(t, folder(t, onSQLite, "", prodRoute))
	keys := map[string]key{}
	for _, environment := range []string{"prod", "dev"} {
		both.must(t, http.MethodPost, "/v1/consumers", `{"name":"`+environment+`-app","environment":"`+environment+`","roles":["reader"]}`, nil)
		keys[environment] = both.key(t, environment+"-app")
	}
	both.at(t, "/other", keys["prod"], allowed)
	both.at(t, "/other", keys["dev"], allowed)
	both.at(t, "/prod", keys["prod"], allowed)
	both.at(t, "/prod", keys["dev"], refused)
	both.Stop(t)

	dir := folder(t, `{driver: sqlite, dsn: `+both.Dir+`/postern.db, pepper: "file:pepper"}`, "  environments: [prod]\n", "")
	prod := start(t, dir)
	prod.at(t, "/other", keys["prod"], allowed)
	prod.at(t, "/other", keys["dev"], refused)
	if status, body, err := prod.call(t.Context(), http.MethodPost, "/v1/consumers/dev-app/keys", `{}`); status/100 != 4 || err != nil {
		t.Errorf("a key of dev made by an instance of prod: %d %s, %v", status, body, err)
	}
}

func (i *instance) at(t testing.TB, path string, k key, want verdict) {
	t.Helper()
	if got, err := i.askAt(t.Context(), k.Key, path); got != want || err != nil {
		t.Errorf("%s with the key %s: %v, %v; want %v", path, k.ID, got, err, want)
	}
}
