package extauthz

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/keepalive"
)

// The bounds of the gRPC server, whatever a peer does.
const (
	// MaxMessage is the largest CheckRequest, in bytes: Envoy's header block
	// (60 KiB unless max_request_headers_kb is raised) and the body that
	// with_request_body passes. A larger one is refused with
	// RESOURCE_EXHAUSTED before it is buffered.
	MaxMessage = 4 << 20
	// maxStreams is how many checks one connection may have in flight. Envoy
	// has one connection a worker and opens more when it needs to.
	maxStreams = 1024
	// maxMetadata is the largest header block of a call itself, which holds
	// little more than a trace context; HTTP/2 counts 32 bytes an entry.
	maxMetadata = 16 << 10
	// handshake is how long a peer may take to connect, TLS included.
	handshake = 10 * time.Second
	// streamWorkers are goroutines that stay, with stacks that have grown;
	// growing a fresh one for each check cost a tenth of the server's CPU.
	streamWorkers = 64
	// A static window spares the pings that estimate one, and bounds what a
	// peer may make the server hold.
	connectionWindow = 1 << 20
	streamWindow     = 256 << 10
)

// ServerOptions are the options that the door's gRPC server needs to stand
// before an untrusted network. Reflection and channelz are services: they are
// off unless somebody registers them.
func ServerOptions() []grpc.ServerOption {
	return []grpc.ServerOption{
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.ConnectionTimeout(handshake),
		grpc.NumStreamWorkers(streamWorkers),
		grpc.StaticConnWindowSize(connectionWindow),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{
			// Envoy's connection_keepalive is often 30 s or less; grpc-go's
			// default of 5 min would close such a connection.
			MinTime:             5 * time.Second,
			PermitWithoutStream: true,
		}),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			// A peer that is gone is noticed, and one that asks nothing is
			// let go.
			Time:              2 * time.Minute,
			Timeout:           20 * time.Second,
			MaxConnectionIdle: 30 * time.Minute,
		}),
	}
}
