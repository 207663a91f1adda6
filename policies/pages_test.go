package policies_test

import (
	"context"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/golang-jwt/jwt/v5"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/extauthz"
	"github.com/postern-authz/postern/internal/serve"
	"github.com/postern-authz/postern/policies"
)

// TestPages asks what each page says of requests, through the gate that its
// configuration, consumers and data make with the library's modules.
func TestPages(t *testing.T) {
	for _, name := range []string{"roles", "scopes", "attributes", "ownership", "tenants", "rates"} {
		t.Run(name, func(t *testing.T) {
			p := readPage(t, name+".md")
			answers := map[bool]int{}
			for _, line := range p.requests {
				answers[strings.Contains(line, "→ allowed")]++
				p.ask(t, line)
			}
			if answers[true] == 0 || answers[false] == 0 {
				t.Errorf("want a request that passes and one that doesn't, have %v", answers)
			}
		})
	}
}

// TestDataSection asks what README.md says of requests where it tells of data.
func TestDataSection(t *testing.T) {
	text, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(text), "\n## Data\n")
	section, _, ended := strings.Cut(section, "\n## ")
	if !found || !ended {
		t.Fatal("README.md has no section on data")
	}
	p := pageOf(t, "README.md", section)
	if len(p.requests) != 2 {
		t.Fatalf("%d requests, want one that passes and one that doesn't", len(p.requests))
	}
	for _, line := range p.requests {
		p.ask(t, line)
	}
}

// A policy that proves credentials by itself is asked as the page on OPA-Envoy
// has it configured, and is not by Postern's defaults.
func TestComingFromOPAEnvoy(t *testing.T) {
	text, err := os.ReadFile("../deploy/opa-envoy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(block.FindStringSubmatch(string(text))[2], "timeout: 20ms", "timeout: 30s", 1)
	const proving = "authenticate: [], "
	if !strings.Contains(config, proving) {
		t.Fatalf("the page's configuration has no %q", proving)
	}
	p := &page{directory: t.TempDir()}
	p.write(t, "policies/authz.rego", "package envoy.authz\n\nimport rego.v1\n\ndefault allow := false\n\n"+
		"allow if base64.decode(split(input.attributes.request.http.headers.authorization, \" \")[1]) == \"alice:password\"\n")
	for configured, want := range map[string]int{config: 200, strings.Replace(config, proving, "", 1): 401} {
		p.write(t, "postern.yaml", configured)
		check := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "GET", Path: "/people", Host: "api.example.com", Headers: map[string]string{"authorization": "Basic YWxpY2U6cGFzc3dvcmQ="},
		}}}}
		verdict := p.judge(t, extauthz.Read(check, extauthz.Options{}))
		if verdict.Status != want && (want != 200 || verdict.Outcome() != access.Allowed) {
			t.Errorf("got %d, %+v, want %d, with\n%s", verdict.Status, verdict.Reason, want, configured)
		}
	}
}

// The page's further keys are what it says that they are.
func TestOPAEnvoysOtherSettings(t *testing.T) {
	text, err := os.ReadFile("../deploy/opa-envoy/README.md")
	if err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(block.FindStringSubmatch(string(text))[2], "timeout: 20ms", "timeout: 30s", 1)
	asked := strings.NewReplacer("# dry_run:", "dry_run:", "# descriptors:", "descriptors:").Replace(config)
	if len(asked) != len(config)-4 {
		t.Fatal("the page's configuration has no dry_run and no descriptors")
	}
	known := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	said := proto.String(".google.protobuf.StringValue")
	set, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{known, {
		Name: proto.String("a.proto"), Package: proto.String("a.v1"), Dependency: []string{known.GetName()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{{Name: proto.String("Say"), InputType: said, OutputType: said}}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	p := &page{directory: t.TempDir()}
	p.write(t, "policies/authz.rego", "package envoy.authz\n\nimport rego.v1\n\ndefault allow := false\n\nallow if input.parsed_body == \"yes\"\n")
	p.write(t, "services.pb", string(set))
	p.write(t, "postern.yaml", asked)
	for body, dry := range map[string]bool{"yes": false, "no!": true} {
		check := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: "POST", Path: "/a.v1.S/Say", Host: "api.example.com", Headers: map[string]string{"content-type": "application/grpc"}, RawBody: []byte("\x00\x00\x00\x00\x05\x0a\x03" + body),
		}}}}
		verdict := p.judge(t, extauthz.Read(check, extauthz.Options{}))
		if verdict.Outcome() != access.Allowed || (verdict.DryRun.Code == access.CodeDeniedByPolicy) != dry {
			t.Errorf("%s: %v, %+v, dry run %+v", body, verdict.Outcome(), verdict.Reason, verdict.DryRun)
		}
	}
}

// page is a page's files on disk and its lines about requests.
type page struct {
	directory string
	requests  []string
	consumers []pageConsumer
}

