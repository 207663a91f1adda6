package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/postern-authz/postern/internal/strictyaml"
)

// maxDescriptorBytes bounds a descriptor set: far above all of Google's APIs.
const maxDescriptorBytes = 64 << 20

// descriptors say what the messages of gRPC methods are made of. A nil one
// knows none.
type descriptors struct {
	files *protoregistry.Files
	types *messageTypes
	// revision names the content of the file.
	revision string
}

// describe reads a FileDescriptorSet (protoc --include_imports
// --descriptor_set_out), or takes that of last where it is the same. Without a
// path there is none.
func (c *content) describe(path string, last *Snapshot) *Problem {
	if path == "" {
		return nil
	}
	c.files = append(c.files, path)
	content, err := strictyaml.ReadFile(path, maxDescriptorBytes)
	if err != nil {
		return &Problem{File: path, Text: "the descriptor set " + err.Error()}
	}
	sum := sha256.Sum256(content)
	revision := hex.EncodeToString(sum[:16])
	if last != nil && last.descriptors.name() == revision {
		c.descriptors = last.descriptors
		return nil
	}
	files, err := parseDescriptors(content)
	if err != nil {
		return &Problem{File: path, Text: err.Error()}
	}
	c.descriptors = &descriptors{files: files, types: &messageTypes{own: dynamicpb.NewTypes(files)}, revision: revision}
	return nil
}

func parseDescriptors(content []byte) (*protoregistry.Files, error) {
	set := &descriptorpb.FileDescriptorSet{}
	if err := proto.Unmarshal(content, set); err != nil || len(set.GetFile()) == 0 {
		return nil, errors.New("this is no descriptor set; want what protoc --include_imports --descriptor_set_out=FILE writes")
	}
	files, err := protodesc.NewFiles(set)
	if err != nil {
		return nil, errors.New("the descriptor set is not whole (protoc --include_imports): " + strings.TrimSpace(strings.TrimPrefix(err.Error(), "proto:")))
	}
	return files, nil
}

// name is the revision of the descriptors, empty for none.
func (d *descriptors) name() string {
	if d == nil {
		return ""
	}
	return d.revision
}

// input is what a method takes; nil where that is not known, or is a stream of
// messages, of which the first does not tell what the others ask for.
func (d *descriptors) input(service, method string) protoreflect.MessageDescriptor {
	found, err := d.files.FindDescriptorByName(protoreflect.FullName(service))
	if err != nil {
		return nil
	}
	described, isService := found.(protoreflect.ServiceDescriptor)
	if !isService {
		return nil
	}
	m := described.Methods().ByName(protoreflect.Name(method))
	if m == nil || m.IsStreamingClient() {
		return nil
	}
	return m.Input()
}

// messageTypes finds what an Any holds: a message of the descriptor set, or one
// of protobuf's own. It knows no extensions, as OPA-Envoy doesn't.
type messageTypes struct{ own *dynamicpb.Types }

func (t *messageTypes) FindMessageByName(name protoreflect.FullName) (protoreflect.MessageType, error) {
	if found, err := t.own.FindMessageByName(name); err == nil {
		return found, nil
	}
	if !strings.HasPrefix(string(name), "google.protobuf.") {
		return nil, protoregistry.NotFound
	}
	return protoregistry.GlobalTypes.FindMessageByName(name)
}

func (t *messageTypes) FindMessageByURL(url string) (protoreflect.MessageType, error) {
	return t.FindMessageByName(protoreflect.FullName(url[strings.LastIndexByte(url, '/')+1:]))
}

func (t *messageTypes) FindExtensionByName(protoreflect.FullName) (protoreflect.ExtensionType, error) {
	return nil, protoregistry.NotFound
}

func (t *messageTypes) FindExtensionByNumber(protoreflect.FullName, protoreflect.FieldNumber) (protoreflect.ExtensionType, error) {
	return nil, protoregistry.NotFound
}
