package admin_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/consumer"
)

// furnished has a consumer "app" with a key, a JWT credential "app-jwt", an
// application "shop" with a grant, and a plan "gold".
func furnished(t *testing.T) (h *house, keyID, grantID string) {
	h = open(t)
	h.must("POST", "/v1/plans", `{"name":"gold","rates":[{"count":100,"period":"1s","burst":200}],"quotas":[{"count":1000000,"period":"month","cap":"soft"}]}`)
	h.must("POST", "/v1/consumers", `{"name":"app","environment":"prod","groups":["premium"],"labels":{"team":"mobile"},"attributes":{"region":"kr"}}`)
	keyID = h.must("POST", "/v1/consumers/app/keys", `{"scopes":["orders:read"],"label":"first"}`).text(t, "id")
	h.must("POST", "/v1/consumers/app/credentials", `{"id":"app-jwt","type":"jwt","key":"app-issuer","algorithm":"HS256","secret":"0123456789-0123456789-0123456789"}`)
	h.must("POST", "/v1/applications", `{"name":"shop","owner":"dev@example.com"}`)
	grantID = h.must("POST", "/v1/applications/shop/grants", `{"api":"orders","environment":"prod"}`).text(t, "id")
	return h, keyID, grantID
}

// TestEndpoints asks every path for every status that it has.
func TestEndpoints(t *testing.T) {
	h, key, grant := furnished(t)
	for _, c := range []struct {
		method, path, body string
		status             int
		// code of a problem, or a part of the body.
		want string
	}{
		{"POST", "/v1/consumers", `{"name":"second"}`, 201, `"enabled":true`},
		{"POST", "/v1/consumers", `{"name":"app"}`, 409, "exists"},
		{"POST", "/v1/consumers", `{"name":"APP"}`, 409, "exists"},
		{"POST", "/v1/consumers", `{"name":"declared"}`, 409, "declared"},
		{"POST", "/v1/consumers", `{"name":"no name"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers", `{"name":"x","version":1}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers", ``, 400, "invalid_argument"},
		{"GET", "/v1/consumers/app", "", 200, `"name":"app"`},
		{"GET", "/v1/consumers/nobody", "", 404, "not_found"},
		{"GET", "/v1/consumers", "", 200, `"consumers":[{`},
		{"GET", "/v1/consumers?prefix=nobody", "", 200, `"consumers":[]`},
		{"GET", "/v1/consumers?label=team=mobile&environment=prod", "", 200, `"name":"app"`},
		{"GET", "/v1/consumers?page_size=0x", "", 400, "invalid_argument"},
		{"GET", "/v1/consumers?page_size=1001", "", 400, "invalid_argument"},
		{"GET", "/v1/consumers?nothing=1", "", 400, "invalid_argument"},
		{"PATCH", "/v1/consumers/app", `{"display_name":"The app"}`, 200, `"display_name":"The app"`},
		{"PATCH", "/v1/consumers/app", `{"name":"other"}`, 400, "invalid_argument"},
		{"PATCH", "/v1/consumers/app", `{}`, 400, "invalid_argument"},
		{"PATCH", "/v1/consumers/app", `{"display_name":"x","version":99}`, 409, "version_mismatch"},
		{"PATCH", "/v1/consumers/app", `{"groups":"premium"}`, 400, "invalid_argument"},
		{"PATCH", "/v1/consumers/nobody", `{"display_name":"x"}`, 404, "not_found"},
		{"PATCH", "/v1/consumers/declared", `{"display_name":"x"}`, 409, "declared"},
		{"POST", "/v1/consumers/app/disable", "", 200, `"enabled":false`},
		{"POST", "/v1/consumers/app/enable", "{}", 200, `"enabled":true`},
		{"POST", "/v1/consumers/nobody/disable", "", 404, "not_found"},
		{"POST", "/v1/consumers/nobody/enable", "", 404, "not_found"},
		{"POST", "/v1/consumers/app/enable", `{"version":99}`, 409, "version_mismatch"},
		{"DELETE", "/v1/consumers/second?version=99", "", 409, "version_mismatch"},
		{"DELETE", "/v1/consumers/second", "", 204, ""},
		{"DELETE", "/v1/consumers/second", "", 404, "not_found"},
		{"DELETE", "/v1/consumers/declared", "", 409, "declared"},

		{"POST", "/v1/consumers/app/keys", `{"scopes":["a"],"expires_at":"2027-01-31T12:00:00Z","constraints":{"methods":["GET"],"addresses":["203.0.113.0/24","127.0.0.1"]}}`, 201, `"addresses":["203.0.113.0/24","127.0.0.1"]`},
		{"POST", "/v1/consumers/app/keys", ``, 201, `"key":"`},
		{"POST", "/v1/consumers/nobody/keys", `{}`, 404, "not_found"},
		{"POST", "/v1/consumers/app/keys", `{"type":"jwt"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/keys", `{"key":"my-own-key-0123456789"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/keys", `{"expires_at":"tomorrow"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/keys", `{"expires_at":"0001-01-01T00:00:00Z"}`, 400, "is in the past"},
		{"POST", "/v1/consumers/app/keys", `{"constraints":{"addresses":["nowhere"]}}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/credentials", `{"id":"own","type":"api_key","key":"my-own-key-0123456789"}`, 201, `"last_four":"6789"`},
		{"POST", "/v1/consumers/app/credentials", `{"id":"again","type":"api_key","key":"my-own-key-0123456789"}`, 409, "the key exists already"},
		{"POST", "/v1/consumers/app/credentials", `{"id":"digest","type":"api_key","key_sha256":"22fd703119d6afe5085e62a0ed2f7e4f4ae92fa50d6fa6cc2f70847c29ae9fab"}`, 201, `"id":"digest"`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"issuer","issuer":"shop","value":"mobile"}`, 201, `"value":"mobile"`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"issuer","issuer":"unknown","value":"mobile"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/credentials", `{"type":"basic","username":"mobile","password":"a password that is long enough"}`, 201, `"username":"mobile"`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"signature","key_id":"sig","secret":"0123456789-0123456789-0123456789","algorithms":["hmac-sha256"]}`, 201, `"algorithms":["hmac-sha256"]`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"client_certificate","uri_san":"spiffe://example.com/app"}`, 201, `"uri_san":"spiffe://example.com/app"`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"client_certificate","dns_san":"app.example.com"}`, 201, `"dns_san":"app.example.com"`},
		{"POST", "/v1/consumers/app/credentials", `{"type":"jwt","key":"weak","algorithm":"HS256","secret":"short"}`, 422, "unprocessable"},
		{"POST", "/v1/consumers/app/credentials", `{"type":"fingerprint"}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/credentials", `{"scopes":[]}`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/nobody/credentials", `{"type":"basic","username":"n","password":"a password that is long enough"}`, 404, "not_found"},
		{"GET", "/v1/consumers/app/credentials", "", 200, `"id":"app-jwt"`},
		{"GET", "/v1/consumers/nobody/credentials", "", 404, "not_found"},
		{"GET", "/v1/credentials?type=jwt", "", 200, `"key":"app-issuer"`},
		{"GET", "/v1/consumers/app/keys?label=first", "", 200, key},
		{"GET", "/v1/keys?consumer=app&prefix=postern_prod_" + key, "", 200, key},
		{"GET", "/v1/keys?expires_within=100d", "", 200, `"expires_at":"2027-01-31T12:00:00Z"`},
		{"GET", "/v1/keys?expires_within=1d", "", 200, `"keys":[]`},
		{"GET", "/v1/keys?unused_for=90d", "", 200, `"keys":[]`},
		{"GET", "/v1/keys?unused_for=often", "", 400, "invalid_argument"},
		{"GET", "/v1/keys?expires_within=-1h", "", 400, "invalid_argument"},
		{"GET", "/v1/keys?consumer=nobody", "", 404, "not_found"},
		{"GET", "/v1/keys/" + key, "", 200, `"status":"active"`},
		{"GET", "/v1/credentials/" + key, "", 200, `"status":"active"`},
		{"GET", "/v1/keys/nothing", "", 404, "not_found"},
		{"PATCH", "/v1/keys/" + key, `{"scopes":["orders:write"],"label":"renamed"}`, 200, `"scopes":["orders:write"]`},
		{"PATCH", "/v1/credentials/" + key, `{"expires_at":null}`, 200, `"label":"renamed"`},
		{"PATCH", "/v1/keys/" + key, `{"enabled":false}`, 400, "invalid_argument"},
		{"PATCH", "/v1/keys/" + key, `{"secret":"x"}`, 400, "invalid_argument"},
		{"PATCH", "/v1/keys/" + key, `{"label":"x","version":99}`, 409, "version_mismatch"},
		{"PATCH", "/v1/keys/nothing", `{"label":"x"}`, 404, "not_found"},
		{"POST", "/v1/keys/" + key + "/disable", "", 200, `"status":"disabled"`},
		{"POST", "/v1/keys/" + key + "/rotate", "", 409, "conflict"},
		{"POST", "/v1/credentials/" + key + "/enable", "", 200, `"status":"active"`},
		{"POST", "/v1/keys/nothing/disable", "", 404, "not_found"},
		{"POST", "/v1/keys/nothing/enable", "", 404, "not_found"},
		{"POST", "/v1/keys/" + key + "/rotate", `{"grace":"soon"}`, 400, "invalid_argument"},
		{"POST", "/v1/keys/" + key + "/rotate", `{"grace":"720h"}`, 201, `"replaces":"` + key},
		{"POST", "/v1/keys/" + key + "/rotate", `{"grace":"720h"}`, 409, "conflict"},
		{"POST", "/v1/keys/app-jwt/rotate", ``, 409, "conflict"},
		{"POST", "/v1/keys/nothing/rotate", `{}`, 404, "not_found"},
		{"POST", "/v1/keys/" + key + "/revoke", `{"reason":"leaked","wait":"2s"}`, 200, `"complete":true`},
		{"POST", "/v1/keys/" + key + "/revoke", `{"reason":"again"}`, 200, `"revoked_reason":"leaked"`},
		{"POST", "/v1/keys/" + key + "/revoke", `{"wait":"forever"}`, 400, "invalid_argument"},
		{"POST", "/v1/keys/" + key + "/revoke", `{"wait":"61s"}`, 400, "invalid_argument"},
		{"POST", "/v1/keys/" + key + "/enable", "", 409, "conflict"},
		{"POST", "/v1/credentials/nothing/revoke", `{}`, 404, "not_found"},
		{"DELETE", "/v1/credentials/own", "", 204, ""},
		{"DELETE", "/v1/keys/own", "", 404, "not_found"},

		{"POST", "/v1/applications", `{"name":"other"}`, 201, `"id":"other"`},
		{"POST", "/v1/applications", `{"name":"Shop"}`, 409, "exists"},
		{"POST", "/v1/applications", `{"name":""}`, 400, "invalid_argument"},
		{"POST", "/v1/applications", `{"id":"mine"}`, 400, "invalid_argument"},
		{"GET", "/v1/applications", "", 200, `"applications":[{`},
		{"GET", "/v1/applications/shop", "", 200, `"owner":"dev@example.com"`},
		{"GET", "/v1/applications/nothing", "", 404, "not_found"},
		{"PATCH", "/v1/applications/shop", `{"labels":{"tier":"1"}}`, 200, `"labels":{"tier":"1"}`},
		{"PATCH", "/v1/applications/shop", `{"owner":"x","version":99}`, 409, "version_mismatch"},
		{"PATCH", "/v1/applications/nothing", `{"owner":"x"}`, 404, "not_found"},
		{"POST", "/v1/applications/shop/grants", `{"api":"billing","environment":"dev","scopes":["a"],"roles":["reader"],"plan":"gold"}`, 201, `"consumer":"shop-dev-`},
		{"POST", "/v1/applications/shop/grants", `{"api":"billing","environment":"No Env"}`, 400, "invalid_argument"},
		{"POST", "/v1/applications/nothing/grants", `{"api":"orders","environment":"prod"}`, 404, "not_found"},
		{"GET", "/v1/applications/shop/grants", "", 200, grant},
		{"GET", "/v1/applications/nothing/grants", "", 404, "not_found"},
		{"GET", "/v1/grants", "", 200, grant},
		{"GET", "/v1/grants/" + grant, "", 200, `"api":"orders"`},
		{"GET", "/v1/applications/shop/grants/" + grant, "", 200, `"api":"orders"`},
		{"GET", "/v1/applications/other/grants/" + grant, "", 404, "not_found"},
		{"DELETE", "/v1/applications/other/grants/" + grant, "", 404, "not_found"},
		{"DELETE", "/v1/grants/00000000", "", 404, "not_found"},
		{"DELETE", "/v1/applications/shop", "", 409, "conflict"},
		{"DELETE", "/v1/applications/shop/grants/" + grant, "", 204, ""},
		{"GET", "/v1/consumers/shop-prod-" + grant, "", 404, "not_found"},
		{"DELETE", "/v1/applications/shop?cascade=yes", "", 400, "invalid_argument"},
		{"DELETE", "/v1/applications/shop?cascade=true", "", 204, ""},
		{"DELETE", "/v1/applications/shop", "", 404, "not_found"},

		{"POST", "/v1/plans", `{"name":"free","rates":[{"count":5,"period":"1s"}],"quotas":[{"count":1000,"period":"month"}]}`, 201, `"cap":"hard"`},
		{"POST", "/v1/plans", `{"name":"gold"}`, 409, "exists"},
		{"POST", "/v1/plans", `{"name":"bad","rates":[{"count":5,"period":"often"}]}`, 400, "invalid_argument"},
		{"POST", "/v1/plans", `{"name":"bad","quotas":[{"count":5,"period":"month","cap":"steel"}]}`, 400, "invalid_argument"},
		{"POST", "/v1/plans", `{"name":"bad","quotas":[{"count":5,"period":"fortnight"}]}`, 400, "invalid_argument"},
		{"POST", "/v1/plans", `{"name":"bad","rates":[{"count":"5","period":"1s"}]}`, 400, "invalid_argument"},
		{"GET", "/v1/plans", "", 200, `"plans":[{`},
		{"GET", "/v1/plans/gold", "", 200, `"burst":200`},
		{"GET", "/v1/plans/nothing", "", 404, "not_found"},
		{"PATCH", "/v1/plans/gold", `{"rates":[]}`, 200, `"rates":[]`},
		{"PATCH", "/v1/plans/gold", `{"rates":[],"version":99}`, 409, "version_mismatch"},
		{"PATCH", "/v1/plans/nothing", `{"rates":[]}`, 404, "not_found"},
		{"DELETE", "/v1/plans/free", "", 204, ""},
		{"DELETE", "/v1/plans/free", "", 404, "not_found"},

		{"POST", "/v1/import", `{"format":"deck","document":"x","dry_run":true}`, 200, `"applied":false`},
		{"POST", "/v1/import", `{"format":"deck"}`, 400, "invalid_argument"},
		{"GET", "/v1/export", "", 200, `"document":"consumers: []\n"`},
		{"GET", "/v1/instances", "", 200, `"instances":[]`},
		{"GET", "/v1/audit", "", 200, `"action":"create"`},
		{"GET", "/v1/audit?target=app&limit=1", "", 200, `"next_after":`},
		{"GET", "/v1/audit?after=100000", "", 200, `"records":[]`},
		{"GET", "/v1/audit?after=-1", "", 400, "invalid_argument"},
		{"GET", "/v1/audit?limit=1001", "", 400, "invalid_argument"},
		{"GET", "/v1/audit/verify", "", 200, `"intact":true`},
		{"GET", "/v1/policy", "", 200, `"revision":"a"`},
		{"GET", "/v1/policy?revision=a", "", 400, "invalid_argument"},
		{"GET", "/v1/policy/revisions", "", 200, `"in_force":true`},
		{"POST", "/v1/policy/promote", `{"revision":"z"}`, 409, "conflict"},
		{"POST", "/v1/policy/promote", `{"revision":"b"}`, 200, `"pin":{"over":"a"`},
		{"POST", "/v1/policy/rollback", `{"revision":"z"}`, 404, "not_found"},
		{"POST", "/v1/policy/rollback", `{}`, 200, `"revision":"a"`},
		{"GET", "/v1/openapi.json", "", 200, `"openapi": "3.0.3"`},

		{"GET", "/v1/nothing", "", 404, "not_found"},
		{"GET", "/v1/", "", 404, "not_found"},
		{"GET", "/v1/consumers/", "", 404, "not_found"},
		{"PUT", "/v1/consumers/app", `{}`, 405, "method_not_allowed"},
		{"DELETE", "/v1/consumers", "", 405, "method_not_allowed"},
	} {
		got := h.do(c.method, c.path, c.body)
		if got.status != c.status || !strings.Contains(got.body, c.want) {
			t.Errorf("%s %s %s: %d %s, expected %d with %s", c.method, c.path, c.body, got.status, got.body, c.status, c.want)
		}
		if c.status >= 400 && got.header.Get("Content-Type") != "application/problem+json" {
			t.Errorf("%s %s: a problem of the type %s", c.method, c.path, got.header.Get("Content-Type"))
		}
	}
}

// TestFixedAnswers holds what scripts rely on.
func TestFixedAnswers(t *testing.T) {
	h, _, _ := furnished(t)
	made := h.must("POST", "/v1/consumers/app/keys", `{"scopes":["orders:read"]}`)
	key, id := made.text(t, "key"), made.text(t, "id")
	if !consumer.LooksLikeKey(key) || !strings.Contains(key, "_"+id) || made.text(t, "last_four") != key[len(key)-4:] {
		t.Errorf("the key is not of our form, or its id or end is not its own: %s", made.body)
	}
	if made.header.Get("ETag") != `"1"` || made.field(t, "version") != 1.0 || made.text(t, "created_at") != "2026-11-24T12:00:00Z" {
		t.Errorf("version, ETag or time: %v %s", made.header, made.body)
	}
	if shown := h.must("GET", "/v1/keys/"+id, ""); strings.Contains(shown.body, `"key"`) {
		t.Errorf("a key is shown twice: %s", shown.body)
	}
	rotated := h.must("POST", "/v1/keys/"+id+"/rotate", `{"grace":"720h"}`)
	if rotated.status != http.StatusCreated || rotated.text(t, "replaces") != id || rotated.text(t, "key") == key {
		t.Errorf("rotated: %d %s", rotated.status, rotated.body)
	}
	old := h.must("GET", "/v1/keys/"+id, "")
	if old.text(t, "status") != "rotating" || old.text(t, "expires_at") != "2026-12-24T12:00:00Z" || old.text(t, "replaced_by") != rotated.text(t, "id") {
		t.Errorf("the old key: %s", old.body)
	}
	revoked := h.must("POST", "/v1/keys/"+id+"/revoke", `{"reason":"leaked","wait":"2s"}`)
	if n, ok := revoked.field(t, "receipt.sequence").(float64); !ok || n < 1 {
		t.Errorf("the receipt: %s", revoked.body)
	}
	if _, ok := revoked.field(t, "receipt.instances").([]any); !ok {
		t.Errorf("the receipt names no instances: %s", revoked.body)
	}
	grant := h.must("POST", "/v1/applications/shop/grants", `{"api":"orders","environment":"dev"}`)
	if grant.status != http.StatusCreated || grant.text(t, "consumer") != "shop-dev-"+grant.text(t, "id") || !consumer.LooksLikeKey(grant.text(t, "key")) {
		t.Errorf("the grant: %d %s", grant.status, grant.body)
	}
}

func TestMethodNotAllowedTellsMethods(t *testing.T) {
	h := open(t)
	if got := h.refused(405, "method_not_allowed", "PUT", "/v1/consumers/app", ""); got.header.Get("Allow") != "DELETE, GET, PATCH" {
		t.Errorf("Allow: %q", got.header.Get("Allow"))
	}
}

func TestConditions(t *testing.T) {
	h, key, _ := furnished(t)
	for _, c := range []struct {
		method, path, body, match string
		status                    int
		code                      string
	}{
		{"PATCH", "/v1/consumers/app", `{"display_name":"a"}`, `"7"`, 412, "version_mismatch"},
		{"PATCH", "/v1/consumers/app", `{"display_name":"a","version":2}`, `"1"`, 400, "invalid_argument"},
		{"PATCH", "/v1/consumers/app", `{"display_name":"a"}`, `seven`, 400, "invalid_argument"},
		{"POST", "/v1/consumers/app/disable", ``, `"7"`, 412, "version_mismatch"},
		{"DELETE", "/v1/keys/" + key, ``, `"7"`, 412, "version_mismatch"},
		{"POST", "/v1/keys/" + key + "/rotate", ``, `"7"`, 412, "version_mismatch"},
		{"POST", "/v1/consumers/app/keys", ``, `"7"`, 400, "invalid_argument"},
	} {
		h.refused(c.status, c.code, c.method, c.path, c.body, header("If-Match", c.match))
	}
	h.must("PATCH", "/v1/consumers/app", `{"display_name":"b"}`, header("If-Match", "*"))
	updated := h.must("PATCH", "/v1/consumers/app", `{"display_name":"a"}`, header("If-Match", `"2"`))
	if updated.header.Get("ETag") != `"3"` {
		t.Errorf("ETag %s", updated.header.Get("ETag"))
	}
	h.refused(412, "version_mismatch", "PATCH", "/v1/consumers/app", `{"display_name":"c"}`, header("If-Match", `"2"`))
}

// TestUpdatesReplaceWhole: what a body names is replaced, what it does not name
// stays, and null empties.
func TestUpdatesReplaceWhole(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app","display_name":"App","labels":{"a":"1","b":"2"},"attributes":{"x":{"y":[1,2.5,true,null]}},"constraints":{"methods":["GET"],"addresses":["10.0.0.0/8"]}}`)
	got := h.must("PATCH", "/v1/consumers/app", `{"labels":{"c":"3"},"constraints":{"methods":["POST"]},"enabled":false}`)
	for _, want := range []string{`"labels":{"c":"3"}`, `"constraints":{"addresses":[],"methods":["POST"]}`, `"display_name":"App"`, `"enabled":false`, `"attributes":{"x":{"y":[1,2.5,true,null]}}`} {
		if !strings.Contains(got.body, want) {
			t.Errorf("%s lacks %s", got.body, want)
		}
	}
	got = h.must("PATCH", "/v1/consumers/app", `{"constraints":null,"attributes":null,"display_name":null}`)
	for _, gone := range []string{"constraints", "attributes", "display_name"} {
		if strings.Contains(got.body, `"`+gone+`"`) {
			t.Errorf("%s still has %s", got.body, gone)
		}
	}
}

func TestPages(t *testing.T) {
	h := open(t)
	for _, name := range []string{"a", "b", "c"} {
		h.must("POST", "/v1/consumers", `{"name":"`+name+`"}`)
	}
	first := h.must("GET", "/v1/consumers?page_size=2", "")
	next := first.text(t, "next_page_token")
	second := h.must("GET", "/v1/consumers?page_size=2&page_token="+next, "")
	if second.field(t, "consumers.0.name") != "c" || second.field(t, "next_page_token") != nil {
		t.Errorf("the second page: %s", second.body)
	}
	for _, forged := range []string{"x", "Yg.x", next + "x", "YQ" + next[strings.IndexByte(next, '.'):], strings.ToUpper(next)} {
		h.refused(400, "invalid_argument", "GET", "/v1/consumers?page_size=2&page_token="+forged, "")
	}
	h.refused(400, "invalid_argument", "GET", "/v1/consumers?prefix=a&page_token="+next, "")
	h.refused(400, "invalid_argument", "GET", "/v1/plans?page_token="+next, "")
	other := open(t)
	other.refused(400, "invalid_argument", "GET", "/v1/consumers?page_size=2&page_token="+next, "")
}

func TestTooManyCredentials(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	for range 20 {
		h.must("POST", "/v1/consumers/app/keys", "")
	}
	h.refused(409, "limit_reached", "POST", "/v1/consumers/app/keys", "")
}
