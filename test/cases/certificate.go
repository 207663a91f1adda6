package cases

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// Certificate is a client certificate to make for a request.
type Certificate struct {
	// URI is its only URI SAN; left out: the mobile app's.
	URI string `yaml:"uri"`
	// Shift moves its hour of life by so many seconds.
	Shift int `yaml:"shift"`
}

// certificate makes it, as PEM.
func (m *Maker) certificate(c *Certificate) (string, error) {
	uri, err := url.Parse(otherwise(c.URI, "spiffe://example.com/mobile"))
	if err != nil {
		return "", err
	}
	begin := m.now().Add(time.Duration(c.Shift)*time.Second - time.Minute)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a client"}, URIs: []*url.URL{uri},
		NotBefore: begin, NotAfter: begin.Add(time.Hour), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &m.ecdsa.PublicKey, m.ecdsa)
	if err != nil {
		return "", err
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), nil
}

// forms are the ways in which gateways write a certificate, by the word for
// them in a case.
func forms(certificate string) (map[string]string, error) {
	block, _ := pem.Decode([]byte(certificate))
	if block == nil {
		return nil, errors.New("no certificate")
	}
	digest := sha256.Sum256(block.Bytes)
	return map[string]string{
		"cert-url":    strings.ReplaceAll(url.QueryEscape(certificate), "+", "%20"),
		"cert-rfc":    ":" + base64.StdEncoding.EncodeToString(block.Bytes) + ":",
		"cert-sha256": hex.EncodeToString(digest[:]),
	}, nil
}
