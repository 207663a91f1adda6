package bundles

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/postern-authz/postern/internal/policy"
)

// limits bound what a server may take.
type limits struct {
	// header is how long its answer may be awaited, idle how long it may pause in
	// it, and total how long all of it may take.
	header, idle, total time.Duration
}

func usualLimits() limits {
	return limits{header: 15 * time.Second, idle: 15 * time.Second, total: 10 * time.Minute}
}

// carrier sends the requests of OPA's downloader: with the token, to nobody
// else, and within bounds. It implements rest.HTTPAuthPlugin.
type carrier struct {
	config Config
	target *url.URL
	limits limits
	plain  *http.Transport
	// ctx ends what is under way.
	ctx context.Context
	// etag and known, a digest, are the newest bundle's; set before each request.
	etag  string
	known [sha256.Size]byte
	// brought is what the last request brought.
	brought content
}

func newCarrier(ctx context.Context, c Config, l limits) (*carrier, error) {
	target, err := url.Parse(c.URL)
	if err != nil || target.Host == "" || target.Scheme != "https" && target.Scheme != "http" {
		return nil, fmt.Errorf("bundle %s: the URL can't be read; expected one such as https://bundles.example.com/main.tar.gz", c.Name)
	}
	pool, err := c.authorities()
	if err != nil {
		return nil, err
	}
	return &carrier{config: c, target: target, limits: l, ctx: ctx, plain: &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		TLSClientConfig:        &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    l.header,
		ResponseHeaderTimeout:  l.header,
		MaxResponseHeaderBytes: 64 << 10,
		IdleConnTimeout:        90 * time.Second,
		MaxIdleConns:           1,
		DisableCompression:     true, // a bundle is compressed itself
		ForceAttemptHTTP2:      true,
	}}, nil
}

// NewClient implements rest.HTTPAuthPlugin.
func (c *carrier) NewClient(rest.Config) (*http.Client, error) {
	return &http.Client{Transport: c, CheckRedirect: c.redirected}, nil
}

// Prepare implements rest.HTTPAuthPlugin. The downloader would go on sending an
// ETag that was taken back, and accept parts of bundles, which have no signature.
func (c *carrier) Prepare(req *http.Request) error {
	exact := *c.target
	req.URL, req.Host = &exact, ""
	req.Header.Set("Prefer", "modes=snapshot")
	req.Header.Del("If-None-Match")
	if c.etag != "" {
		req.Header.Set("If-None-Match", c.etag)
	}
	if !c.config.Token.Empty() {
		req.Header.Set("Authorization", "Bearer "+string(c.config.Token.Reveal()))
	}
	return nil
}

// maxRedirects is how often a server may send the request on, to itself.
const maxRedirects = 3

// redirected follows a redirect to the same server alone: another one is not
// who was asked, and must not have the token.
func (c *carrier) redirected(next *http.Request, via []*http.Request) error {
	if next.URL.Scheme != c.target.Scheme || next.URL.Host != c.target.Host {
		return fmt.Errorf("the server redirects to %s://%s, which is not followed", next.URL.Scheme, next.URL.Host)
	}
	if len(via) > maxRedirects {
		return errors.New("the server redirects again and again")
	}
	return nil
}

// RoundTrip implements http.RoundTripper. It has read all of a bundle when it
// returns, within bounds of size and time, and verified it: OPA's downloader reads
// into memory what it is given, so that it is given what is good alone.
func (c *carrier) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithTimeoutCause(req.Context(), c.limits.total, errors.New("the server takes too long"))
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)() //nolint:contextcheck // the source's end is another than the request's
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	response, err := c.plain.RoundTrip(req.WithContext(ctx))
	if err != nil {
		return nil, causeOf(ctx, told(err))
	}
	defer func() { _ = response.Body.Close() }()
	if err := leads(response); err != nil {
		return nil, err
	}
	raw := &parcel{}
	if response.StatusCode == http.StatusOK {
		if raw, err = c.read(response.Body, stop); err != nil {
			return nil, causeOf(ctx, err)
		}
		if err := c.verify(raw); err != nil {
			return nil, err
		}
	}
	response.Body, response.ContentLength = io.NopCloser(raw.reader()), raw.size
	return response, nil
}

// verify reads the bundle, unless it is the one that is known already.
func (c *carrier) verify(raw *parcel) (err error) {
	c.brought = content{raw: raw, digest: raw.digest()}
	if c.brought.digest != c.known {
		c.brought.bundle, err = policy.ReadBundle(c.config.Name, raw.reader(), c.config.options())
	}
	return err
}

func causeOf(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil && ctx.Err() != nil {
		return cause
	}
	return err
}

// read takes in a body, and gives up on one that is too large or stands still, and
// on what is no archive at the first byte that says so.
func (c *carrier) read(body io.Reader, stop context.CancelCauseFunc) (*parcel, error) {
	still := time.AfterFunc(c.limits.idle, func() { stop(errors.New("the server pauses in the middle of the bundle")) })
	defer still.Stop()
	raw := &parcel{}
	left := &wakeful{Reader: io.LimitReader(body, c.config.MaxSize+1), awake: func() { still.Reset(c.limits.idle) }}
	whole := io.TeeReader(left, raw)
	err := inspect(whole, c.config.MaxSize)
	if err == nil {
		_, err = io.Copy(io.Discard, whole) // what pads it
	}
	switch {
	case left.broken != nil:
		return nil, fmt.Errorf("the bundle broke off: %w", told(left.broken))
	case raw.size > c.config.MaxSize:
		return nil, fmt.Errorf("the archive has more than %d bytes, which max_size allows", c.config.MaxSize)
	}
	return raw, err
}

// wakeful tells of every read, and why one broke off.
type wakeful struct {
	io.Reader
	awake  func()
	broken error
}

func (w *wakeful) Read(p []byte) (int, error) {
	n, err := w.Reader.Read(p)
	if n > 0 {
		w.awake()
	}
	if err != nil && !errors.Is(err, io.EOF) {
		w.broken = err
	}
	return n, err
}
