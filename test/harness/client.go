package harness

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// Request is one request of a client to a gateway.
type Request struct {
	// Method is GET when empty, Host api.example.com.
	Method, Host string
	// Target goes on the wire as it stands: no cleaning, no encoding.
	Target string
	// Header's names go on the wire as they are spelt.
	Header http.Header
	Body   string
}

// Answer is what the client got.
type Answer struct {
	Status int
	Header http.Header
	Body   string
	// Seen is the request as it reached the upstream; nil when it didn't.
	Seen *Seen
}

// Client sends requests to one gateway.
type Client struct {
	base string
	http *http.Client
}

// NewClient makes a client whose connections end with the test.
func NewClient(t testing.TB, base string) *Client {
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	return &Client{base: base, http: &http.Client{
		Transport:     transport,
		Timeout:       Patience,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// Do sends a request. An error means that no answer came.
func (c *Client) Do(ctx context.Context, r Request) (*Answer, error) {
	req, err := c.request(ctx, r)
	if err != nil {
		return nil, err
	}
	response, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return answer(response, body)
}

func (c *Client) request(ctx context.Context, r Request) (*http.Request, error) {
	method := r.Method
	if method == "" {
		method = http.MethodGet
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base, strings.NewReader(r.Body))
	if err != nil {
		return nil, err
	}
	req.URL = &url.URL{Scheme: "http", Host: strings.TrimPrefix(c.base, "http://"), Opaque: r.Target}
	req.Host = r.Host
	if req.Host == "" {
		req.Host = "api.example.com"
	}
	if r.Header != nil {
		req.Header = r.Header
	}
	return req, nil
}

func answer(response *http.Response, body []byte) (*Answer, error) {
	a := &Answer{Status: response.StatusCode, Header: response.Header, Body: string(body)}
	if response.Header.Get(upstreamHeader) == "" {
		return a, nil
	}
	a.Seen = &Seen{}
	if err := json.Unmarshal(body, a.Seen); err != nil {
		return nil, fmt.Errorf("the upstream's answer: %w", err)
	}
	return a, nil
}

// answers tells whether a GET is answered with that status.
func answers(address string, status int) error {
	response, err := http.Get(address) // #nosec G107 -- a program that the test started
	if err != nil {
		return err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }() // nothing was written
	if response.StatusCode != status {
		body, _ := io.ReadAll(io.LimitReader(response.Body, 4<<10))
		return fmt.Errorf("%s answers %s: %s", address, response.Status, body)
	}
	return nil
}

// get returns the body of a page.
func get(address string) (string, error) {
	response, err := http.Get(address) // #nosec G107 -- a program that the test started
	if err != nil {
		return "", err
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer func() { _ = response.Body.Close() }() // nothing was written
	body, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	return string(body), err
}

// startListener starts a program that is ready when it takes connections.
func startListener(t testing.TB, name string, cmd *exec.Cmd, address string) *Process {
	t.Helper()
	return Start(t, name, cmd, func() error {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return err
		}
		return connection.Close()
	})
}
