package serve

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/oklog/run"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/postern-authz/postern/internal/assertion"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/forwardauth"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/journal"
	"github.com/postern-authz/postern/internal/telemetry"
)

// Options say what to serve.
type Options struct {
	// ConfigPath is a postern.yaml; empty: the embedded defaults.
	ConfigPath string
	// GRPC, HTTP and Admin replace the addresses of the configuration.
	GRPC, HTTP, Admin string
	Stdout, Stderr    io.Writer
	Env               func(string) (string, bool)
	Version           string
	// Ready is called once, when every listener is open; it may be nil.
	Ready func(Addresses)
}

// Addresses are where the listeners are, with the ports that were chosen.
type Addresses struct{ GRPC, HTTP, Admin net.Addr }

// Run serves until ctx ends, and then drains. It returns nil after a drain,
// also after one that was cut short by its timeout.
func Run(ctx context.Context, o Options) error {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGHUP) // before anything takes time: unheard, it would end the process
	defer signal.Stop(told)
	signal.Ignore(syscall.SIGPIPE) // the log's reader may die; a write then fails, which is no reason to end
	s, err := open(ctx, o)
	if err != nil {
		return err
	}
	defer s.close(ctx)
	return s.run(ctx, told)
}

// server is a whole running Postern.
type server struct {
	config    *config.Config
	telemetry *telemetry.Telemetry
	logger    *slog.Logger
	caches    *caches
	ledger    *ledger
	status    *status
	reloader  *reloader
	listeners []net.Listener
	calls     *grpc.Server
	doors     *forwardauth.Server
	admin     *http.Server
	// collects: the garbage collector's setting is ours to keep.
	collects bool
	// http and control are how the HTTP doors and the admin listener encrypt; nil:
	// plain text.
	http, control *tls.Config
}

// open does everything that can fail: what it returns serves.
func open(ctx context.Context, o Options) (*server, error) {
	c, err := config.Load(o.ConfigPath, o.Env)
	if err != nil {
		return nil, err
	}
	s := &server{config: withAddresses(c, o), status: newStatus()}
	if !s.config.Listen.Guarded() {
		return nil, fmt.Errorf("the admin listener at %s is within reach of other machines, so the API there needs listen.admin.tokens", s.config.Listen.Admin.Address)
	}
	if err := s.assemble(ctx, o, c); err != nil {
		s.close(ctx)
		return nil, err
	}
	if err := s.listen(ctx); err != nil {
		s.close(ctx)
		return nil, err
	}
	s.announce(o.Ready)
	return s, nil
}

// withAddresses lets flags outrank the file.
func withAddresses(c *config.Config, o Options) *config.Config {
	changed := *c
	for _, flag := range []struct {
		given  string
		target *string
	}{{o.GRPC, &changed.Listen.GRPC.Address}, {o.HTTP, &changed.Listen.HTTP.Address}, {o.Admin, &changed.Listen.Admin.Address}} {
		if flag.given != "" {
			*flag.target = flag.given
		}
	}
	return &changed
}

// assemble builds the house, from telemetry up to the doors.
// loaded is the configuration as the files have it.
func (s *server) assemble(ctx context.Context, o Options, loaded *config.Config) error {
	var err error
	if s.telemetry, err = openTelemetry(ctx, s.config.Telemetry, o); err != nil {
		return err
	}
	s.logger = s.telemetry.Logger()
	s.collects = tune(o.Env, s.logger)
	if s.caches, err = openCaches(s.config.Cache, time.Now); err != nil {
		return err
	}
	if s.ledger, err = openLedger(ctx, s.config.Consumers.Store, s.caches, o.Version, s.logger); err != nil {
		return err
	}
	b, err := newBuilder(s.config, o.Env, s.caches, s.telemetry, s.logger)
	if err != nil {
		return err
	}
	b.ledger, b.journaled = s.ledger, &journal.Counts{}
	b.keeper = newKeeper(s.config.Policy, s.logger, time.Now)
	s.status.keeper = b.keeper
	if err := s.openRollouts(b); err != nil {
		return err
	}
	s.status.follow(s.ledger)
	g := gate.New(s.ledger.recorder(s.telemetry.Recorder()), time.Now, newDecisionID)
	s.reloader = &reloader{
		path: o.ConfigPath, started: loaded, gate: g, status: s.status, reloaded: s.telemetry.Reloaded, logger: s.logger, builder: b,
	}
	s.status.policy = s.reloader.policyReport
	if err := s.reloader.begin(ctx, s.config); err != nil {
		return err
	}
	if err := s.observe(); err != nil {
		return err
	}
	if err := s.administer(o.Stdout); err != nil {
		return err
	}
	return s.openDoors(s.telemetry.Checker(g))
}

// openDoors makes the servers over one checker.
func (s *server) openDoors(checker telemetry.Checker) error {
	listen := s.config.Listen
	options := append(extauthz.ServerOptions(), s.telemetry.GRPCOptions()...)
	if listen.GRPC.TLS != nil {
		config, err := s.tls(*listen.GRPC.TLS)
		if err != nil {
			return fmt.Errorf("listen.grpc.tls: %w", err)
		}
		options = append(options, grpc.Creds(credentials.NewTLS(config)))
	}
	s.calls = grpc.NewServer(options...)
	authv3.RegisterAuthorizationServer(s.calls, extauthz.New(checker, extauthz.Options{
		Trusted: canon.NewTrusted(listen.GRPC.TrustedProxies), FaultAsError: listen.FaultAsError, Now: time.Now, Log: s.logger,
	}))
	healthpb.RegisterHealthServer(s.calls, s.status.health)

	doors := forwardauth.New(checker, forwardauth.Options{
		Trusted: canon.NewTrusted(listen.HTTP.TrustedProxies), Now: time.Now, Log: s.logger,
	})
	s.doors = forwardauth.NewServer(s.telemetry.HTTP(leaving(s.status, doors)))
	return s.encrypt()
}

