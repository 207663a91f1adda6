package gate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

// Config is everything that a request is judged by.
type Config struct {
	// Revision names this set of rules in every verdict.
	Revision string
	// Routes are tried in order; Default is for what none of them matches.
	Routes  []Route
	Default Route
	// Authenticators stand in the order in which a credential names the
	// request's identity.
	Authenticators []Authenticator
	// Staleness is the time since the store of consumers was last heard of; nil:
	// there is none but files. It is called by many goroutines at once.
	Staleness func() time.Duration
	Policy    Policy
	// DryRun lets through what policy denies, and says so in the verdict. All else
	// that speaks against a request still does.
	DryRun  bool
	Managed []ManagedHeader
	// Assertion vouches for the identity in a managed header of its own; its
	// zero value vouches for nothing.
	Assertion Assertion
	// CredentialHeaders are the headers that may hold a credential, in lower
	// case.
	CredentialHeaders []string
	// Forward are the kinds whose credentials reach the upstream. What proved
	// the consumer is kept from it otherwise.
	Forward []access.Kind
}

// Assertion is a signed identity for the upstream and the header that it
// stands in.
type Assertion struct {
	// Header is spelt as it is sent.
	Header string
	Signer Signer
}

// Rules are an immutable, checked Config. All that one request sees comes from
// one Rules, so that it has one revision.
type Rules struct {
	Config
	named map[string]*Route
	// believed are the authenticators of each route, in order.
	believed map[*Route][]Authenticator
	// managed are the names of managed headers in lower case, folded the same as
	// FoldName has them.
	managed, folded map[string]bool
	// guarded are the folded names that a Connection header must not name.
	guarded map[string]bool
}

// NewRules checks a Config and makes it fast to use.
func NewRules(c Config) (*Rules, error) {
	if c.Policy == nil {
		return nil, errors.New("rules without a policy")
	}
	c.Routes = slices.Clone(c.Routes)
	r := &Rules{Config: c, named: map[string]*Route{}, believed: map[*Route][]Authenticator{}}
	if err := r.nameHeaders(); err != nil {
		return nil, err
	}
	if err := r.believe(&r.Default); err != nil {
		return nil, err
	}
	for i := range r.Routes {
		route := &r.Routes[i]
		if route.Name == "" || r.named[route.Name] != nil {
			return nil, fmt.Errorf("route name %q is empty or stands twice", route.Name)
		}
		r.named[route.Name] = route
		if err := r.believe(route); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// nameHeaders collects the managed names and those that a Connection header
// must not name.
func (r *Rules) nameHeaders() error {
	r.Managed = append(slices.Clone(r.Managed), ManagedHeader{Name: DecisionIDHeader})
	r.managed, r.folded, r.guarded = map[string]bool{}, map[string]bool{}, map[string]bool{}
	for _, h := range r.Managed {
		r.manage(h.Name)
	}
	for _, name := range r.CredentialHeaders {
		r.guarded[access.FoldName(name)] = true
	}
	return r.nameAssertion()
}

func (r *Rules) manage(name string) {
	folded := access.FoldName(name)
	r.managed[strings.ToLower(name)], r.folded[folded], r.guarded[folded] = true, true, true
}

// nameAssertion makes the assertion's header a managed one. It shares its
// header with nothing: neither would then say what it seems to.
func (r *Rules) nameAssertion() error {
	if r.Assertion == (Assertion{}) {
		return nil
	}
	name := strings.ToLower(r.Assertion.Header)
	switch {
	case r.Assertion.Signer == nil || name == "":
		return errors.New("an assertion needs both a header and a signer")
	case access.FoldName(name) != name:
		return fmt.Errorf("the assertion's header %s has _ or . in its name, which programs read in two ways", r.Assertion.Header)
	case r.guarded[name]:
		return fmt.Errorf("the assertion's header %s is a credential's or tells of something else already", r.Assertion.Header)
	}
	r.Managed = append(r.Managed, ManagedHeader{Name: r.Assertion.Header})
	r.manage(name)
	return nil
}

// believe finds the authenticators of a route's kinds. A kind that nobody
// proves would make the route unreachable or, worse, anonymous: it is refused.
func (r *Rules) believe(route *Route) error {
	left := slices.Clone(route.Authenticate.Kinds)
	for _, a := range r.Authenticators {
		if i := slices.Index(left, a.Kind()); i >= 0 {
			r.believed[route] = append(r.believed[route], among(a, route.Authenticate.Kinds))
			left = slices.Delete(left, i, i+1)
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("route %q believes %q, which nothing proves", route.Name, left)
	}
	return nil
}

func among(a Authenticator, kinds []access.Kind) Authenticator {
	if n, ok := a.(Neighbour); ok {
		return n.Among(kinds)
	}
	return a
}

// errUnknownRoute is a fault: the gateway's configuration and ours differ, and
// another route's rules are no substitute.
var errUnknownRoute = errors.New("the gateway names a route that is not configured")

// route finds the route of a request and what its pattern takes from the path.
func (r *Rules) route(req *access.Request) (*Route, []access.Param, error) {
	if req.Route != "" {
		route := r.named[req.Route]
		if route == nil {
			return nil, nil, errUnknownRoute
		}
		params, _ := route.Match.fitsPath(req.Path)
		return route, params, nil
	}
	for i := range r.Routes {
		if params, ok := r.Routes[i].Match.fits(req); ok {
			return &r.Routes[i], params, nil
		}
	}
	return &r.Default, nil, nil
}
