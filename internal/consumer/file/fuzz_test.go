package file_test

import (
	"os"
	"strings"
	"testing"
)

func FuzzConsumerFile(f *testing.F) {
	example, err := os.ReadFile("../../../deploy/example/consumers/demo.yaml")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(example))
	f.Add("consumers: [{name: a, credentials: [{id: k, type: jwt, key: i, algorithm: EdDSA, public_key: {kty: OKP}}]}]")
	f.Add("consumers: [{name: a, constraints: {addresses: ['::1'], methods: [GET]}, credentials: [{id: k, type: api_key, key: env:KEY}]}]")
	f.Add("consumers: [{name: a}, {name: A}]")
	f.Add("consumers: [{name: a, credentials: [{id: k, type: basic, username: u, password: longenough}, {id: l, type: basic, username: v, password_hash: '" + bcryptHash + "'}]}]")
	f.Add("consumers: [{name: a, credentials: [{id: k, type: signature, key_id: i, secret: '0123456789-0123456789-0123456789', algorithms: [hmac-sha1]}]}]")
	f.Add("consumers: [{name: a, credentials: [{id: k, type: client_certificate, uri_san: 'spiffe://a/b'}, {id: l, type: client_certificate, subject: 'CN=a+UID=b,O=\\41'}]}]")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := folder{"/c": text}.load("/c")
		if (s == nil) == (err == nil) {
			t.Fatalf("got %v and %v", s, err)
		}
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if !strings.HasPrefix(line, "/c:") {
					t.Fatalf("a problem without a place: %q", line)
				}
			}
		}
	})
}