// encrypt reads the certificates of the HTTP doors and the admin listener.
func (s *server) encrypt() (err error) {
	listen := s.config.Listen
	if listen.HTTP.TLS != nil {
		if s.http, err = s.tls(*listen.HTTP.TLS); err != nil {
			return fmt.Errorf("listen.http.tls: %w", err)
		}
	}
	if listen.Admin.TLS != nil {
		if s.control, err = s.tls(*listen.Admin.TLS); err != nil {
			return fmt.Errorf("listen.admin.tls: %w", err)
		}
	}
	return nil
}

// administer makes the admin listener's server.
func (s *server) administer(stdout io.Writer) error {
	api, err := s.openAPI(stdout)
	if err != nil {
		return err
	}
	s.admin = adminServer(s.status, s.telemetry.MetricsHandler(), assertion.JWKSHandler(s.reloader.signer.Load), api, s.logger)
	return nil
}

func (s *server) tls(files config.TLS) (*tls.Config, error) {
	return tlsConfig(TLSFiles{Cert: files.CertFile, Key: files.KeyFile, ClientCA: files.ClientCAFile}, time.Now, func(err error) {
		s.logger.Error("TLS", "error", err.Error())
	})
}

// listen opens the listeners: gRPC, HTTP, admin.
func (s *server) listen(ctx context.Context) error {
	for _, l := range []config.Listener{s.config.Listen.GRPC, s.config.Listen.HTTP, s.config.Listen.Admin} {
		listener, err := listen(ctx, l.Address)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", l.Address, err)
		}
		s.listeners = append(s.listeners, listener)
	}
	return nil
}

func (s *server) announce(ready func(Addresses)) {
	s.status.read()
	at := Addresses{GRPC: s.listeners[0].Addr(), HTTP: s.listeners[1].Addr(), Admin: s.listeners[2].Addr()}
	s.logger.Info("serving", "grpc", at.GRPC.String(), "http", at.HTTP.String(), "admin", at.Admin.String(), "revision", s.reloader.current.revision)
	if ready != nil {
		ready(at)
	}
}

// run serves until ctx ends or a listener breaks; either way everything ends.
func (s *server) run(ctx context.Context, told <-chan os.Signal) error {
	work, stop := context.WithCancel(context.WithoutCancel(ctx)) // it ends after the drain
	defer stop()

	var group run.Group
	group.Add(func() error { return s.calls.Serve(s.listeners[0]) }, func(error) { s.calls.Stop() })
	group.Add(s.serveHTTP, func(error) { _ = s.doors.Close() })
	group.Add(s.serveAdmin, func(error) { _ = s.admin.Close() })
	group.Add(func() error { return s.reloader.watch(work, told) }, func(error) { stop() })
	group.Add(func() error { return s.reloader.followBundles(work) }, func(error) { stop() })
	group.Add(func() error { return s.candidacy().watch(work) }, func(error) { stop() })
	group.Add(func() error { return s.keepStatus(work) }, func(error) { stop() })
	group.Add(func() error { return s.leave(ctx, work) }, func(error) { stop() })
	if s.collects {
		group.Add(func() error { collect(work); return nil }, func(error) { stop() })
	}
	if err := group.Run(); err != nil && !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, grpc.ErrServerStopped) {
		return err
	}
	return nil
}

func (s *server) serveHTTP() error {
	if s.http != nil {
		return s.doors.ServeTLS(s.listeners[1], s.http)
	}
	return s.doors.Serve(s.listeners[1])
}

func (s *server) serveAdmin() error {
	if s.control != nil {
		return s.admin.Serve(tls.NewListener(s.listeners[2], s.control))
	}
	return s.admin.Serve(s.listeners[2])
}

// keepStatus brings gRPC's health up to date with what may change by itself:
// the issuers' keys.
func (s *server) keepStatus(ctx context.Context) error {
	tick := time.NewTicker(250 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			s.status.read()
		}
	}
}

// leave waits for the end of ctx and drains; it is over early when the group
// ends for another reason.
func (s *server) leave(ctx, work context.Context) error {
	select {
	case <-ctx.Done():
	case <-work.Done():
		return nil
	}
	s.logger.Info("draining", "not_ready", s.config.Listen.Drain.NotReady.String(), "timeout", s.config.Listen.Drain.Timeout.String())
	Drain(s.config.Listen.Drain).run(work, s.status, func(d time.Duration) { pause(work, d) }, s.calls, s.doors)
	return nil
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}

// close ends what open began, in the opposite order. It is safe on a half
// assembled server.
func (s *server) close(ctx context.Context) {
	for _, l := range s.listeners {
		_ = l.Close() // most are closed already
	}
	if s.calls != nil {
		s.calls.Stop() // its workers wait though it never served
	}
	if s.reloader != nil {
		s.reloader.close()
		s.reloader.builder.rollouts.close()
	}
	s.ledger.close(s.logger)
	if s.telemetry != nil {
		s.flush(context.WithoutCancel(ctx))
	}
	s.caches.close()
}

// flush hands out what was logged and measured, within a bound.
func (s *server) flush(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := s.telemetry.Shutdown(ctx); err != nil {
		s.logger.Warn("telemetry could not be flushed", "error", err.Error())
	}
}
