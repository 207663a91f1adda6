package clientcert

import (
	"fmt"

	"github.com/postern-authz/postern/internal/access"
)

// maxText bounds what one source may hold, in bytes: a chain of certificates as
// URL-encoded PEM.
const maxText = 96 << 10

// shown is what a request tells of a certificate, as it came. Two requests that
// show the same get the same answer.
type shown struct {
	certificate, principal string // of the connection
	element                string // the last of X-Forwarded-Client-Cert
	cert, chain            string // Client-Cert and Client-Cert-Chain
	// header is the one that counted, in lower case; empty: none did.
	header string
}

// look finds what a request shows. A place that is there and can't be read, or
// holds two things, is rejected; nothing anywhere is access.ErrNoCredential.
func (a *Authenticator) look(req *access.Request) (seen shown, err error) {
	if !req.Trusted || !a.config.IgnoreProxyCertificate {
		seen.certificate = req.Source.Certificate
		if seen.certificate == "" {
			seen.principal = req.Source.Principal
		}
	}
	if req.Trusted {
		if err := a.lookAtHeaders(req.Headers, &seen); err != nil {
			return shown{}, err
		}
	}
	switch {
	case seen == shown{}:
		return shown{}, access.ErrNoCredential
	case len(seen.certificate) > maxText || len(seen.principal) > maxText:
		return shown{}, access.Invalid("the peer's certificate is too large")
	}
	return seen, nil
}

// lookAtHeaders reads the believed headers of a trusted proxy.
func (a *Authenticator) lookAtHeaders(headers access.Headers, seen *shown) error {
	if a.cert {
		cert, there, err := single(headers, certHeader)
		if err != nil {
			return err
		}
		if there { // a chain alone tells of no certificate
			seen.cert, seen.header = cert, certHeader
			if seen.chain, _, err = single(headers, chainHeader); err != nil {
				return err
			}
		}
	}
	if !a.forwarded {
		return nil
	}
	forwarded, there, err := single(headers, forwardedHeader)
	if err != nil || !there {
		return err
	}
	seen.element, seen.header = lastElement(forwarded), forwardedHeader
	if seen.element == "" {
		return access.Invalid("header " + forwardedHeader + ": its elements can't be told apart, or the last one is empty")
	}
	return nil
}

// single reads a header that has one line, which is not empty.
func single(headers access.Headers, name string) (value string, there bool, err error) {
	value, lines := headers.Get(name)
	switch {
	case lines == 0:
		return "", false, nil
	case lines > 1:
		return "", false, access.Invalid("header " + name + ": more than one line")
	case value == "" || len(value) > maxText:
		return "", false, access.Invalid(fmt.Sprintf("header %s: %d bytes, expected 1 to %d", name, len(value), maxText))
	}
	return value, true, nil
}
