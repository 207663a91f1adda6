// Command noop is the floor that Postern is measured against: a grpc-go server
// with default settings that answers every check with OK and one header, and a
// net/http server that answers 200 with one header. Nothing can be an external
// authorization server in Go and do less.
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
	"google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
)

func main() {
	grpcAddr := flag.String("grpc", "127.0.0.1:0", "address of the gRPC server")
	httpAddr := flag.String("http", "127.0.0.1:0", "address of the HTTP server")
	adminAddr := flag.String("admin", "127.0.0.1:0", "address of /readyz and /metrics")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := serve(ctx, *grpcAddr, *httpAddr, *adminAddr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "noop:", err)
		os.Exit(1)
	}
}

// serve runs the three servers until the context ends or one of them fails.
func serve(ctx context.Context, grpcAddr, httpAddr, adminAddr string) error {
	var listeners [3]net.Listener
	defer func() { closeAll(listeners[:]) }() // the servers have closed most already
	for i, addr := range []string{grpcAddr, httpAddr, adminAddr} {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
		if err != nil {
			return err
		}
		listeners[i] = l
	}
	checks := grpc.NewServer()
	authv3.RegisterAuthorizationServer(checks, authorizer{})
	doors, admin := &http.Server{Handler: http.HandlerFunc(answer), ReadHeaderTimeout: time.Minute}, adminServer()

	failed := make(chan error, 3)
	go func() { failed <- checks.Serve(listeners[0]) }()
	go func() { failed <- doors.Serve(listeners[1]) }()
	go func() { failed <- admin.Serve(listeners[2]) }()
	defer func() {
		checks.Stop()
		_, _ = doors.Close(), admin.Close() // it ends whatever they say
	}()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		return nil
	}
}

func closeAll(listeners []net.Listener) {
	for _, l := range listeners {
		if l != nil {
			_ = l.Close()
		}
	}
}

// header is the one header of every answer.
const header, value = "x-noop", "ok"

type authorizer struct {
	authv3.UnimplementedAuthorizationServer
}

// Check answers OK with one header.
func (authorizer) Check(context.Context, *authv3.CheckRequest) (*authv3.CheckResponse, error) {
	return &authv3.CheckResponse{
		Status: &status.Status{},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers: []*corev3.HeaderValueOption{{Header: &corev3.HeaderValue{Key: header, Value: value}}},
		}},
	}, nil
}

func answer(w http.ResponseWriter, _ *http.Request) { w.Header().Set(header, value) }

// adminServer answers as Postern's does, so that both are measured alike.
func adminServer() *http.Server {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector())
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(http.ResponseWriter, *http.Request) {})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	return &http.Server{Handler: mux, ReadHeaderTimeout: time.Minute}
}
