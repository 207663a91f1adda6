package clientcert

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// Bounds of what is parsed.
const (
	// maxDER is the largest certificate, in bytes.
	maxDER = 16 << 10
	// maxChain is the longest chain, the client's own certificate included.
	maxChain = 5
	// maxRSA is the largest RSA key, in bits, by which a signature in a chain
	// is verified; crypto/tls has the same bound, since time grows with it.
	maxRSA = 8192
)

const (
	pemBegin = "-----BEGIN CERTIFICATE-----"
	pemEnd   = "-----END CERTIFICATE-----"
)

// readPEM reads the certificates of a PEM text that may be URL-encoded, the
// client's own first. Unlike encoding/pem it passes over nothing: what is not a
// certificate is an error.
func readPEM(text string) ([]*x509.Certificate, error) {
	text, err := url.PathUnescape(text) // "+" is a character of base64
	if err != nil {
		return nil, errors.New("bad percent-encoding")
	}
	var chain []*x509.Certificate
	for text = trimSpace(text); text != ""; text = trimSpace(text) {
		body, ok := strings.CutPrefix(text, pemBegin)
		body, rest, closed := strings.Cut(body, pemEnd)
		if !ok || !closed {
			return nil, errors.New("what is no certificate in PEM form")
		}
		if chain, err = appendDER(chain, dropSpace(body)); err != nil {
			return nil, err
		}
		text = rest
	}
	if len(chain) == 0 {
		return nil, errors.New("no certificate")
	}
	return chain, nil
}

const space = " \t\r\n"

func trimSpace(text string) string { return strings.Trim(text, space) }

func dropSpace(text string) string {
	return strings.NewReplacer(" ", "", "\t", "", "\r", "", "\n", "").Replace(text)
}

// readFields reads Client-Cert and Client-Cert-Chain: a byte sequence, and a
// list of them (RFC 9440 section 2, RFC 9651 section 3.3.5). Neither has
// parameters.
func readFields(cert, chain string) ([]*x509.Certificate, error) {
	all, err := appendSequence(nil, cert)
	if err != nil || chain == "" {
		return all, err
	}
	for member := range strings.SplitSeq(chain, ",") {
		if all, err = appendSequence(all, strings.Trim(member, " \t")); err != nil {
			return nil, err
		}
	}
	return all, nil
}

func appendSequence(chain []*x509.Certificate, text string) ([]*x509.Certificate, error) {
	if len(text) < 2 || text[0] != ':' || text[len(text)-1] != ':' {
		return nil, errors.New("what is no byte sequence between colons")
	}
	return appendDER(chain, text[1:len(text)-1])
}

// appendDER adds a certificate in base64. What decodes has to be the one
// spelling of its bytes.
func appendDER(chain []*x509.Certificate, text string) ([]*x509.Certificate, error) {
	if len(chain) == maxChain {
		return nil, fmt.Errorf("more than %d certificates", maxChain)
	}
	if base64.StdEncoding.DecodedLen(len(text)) > maxDER+2 || strings.ContainsAny(text, "\r\n") {
		return nil, fmt.Errorf("a certificate of more than %d bytes, or with line ends in it", maxDER)
	}
	der, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, errors.New("bad base64")
	}
	certificate, err := parse(der)
	if err != nil {
		return nil, err
	}
	if key, ok := certificate.PublicKey.(*rsa.PublicKey); ok && len(chain) > 0 && key.N.BitLen() > maxRSA {
		return nil, fmt.Errorf("an issuer's RSA key of more than %d bits", maxRSA)
	}
	return append(chain, certificate), nil
}

// parse does not repeat what is wrong in x509's words, which hold parts of the
// certificate.
func parse(der []byte) (*x509.Certificate, error) {
	if len(der) > maxDER {
		return nil, fmt.Errorf("a certificate of more than %d bytes", maxDER)
	}
	certificate, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, errors.New("a certificate that is not well-formed")
	}
	return certificate, nil
}
