package cases

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha1" // #nosec G505 -- what clients of old gateways sign with, and must be refused
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"hash"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Signed is a signature to make for a request.
type Signed struct {
	// As is the dialect: plain, apisix or kong.
	As string `yaml:"as"`
	// KeyID and Secret are whose signature it is; left out: the mobile app's.
	KeyID  string `yaml:"key_id"`
	Secret string `yaml:"secret"`
	// Algorithm is both written and signed with; left out: hmac-sha256.
	Algorithm string `yaml:"algorithm"`
	// Shift moves the date by so many seconds.
	Shift int `yaml:"shift"`
	// Parts are what is signed, in order; left out: @request-target, date and
	// x-request-id, which makes each signature another one.
	Parts []string `yaml:"parts"`
	// Method and Path are signed in place of the request's own.
	Method string `yaml:"method"`
	Path   string `yaml:"path"`
	// Without leaves out lines of the finished request, by name.
	Without []string `yaml:"without"`
	// Flip changes a bit of the signature.
	Flip bool `yaml:"flip"`
}

// signatureLines are the lines that sign a request.
func (m *Maker) signatureLines(s *Signed, r *Request) ([]Line, error) {
	w := *s
	w.KeyID = otherwise(s.KeyID, "mobile-sig")
	w.Secret = otherwise(s.Secret, "demo-signing-secret-of-thirty-two-b!")
	w.Algorithm = otherwise(s.Algorithm, "hmac-sha256")
	w.Method, w.Path = otherwise(s.Method, r.Method), otherwise(s.Path, r.Path)
	if s.Parts == nil {
		w.Parts = []string{"@request-target", "date", "x-request-id"}
	}
	date := m.now().Add(time.Duration(s.Shift) * time.Second).UTC()
	var lines []Line
	var err error
	switch s.As {
	case "plain":
		lines, err = w.plain(date)
	case "apisix", "kong":
		lines, err = w.inAuthorization(date, r.Host)
	default:
		err = fmt.Errorf("the dialect %q is unknown", s.As)
	}
	return slices.DeleteFunc(lines, func(l Line) bool { return slices.Contains(s.Without, l[0]) }), err
}

func (s *Signed) plain(date time.Time) ([]Line, error) {
	timestamp, nonce := strconv.FormatInt(date.UnixMilli(), 10), rand.Text()
	mac, err := s.mac(timestamp + "." + nonce + ".")
	return []Line{{"X-API-Key", s.KeyID}, {"X-Timestamp", timestamp}, {"X-Nonce", nonce}, {"X-Signature", hex.EncodeToString(mac)}}, err
}

func (s *Signed) inAuthorization(date time.Time, host string) ([]Line, error) {
	sent := map[string]string{"date": date.Format(http.TimeFormat), "x-request-id": rand.Text(), "host": host}
	mac, err := s.mac(s.text(sent))
	scheme := "Signature keyId"
	if s.As == "kong" {
		scheme = "hmac username"
	}
	value := fmt.Sprintf("%s=%q,algorithm=%q,headers=%q,signature=%q", scheme, s.KeyID, s.Algorithm,
		strings.Join(s.Parts, " "), base64.StdEncoding.EncodeToString(mac))
	return []Line{{"Date", sent["date"]}, {"X-Request-Id", sent["x-request-id"]}, {"Authorization", value}}, err
}

// text is what is signed, as the manuals of both gateways show it.
func (s *Signed) text(sent map[string]string) string {
	var lines []string
	if s.As == "apisix" {
		lines = append(lines, s.KeyID)
	}
	for _, part := range s.Parts {
		switch {
		case part != "@request-target":
			lines = append(lines, part+": "+sent[part])
		case s.As == "kong":
			lines = append(lines, "@request-target: "+strings.ToLower(s.Method)+" "+s.Path)
		default:
			lines = append(lines, s.Method+" "+s.Path)
		}
	}
	text := strings.Join(lines, "\n")
	if s.As == "apisix" {
		text += "\n"
	}
	return text
}

func (s *Signed) mac(text string) ([]byte, error) {
	hashes := map[string]func() hash.Hash{"hmac-sha1": sha1.New, "hmac-sha256": sha256.New, "hmac-sha512": sha512.New}
	if hashes[s.Algorithm] == nil {
		return nil, fmt.Errorf("algorithm %q is unknown", s.Algorithm)
	}
	h := hmac.New(hashes[s.Algorithm], []byte(s.Secret))
	h.Write([]byte(text)) // a hash never fails to write
	sum := h.Sum(nil)
	if s.Flip {
		sum[0] ^= 1
	}
	return sum, nil
}

func otherwise(text, usual string) string {
	if text == "" {
		return usual
	}
	return text
}
