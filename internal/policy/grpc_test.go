package policy_test

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
)

// shopSet describes the service shop.v1.Orders as protoc would:
//
//	message Order { string id = 1; int64 amount = 2; bool gift = 3; Kind kind = 4;
//	  repeated int32 sizes = 5; map<string, Order> parts = 6; google.protobuf.Any extra = 7;
//	  google.protobuf.Timestamp due = 8; bytes token = 9; Order next = 10; string ship_to = 11;
//	  repeated Order more = 12; }
//	service Orders { rpc Place(Order) returns (Order); rpc Upload(stream Order) returns (Order);
//	  rpc Watch(Order) returns (stream Order); }
func shopSet(t testing.TB) []byte {
	t.Helper()
	field := func(name string, number int32, kind descriptorpb.FieldDescriptorProto_Type, message string, repeated bool) *descriptorpb.FieldDescriptorProto {
		label := descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		if repeated {
			label = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
		}
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &number, Type: &kind, Label: &label}
		if message != "" {
			f.TypeName = &message
		}
		return f
	}
	const (
		text, long, flag = descriptorpb.FieldDescriptorProto_TYPE_STRING, descriptorpb.FieldDescriptorProto_TYPE_INT64, descriptorpb.FieldDescriptorProto_TYPE_BOOL
		word, enum, blob = descriptorpb.FieldDescriptorProto_TYPE_INT32, descriptorpb.FieldDescriptorProto_TYPE_ENUM, descriptorpb.FieldDescriptorProto_TYPE_BYTES
		message          = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
	)
	method := func(name string, client, server bool) *descriptorpb.MethodDescriptorProto {
		return &descriptorpb.MethodDescriptorProto{
			Name: &name, InputType: proto.String(".shop.v1.Order"), OutputType: proto.String(".shop.v1.Order"), ClientStreaming: &client, ServerStreaming: &server,
		}
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("shop.proto"), Package: proto.String("shop.v1"), Syntax: proto.String("proto3"),
		Dependency: []string{"google/protobuf/any.proto", "google/protobuf/timestamp.proto"},
		EnumType: []*descriptorpb.EnumDescriptorProto{{Name: proto.String("Kind"), Value: []*descriptorpb.EnumValueDescriptorProto{
			{Name: proto.String("PLAIN"), Number: proto.Int32(0)}, {Name: proto.String("EXPRESS"), Number: proto.Int32(1)},
		}}},
		MessageType: []*descriptorpb.DescriptorProto{{
			Name: proto.String("Order"),
			Field: []*descriptorpb.FieldDescriptorProto{
				field("id", 1, text, "", false), field("amount", 2, long, "", false), field("gift", 3, flag, "", false),
				field("kind", 4, enum, ".shop.v1.Kind", false), field("sizes", 5, word, "", true),
				field("parts", 6, message, ".shop.v1.Order.PartsEntry", true), field("extra", 7, message, ".google.protobuf.Any", false),
				field("due", 8, message, ".google.protobuf.Timestamp", false), field("token", 9, blob, "", false),
				field("next", 10, message, ".shop.v1.Order", false), field("ship_to", 11, text, "", false),
				field("more", 12, message, ".shop.v1.Order", true),
			},
			NestedType: []*descriptorpb.DescriptorProto{{
				Name: proto.String("PartsEntry"), Options: &descriptorpb.MessageOptions{MapEntry: proto.Bool(true)},
				Field: []*descriptorpb.FieldDescriptorProto{field("key", 1, text, "", false), field("value", 2, message, ".shop.v1.Order", false)},
			}},
		}},
		Service: []*descriptorpb.ServiceDescriptorProto{{Name: proto.String("Orders"), Method: []*descriptorpb.MethodDescriptorProto{
			method("Place", false, false), method("Upload", true, false), method("Watch", false, true),
		}}},
	}
	set := &descriptorpb.FileDescriptorSet{}
	for _, name := range file.GetDependency() {
		known, err := protoregistry.GlobalFiles.FindFileByPath(name)
		if err != nil {
			t.Fatal(err)
		}
		set.File = append(set.File, protodesc.ToFileDescriptorProto(known))
	}
	set.File = append(set.File, file)
	content, err := proto.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// described is an option that has the shop's descriptors read.
