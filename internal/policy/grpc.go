package policy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/dynamicpb"

	"github.com/postern-authz/postern/internal/access"
)

// framePrefix is what stands before each message of a gRPC body: a byte that
// says whether it is compressed, and its length in four
// (https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md).
const framePrefix = 5

// grpcCall is a gRPC request as far as its descriptors tell of it. Its zero
// value is a call of which nothing can be told.
type grpcCall struct {
	// input describes the message; nil for a service or method that is not
	// described, and for one that takes a stream of messages.
	input protoreflect.MessageDescriptor
	// message is the first one, without what stands before it.
	message []byte
	// truncated says that the gateway passed less than the whole of it.
	truncated bool
}

// call reads the first frame of a gRPC body. As in OPA-Envoy it is looked at
// only where the gateway passes bodies as bytes (pack_as_bytes), and nothing is
// told of a compressed message.
func (d *descriptors) call(r *access.Request) (grpcCall, error) {
	if d == nil || !r.BodyRaw || len(r.Body) == 0 {
		return grpcCall{}, nil
	}
	service, method, isCall := strings.Cut(strings.TrimLeft(r.Path, "/"), "/")
	if !isCall || strings.Contains(method, "/") {
		return grpcCall{}, unreadable("the path is not one of gRPC, /package.Service/Method, as the content type says")
	}
	if len(r.Body) < framePrefix {
		return grpcCall{}, unreadable("the body is too short for gRPC, as its content type says")
	}
	if r.Body[0] != 0 {
		return grpcCall{}, nil
	}
	rest := r.Body[framePrefix:]
	size := uint64(binary.BigEndian.Uint32(r.Body[1:framePrefix]))
	if size > uint64(len(rest)) {
		return grpcCall{truncated: true}, nil
	}
	return grpcCall{input: d.input(service, method), message: rest[:size]}, nil
}

// parseGRPC gives the message of a call in protojson, with what is not set left
// out, as OPA-Envoy does; nil where nothing can be told of it.
func (d *descriptors) parseGRPC(r *access.Request) (any, error) {
	call, err := d.call(r)
	if err != nil || call.input == nil {
		return nil, err
	}
	if err := (&messageSurvey{types: d.types}).message(call.input, call.message, 0); err != nil {
		return nil, unreadable(err.Error())
	}
	message := dynamicpb.NewMessage(call.input)
	if err := (proto.UnmarshalOptions{Resolver: d.types, RecursionLimit: 4 * maxMessageDepth}).Unmarshal(call.message, message); err != nil {
		return nil, unreadable("the body does not hold the message that its gRPC method takes")
	}
	text, err := protojson.MarshalOptions{Resolver: d.types}.Marshal(message)
	if err != nil {
		return nil, unreadable("the gRPC message holds what has no form in JSON, such as an Any of an unknown type")
	}
	var value any
	if err := util.NewJSONDecoder(bytes.NewReader(text)).Decode(&value); err != nil {
		return nil, unreadable("the gRPC message holds what has no form in JSON")
	}
	return value, nil
}

// errNotMessage tells of bytes that are no protobuf at all.
var errNotMessage = errors.New("the body does not hold the message that its gRPC method takes")
