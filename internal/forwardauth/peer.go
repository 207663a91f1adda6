package forwardauth

import (
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/postern-authz/postern/internal/canon"
)

// peer is who is connected to the door: an address, or the other end of a Unix
// socket.
type peer struct {
	address netip.Addr
	socket  bool
}

func peerOf(r *http.Request) peer {
	if local, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && local.Network() == "unix" {
		return peer{socket: true}
	}
	address, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return peer{}
	}
	return peer{address: address.Addr().Unmap().WithZone("")}
}

// believes reports whether the peer is believed about the client's request. The
// permissions of a socket file say who may connect, so whoever did is a
// gateway.
func (h *handler) believes(p peer) bool { return p.socket || h.trusted.Contains(p.address) }

// client is the address that the request counts as coming from. Behind a Unix
// socket it is found as if the last hop of X-Forwarded-For were connected; it
// is invalid if there is none.
func (h *handler) client(p peer, forwardedFor []string) netip.Addr {
	if !p.socket {
		return canon.ClientAddr(p.address, forwardedFor, h.trusted)
	}
	if len(forwardedFor) == 0 {
		return netip.Addr{}
	}
	last := len(forwardedFor) - 1
	chain, hop := forwardedFor[:last:last], forwardedFor[last]
	if comma := strings.LastIndexByte(hop, ','); comma >= 0 {
		chain, hop = append(chain, hop[:comma]), hop[comma+1:]
	}
	nearest := address(hop)
	if !nearest.IsValid() {
		return netip.Addr{}
	}
	return canon.ClientAddr(nearest, chain, h.trusted)
}

// address reads one hop, invalid if it is junk. It borrows the reading of
// X-Forwarded-For: what is not a good address leaves the unspecified one.
func address(hop string) netip.Addr {
	nobody := netip.IPv6Unspecified()
	addr := canon.ClientAddr(nobody, []string{hop}, canon.NewTrusted([]netip.Prefix{netip.PrefixFrom(nobody, nobody.BitLen())}))
	if addr == nobody {
		return netip.Addr{}
	}
	return addr
}
