package serve_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// A dry run is told of at the start, when something changes and in readiness, and ends
// with the configuration that asks for it.
func TestDryRun(t *testing.T) {
	h := start(t, func(dir string) {
		edit(t, dir, "policies/authz.rego", `"reader" in input.identity.roles`, `"nobody" in input.identity.roles`)
		edit(t, dir, "postern.yaml", "entrypoint: postern/authz/allow", "dry_run: true\n  entrypoint: postern/authz/allow")
	})
	const loud = "DRY RUN: what policy denies is let through"
	if strings.Count(h.log.String(), loud) != 1 {
		t.Errorf("the start does not say so, or says so twice: %s", h.log)
	}
	if _, report := h.ready(t); !report.DryRun {
		t.Error("readiness does not say so")
	}
	if status, code := h.ask(t); status != 200 || code != "" {
		t.Errorf("status %d, code %s", status, code)
	}
	if answer := checkOrder(t, dial(t, h.at.GRPC.String(), insecure.NewCredentials())); answer.GetOkResponse() == nil {
		t.Errorf("gRPC: %v", answer)
	}
	until(t, "two decisions are warned of", func() bool { return strings.Count(h.log.String(), `"dry_run":true`) == 2 })

	edit(t, h.dir, "postern.yaml", "realm: api", "realm: other")
	until(t, "the reload says so", func() bool { return strings.Count(h.log.String(), loud) == 2 })
	reloads := func() string {
		_, count, _ := strings.Cut(h.metrics(t), `postern_reloads_total{part="rules",`)
		count, _, _ = strings.Cut(count, "\n")
		return count
	}
	before := reloads()
	stay, err := os.ReadFile(filepath.Join(h.dir, "postern.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, h.dir, "postern.yaml", string(stay))
	until(t, "all is read again", func() bool { return reloads() != before })
	if strings.Count(h.log.String(), loud) != 2 {
		t.Error("it is said though nothing has changed")
	}
	edit(t, h.dir, "postern.yaml", "dry_run: true", "dry_run: false")
	until(t, "policy is enforced", func() bool { _, code := h.ask(t); return code == "denied_by_policy" })
	if _, report := h.ready(t); report.DryRun || strings.Count(h.log.String(), loud) != 2 {
		t.Error("it is said still")
	}
}

// describing is a descriptor set of the service a.v1.S, whose one method takes
// a string.
func describing(t *testing.T, method string) []byte {
	t.Helper()
	strings := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	kind := proto.String(".google.protobuf.StringValue")
	content, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{strings, {
		Name: proto.String("s.proto"), Package: proto.String("a.v1"), Dependency: []string{strings.GetName()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("S"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: &method, InputType: kind, OutputType: kind},
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// Descriptors are watched as the policy is: a new set is a new revision, and one
// that can't be read leaves the last one in force.
func TestDescriptorsAreReloaded(t *testing.T) {
	write := func(path string, content []byte) {
		t.Helper()
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h := start(t, func(dir string) {
		write(filepath.Join(dir, "policies", "authz.rego"), []byte("package postern.authz\n\ndefault allow := false\n\nallow if input.parsed_body == \"yes\"\n"))
		write(filepath.Join(dir, "s.pb"), describing(t, "Other"))
		edit(t, dir, "postern.yaml", "entrypoint: postern/authz/allow", "descriptors: s.pb\n  entrypoint: postern/authz/allow")
	})
	client := authv3.NewAuthorizationClient(dial(t, h.at.GRPC.String(), insecure.NewCredentials()))
	allowed := func() bool {
		check := order()
		http := check.GetAttributes().GetRequest().GetHttp()
		http.Method, http.Path = "POST", "/a.v1.S/Say"
		http.Headers["content-type"] = "application/grpc"
		http.RawBody = []byte("\x00\x00\x00\x00\x05\x0a\x03yes")
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		answer, err := client.Check(ctx, check, grpc.WaitForReady(true))
		if err != nil {
			t.Fatal(err)
		}
		return answer.GetOkResponse() != nil
	}
	if allowed() {
		t.Fatal("the body of a method that is not described is told")
	}
	write(filepath.Join(h.dir, "s.pb"), describing(t, "Say"))
	until(t, "the new descriptors are in force", allowed)
	write(filepath.Join(h.dir, "s.pb"), []byte("no descriptors"))
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(h.log)
		}
	})
	until(t, "bad descriptors show", func() bool {
		_, report := h.ready(t)
		return strings.Contains(report.ReloadError, "s.pb: this is no descriptor set")
	})
	if !allowed() {
		t.Error("the last good descriptors are not in force")
	}
}
