package introspect

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of a call, beside its time.
const (
	maxAnswer      = 64 << 10
	maxHeaderBytes = 64 << 10
	maxPause       = 10 * time.Millisecond
	maxIdle        = 90 * time.Second
)

// trouble is an error that says what it means for the breaker. It never holds
// what the server sent, which may be the token itself.
type trouble struct {
	text    string
	outcome outcome
	// broken says that the connection failed: another may do.
	broken bool
	// gone says that nothing is to be found at the address.
	gone bool
}

// Error implements error.
func (t *trouble) Error() string { return t.text }

// newClient is a client that goes nowhere it was not sent.
func newClient(given *http.Client) *http.Client {
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	if given != nil && given.Transport != nil {
		client.Transport = given.Transport
		return &client
	}
	client.Transport = &http.Transport{
		// No proxy from the environment: tokens go to the server alone.
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: maxTimeout}).DialContext,
		TLSHandshakeTimeout:    maxTimeout,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    maxInFlight,
		IdleConnTimeout:        maxIdle,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true,
	}
	return &client
}

// call asks once (RFC 7662 section 2.1) and returns the text of the answer.
func (s *Server) call(ctx context.Context, token string) (string, *trouble) {
	endpoint, t := s.endpoint(ctx)
	if t != nil {
		return "", t
	}
	request, err := s.request(ctx, endpoint, token)
	if err != nil {
		return "", &trouble{text: "the request can't be made"}
	}
	text, t := s.do(ctx, request)
	if t != nil && t.gone {
		s.discovered.Store(nil)
	}
	return text, t
}

// do sends a request and returns the text of a good answer.
func (s *Server) do(ctx context.Context, request *http.Request) (string, *trouble) {
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "postern")
	response, err := s.client.Do(request)
	if err != nil {
		return "", connectionTrouble(ctx, err)
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost that was not read
	if t := judgeHead(response); t != nil {
		return "", t
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	switch {
	case err != nil:
		return "", connectionTrouble(ctx, err)
	case len(body) > maxAnswer:
		return "", &trouble{text: "the answer is larger than 64 KiB", outcome: answered}
	}
	return string(body), nil
}

func (s *Server) request(ctx context.Context, endpoint, token string) (*http.Request, error) {
	form := url.Values{"token": {token}}
	if s.config.TokenTypeHint != "" {
		form.Set("token_type_hint", s.config.TokenTypeHint)
	}
	id, secret := s.config.ClientID, string(s.config.ClientSecret.Reveal())
	if s.config.ClientAuth == PostAuth {
		form.Set("client_id", id)
		form.Set("client_secret", secret)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, endpoint, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	if s.config.ClientAuth != PostAuth {
		// Encoded as a form's parts are, before Basic encodes them (RFC 6749
		// section 2.3.1).
		request.SetBasicAuth(url.QueryEscape(id), url.QueryEscape(secret))
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return request, nil
}

// judgeHead wants a 200 with JSON. A signed answer (RFC 9701) is not asked for
// and not read.
func judgeHead(response *http.Response) *trouble {
	switch status := response.StatusCode; {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return &trouble{text: fmt.Sprintf("it refuses our own client_id and client_secret (status %d)", status), outcome: failed}
	case status == http.StatusTooManyRequests || status >= http.StatusInternalServerError:
		return &trouble{text: fmt.Sprintf("status %d, expected 200", status), outcome: failed}
	case status >= http.StatusMultipleChoices && status < http.StatusBadRequest:
		return &trouble{text: fmt.Sprintf("status %d: redirects are not followed", status), outcome: answered}
	case status != http.StatusOK:
		return &trouble{text: fmt.Sprintf("status %d, expected 200", status), outcome: answered, gone: status == http.StatusNotFound || status == http.StatusGone}
	}
	media, _, err := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return &trouble{text: "the answer is not application/json", outcome: answered}
	}
	return nil
}

// connectionTrouble tells what went wrong on the way, in words of our own or of
// the operating system.
func connectionTrouble(ctx context.Context, err error) *trouble {
	var network *net.OpError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return &trouble{text: "the request was given up", outcome: unknown}
	case ctx.Err() != nil:
		return &trouble{text: "no answer in time", outcome: failed}
	case errors.As(err, &certificate):
		return &trouble{text: "TLS: " + certificate.Error(), outcome: failed}
	case errors.As(err, &network):
		return &trouble{text: network.Error(), outcome: failed, broken: true}
	}
	return &trouble{text: "the connection broke, or its other end speaks no HTTP", outcome: failed, broken: true}
}
