package life

import (
	"context"
	"strings"
	"testing"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/rs/zerolog"

	"github.com/postern-authz/postern/test/harness"
)

// proxy stands between an instance and its store, and can be cut or hang.
type proxy struct {
	t *testing.T
	*toxiproxy.Proxy
}

func startProxy(t *testing.T, upstream string) *proxy {
	t.Helper()
	server := toxiproxy.NewServer(toxiproxy.NewMetricsContainer(nil), zerolog.Nop())
	p := &proxy{t, toxiproxy.NewProxy(server, "store", harness.FreeAddress(t), upstream)}
	p.mend()
	t.Cleanup(p.cut)
	return p
}

// cut ends all connections and takes no new ones.
func (p *proxy) cut() { p.Stop() }

// mend takes connections again.
func (p *proxy) mend() {
	p.t.Helper()
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
}

// hang keeps the connections, and takes new ones, but lets nothing through.
func (p *proxy) hang() {
	p.t.Helper()
	for _, stream := range []string{"upstream", "downstream"} {
		toxic := `{"type":"timeout","name":"` + stream + `","stream":"` + stream + `","toxicity":1,"attributes":{"timeout":0}}`
		if _, err := p.Toxics.AddToxicJson(strings.NewReader(toxic)); err != nil {
			p.t.Fatal(err)
		}
	}
}

// wake ends the hang. The connections that hung are ended with it.
func (p *proxy) wake() { p.Toxics.ResetToxics(context.Background()) }
