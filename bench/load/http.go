package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// HTTP asks over a forward-auth door, on as many connections as there are
// questions in flight: HTTP/1.1 has one answer at a time on each.
type HTTP struct {
	url       string
	transport *http.Transport
}

// DialHTTP makes a client for the door at a URL.
func DialHTTP(url string) *HTTP {
	return &HTTP{url: url, transport: &http.Transport{
		MaxIdleConnsPerHost: Connections * InFlight,
		MaxConnsPerHost:     Connections * InFlight,
		IdleConnTimeout:     time.Minute,
		DisableCompression:  true,
	}}
}

// Ask puts n questions, with the numbers from 0. Each must be answered with 200
// and that header.
func (h *HTTP) Ask(ctx context.Context, n int, question func(i int) http.Header, name, value string) error {
	return drive(ctx, n, func(ctx context.Context, _, i int) error {
		if err := h.ask(ctx, question(i), name, value); err != nil {
			return fmt.Errorf("request %d: %w", i, err)
		}
		return nil
	})
}

func (h *HTTP) ask(ctx context.Context, header http.Header, name, value string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url, nil)
	if err != nil {
		return err
	}
	req.Header = header
	res, err := h.transport.RoundTrip(req)
	if err != nil {
		return err
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	switch err = errors.Join(err, res.Body.Close()); {
	case err != nil:
		return err
	case res.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d, body %q, want 200", res.StatusCode, body)
	case res.Header.Get(name) != value:
		return fmt.Errorf("200 without the header %s: %s", name, value)
	}
	return nil
}

// Close ends the connections.
func (h *HTTP) Close() { h.transport.CloseIdleConnections() }
