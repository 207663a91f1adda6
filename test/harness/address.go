package harness

import (
	"context"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"testing"
)

// The ports to try: below those that systems hand out for port 0, so that no
// other test's listener or connection takes one between here and its use.
const (
	firstPort = 12000
	lastPort  = 31999
)

// FreeAddress returns a loopback address that nothing listens on.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 200 {
		port := firstPort + rand.IntN(lastPort-firstPort+1)
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
		if free(t.Context(), address) {
			return address
		}
	}
	t.Fatalf("no free port between %d and %d", firstPort, lastPort)
	return ""
}

func free(ctx context.Context, address string) bool {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", address)
	if err != nil {
		return false
	}
	return listener.Close() == nil
}

// Port is the port of an address, as text.
func Port(address string) string {
	return address[strings.LastIndexByte(address, ':')+1:]
}