func described(t testing.TB) func(*policy.Options) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "shop.pb")
	if err := os.WriteFile(path, shopSet(t), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(o *policy.Options) { o.Descriptors = path }
}

// The fields of an order on the wire.
func textField(number protowire.Number, text string) string {
	return string(protowire.AppendString(protowire.AppendTag(nil, number, protowire.BytesType), text))
}

func numberField(number protowire.Number, n uint64) string {
	return string(protowire.AppendVarint(protowire.AppendTag(nil, number, protowire.VarintType), n))
}

func marshalled(t testing.TB, m proto.Message) string {
	t.Helper()
	wire, err := proto.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return string(wire)
}

// framed is a message as it stands in a gRPC body.
func framed(message string) string {
	return string(binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))) + message
}

func anyOf(t testing.TB, m proto.Message) string {
	t.Helper()
	packed, err := anypb.New(m)
	if err != nil {
		t.Fatal(err)
	}
	return marshalled(t, packed)
}

// packedAnys is an order in an Any in an order, so many times.
func packedAnys(levels int, order string) string {
	for range levels {
		order = textField(7, textField(1, "x/shop.v1.Order")+textField(2, order))
	}
	return order
}

func grpcQuestion(path, body string) *gate.Question {
	q := question()
	q.Request.Method, q.Request.Path, q.Request.RawPath, q.Request.Query = "POST", path, path, ""
	q.Request.Headers = access.Headers{{Name: "content-type", Value: "application/grpc"}}
	q.Request.Body, q.Request.BodyRaw = []byte(body), true
	return q
}

const place = "/shop.v1.Orders/Place"

// What OPA-Envoy makes of a gRPC body: the first message, in protojson without
// what is not set.
func TestGRPCBody(t *testing.T) {
	whole := textField(1, "7") + numberField(2, 1<<60) + numberField(3, 1) + numberField(4, 1) + textField(5, "\x01\x02") +
		textField(6, textField(1, "a")+textField(2, textField(1, "8"))) + textField(7, anyOf(t, durationpb.New(90e9))) +
		textField(8, marshalled(t, &timestamppb.Timestamp{Seconds: 1})) + textField(9, "\xff") + textField(11, "Seoul")
	wholeWant := `{"id": "7", "amount": "1152921504606846976", "gift": true, "kind": "EXPRESS", "sizes": [1, 2], "parts": {"a": {"id": "8"}},
		"extra": {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "90s"}, "due": "1970-01-01T00:00:01Z", "token": "/w==", "shipTo": "Seoul"}`
	own := textField(1, "type.googleapis.com/shop.v1.Order") + textField(2, textField(1, "9"))
	for name, c := range map[string]struct {
		path, body string
		want       string // of parsed_body
		truncated  bool
		change     func(*access.Request)
	}{
		"whole":                     {place, framed(whole), wholeWant, false, nil},
		"a stream of answers":       {"/shop.v1.Orders/Watch", framed(textField(1, "7")), `{"id": "7"}`, false, nil},
		"an Any of their own":       {place, framed(textField(7, own)), `{"extra": {"@type": "type.googleapis.com/shop.v1.Order", "id": "9"}}`, false, nil},
		"empty message":             {place, framed(""), `{}`, false, nil},
		"the first of several":      {place, framed(textField(1, "7")) + framed(textField(1, "8")), `{"id": "7"}`, false, nil},
		"an unknown field":          {place, framed(textField(99, "x") + textField(1, "7")), `{"id": "7"}`, false, nil},
		"default values":            {place, framed(numberField(2, 0) + numberField(4, 0)), `{}`, false, nil},
		"an enum without a name":    {place, framed(numberField(4, 9)), `{"kind": 9}`, false, nil},
		"grpc+proto":                {place, framed(textField(1, "7")), `{"id": "7"}`, false, contentType("application/grpc+proto")},
		"grpc-web":                  {place, framed(textField(1, "7")), `{"id": "7"}`, false, contentType("application/grpc-web+proto")},
		"truncated":                 {place, framed(textField(1, "7"))[:7], "null", true, nil},
		"truncated, by Envoy":       {place, framed(textField(1, "7")), "null", true, func(r *access.Request) { r.BodyTruncated = true }},
		"truncated, unknown method": {"/shop.v1.Orders/No", framed(textField(1, "7"))[:7], "null", true, nil},
		"longer than announced": {place, framed(textField(1, "7")), `{"id": "7"}`, false, func(r *access.Request) {
			r.Headers = append(r.Headers, access.Header{Name: "content-length", Value: "999"})
		}},
		"compressed":              {place, "\x01" + framed(textField(1, "7"))[1:], "null", false, nil},
		"unknown service":         {"/shop.v1.Nobody/Place", framed(textField(1, "7")), "null", false, nil},
		"unknown method":          {"/shop.v1.Orders/No", framed(textField(1, "7")), "null", false, nil},
		"a message for a service": {"/shop.v1.Order/Place", framed(textField(1, "7")), "null", false, nil},
		"a stream of messages":    {"/shop.v1.Orders/Upload", framed(textField(1, "7")), "null", false, nil},
		"no body":                 {place, "", "null", false, nil},
		"no bytes, as text":       {place, framed(textField(1, "7")), "null", false, func(r *access.Request) { r.BodyRaw = false }},
	} {
		t.Run(name, func(t *testing.T) {
			q := grpcQuestion(c.path, c.body)
			if c.change != nil {
				c.change(q.Request)
			}
			truncated := "false"
			if c.truncated {
				truncated = "true"
			}
			s := rules(t, "allow if {\n\tinput.parsed_body == "+c.want+"\n\tinput.truncated_body == "+truncated+"\n}", described(t))
			if d := decide(t, s, q); !d.Allowed {
				echo := rules(t, `allow := {"allowed": true, "dynamic_metadata": {"body": input.parsed_body, "truncated": input.truncated_body}}`, described(t))
				t.Errorf("got %v", decide(t, echo, q).Metadata)
			}
		})
	}
}

