package redact_test

import (
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/redact"
)

func TestName(t *testing.T) {
	for _, name := range []string{
		"X-Pwd", "X-Otp", "X-Auth", "X-Pass", "X-Pin", "X-Saml", "Ticket", "X-Sid", "X-Csrf", "X-Client-Cert-Pem", "X-Refresh", "X-Userpass",
		"Authorization", "apiKey", "APIKey", "api_key", "api%5Fkey", "%2561ccess_token", "accessToken", "SAMLResponse", "X-XSRF-TOKEN", "PHPSESSID",
		"connect.sid", "jsessionid", "user[password]", "client_secret", "code", "state", "sig", "X-Amz-Signature", "x-forwarded-client-cert", "privateKeyPem", "DPoP",
	} {
		if !redact.Name(name) {
			t.Errorf("%s is taken for no credential's name", name)
		}
	}
	for _, name := range []string{
		"", "name", "x-tenant", "x-request-id", "user-agent", "accept", "accept-encoding", "x-forwarded-for", "x-forwarded-proto", "page", "id", "sub", "iss", "auth_time", ":authority",
		"author", "country_code", "spinner", "region", "tier", "custom_id", "host", "if-none-match", "traceparent", "email", "redirect_uri",
	} {
		if redact.Name(name) {
			t.Errorf("%s is taken for a credential's name", name)
		}
	}
}

func TestText(t *testing.T) {
	key := "postern_default_" + strings.Repeat("aZ3", 20) + "x"
	for text, want := range map[string]string{
		"/cb?redirect_uri=https%3A%2F%2Fapp%2Fcb%3Faccess_token%3DSECRET":          "/cb?redirect_uri=[redacted]",
		"/cb?redirect_uri=https%253A%252F%252Fapp%253Faccess_token%253DSECRET&p=1": "/cb?redirect_uri=[redacted]&p=1",
		"/cb?a=1&next=/x?token=SECRET":                                             "/cb?a=1&next=/x?token=[redacted]",
		"/login;token=SECRET/x;jsessionid=SECRET":                                  "/login;token=[redacted]/x;jsessionid=[redacted]",
		"/login%3Btoken%3DSECRET/x":                                                "/[redacted]/x",
		"/x/" + key + "/y":                                                         "/x/[redacted]/y",
		"/x/my-" + key + "SECRET":                                                  "/x/[redacted]",
		"/x/pre_a-b_" + strings.Repeat("SECRET0", 9):                               "/x/[redacted]",
		"/x/%65yJhbGciOiJSUzI1NiJ9.SECRET.SECRET":                                  "/x/[redacted]",
		"/x/ewogICJhbGciOiJSUzI1NiJ9.SECRET.SECRET/y":                              "/x/[redacted]/y",
		"https://user:SECRET@host/a?b=1":                                           "https://[redacted]@host/a?b=1",
		"https://host/a;sid=SECRET?k=1&api_key=SECRET#code=SECRET":                 "https://host/a;sid=[redacted]?k=1&api_key=[redacted]#code=[redacted]",
		"https://host?token=SECRET":                                                "https://host?token=[redacted]",
		"u=https%3A%2F%2Fme%3ASECRET%40host":                                       "u=[redacted]",
		"for=1.2.3.4;secret=SECRET/SECRET==;proto=http":                            "for=1.2.3.4;secret=[redacted]",
		"p=1&token=SECRET/a;b":                                                     "p=1&token=[redacted]",
		"a=1;token=SECRET":                                                         "a=1;token=[redacted]",
		`{"password":"SECRET"}`:                                                    "[redacted]",
		`{"p\u0061ssword" : "SECRET"}`:                                             "[redacted]",
		`%7B%22password%22%3A%22SECRET%22%7D`:                                      "[redacted]",
		`{'a': {'pin': 'SECRET'}}`:                                                 "[redacted]",
		"my password: SECRET":                                                      "[redacted]",
		"Bearer SECRET":                                                            "[redacted]",
		"/a/%25252525253DSECRET":                                                   "/a/[redacted]",
		"user%5Bpassword%5D=SECRET":                                                "user%5Bpassword%5D=[redacted]",

		"/orders/7?page=2":                    "/orders/7?page=2",
		"/a%20b/c:verb":                       "/a%20b/c:verb",
		"https://api.example.com/a?b=c%20d#e": "https://api.example.com/a?b=c%20d#e",
		"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101": "Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101",
		"text/html,application/xhtml+xml;q=0.9,*/*;q=0.8":          "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
		"Tue, 24 Nov 2026 10:00:00 GMT":                            "Tue, 24 Nov 2026 10:00:00 GMT",
		"token:read":                                               "token:read",
		"100%":                                                     "100%",
		"2001:db8::1":                                              "2001:db8::1",
		"spiffe://example.com/ns/a":                                "spiffe://example.com/ns/a",
		"4f1c9a7e-0000-4000-8000-000000000001":                     "4f1c9a7e-0000-4000-8000-000000000001",
		"token=[redacted]":                                         "token=[redacted]",
	} {
		got := redact.Text(text)
		if got != want || strings.Contains(got, "SECRET") {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
		if again := redact.Text(got); again != got {
			t.Errorf("%s becomes %s", got, again)
		}
	}
}

// TestLongTextsEnd holds the work to the length of a text.
func TestLongTextsEnd(t *testing.T) {
	for _, one := range []string{"a://b?", "=", "%25", "a=", ":", "\"':", "a: ", "_", ";token", "/a;", "eyj.", "{[", "&a://b@"} {
		redact.Text(strings.Repeat(one, 100_000))
	}
}

func FuzzText(f *testing.F) {
	f.Add("/a;token=", "%3D?&b", uint8(0))
	f.Add("https://a@b?x=%253A&password=", "", uint8(3))
	f.Fuzz(func(t *testing.T, before, after string, how uint8) {
		const canary = "c4n4ryc4n4ry"
		names := []string{"token", "api%5Fkey", "X-Pwd", "sid"}
		text := before + "&" + names[int(how)%len(names)] + "=" + canary + "&" + after
		if got := redact.Text(text); strings.Contains(got, canary) && !strings.Contains(before+after, canary) {
			t.Errorf("%q becomes %q", text, got)
		}
	})
}

func BenchmarkText(b *testing.B) {
	for name, text := range map[string]string{"plain": "/orders/42/items", "query": "/orders/42?page=2&sort=name", "agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				redact.Text(text)
			}
		})
	}
}
