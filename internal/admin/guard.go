package admin

import (
	"mime"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// guard refuses what no client of this API sends and a browser might be made to
// send: under a foreign name (DNS rebinding), or from another site's page.
func (s *Server) guard(r *http.Request) *problem {
	if !s.knownHost(r) {
		return &problem{code: codeMisdirected, detail: "this server does not go by the name in Host; listen.admin.hosts lists those that it goes by"}
	}
	site := r.Header.Values("Sec-Fetch-Site")
	foreign := slices.ContainsFunc(site, func(v string) bool { return v != "same-origin" && v != "none" })
	if foreign || !sameOrigin(r) {
		return &problem{code: codePermissionDenied, detail: "pages of other sites may not call this API"}
	}
	return nil
}

// knownHost reports whether the request names this server: by a loopback name,
// by the address that the connection came to, or as configured. Nobody can make
// a browser call a Unix socket.
func (s *Server) knownHost(r *http.Request) bool {
	local, _ := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if local != nil && local.Network() == "unix" {
		return true
	}
	host := hostname(r.Host)
	if host == "localhost" || slices.ContainsFunc(s.hosts, func(h string) bool { return strings.EqualFold(h, host) }) {
		return true
	}
	address, err := netip.ParseAddr(host)
	if err != nil {
		return false
	}
	return address.IsLoopback() || local != nil && address.Unmap() == localAddress(local)
}

func localAddress(local net.Addr) netip.Addr {
	port, err := netip.ParseAddrPort(local.String())
	if err != nil {
		return netip.Addr{}
	}
	return port.Addr().Unmap().WithZone("")
}

// hostname is Host without the port, in lower case.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	return strings.ToLower(strings.Trim(host, "[]"))
}

// sameOrigin reports whether no page asks, or one of this server.
func sameOrigin(r *http.Request) bool {
	origins := r.Header.Values("Origin")
	if len(origins) == 0 {
		return true
	}
	scheme := "http://"
	if r.TLS != nil {
		scheme = "https://"
	}
	return len(origins) == 1 && strings.EqualFold(origins[0], scheme+r.Host)
}

// isJSON reports whether the request has no body, or one that says it is JSON.
// A form, which a page may send without asking, is none.
func isJSON(r *http.Request) bool {
	lines := r.Header.Values("Content-Type")
	if len(lines) == 0 {
		return r.ContentLength == 0
	}
	media, params, err := mime.ParseMediaType(lines[0])
	charset, given := params["charset"]
	return err == nil && len(lines) == 1 && media == "application/json" &&
		(!given || strings.EqualFold(charset, "utf-8")) && r.Header.Get("Content-Encoding") == ""
}
