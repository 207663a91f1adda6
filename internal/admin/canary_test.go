package admin_test

import (
	"strings"
	"testing"
)

// TestNoSecretComesBack plants secrets everywhere and then looks for them in
// all that can be read, logged or found wrong.
func TestNoSecretComesBack(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`)
	h.must("POST", "/v1/applications", `{"name":"shop"}`)
	const canary = "canary-0123456789-0123456789-0123456789"
	secrets := []string{canary, adminToken}
	for _, body := range []string{
		`{"id":"own","type":"api_key","key":"` + canary + `-key"}`,
		`{"id":"jwt","type":"jwt","key":"issuer","algorithm":"HS256","secret":"` + canary + `-jwt"}`,
		`{"id":"basic","type":"basic","username":"user","password":"` + canary + `-password"}`,
		`{"id":"sig","type":"signature","key_id":"sig","secret":"` + canary + `-sig","algorithms":["hmac-sha256"]}`,
	} {
		if made := h.must("POST", "/v1/consumers/app/credentials", body, header("Idempotency-Key", "k"+body[7:10])); strings.Contains(made.body, canary) {
			t.Errorf("what the client knows is told again: %s", made.body)
		}
		// Refused, since it is there; and refused, since it is wrong.
		h.refused(409, "exists", "POST", "/v1/consumers/app/credentials", body)
		broken := h.do("POST", "/v1/consumers/app/credentials", strings.Replace(body, `"type"`, `"tpye"`, 1))
		refused := h.do("POST", "/v1/consumers/app/credentials", strings.Replace(body, canary, " "+canary, 1))
		cut := h.do("POST", "/v1/consumers/app/credentials", body[:len(body)-2])
		for _, a := range []answer{broken, refused, cut} {
			if a.status >= 400 && strings.Contains(a.body, canary) {
				t.Errorf("an error tells a secret: %s", a.body)
			}
		}
	}
	key := h.must("POST", "/v1/consumers/app/keys", `{}`)
	rotated := h.must("POST", "/v1/keys/"+key.text(t, "id")+"/rotate", `{}`)
	grant := h.must("POST", "/v1/applications/shop/grants", `{"api":"a","environment":"prod"}`)
	secrets = append(secrets, key.text(t, "key"), rotated.text(t, "key"), grant.text(t, "key"))
	h.must("POST", "/v1/keys/own/revoke", `{"reason":"test"}`)

	everything := h.log.String()
	for _, path := range []string{
		"/v1/consumers", "/v1/consumers/app", "/v1/consumers/app/credentials", "/v1/credentials", "/v1/keys", "/v1/keys/own", "/v1/credentials/jwt",
		"/v1/credentials/basic", "/v1/credentials/sig", "/v1/keys/" + key.text(t, "id"), "/v1/grants", "/v1/applications/shop/grants", "/v1/audit?limit=1000", "/v1/export",
	} {
		everything += h.must("GET", path, "").body
	}
	if !strings.Contains(everything, `"sig"`) || !strings.Contains(everything, "records") {
		t.Fatal("nothing was read")
	}
	for _, secret := range secrets {
		if at := strings.Index(everything, secret); at >= 0 {
			t.Errorf("a secret can be read: …%s…", everything[max(0, at-200):at+20])
		}
	}
}

func TestAuditNamesWhoAsked(t *testing.T) {
	h := open(t)
	h.must("POST", "/v1/consumers", `{"name":"app"}`, token(editorToken), header("X-Forwarded-For", "198.51.100.1"))
	got := h.must("GET", "/v1/audit?target=app", "")
	if got.field(t, "records.0.author.name") != "edgar" || got.field(t, "records.0.author.address") != "127.0.0.1" {
		t.Errorf("the audit record: %s", got.body)
	}
}
