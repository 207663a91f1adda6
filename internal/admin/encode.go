package admin

import (
	"encoding/json"
	"slices"
	"strconv"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/structpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// MarshalJSON writes a message of the API as its HTTP door does. Unlike
// protojson it writes 64-bit numbers as numbers, names as in the proto file and
// the same message always the same way; lists are there when they are empty, so
// that scripts need not ask. What may only be told to the API is never written.
func MarshalJSON(m proto.Message) ([]byte, error) {
	e := &encoder{}
	e.message(m.ProtoReflect())
	return e.out, e.err
}

type encoder struct {
	out []byte
	err error
}

// plain writes a value of encoding/json.
func (e *encoder) plain(v any) {
	text, err := json.Marshal(v)
	if err != nil {
		e.err = err
	}
	e.out = append(e.out, text...)
}

func (e *encoder) message(m protoreflect.Message) {
	switch known := m.Interface().(type) {
	case *timestamppb.Timestamp:
		e.plain(known.AsTime())
		return
	case *structpb.Struct:
		e.plain(known.AsMap())
		return
	}
	e.out = append(e.out, '{')
	fields := m.Descriptor().Fields()
	separator := ""
	for i := range fields.Len() {
		fd := fields.Get(i)
		if !written(m, fd) {
			continue
		}
		e.out = append(e.out, separator...)
		separator = ","
		e.plain(string(fd.Name()))
		e.out = append(e.out, ':')
		e.field(fd, m.Get(fd))
	}
	e.out = append(e.out, '}')
}

// written reports whether a field stands in the JSON.
func written(m protoreflect.Message, fd protoreflect.FieldDescriptor) bool {
	switch {
	case behaves(fd, annotations.FieldBehavior_INPUT_ONLY):
		return false
	case m.Has(fd):
		return true
	}
	return (fd.IsList() || fd.IsMap()) && !behaves(fd, annotations.FieldBehavior_OPTIONAL)
}

// behaves reports whether the proto file says so of a field.
func behaves(fd protoreflect.FieldDescriptor, behavior annotations.FieldBehavior) bool {
	said, _ := proto.GetExtension(fd.Options(), annotations.E_FieldBehavior).([]annotations.FieldBehavior)
	return slices.Contains(said, behavior)
}

func (e *encoder) field(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch {
	case fd.IsMap():
		texts := map[string]string{} // the API has no other maps
		v.Map().Range(func(k protoreflect.MapKey, v protoreflect.Value) bool {
			texts[k.String()] = v.String()
			return true
		})
		e.plain(texts)
	case fd.IsList():
		e.out = append(e.out, '[')
		for i := range v.List().Len() {
			if i > 0 {
				e.out = append(e.out, ',')
			}
			e.value(fd, v.List().Get(i))
		}
		e.out = append(e.out, ']')
	default:
		e.value(fd, v)
	}
}

func (e *encoder) value(fd protoreflect.FieldDescriptor, v protoreflect.Value) {
	switch fd.Kind() {
	case protoreflect.MessageKind:
		e.message(v.Message())
	case protoreflect.Int32Kind, protoreflect.Int64Kind:
		e.out = strconv.AppendInt(e.out, v.Int(), 10)
	default:
		e.plain(v.Interface())
	}
}
