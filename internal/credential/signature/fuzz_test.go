package signature_test

import (
	"encoding/hex"
	"strings"
	"testing"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/credential/signature"
)

// FuzzAuthorization: what a client sends is never a fault, and nobody proves
// anything without the secret. Of the seeds' right signatures only the very
// text that was signed is believed.
func FuzzAuthorization(f *testing.F) {
	for _, seed := range []*access.Request{apisix("good"), kong("good"), apisix("unknown")} {
		f.Add(seed.Headers[1].Value, startDate, "/orders?id=1", "", "SHA-256=")
	}
	f.Add(`Signature keyId="good",algorithm="hmac-sha256",headers="@request-target date digest",signature="AAAA"`, startDate, "/", "x", "SHA-256="+digestOf("x"))
	f.Add(`hmac username="a\"b" , headers=x,,`, "Tue, 24 Nov 2026 12:00:00.5 GMT", "/\n", "", "sha-256=:AA==:")
	f.Fuzz(func(t *testing.T, authorization, date, path, body, digest string) {
		b := setUp(t, signature.Config{})
		req := &access.Request{
			Door: access.GRPC, Method: "GET", Protocol: "HTTP/1.1", RawPath: path, RawHost: "h", Size: -1, Body: []byte(body), Explain: &access.Explanation{},
			Headers: access.Headers{{Name: "authorization", Value: authorization}, {Name: "date", Value: date}, {Name: "digest", Value: digest}, {Name: "content-digest", Value: digest}},
		}
		switch got := b.ask(req); got {
		case "none", "invalid":
		case "good":
			if date != startDate || path != "/orders?id=1" || body != "" {
				t.Fatalf("proven by %q with date %q, path %q, body %q", authorization, date, path, body)
			}
		default:
			t.Fatalf("%s by %q", got, authorization)
		}
	})
}

func FuzzPlain(f *testing.F) {
	good := hex.EncodeToString(macOf("hmac-sha256", secret, startMs+".n.body"))
	f.Add("good", startMs, "n", good, "body", "4")
	f.Add("good", startMs, "n.b", good, "ody", "3")
	f.Add("other", "1795521600", "", "zz", "", "0")
	f.Fuzz(func(t *testing.T, id, timestamp, nonce, sig, body, length string) {
		b := setUp(t, signature.Config{})
		req := post(body, "x-api-key: ", "x-timestamp: ", "x-nonce: ", "x-signature: ", "x-other: ")
		for i, value := range []string{id, timestamp, nonce, sig} {
			req.Headers[i].Value = value
		}
		changed(req, "content-length", length)
		switch got := b.ask(req); got {
		case "invalid":
		case "good", "other", "silent", "ending", "dev", "dotted":
			if timestamp != startMs || nonce != "n" || body != "body" || !strings.EqualFold(sig, good) {
				t.Fatalf("proven as %s by %q %q %q %q", got, timestamp, nonce, sig, body)
			}
		case "fault":
			if id != "empty" {
				t.Fatal("what a client sends is never a fault")
			}
		default:
			t.Fatalf("%s by %q", got, id)
		}
	})
}
