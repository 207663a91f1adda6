package bearer

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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

// readJSON reads a file of test/vectors.
func readJSON[T any](t *testing.T, path ...string) T {
	t.Helper()
	var v T
	data := must(os.ReadFile(filepath.Join(append([]string{"../../../test/vectors"}, path...)...)))
	if err := json.Unmarshal(data, &v); err != nil {
		t.Fatalf("%v: %v", path, err)
	}
	return v
}

// verifyCompact does with a JWS what every request does, but for the payload,
// which need not be claims.
func verifyCompact(raw, alg string, key any) error {
	j, err := readJWS(raw)
	if err != nil {
		return err
	}
	return j.signedBy(alg, key)
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
	for _, g := range readJSON[vectors](t, "wycheproof", "json_web_signature_test.json").TestGroups {
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
	refused := 0
	for _, g := range readJSON[vectors](t, "wycheproof", "json_web_key_test.json").TestGroups {
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
			if err != nil && c.Result != "valid" {
				refused++
			}
		}
	}
	if refused != 21 {
		t.Errorf("%d were refused that must be, want the 21 of the file", refused)
	}
}
