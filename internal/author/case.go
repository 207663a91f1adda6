package author

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/strictyaml"
)

// Case is one request and the answer to it, in a file of cases (_test.yaml).
type Case struct {
	// Name says in words what is shown; it is unique in its file.
	Name string `yaml:"name,required"`
	// As is who asks, as if proven; left out: what the request's credentials
	// prove, and without a configuration nobody.
	As      *Identity `yaml:"as"`
	Request Request   `yaml:"request,required"`
	Expect  Expect    `yaml:"expect,required"`

	file string
	line int
}

// Identity is who asks.
type Identity struct {
	Consumer    string            `yaml:"consumer,required"`
	DisplayName string            `yaml:"display_name"`
	Environment string            `yaml:"environment"`
	Labels      map[string]string `yaml:"labels"`
	Attributes  map[string]any    `yaml:"attributes"`
	Roles       []string          `yaml:"roles"`
	Groups      []string          `yaml:"groups"`
	Scopes      []string          `yaml:"scopes"`
	Claims      map[string]any    `yaml:"claims"`
	Issuer      string            `yaml:"issuer"`
	// Kind is the kind of the credential; left out: jwt with claims or an
	// issuer, else api_key.
	Kind       string `yaml:"kind"`
	Credential string `yaml:"credential"`
}

// Request is what the client sent to the gateway.
type Request struct {
	Method string `yaml:"method"` // left out: GET
	Path   string `yaml:"path,required"`
	Host   string `yaml:"host"` // left out: api.example.com
	// Headers are lines, each a name and a value.
	Headers []Line `yaml:"headers"`
	Client  string `yaml:"client"` // left out: 198.51.100.7
	// Route is a route that the gateway names; left out, routes are matched.
	Route string `yaml:"route"`
	// Entrypoint is the rule that decides; left out, the route's.
	Entrypoint string `yaml:"entrypoint"`
	Body       string `yaml:"body"`
	// Time is when it was sent; left out: now.
	Time time.Time `yaml:"time"`
}

// Line is a header line: a name and a value.
type Line []string

// Expect is the answer.
type Expect struct {
	// Status is 200 for an allow.
	Status int `yaml:"status,required"`
	// Code is the reason; left out, it is not looked at.
	Code string `yaml:"code"`
	// Route is the route that was found, where it is named.
	Route string `yaml:"route"`
	// Upstream are headers that an allow sets on the request, Client those that
	// the client gets, and Removed those that don't reach the upstream.
	Upstream map[string]string `yaml:"upstream"`
	Client   map[string]string `yaml:"client"`
	Removed  []string          `yaml:"removed"`
	// Body is the whole body of a denial, where it is given.
	Body string `yaml:"body"`
}

// Route is a route of a file of cases, for cases that are judged without a
// configuration.
type Route struct {
	Name       string   `yaml:"name,required"`
	Paths      []string `yaml:"paths,required"`
	Methods    []string `yaml:"methods"`
	Entrypoint string   `yaml:"entrypoint"`
}

// Cases are what the files of a directory hold.
type Cases struct {
	Cases  []Case
	Routes []Route
}

// Cases reads the files of cases. Its error is a strictyaml.Errors.
func (s *Source) Cases() (*Cases, error) { return ReadCases(s.cases...) }

// ReadCases reads files of cases.
func ReadCases(files ...string) (*Cases, error) {
	all := &Cases{}
	var problems strictyaml.Errors
	for _, file := range files {
		problems = append(problems, all.read(file)...)
	}
	return all, problems.Err()
}

func (c *Cases) read(file string) strictyaml.Errors {
	data, err := strictyaml.ReadFile(file, strictyaml.MaxSize)
	if err != nil {
		return strictyaml.Errors{{File: file, Text: err.Error()}}
	}
	var content struct {
		Routes []Route `yaml:"routes"`
		Cases  []Case  `yaml:"cases,required"`
	}
	doc, problems := strictyaml.Decode(file, data, &content)
	names := map[string]bool{}
	for i := range content.Cases {
		one, field := &content.Cases[i], fmt.Sprintf("cases[%d]", i)
		one.file, one.line = file, doc.Line(field)
		if names[one.Name] {
			problems = append(problems, doc.Problem(field+".name", "stands twice"))
		}
		names[one.Name] = true
		if err := one.complete(); err != nil {
			problems = append(problems, doc.Problem(field, "%v", err))
		}
	}
	c.Cases, c.Routes = append(c.Cases, content.Cases...), append(c.Routes, content.Routes...)
	return problems
}

// complete fills in what was left out, and refuses what makes no sense.
func (c *Case) complete() error {
	r := &c.Request
	for field, value := range map[*string]string{&r.Method: "GET", &r.Host: "api.example.com", &r.Client: "198.51.100.7"} {
		if *field == "" {
			*field = value
		}
	}
	if c.As != nil {
		c.As.complete()
	}
	if _, err := netip.ParseAddr(r.Client); err != nil {
		return fmt.Errorf("client %q: expected an IP address", r.Client)
	}
	for _, line := range r.Headers {
		if len(line) != 2 {
			return errors.New("headers: expected lines of a name and a value, such as [X-Tenant, a]")
		}
	}
	switch {
	case c.Expect.Status < 200 || c.Expect.Status > 599:
		return errors.New("expect.status: expected 200 for an allow, or the status of a denial")
	case c.Expect.Status == 200 && c.Expect.Code != "" && c.Expect.Code != string(access.CodeAllowed):
		return errors.New("expect.code: an allow has no other code than allowed")
	}
	return nil
}

func (i *Identity) complete() {
	if i.Kind == "" {
		i.Kind = string(access.KindAPIKey)
		if i.Issuer != "" || i.Claims != nil {
			i.Kind = string(access.KindJWT)
		}
	}
	if i.Credential == "" {
		i.Credential = i.Consumer + "-credential"
	}
}

// Proven is the identity as an authenticator would have proven it; nil when no
// consumer is named.
func (i *Identity) Proven() *access.Identity {
	if i == nil || i.Consumer == "" {
		return nil
	}
	i.complete()
	return &access.Identity{
		Consumer: &access.Consumer{
			Name: i.Consumer, DisplayName: i.DisplayName, Environment: i.Environment, Enabled: true,
			Labels: i.Labels, Attributes: i.Attributes, Roles: i.Roles, Groups: i.Groups,
		},
		Credential: &access.Credential{ID: i.Credential, Kind: access.Kind(i.Kind), Enabled: true, Scopes: i.Scopes},
		Claims:     i.Claims, Scopes: i.Scopes, Roles: i.Roles, Groups: i.Groups, Issuer: i.Issuer,
	}
}

// read reads the request as Envoy's door does.
func (r *Request) read(now func() time.Time) *access.Request {
	headers := map[string]string{}
	for _, line := range r.Headers {
		name := strings.ToLower(line[0])
		if before, there := headers[name]; there {
			headers[name] = before + "," + line[1]
			continue
		}
		headers[name] = line[1]
	}
	if !r.Time.IsZero() {
		now = func() time.Time { return r.Time }
	}
	attributes := &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: r.Client},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: r.Method, Path: r.Path, Host: r.Host, Headers: headers, Scheme: "https", Protocol: "HTTP/1.1",
			Body: r.Body, Size: int64(len(r.Body)),
		}},
	}
	if r.Route != "" {
		attributes.ContextExtensions = map[string]string{"postern.route": r.Route}
	}
	req := extauthz.Read(&authv3.CheckRequest{Attributes: attributes}, extauthz.Options{Now: now})
	req.Entrypoint = r.Entrypoint
	return req
}
