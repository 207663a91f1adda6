package bundles

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/open-policy-agent/opa/v1/download"
	"github.com/open-policy-agent/opa/v1/plugins"
	"github.com/open-policy-agent/opa/v1/plugins/rest"

	"github.com/postern-authz/postern/internal/policy"
)

// content is what a fetch brought: a bundle's archive.
type content struct {
	raw    *parcel
	digest [sha256.Size]byte
	etag   string
	// bundle is what raw holds; nil where it was not read yet.
	bundle *policy.Bundle
	// unchanged says that there is nothing newer than what is known.
	unchanged bool
}

// downloader asks a server by OPA's own downloader.
type downloader struct {
	carrier *carrier
	opa     *download.Downloader
	update  download.Update
}

// service is what OPA calls the server, and its authentication: the carrier.
const service = "bundle"

func newDownloader(carrier *carrier, l *logger) (*downloader, error) {
	config, err := json.Marshal(map[string]any{
		"name": service, "url": carrier.target.Scheme + "://" + carrier.target.Host, "credentials": map[string]any{"plugin": service},
	})
	if err != nil {
		return nil, err
	}
	client, err := rest.New(config, nil, rest.Logger(l), rest.AuthPluginLookup(func(string) rest.HTTPAuthPlugin { return carrier }))
	if err != nil {
		return nil, err
	}
	manual := plugins.TriggerManual
	settings := download.Config{Trigger: &manual}
	if err := settings.ValidateAndInjectDefaults(); err != nil {
		return nil, err
	}
	d := &downloader{carrier: carrier}
	// The data is left unread (lazy), and the archive is the carrier's to keep.
	d.opa = download.New(settings, client, "/").WithBundleName(carrier.config.Name).
		WithCallback(func(_ context.Context, u download.Update) error { d.update = u; return nil }).
		WithBundleVerificationConfig(carrier.config.verification()).
		WithSizeLimitBytes(carrier.config.MaxSize).WithLazyLoadingMode(true)
	return d, nil
}

// fetch asks once. The carrier's context ends it; OPA's own would leave its
// goroutine behind.
func (d *downloader) fetch(etag string, known [sha256.Size]byte) (content, error) {
	d.carrier.etag, d.carrier.known, d.update = etag, known, download.Update{}
	defer func() { d.carrier.brought, d.update = content{}, download.Update{} }() // they hold the whole bundle
	d.opa.SetCache(etag)
	if err := d.opa.Trigger(context.Background()); err != nil {
		return content{}, d.plain(err)
	}
	if d.update.Bundle == nil {
		if etag == "" {
			return content{}, errors.New("the server says that nothing has changed, but nothing is here yet")
		}
		return content{unchanged: true}, nil
	}
	fresh := d.carrier.brought
	fresh.etag = d.update.ETag
	return fresh, nil
}

// plain says what went wrong without the URL, whose query may hold a secret,
// and without the token, should anybody have put it in.
func (d *downloader) plain(err error) error {
	var status download.HTTPError
	var asking *url.Error
	switch {
	case errors.As(err, &status):
		err = fmt.Errorf("the server answers %d %s", status.StatusCode, http.StatusText(status.StatusCode))
	case errors.As(err, &asking):
		err = asking.Err
	}
	return errors.New(d.carrier.config.redact(err.Error()))
}

// redact takes out what must not be told.
func (c *Config) redact(text string) string {
	if !c.Token.Empty() {
		text = strings.ReplaceAll(text, string(c.Token.Reveal()), c.Token.String())
	}
	const longest = 2000
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}
