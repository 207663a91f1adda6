package author

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// Court is a whole gate that an author asks: its routes, its authenticators,
// and a policy.
type Court struct {
	gate   *gate.Gate
	policy *policy.Snapshot
	now    func() time.Time
}

// kinds are all that an identity may say that it was proven by.
func kinds() []access.Kind {
	return []access.Kind{
		access.KindAPIKey, access.KindJWT, access.KindBasic, access.KindSignature,
		access.KindClientCertificate, access.KindIntrospection,
	}
}

// NewCourt makes a court of a gate's configuration, whose policy is p.
func NewCourt(c gate.Config, p *policy.Snapshot, now func() time.Time) (*Court, error) {
	inner := c.Authenticators
	c.Authenticators = nil
	for _, kind := range kinds() {
		i := slices.IndexFunc(inner, func(a gate.Authenticator) bool { return a.Kind() == kind })
		witness := witness{kind: kind}
		if i >= 0 {
			witness.inner = inner[i]
		}
		c.Authenticators = append(c.Authenticators, witness)
	}
	c.Policy = clerk{p}
	rules, err := gate.NewRules(c)
	if err != nil {
		return nil, err
	}
	var asked atomic.Int64
	g := gate.New(silent{}, now, func() string { return "case-" + strconv.FormatInt(asked.Add(1), 10) })
	g.Swap(rules)
	return &Court{g, p, now}, nil
}

// PlainConfig is a gate without a configuration file: the routes of a file of
// cases, who asks as the case says, and anonymous requests go on to policy.
func PlainConfig(routes []Route, entrypoint string) (gate.Config, error) {
	c := gate.Config{Default: plainRoute("", entrypoint)}
	for _, r := range routes {
		route := plainRoute(r.Name, entrypoint)
		if r.Entrypoint != "" {
			route.Entrypoint = r.Entrypoint
		}
		route.Match.Methods = r.Methods
		for _, text := range r.Paths {
			pattern, err := gate.ParsePattern(text)
			if err != nil {
				return c, fmt.Errorf("route %s: %w", r.Name, err)
			}
			route.Match.Paths = append(route.Match.Paths, pattern)
		}
		c.Routes = append(c.Routes, route)
	}
	return c, nil
}

func plainRoute(name, entrypoint string) gate.Route {
	return gate.Route{Name: name, Anonymous: true, Authenticate: gate.Authenticate{Kinds: kinds()}, Entrypoint: entrypoint}
}

// Policy is what decides.
func (c *Court) Policy() *policy.Snapshot { return c.policy }

// Judge judges a request. The question is what policy was asked, nil when the
// gate pronounced before it came to that. A nil identity leaves it to the
// request's credentials to say who asks.
func (c *Court) Judge(ctx context.Context, req *access.Request, as *access.Identity) (access.Verdict, *gate.Question) {
	var asked *gate.Question
	ctx = context.WithValue(ctx, hearing{}, &record{as: as, asked: &asked})
	return c.gate.Check(ctx, req), asked
}

// hearing keys what one hearing is told and tells.
type hearing struct{}

type record struct {
	as    *access.Identity
	asked **gate.Question
}

func recordOf(ctx context.Context) *record {
	r, _ := ctx.Value(hearing{}).(*record)
	if r == nil {
		return &record{asked: new(*gate.Question)}
	}
	return r
}

// witness says who asks where the author did, and asks the real authenticator
// otherwise.
type witness struct {
	kind  access.Kind
	inner gate.Authenticator
}

var _ gate.Neighbour = witness{}

// Kind implements gate.Authenticator.
func (w witness) Kind() access.Kind { return w.kind }

// Challenge implements gate.Authenticator.
func (w witness) Challenge(rejected bool) string {
	if w.inner == nil {
		return string(w.kind)
	}
	return w.inner.Challenge(rejected)
}

// Authenticate implements gate.Authenticator.
func (w witness) Authenticate(ctx context.Context, req *access.Request) (access.Proof, error) {
	as := recordOf(ctx).as
	switch {
	case as != nil && as.Credential.Kind == w.kind && !as.Consumer.Enabled:
		return access.Proof{}, access.Invalid("consumer " + as.Consumer.Name + " is disabled")
	case as != nil && as.Credential.Kind == w.kind:
		return access.Proof{Identity: as}, nil
	case as != nil || w.inner == nil:
		return access.Proof{}, access.ErrNoCredential
	}
	return w.inner.Authenticate(ctx, req)
}

// Among implements gate.Neighbour.
func (w witness) Among(believed []access.Kind) gate.Authenticator {
	if n, ok := w.inner.(gate.Neighbour); ok {
		w.inner = n.Among(believed)
	}
	return w
}

// clerk notes what policy is asked.
type clerk struct{ policy *policy.Snapshot }

// Decide implements gate.Policy.
func (c clerk) Decide(ctx context.Context, q *gate.Question) (access.Decision, error) {
	*recordOf(ctx).asked = q
	return c.policy.Decide(ctx, q)
}

// silent records nothing.
type silent struct{}

// Record implements gate.Recorder.
func (silent) Record(*access.Request, *access.Verdict, time.Duration) {}

// Try judges a case and tells what differs from what it expects.
func (c *Court) Try(ctx context.Context, one *Case) Result {
	start := c.now()
	verdict, _ := c.hear(ctx, one)
	r := Result{Name: one.Name, Outcome: Pass, File: one.file, Line: one.line, Took: c.now().Sub(start)}
	if r.Why = one.Expect.differences(&verdict); len(r.Why) > 0 {
		r.Outcome = Fail
	}
	return r
}

func (c *Court) hear(ctx context.Context, one *Case) (access.Verdict, *gate.Question) {
	req := one.Request.read(c.now)
	return c.Judge(ctx, req, one.As.Proven())
}

// differences are empty when the verdict is the expected one.
func (e *Expect) differences(v *access.Verdict) (lines []string) {
	status := v.Status
	if v.Outcome() == access.Allowed {
		status = 200
	}
	differ := func(what string, got, want any) {
		lines = append(lines, fmt.Sprintf("%s: got %v, want %v", what, got, want))
	}
	if status != e.Status {
		differ("status", fmt.Sprintf("%d (%s)", status, strings.TrimSuffix(string(v.Reason.Code)+": "+v.Reason.Detail, ": ")), e.Status)
	}
	if e.Code != "" && string(v.Reason.Code) != e.Code {
		differ("code", v.Reason.Code, e.Code)
	}
	if e.Route != "" && v.Route != e.Route {
		differ("route", v.Route, e.Route)
	}
	if e.Body != "" && v.Body != e.Body {
		differ("body", v.Body, e.Body)
	}
	lines = append(lines, headerDifferences("upstream", e.Upstream, append(slices.Clone(v.Managed), v.Upstream...))...)
	lines = append(lines, headerDifferences("client", e.Client, v.Client)...)
	for _, name := range e.Removed {
		if !slices.Contains(v.Remove, strings.ToLower(name)) {
			lines = append(lines, "removed: "+name+" is not removed")
		}
	}
	return lines
}

func headerDifferences(what string, want map[string]string, got []access.Header) (lines []string) {
	for name, value := range want {
		var values []string
		for _, h := range got {
			if strings.EqualFold(h.Name, name) {
				values = append(values, h.Value)
			}
		}
		if !slices.Contains(values, value) {
			lines = append(lines, fmt.Sprintf("%s: %s: got %q, want %q", what, name, values, value))
		}
	}
	slices.Sort(lines)
	return lines
}