func contentType(value string) func(*access.Request) {
	return func(r *access.Request) { r.Headers = access.Headers{{Name: "content-type", Value: value}} }
}

// Without descriptors nothing is told of gRPC, whatever the body is.
func TestGRPCBodyWithoutDescriptors(t *testing.T) {
	s := rules(t, "allow if { input.parsed_body == null; not input.truncated_body }")
	for _, body := range []string{framed(textField(1, "7")), "x", "", framed("abc")[:6]} {
		if !decide(t, s, grpcQuestion(place, body)).Allowed {
			t.Errorf("%q: something is told", body)
		}
	}
}

// What can't be read is a malformed request for a policy that reads it, and
// nothing to one that doesn't.
func TestGRPCBodyUnreadable(t *testing.T) {
	deep := ""
	for range 200 {
		deep = textField(10, deep)
	}
	half := textField(7, textField(1, "x/shop.v1.Order")) + textField(7, textField(2, textField(1, "9")))
	reads, leaves := rules(t, "allow if input.parsed_body.id", described(t)), rules(t, "allow := true", described(t))
	for name, c := range map[string][2]string{
		"too short for a frame":     {place, "\x00\x00\x00\x00"},
		"no gRPC path":              {"/a", framed("")},
		"a longer path":             {place + "/more", framed("")},
		"a slash after it":          {place + "/", framed("")},
		"no message":                {place, framed("\xff")},
		"of another type":           {place, framed(textField(1, "\xff\xfe"))}, // strings are UTF-8
		"an Any of unknown type":    {place, framed(textField(7, textField(1, "x/shop.v1.Nothing")))},
		"an Any that holds no such": {place, framed(textField(7, textField(1, "x/shop.v1.Order")+textField(2, "\xff")))},
		"a bad timestamp":           {place, framed(textField(8, numberField(1, 5e12)))},
		"too deep":                  {place, framed(deep)},
		"Anys in Anys":              {place, framed(packedAnys(200, ""))},
		"an Any in two parts":       {place, framed(half)},
		"too many messages":         {place, framed(strings.Repeat(textField(12, ""), 200_000))},
		"too much in Anys":          {place, framed(packedAnys(48, textField(9, strings.Repeat("x", 4<<20-8192))))},
		"too many numbers":          {place, framed(textField(5, strings.Repeat("\x00", 200_000)))},
	} {
		_, err := reads.Decide(t.Context(), grpcQuestion(c[0], c[1]))
		var unreadable *access.Unreadable
		if !errors.As(err, &unreadable) {
			t.Errorf("%s: %v", name, err)
		}
		if d, err := leaves.Decide(t.Context(), grpcQuestion(c[0], c[1])); err != nil || !d.Allowed {
			t.Errorf("%s, not read: %+v, %v", name, d, err)
		}
	}
}

