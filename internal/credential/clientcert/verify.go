package clientcert

import (
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// verify refuses a certificate that is not valid yet and, with a CA file, one
// whose chain is not good; it returns when the chain ends, zero without one.
// ends is when certificate or credential end: after that, the chain is
// verified as of their last moment, so that what is called expired was good,
// and stays so whatever happens to its issuers.
func (a *Authenticator) verify(told *evidence, now, ends time.Time) (chainEnds time.Time, err error) {
	switch {
	case told.leaf == nil && a.roots != nil:
		return chainEnds, access.Invalid(told.source + " has names alone, and the CA file asks for the certificate itself (include_peer_certificate, or cert in set_current_client_cert_details)")
	case told.leaf == nil:
		return chainEnds, nil
	case now.Before(told.leaf.NotBefore):
		return chainEnds, passing{access.Invalid("the certificate is not valid yet")}
	case a.roots == nil:
		return chainEnds, nil
	}
	at := now
	if !now.Before(ends) {
		at = ends.Add(-time.Nanosecond)
	}
	if at.Before(told.leaf.NotBefore) {
		at = told.leaf.NotBefore
	}
	return a.verifyChain(told, at)
}

// after is the first moment at which a certificate has ended: its last second
// is a part of its life (RFC 5280 section 4.1.2.5).
func after(c *x509.Certificate) time.Time { return c.NotAfter.Add(time.Nanosecond) }

// verifyChain returns when the chain that lasts longest ends.
func (a *Authenticator) verifyChain(told *evidence, at time.Time) (ends time.Time, err error) {
	issuers := x509.NewCertPool()
	for _, c := range told.issuers {
		issuers.AddCert(c)
	}
	chains, err := told.leaf.Verify(x509.VerifyOptions{
		Roots: a.roots, Intermediates: issuers, CurrentTime: at,
		KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	})
	if err != nil {
		return ends, untrusted(err)
	}
	for _, chain := range chains {
		end := after(chain[0])
		for _, c := range chain[1:] {
			if after(c).Before(end) {
				end = after(c)
			}
		}
		if end.After(ends) {
			ends = end
		}
	}
	return ends, nil
}

// untrusted tells in fixed words what x509 found, whose own repeat parts of
// certificates. An issuer that is not valid yet will be, so that nothing about
// time is remembered.
func untrusted(err error) error {
	var invalid x509.CertificateInvalidError
	switch {
	case !errors.As(err, &invalid):
		return access.Invalid("the certificate does not lead to one of the CA file")
	case invalid.Reason == x509.Expired:
		return passing{access.Invalid("an issuer of the certificate is outside its dates")}
	case invalid.Reason == x509.IncompatibleUsage:
		return access.Invalid("the certificate is not for client authentication")
	}
	return access.Invalid(fmt.Sprintf("the certificate does not lead to one of the CA file (reason %d of x509)", invalid.Reason))
}

// maxRoots is the largest CA file, in bytes.
const maxRoots = 1 << 20

// readRoots reads the CA file; an empty name is no file. All of it has to be
// certificates.
func readRoots(name string) (roots *x509.CertPool, content string, err error) {
	if name == "" {
		return nil, "", nil
	}
	data, err := readFile(name)
	if err != nil {
		return nil, "", fmt.Errorf("ca_file: %w", err)
	}
	roots = x509.NewCertPool()
	count := 0
	for rest := data; ; count++ {
		var block *pem.Block
		if block, rest = pem.Decode(rest); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			return nil, "", fmt.Errorf("ca_file: %s: block %d is %.32q, expected CERTIFICATE", name, count+1, block.Type)
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, "", fmt.Errorf("ca_file: %s: certificate %d: %w", name, count+1, err)
		}
		roots.AddCert(c)
	}
	if count == 0 {
		return nil, "", fmt.Errorf("ca_file: %s: no certificate in PEM form", name)
	}
	return roots, string(data), nil
}

func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	data, err := io.ReadAll(io.LimitReader(f, maxRoots+1))
	if err == nil && len(data) > maxRoots {
		err = fmt.Errorf("%s: more than %d bytes", name, maxRoots)
	}
	return data, err
}
