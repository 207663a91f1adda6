package policy

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// The bounds of a gRPC message. A few bytes on the wire become hundreds in
// memory, and messages within messages are read anew at each level, so that both
// are counted before anything is built.
const (
	maxMessageDepth  = 100 // as protobuf's own libraries have it
	maxMessageValues = 100_000
	// unpackedValue is how many bytes in an Any count as one value: they are read
	// and written anew at each level.
	unpackedValue = 256
)

// errTwice is for a message that is there in two parts. Some programs join them
// and some take the last.
var errTwice = errors.New("the gRPC message holds a message twice that there is one of")

const anyName protoreflect.FullName = "google.protobuf.Any"

// messageSurvey counts what a message holds, and allocates nothing.
type messageSurvey struct {
	types  *messageTypes
	values int
}

func (s *messageSurvey) message(of protoreflect.MessageDescriptor, wire []byte, depth int) error {
	if depth > maxMessageDepth {
		return fmt.Errorf("the gRPC message is nested more than %d deep", maxMessageDepth)
	}
	var (
		held packed
		once []protowire.Number
	)
	for len(wire) > 0 {
		number, kind, tag := protowire.ConsumeTag(wire)
		if tag < 0 {
			return errNotMessage
		}
		size := protowire.ConsumeFieldValue(number, kind, wire[tag:])
		if size < 0 {
			return errNotMessage
		}
		content := contentOf(number, kind, wire[tag:tag+size])
		wire = wire[tag+size:]
		f := of.Fields().ByNumber(number)
		if isMessage(f, kind) && !f.IsList() && !f.IsMap() {
			if slices.Contains(once, number) {
				return errTwice
			}
			once = append(once, number)
		}
		if err := s.field(f, kind, content, depth); err != nil {
			return err
		}
		held.note(number, content)
	}
	if of.FullName() != anyName {
		return nil
	}
	return s.held(held, depth)
}

// isMessage reports that a field is a message and is written as one.
func isMessage(f protoreflect.FieldDescriptor, kind protowire.Type) bool {
	if f == nil {
		return false
	}
	return f.Kind() == protoreflect.MessageKind && kind == protowire.BytesType || f.Kind() == protoreflect.GroupKind && kind == protowire.StartGroupType
}

// contentOf is a field's value without its length or its end.
func contentOf(number protowire.Number, kind protowire.Type, wire []byte) []byte {
	switch kind {
	case protowire.BytesType:
		content, _ := protowire.ConsumeBytes(wire)
		return content
	case protowire.StartGroupType:
		content, _ := protowire.ConsumeGroup(number, wire)
		return content
	}
	return nil
}

func (s *messageSurvey) field(f protoreflect.FieldDescriptor, kind protowire.Type, content []byte, depth int) error {
	if err := s.count(1); err != nil {
		return err
	}
	switch {
	case f == nil:
	case isMessage(f, kind):
		return s.message(f.Message(), content, depth+1)
	case kind == protowire.BytesType && f.Kind() != protoreflect.StringKind && f.Kind() != protoreflect.BytesKind:
		return s.count(len(content)) // packed numbers take a byte each, or more
	}
	return nil
}

func (s *messageSurvey) count(values int) error {
	if s.values += values; s.values > maxMessageValues {
		return errors.New("the gRPC message holds too many values")
	}
	return nil
}

// packed is what an Any holds: the last of each of its fields counts.
type packed struct{ url, value []byte }

func (p *packed) note(number protowire.Number, content []byte) {
	switch number {
	case 1:
		p.url = content
	case 2:
		p.value = content
	}
}

// held counts what is packed in an Any. What is of an unknown type is refused
// later on.
func (s *messageSurvey) held(p packed, depth int) error {
	if known, err := s.types.FindMessageByURL(string(p.url)); err == nil {
		if err := s.count(len(p.value) / unpackedValue); err != nil {
			return err
		}
		return s.message(known.Descriptor(), p.value, depth+1)
	}
	return nil
}