func TestDescriptorFiles(t *testing.T) {
	dir := t.TempDir()
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(shopSet(t), set); err != nil {
		t.Fatal(err)
	}
	set.File = set.File[len(set.File)-1:]
	for name, c := range map[string]struct{ content, want string }{
		"absent.pb": {"", "the descriptor set can't be read: no such file or directory"},
		"empty.pb":  {" ", "this is no descriptor set; want what protoc --include_imports --descriptor_set_out=FILE writes"},
		"source.pb": {`syntax = "proto3";`, "this is no descriptor set"},
		"half.pb":   {marshalled(t, set), `the descriptor set is not whole (protoc --include_imports): could not resolve import "google/protobuf/any.proto": not found`},
		"folder.pb": {"/", "the descriptor set is not a regular file"},
	} {
		path := filepath.Join(dir, name)
		switch c.content {
		case "":
		case "/":
			if err := os.Mkdir(path, 0o700); err != nil {
				t.Fatal(err)
			}
		default:
			if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := policy.Compile(t.Context(), policy.Options{Embedded: files(module("allow := true")), Entrypoints: []string{entrypoint}, Descriptors: path})
		if err == nil || !strings.HasPrefix(err.Error(), path+": "+c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Descriptors are a part of the policy's revision, and of what is watched.
func TestDescriptorsAreOfTheRevision(t *testing.T) {
	with := described(t)
	one, two, none := rules(t, "allow := true", with), rules(t, "allow := true", with), rules(t, "allow := true")
	if one.Revision() != two.Revision() || one.Revision() == none.Revision() {
		t.Errorf("revisions %s, %s and %s without", one.Revision(), two.Revision(), none.Revision())
	}
	if len(one.Files()) != 1 || filepath.Base(one.Files()[0]) != "shop.pb" {
		t.Errorf("watched: %v", one.Files())
	}
	next := rules(t, "allow if input.parsed_body.id == \"7\"", func(o *policy.Options) { o.Last = none })
	same := rules(t, "allow if input.parsed_body.id == \"7\"", with, func(o *policy.Options) { o.Last = next })
	if !decide(t, same, grpcQuestion(place, framed(textField(1, "7")))).Allowed {
		t.Error("a snapshot after one without descriptors has none")
	}
}

func FuzzGRPCBody(f *testing.F) {
	f.Add(place, []byte(framed(textField(1, "7")+textField(7, anyOf(f, durationpb.New(1))))))
	f.Add(place, []byte(framed(textField(6, textField(1, "a")+textField(2, textField(10, ""))))))
	f.Add("/shop.v1.Orders/Upload", []byte("\x00\x00\x00\x00\xff"))
	f.Add(place, []byte(framed("\x53\x0b\x0c\x54")))
	s := rules(f, `allow := {"allowed": count([x | walk(input.parsed_body, [_, x])]) > 0, "dynamic_metadata": {"t": input.truncated_body}}`, described(f))
	f.Fuzz(func(t *testing.T, path string, body []byte) {
		d, err := s.Decide(context.Background(), grpcQuestion(path, string(body)))
		var unreadable *access.Unreadable
		if err != nil && !errors.As(err, &unreadable) {
			t.Fatal(err)
		}
		if d.Allowed == (err != nil) {
			t.Fatalf("got %+v", d)
		}
	})
}
