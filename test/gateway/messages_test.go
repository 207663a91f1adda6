package gateway

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/postern-authz/postern/test/harness"
)

// notes allows notes that say yes, and those that Envoy passes in part.
const notes = `package notes.authz

import rego.v1

default allow := {"allowed": false, "http_status": 402, "body": "no", "headers": {"x-why": "no"}}

allow := {"allowed": true} if input.parsed_body == "yes"

allow := {"allowed": true, "headers": {"x-part": "yes"}} if {
	input.truncated_body
	input.parsed_body == null
}
`

// described describes the service notes.v1.Notes, whose one method takes a
// string.
func described(t *testing.T) []byte {
	t.Helper()
	known := protodesc.ToFileDescriptorProto(wrapperspb.File_google_protobuf_wrappers_proto)
	text := proto.String(".google.protobuf.StringValue")
	content, err := proto.Marshal(&descriptorpb.FileDescriptorSet{File: []*descriptorpb.FileDescriptorProto{known, {
		Name: proto.String("notes.proto"), Package: proto.String("notes.v1"), Dependency: []string{known.GetName()},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Notes"), Method: []*descriptorpb.MethodDescriptorProto{
			{Name: proto.String("Put"), InputType: text, OutputType: text},
		}}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// put is a note as gRPC has it.
func put(t *testing.T, text string) harness.Request {
	t.Helper()
	message, err := proto.Marshal(wrapperspb.String(text))
	if err != nil {
		t.Fatal(err)
	}
	frame := append([]byte{0, 0, 0, byte(len(message) >> 8), byte(len(message))}, message...)
	return harness.Request{
		Method: "POST", Target: "/notes.v1.Notes/Put", Body: string(frame),
		Header: header("X-Api-Key", mobileKey, "Content-Type", "application/grpc"),
	}
}

// TestEnvoyMessages has Envoy pass what gRPC calls say to a policy that reads
// it, in force and on a dry run.
func TestEnvoyMessages(t *testing.T) {
	for _, dryRun := range []bool{false, true} {
		t.Run(map[bool]string{false: "in force", true: "dry run"}[dryRun], func(t *testing.T) {
			dir := harness.Example(t)
			for name, content := range map[string][]byte{"notes.pb": described(t), "policies/notes.rego": []byte(notes)} {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			settings := "descriptors: notes.pb\n  entrypoint: notes/authz/allow"
			if dryRun {
				settings = "dry_run: true\n  " + settings
			}
			harness.Edit(t, filepath.Join(dir, "postern.yaml"), "entrypoint: postern/authz/allow", settings)
			postern, upstream := harness.StartPostern(t, dir), harness.StartUpstream(t)
			envoy := harness.StartEnvoy(t, upstream.Address, []*harness.Postern{postern}, map[string]string{"# with_request_body:": "with_request_body:"})
			envoy.WaitHealthy(t, postern)
			s := &suite{client: harness.NewClient(t, envoy.URL), upstream: upstream}
			if answer := s.do(t, put(t, "yes")); answer.Status != http.StatusOK {
				t.Errorf("yes: status %d", answer.Status)
			}
			if answer := s.do(t, put(t, strings.Repeat("x", 10_000))); answer.Status != http.StatusOK || answer.Seen.Header.Get("X-Part") != "yes" {
				t.Errorf("in part: status %d, %+v", answer.Status, answer.Seen)
			}
			s.checkRefused(t, s.do(t, put(t, "no")), dryRun)
			stranger := put(t, "no")
			stranger.Header.Set("X-Api-Key", "demo-nobody-key-0123456789abcdefghijklmnopqrstuvw")
			if answer := s.do(t, stranger); answer.Seen != nil {
				t.Error("a bad credential is let through")
			}
		})
	}
}

func (s *suite) checkRefused(t *testing.T, answer *harness.Answer, dryRun bool) {
	t.Helper()
	switch {
	case dryRun && (answer.Seen == nil || answer.Seen.Header.Get("X-Consumer-Username") != "mobile-app-prod-67a1b2c3" || answer.Header.Get("X-Why") != ""):
		t.Errorf("no, on a dry run: %d %+v", answer.Status, answer.Seen)
	case !dryRun && answer.Seen != nil:
		t.Errorf("no is let through: %d", answer.Status)
	}
}
