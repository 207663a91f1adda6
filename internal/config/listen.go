package config

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/strictyaml"
)

func (c *checker) listen(l *listenPart) Listen {
	listen := Listen{
		GRPC: Listener{
			Address:        c.address("listen.grpc.address", l.GRPC.Address),
			TrustedProxies: c.proxies("listen.grpc", l.GRPC.TrustedProxies, l.GRPC.TrustAnyProxy),
			TLS:            c.tls("listen.grpc.tls", &l.GRPC.TLS),
		},
		HTTP: Listener{
			Address:        c.address("listen.http.address", l.HTTP.Address),
			TrustedProxies: c.proxies("listen.http", l.HTTP.TrustedProxies, l.HTTP.TrustAnyProxy),
			TLS:            c.tls("listen.http.tls", &l.HTTP.TLS),
		},
		Admin: Listener{
			Address: c.address("listen.admin.address", l.Admin.Address),
			TLS:     c.tls("listen.admin.tls", &l.Admin.TLS),
		},
		AdminTokens:  c.adminTokens(l.Admin.Tokens),
		AdminHosts:   c.adminHosts(l.Admin.Hosts),
		FaultAsError: l.GRPC.FaultResponse == faultError,
		Drain: Drain{
			NotReady: c.span("listen.drain.not_ready", l.Drain.NotReady, 0, 10*time.Minute),
			Timeout:  c.span("listen.drain.timeout", l.Drain.Timeout, 0, time.Hour),
		},
	}
	c.distinct(&listen)
	c.guarded(&listen)
	return listen
}

// distinct refuses two listeners at one address; the second would not start.
func (c *checker) distinct(l *Listen) {
	seen := map[string]string{}
	for _, at := range []struct{ field, address string }{
		{"listen.grpc.address", l.GRPC.Address},
		{"listen.http.address", l.HTTP.Address},
		{"listen.admin.address", l.Admin.Address},
	} {
		first, taken := seen[at.address]
		if taken && at.address != "" && !strings.HasSuffix(at.address, ":0") {
			c.refuse(at.field, "is the address of %s too", strings.TrimSuffix(first, ".address"))
		}
		seen[at.address] = at.field
	}
}

// address checks ADDRESS:PORT or unix:PATH. Names of machines are refused: what
// they resolve to is not written here. So is a port alone: that it means every
// interface must be written.
func (c *checker) address(field, text string) string {
	if path, ok := strings.CutPrefix(text, "unix:"); ok {
		return c.socket(field, path)
	}
	if port, ok := strings.CutPrefix(text, "localhost:"); ok {
		if _, err := strconv.ParseUint(port, 10, 16); err == nil {
			return text
		}
	}
	if at, err := netip.ParseAddrPort(text); err != nil || at.Addr().Zone() != "" {
		c.refuse(field, "expected ADDRESS:PORT, such as 127.0.0.1:9191 or 0.0.0.0:9191, or unix:PATH")
	}
	return text
}

// maxSocket is the longest path of a Unix socket in bytes (unix(7), sun_path).
const maxSocket = 107

func (c *checker) socket(field, path string) string {
	absolute := c.absolute(path)
	if path == "" || strings.ContainsRune(path, 0) || len(absolute) > maxSocket {
		c.refuse(field, "expected unix: and a path of at most %d bytes", maxSocket)
	}
	return "unix:" + absolute
}

func (c *checker) proxies(section string, networks []strictyaml.Network, anyone bool) []netip.Prefix {
	prefixes := strictyaml.Prefixes(networks)
	for i, p := range prefixes {
		if p.IsValid() && everybody(p) && !anyone {
			c.refuse(section+".trusted_proxies["+strconv.Itoa(i)+"]",
				"trusts everybody: any client could forge what a gateway says; if that is meant, write dangerously_trust_any_proxy: true beside it")
		}
	}
	return prefixes
}

// everybody reports a network that is larger than any that a site has to
// itself: 10.0.0.0/8 and fc00::/7 are the largest of those.
func everybody(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() < 8 || p.Addr().Is6() && p.Bits() < 7
}

func (c *checker) tls(field string, t *tlsPart) *TLS {
	if !c.doc.Has(field) {
		return nil
	}
	return &TLS{
		CertFile:     c.file(field+".cert_file", t.CertFile),
		KeyFile:      c.file(field+".key_file", t.KeyFile),
		ClientCAFile: c.file(field+".client_ca_file", t.ClientCAFile),
	}
}

// span checks a duration's bounds, both of them allowed.
func (c *checker) span(field string, d strictyaml.Duration, least, most time.Duration) time.Duration {
	if span := time.Duration(d); span < least || span > most {
		c.refuse(field, "expected %s to %s", least, most)
	}
	return time.Duration(d)
}

// spanIfThere is the same for a duration that is 0 unless it is written.
func (c *checker) spanIfThere(field string, d strictyaml.Duration, least, most time.Duration) time.Duration {
	if !c.doc.Has(field) {
		return 0
	}
	return c.span(field, d, least, most)
}
