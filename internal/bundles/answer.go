package bundles

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
)

// told is an error of a request as it may be told to anyone: the words of the
// network, of TLS and of certificates. Those of HTTP repeat what the server said,
// which may be a secret, so that of them the kind alone is told.
func told(err error) error {
	var network *net.OpError
	var name *net.DNSError
	var certificate *tls.CertificateVerificationError
	var record tls.RecordHeaderError
	var timeout net.Error
	switch {
	case errors.As(err, &network):
		return network
	case errors.As(err, &name):
		return name
	case errors.As(err, &certificate):
		return certificate
	case errors.As(err, &record):
		return record
	case errors.Is(err, http.ErrSchemeMismatch):
		return http.ErrSchemeMismatch
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return io.ErrUnexpectedEOF
	case errors.As(err, &timeout) && timeout.Timeout():
		return errors.New("timeout: the server does not answer soon enough")
	}
	return errors.New("what the server answers can't be read as TLS or HTTP")
}

// leads refuses a redirect to what can't be read. The client would say what it
// is.
func leads(response *http.Response) error {
	if _, err := response.Location(); err != nil && !errors.Is(err, http.ErrNoLocation) {
		return errors.New("the server redirects to what is no URL")
	}
	return nil
}
