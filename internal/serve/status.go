package serve

import (
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/health"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"

	"github.com/postern-authz/postern/internal/bundles"
)

// Report is what /readyz answers.
type Report struct {
	// Ready says that requests may be sent here: rules are loaded, every
	// issuer has keys, and no drain has begun.
	Ready    bool `json:"ready"`
	Draining bool `json:"draining,omitempty"`
	// DryRun says that what policy denies is let through.
	DryRun bool `json:"dry_run,omitempty"`
	// Revision is the one in force, since LoadedAt.
	Revision string    `json:"revision,omitempty"`
	LoadedAt time.Time `json:"loaded_at,omitzero"`
	// ReloadError is why the newest files are not in force; the last good
	// revision serves on.
	ReloadError string    `json:"reload_error,omitempty"`
	FailedAt    time.Time `json:"failed_at,omitzero"`
	// Issuers tells of the key sets that tokens are verified with.
	Issuers []IssuerReport `json:"issuers,omitempty"`
	// Introspection tells of the server that is asked about opaque tokens. It
	// does not make the process unready: every other credential goes on.
	Introspection *IntrospectionReport `json:"introspection,omitempty"`
	// Store tells of the store of consumers. The process is not ready until it
	// was reached once; after that it goes on with what it remembers.
	Store *StoreReport `json:"store,omitempty"`
	// Bundles tell of those that policy is made of. The process is not ready until
	// there is one content of each; after that the last good ones serve.
	Bundles []BundleReport `json:"bundles,omitempty"`
	// Policy tells which policy is in force, and of its candidate.
	Policy *PolicyReport `json:"policy,omitempty"`
}

// IssuerReport is the state of one issuer's key set.
type IssuerReport struct {
	Name        string    `json:"name"`
	Ready       bool      `json:"ready"`
	Keys        int       `json:"keys"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	Error       string    `json:"error,omitempty"`
}

// IntrospectionReport is the state of an introspection server.
type IntrospectionReport struct {
	Name string `json:"name"`
	// Open says that it failed so often that it is not asked for a moment.
	Open bool `json:"breaker_open"`
	// InFlight are questions under way; Requests and Failures count tokens since
	// the server was configured.
	InFlight    int       `json:"-"`
	Requests    uint64    `json:"-"`
	Failures    uint64    `json:"-"`
	LastSuccess time.Time `json:"last_success,omitzero"`
	Error       string    `json:"error,omitempty"`
}

// neighbours tell of what the rules in force ask over the network.
type neighbours interface {
	issuerReports() []IssuerReport
	introspectionReport() *IntrospectionReport
}

// status is the one place that knows whether this process is ready, and tells
// gRPC's health service of it.
type status struct {
	health   *health.Server
	draining atomic.Bool

	mu     sync.Mutex
	report Report
	asked  neighbours
	ledger *ledger
	policy func() *PolicyReport
	keeper *bundles.Keeper
}

func newStatus() *status {
	s := &status{health: health.NewServer(), asked: &built{}}
	s.tell(false)
	return s
}

// follow makes readiness depend on a store of consumers, nil for none.
func (s *status) follow(l *ledger) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ledger = l
}

// services are the names that health may be asked for.
var services = []string{"", "envoy.service.auth.v3.Authorization"}

func (s *status) tell(ready bool) {
	state := healthpb.HealthCheckResponse_NOT_SERVING
	if ready {
		state = healthpb.HealthCheckResponse_SERVING
	}
	for _, name := range services {
		s.health.SetServingStatus(name, state)
	}
}

// loaded notes that a revision is in force.
func (s *status) loaded(revision string, at time.Time, asked neighbours) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = asked
	s.report.Revision, s.report.LoadedAt = revision, at
	s.report.ReloadError, s.report.FailedAt = "", time.Time{}
}

// failed notes that the newest files can't be used.
func (s *status) failed(err error, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.report.ReloadError, s.report.FailedAt = err.Error(), at
}

// drain makes the process not ready for good.
func (s *status) drain() {
	s.mu.Lock()
	s.report.Draining = true
	s.mu.Unlock()
	s.draining.Store(true)
	s.health.Shutdown()
}

// read returns the state now, and brings gRPC's health up to date with it.
func (s *status) read() Report {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.report
	r.Issuers, r.Introspection = s.asked.issuerReports(), s.asked.introspectionReport()
	r.Ready = r.Revision != "" && !r.Draining
	if r.Store = s.ledger.report(); r.Store != nil {
		r.Ready = r.Ready && r.Store.Reached
	}
	for _, issuer := range r.Issuers {
		r.Ready = r.Ready && issuer.Ready
	}
	r.Bundles = bundleReports(s.keeper)
	if s.policy != nil {
		r.Policy = s.policy()
	}
	s.tell(r.Ready)
	return r
}
