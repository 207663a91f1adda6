package bearer

import (
	"strings"
	"testing"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// rfcVector is an example of an RFC; see test/vectors/rfc.
type rfcVector struct {
	ID, Alg, Token string
	Key            map[string]any
	// Good is true, or else false or text that says why not.
	Good any `json:"signature_valid"`
}

// knownAnswer is a JWS that its key signed, for sure.
type knownAnswer struct {
	alg, compact string
	key          any
}

// knownAnswers are the examples of RFC 7515, RFC 8037 and RFC 7520.
func knownAnswers(t *testing.T) map[string]knownAnswer {
	t.Helper()
	all := map[string]knownAnswer{}
	add := func(name, alg, compact string, members map[string]any) {
		_, key, err := keyOf(nil, members)
		if err != nil {
			t.Fatalf("%s: key: %v", name, err)
		}
		all[name] = knownAnswer{alg, compact, key}
	}
	for _, v := range readJSON[[]rfcVector](t, "rfc", "rfc_jws_examples.json") {
		if v.Good == true {
			add(v.ID, v.Alg, v.Token, v.Key)
		}
	}
	for _, c := range []struct{ alg, jws, jwk string }{
		{"RS256", "4_1.rsa_v15_signature.json", "3_3.rsa_public_key.json"},
		{"PS384", "4_2.rsa-pss_signature.json", "3_3.rsa_public_key.json"},
		{"ES512", "4_3.ecdsa_signature.json", "3_1.ec_public_key.json"},
		{"HS256", "4_4.hmac-sha2_integrity_protection.json", "3_5.symmetric_key_mac_computation.json"},
	} {
		example := readJSON[cookbookExample](t, "jose_cookbook", "jws", c.jws)
		add("RFC7520 "+c.jws, c.alg, example.Output.compact(t), readJSON[map[string]any](t, "jose_cookbook", "jwk", c.jwk))
	}
	if len(all) != 8 {
		t.Fatalf("%d known answers, want 8", len(all))
	}
	return all
}

func TestKnownAnswers(t *testing.T) {
	for name, c := range knownAnswers(t) {
		t.Run(name, func(t *testing.T) {
			if err := verifyCompact(c.compact, c.alg, c.key); err != nil {
				t.Fatal(err)
			}
			for _, alg := range []string{"none", "HS256", "RS256", "PS384", "ES256", "ES512", "EdDSA"} {
				if alg != c.alg && verifyCompact(c.compact, alg, c.key) == nil {
					t.Errorf("accepted under the pin %s", alg)
				}
			}
			for part := range 3 {
				refuseFlipped(t, c, part)
			}
		})
	}
}

// refuseFlipped wants a JWS refused with any one byte of a part off by one bit.
func refuseFlipped(t *testing.T, c knownAnswer, part int) {
	t.Helper()
	j := must(readJWS(c.compact))
	head, _, _ := strings.Cut(c.compact, ".")
	parts := [3][]byte{must(decode(head)), j.payload, j.signature}
	for i := range parts[part] {
		bit := byte(1) << (i % 8)
		parts[part][i] ^= bit
		flipped := b64(parts[0]) + "." + b64(parts[1]) + "." + b64(parts[2])
		if verifyCompact(flipped, c.alg, c.key) == nil {
			t.Errorf("accepted with bit %#x of byte %d of part %d flipped", bit, i, part)
		}
		parts[part][i] ^= bit
	}
}

// TestKnownAnswersOfClaims presents the examples of RFC 7515, which are claims,
// as whole requests: a second before they end, and today.
func TestKnownAnswersOfClaims(t *testing.T) {
	answers := knownAnswers(t)
	for _, name := range []string{"RFC7515-A.1", "RFC7515-A.2", "RFC7515-A.3"} {
		c := answers[name]
		joe := &consumer.Found{
			Consumer:   &access.Consumer{Name: "joe", Enabled: true},
			Credential: &access.Credential{ID: "joe-jwt", Kind: access.KindJWT, Enabled: true},
			Algorithm:  c.alg,
		}
		if secret, is := c.key.([]byte); is {
			joe.Secret = access.NewSecret(string(secret))
		} else {
			joe.PublicKey = c.key
		}
		store := &records{found: map[consumer.Reference]*consumer.Found{{Kind: access.KindJWT, Value: "joe"}: joe}}
		then := func() time.Time { return time.Unix(1300819379, 0) }
		proof, err := ask(New(demoConfig(), nil, store, openCache(t, 0, then), "r1", then), c.compact)
		if err != nil || proof.Identity.Consumer.Name != "joe" {
			t.Errorf("%s, then: %v", name, err)
		}
		if _, err := ask(New(demoConfig(), nil, store, openCache(t, 0, noon), "r1", noon), c.compact); codeOf(err) != access.CodeExpiredCredential {
			t.Errorf("%s, today: %v", name, err)
		}
	}
}
