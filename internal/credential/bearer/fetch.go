package bearer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Bounds of a fetch, beside its time and the size of a set.
const (
	maxRedirects   = 3
	maxHeaderBytes = 64 << 10
)

// source brings an issuer's key set from where it is published.
type source interface {
	read(ctx context.Context) ([]byte, error)
	// String names the place, for logs and states.
	String() string
}

// urlSource fetches from a configured address.
type urlSource struct {
	client *http.Client
	url    string
}

func (s urlSource) read(ctx context.Context) ([]byte, error) { return fetch(ctx, s.client, s.url) }
func (s urlSource) String() string                           { return s.url }

// fetchingClient is a client that goes nowhere it was not sent.
func fetchingClient(given *http.Client) *http.Client {
	client := http.Client{CheckRedirect: stayHome}
	if given != nil && given.Transport != nil {
		client.Transport = given.Transport
		return &client
	}
	client.Transport = &http.Transport{
		// No proxy from the environment: keys come from the issuer alone.
		Proxy:                  nil,
		DialContext:            (&net.Dialer{Timeout: defaultTimeout}).DialContext,
		TLSHandshakeTimeout:    defaultTimeout,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    1,
		IdleConnTimeout:        2 * time.Minute,
		MaxResponseHeaderBytes: maxHeaderBytes,
	}
	return &client
}

// stayHome follows a redirect to the same scheme and host only: whoever can
// make an issuer redirect must not make us fetch from within our own network.
func stayHome(next *http.Request, via []*http.Request) error {
	first := via[0].URL
	switch {
	case len(via) > maxRedirects:
		return errors.New("more than 3 redirects")
	case next.URL.Scheme != first.Scheme || next.URL.Host != first.Host:
		return errors.New("redirect to another scheme or host")
	}
	return nil
}

// fetch gets one small document. The bound of its size holds after gunzip; the
// context's end bounds everything, a body that drips included.
func fetch(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	request.Header.Set("User-Agent", "postern")
	response, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() //nolint:errcheck // nothing is lost that was not read
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("GET %s: status %d, expected 200", address, response.StatusCode)
	}
	body, err := readBounded(response.Body)
	if err != nil {
		return nil, fmt.Errorf("GET %s: %w", address, err)
	}
	return body, nil
}

func readBounded(from io.Reader) ([]byte, error) {
	body, err := io.ReadAll(io.LimitReader(from, maxSetSize+1))
	if err == nil && len(body) > maxSetSize {
		err = malformed("document is larger than 1 MiB")
	}
	return body, err
}

// downgrades reports whether going from one address to the other gives up TLS.
func downgrades(from, to string) bool {
	a, err1 := url.Parse(from)
	b, err2 := url.Parse(to)
	return err1 != nil || err2 != nil || a.Scheme == "https" && b.Scheme != "https"
}
