// Package cases holds what Postern answers to a request, as data: each case in
// the YAML files beside it is one request under deploy/example and the verdict
// on it, whatever door it comes through. schema.json describes the files.
package cases

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io"
	"slices"

	"go.yaml.in/yaml/v3"
)

//go:embed *.yaml
var files embed.FS

// Door is a door by its name in access.Door.
type Door string

// Doors are all doors that a case may go through.
func Doors() []Door {
	return []Door{"grpc", "apisix", "nginx", "traefik", "caddy", "envoy", "haproxy", "opa"}
}

// Case is one request and the answer to it.
type Case struct {
	// Name says in words what is shown; it is unique.
	Name string `yaml:"name"`
	// Doors are the only doors that can express the request, Except those that
	// can't; Because says why. Neither: it goes through all.
	Doors   []Door `yaml:"doors"`
	Except  []Door `yaml:"except"`
	Because string `yaml:"because"`
	// Setup is one of Setups: the example with a difference.
	Setup   string  `yaml:"setup"`
	Request Request `yaml:"request"`
	Expect  Expect  `yaml:"expect"`
	// Again is the answer to the very same request, sent once more.
	Again *Expect `yaml:"again"`
}

// Setups are the differences from deploy/example that a case may need, each a
// text in postern.yaml and what stands in its place; "" is the example itself.
func Setups() map[string][2]string {
	return map[string][2]string{
		"":                       {},
		"forwarded certificates": {"client_certificate: {} ", "client_certificate: {headers: [X-Forwarded-Client-Cert, Client-Cert]} "},
		"forwarded credentials":  {"# forward: [jwt] ", "forward: [jwt, basic, signature] "},
		"dry run":                {"entrypoint: postern/authz/allow", "dry_run: true\n  entrypoint: postern/authz/allow"},
		"client id":              {"# client_id_header: X-Client-ID ", "client_id_header: X-Client-ID "},
	}
}

// Request is what the client sent to the gateway. Load fills in what is left
// out.
type Request struct {
	Method string `yaml:"method"` // left out: GET
	// Path is the target as the client wrote it, with its query; the forwarded
	// URI as the gateway tells it.
	Path string `yaml:"path"`
	Host string `yaml:"host"` // left out: api.example.com
	// Headers are lines, each a name and a value. In a value, ${NAME-key} is a
	// key of Keys, ${token} the token, ${basic NAME:PASSWORD} a pair in base64,
	// ${cert-url}, ${cert-rfc} and ${cert-sha256} the certificate, and ${x*N} the
	// letter x N times.
	Headers []Line `yaml:"headers"`
	// Client is the address that the gateway says the request came from; left
	// out: 198.51.100.7.
	Client string `yaml:"client"`
	// Token is sent as "Authorization: Bearer" unless a header holds ${token}.
	Token *Token `yaml:"token"`
	// Sign adds the lines of a signature.
	Sign *Signed `yaml:"sign"`
	// Certificate is what the client shows; gRPC tells it, other doors where a
	// header holds it. Principal is what Envoy tells without it.
	Certificate *Certificate `yaml:"certificate"`
	Principal   string       `yaml:"principal"`
	// Route is a route that the gateway names. Only gRPC can.
	Route string `yaml:"route"`
	// Empty are the parts that are empty rather than left out: method, path,
	// host.
	Empty []string `yaml:"empty"`
}

// Line is a header line.
type Line [2]string

// Expect is the answer.
type Expect struct {
	// Status is what the client gets; nginx turns all but 401 and 403 into 403
	// and tells this one in X-Postern-Status. A 400 by the HTTP server itself
	// has no code and no decision id.
	Status int `yaml:"status"`
	// Code is the reason; left out under status 200.
	Code string `yaml:"code"`
	// Consumer and Credential are what was proven, as the managed headers tell
	// an upstream under status 200; empty: anonymous.
	Consumer   string `yaml:"consumer"`
	Credential string `yaml:"credential"`
	// Upstream are further headers of an allow with their values; "" is a header
	// that must not keep the client's value: empty at the HTTP doors, removed
	// by gRPC.
	Upstream map[string]string `yaml:"upstream"`
	// Removed are headers that gRPC removes, Kept those that no door touches.
	Removed []string `yaml:"removed"`
	Kept    []string `yaml:"kept"`
	// Challenge are the WWW-Authenticate lines, in order: a scheme, and the
	// error that the line gives, if any.
	Challenge []string `yaml:"challenge"`
	// Headers and Body are what the client gets on a denial.
	Headers map[string]string `yaml:"headers"`
	Body    string            `yaml:"body"`
	// Route is the route that was found, as gRPC's dynamic metadata names it.
	Route string `yaml:"route"`
}

// Through reports whether the case goes through a door.
func (c *Case) Through(door Door) bool {
	if len(c.Doors) > 0 {
		return slices.Contains(c.Doors, door)
	}
	return !slices.Contains(c.Except, door)
}

// Load reads every case. Unknown keys, names that stand twice and restrictions
// without a reason are errors.
func Load() ([]Case, error) {
	names, err := files.ReadDir(".")
	if err != nil {
		return nil, err
	}
	var all []Case
	var problems []error
	for _, file := range names {
		read, err := load(file.Name())
		problems = append(problems, err)
		all = append(all, read...)
	}
	seen := map[string]bool{}
	for i := range all {
		if seen[all[i].Name] {
			problems = append(problems, fmt.Errorf("%q stands twice", all[i].Name))
		}
		seen[all[i].Name] = true
	}
	return all, errors.Join(problems...)
}

func load(name string) ([]Case, error) {
	text, err := files.ReadFile(name)
	if err != nil {
		return nil, err
	}
	var file struct {
		Cases []Case `yaml:"cases"`
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: more than one document", name)
	}
	for i := range file.Cases {
		if err := file.Cases[i].complete(); err != nil {
			return nil, fmt.Errorf("%s: %s: %w", name, file.Cases[i].Name, err)
		}
	}
	return file.Cases, nil
}

// complete fills in what was left out, and refuses what makes no sense.
func (c *Case) complete() error {
	fill := func(part string, field *string, value string) {
		if *field == "" && !slices.Contains(c.Request.Empty, part) {
			*field = value
		}
	}
	fill("method", &c.Request.Method, "GET")
	fill("path", &c.Request.Path, "/")
	fill("host", &c.Request.Host, "api.example.com")
	fill("client", &c.Request.Client, "198.51.100.7")
	if _, known := Setups()[c.Setup]; !known {
		return fmt.Errorf("the setup %q is unknown", c.Setup)
	}
	if c.Request.Route != "" && !slices.Equal(c.Doors, []Door{"grpc"}) {
		return errors.New("only gRPC names a route")
	}
	switch restricted := len(c.Doors)+len(c.Except) > 0; {
	case len(c.Doors) > 0 && len(c.Except) > 0:
		return errors.New("doors and except exclude each other")
	case restricted != (c.Because != ""):
		return errors.New("a restriction of doors and its reason go together")
	case c.Request.Principal != "" && !slices.Equal(c.Doors, []Door{"grpc"}):
		return errors.New("only gRPC tells of a principal")
	case (c.Expect.Status == 200) != (c.Expect.Code == ""):
		return errors.New("an allow has no code, everything else has one")
	}
	return nil
}