type pageConsumer struct {
	Name        string
	Credentials []struct{ Type, Key, Secret string }
}

var (
	block     = regexp.MustCompile("(?s)```(yaml|text)\n(.*?)```")
	blockFile = regexp.MustCompile(`^# ([a-z./]+)\n`)
)

func readPage(t *testing.T, name string) *page {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return pageOf(t, name, string(text))
}

// pageOf is a page, or a section of one.
func pageOf(t *testing.T, name, text string) *page {
	t.Helper()
	p := &page{directory: t.TempDir()}
	p.writeLibrary(t)
	for _, found := range block.FindAllStringSubmatch(text, -1) {
		kind, content := found[1], found[2]
		if kind == "text" {
			p.requests = append(p.requests, strings.Split(strings.TrimSpace(content), "\n")...)
			continue
		}
		file := blockFile.FindStringSubmatch(content)
		if file == nil {
			t.Fatalf("a block of %s names no file: %q", name, content)
		}
		// No slow machine shall exceed the time of an evaluation.
		content = strings.Replace(content, "policy: {directory: policies", "policy: {timeout: 30s, directory: policies", 1)
		p.write(t, file[1], strings.Replace(content, "policy:\n", "policy:\n  timeout: 30s\n", 1))
	}
	return p
}

func (p *page) writeLibrary(t *testing.T) {
	t.Helper()
	modules, err := fs.Glob(policies.FS, "*.rego")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range modules {
		text, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			t.Fatal(err)
		}
		p.write(t, "policies/"+name, string(text))
	}
}

func (p *page) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(p.directory, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if name != "consumers.yaml" {
		return
	}
	var file struct{ Consumers []pageConsumer }
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatal(err)
	}
	p.consumers = file.Consumers
}

var requestLine = regexp.MustCompile(`^([A-Z]+) (\S+) as (\S+)(?: from (\S+))?(?: at (\S+))?(?: with (\{.*\}))? → (allowed|denied)(?:, (\S+): (\S+))?$`)

// ask puts the request of a line to the gate, as Envoy would.
func (p *page) ask(t *testing.T, line string) {
	t.Helper()
	m := requestLine.FindStringSubmatch(line)
	if m == nil {
		t.Errorf("this says of no request how it is answered: %q", line)
		return
	}
	method, target, who, from, at, claims, want := m[1], m[2], m[3], m[4], m[5], m[6], m[7]
	headers := map[string]string{":method": method, ":path": target, ":authority": "api.example.com"}
	if who != "nobody" {
		name, value := p.credential(t, who, claims)
		headers[name] = value
	}
	if from == "" {
		from = "192.0.2.1"
	}
	check := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: from},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: method, Path: target, Host: "api.example.com", Headers: headers,
		}},
	}}
	verdict := p.judge(t, extauthz.Read(check, extauthz.Options{Now: clock(t, at)}))
	switch got := verdict.Outcome() == access.Allowed; {
	case got != (want == "allowed"), !got && verdict.Status != 403:
		t.Errorf("%s\ngot status %d, %+v", line, verdict.Status, verdict.Reason)
	case m[8] != "" && !has(verdict.Upstream, m[8], m[9]):
		t.Errorf("%s\ngot %v", line, verdict.Upstream)
	}
}

func (p *page) judge(t *testing.T, request *access.Request) *access.Verdict {
	t.Helper()
	verdict, _, err := serve.Check(context.Background(), serve.CheckOptions{
		ConfigPath: filepath.Join(p.directory, "postern.yaml"), Env: os.LookupEnv, Request: request,
	})
	if err != nil {
		t.Fatal(err)
	}
	return verdict
}

// credential is a consumer's key, or a token of its own with these claims.
func (p *page) credential(t *testing.T, who, claims string) (header, value string) {
	t.Helper()
	for _, consumer := range p.consumers {
		for _, c := range consumer.Credentials {
			switch {
			case consumer.Name != who:
			case claims == "" && c.Type == "api_key":
				return "x-api-key", c.Key
			case claims != "" && c.Type == "jwt":
				return "authorization", "Bearer " + signed(t, c.Key, c.Secret, claims)
			}
		}
	}
	t.Fatalf("%s has no credential for this", who)
	return "", ""
}

func signed(t *testing.T, key, secret, claims string) string {
	t.Helper()
	all := jwt.MapClaims{"iss": key, "exp": time.Now().Add(time.Hour).Unix()}
	if err := json.Unmarshal([]byte(claims), &all); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, all).SignedString([]byte(secret))
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// clock stands at the time of a line, or runs.
func clock(t *testing.T, at string) func() time.Time {
	t.Helper()
	if at == "" {
		return time.Now
	}
	instant, err := time.Parse(time.RFC3339, at)
	if err != nil {
		t.Fatal(err)
	}
	return func() time.Time { return instant }
}

func has(headers []access.Header, name, value string) bool {
	for _, h := range headers {
		if h.Name == name && h.Value == value {
			return true
		}
	}
	return false
}
