package admin

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"

	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/postern-authz/postern/internal/keyring"
)

// intercept is the way of every call, whatever door it came by: may its caller,
// is the request one; then the call itself, once.
func (s *Server) intercept(ctx context.Context, req any, info *grpc.UnaryServerInfo, call grpc.UnaryHandler) (answer any, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			answer, err = nil, s.panicked(info.FullMethod, cause)
		}
	}()
	who, ok := callerOf(ctx)
	if !ok { // no door lets such a call in
		return nil, &problem{code: codeUnauthenticated, detail: "nobody is known to call"}
	}
	if who.role.rank() < needs(info.FullMethod).rank() {
		return nil, &problem{code: codePermissionDenied, detail: fmt.Sprintf("this takes the role %s", needs(info.FullMethod))}
	}
	if s.options.Keyring == nil && !ofPolicies(info.FullMethod) {
		return nil, errNoStore()
	}
	m, ok := req.(proto.Message)
	if !ok {
		return nil, s.internal("no message", fmt.Errorf("%T", req))
	}
	if p := checkRequest(methodName(info.FullMethod), m, who); p != nil {
		return nil, p
	}
	answer, err = s.once(ctx, info.FullMethod, m, call)
	if err != nil {
		return nil, s.explain(err, who.version != 0)
	}
	return answer, nil
}

func (s *Server) panicked(method string, cause any) *problem {
	// What was panicked with may hold a request's values: its type says enough.
	s.options.Logger.Error("the admin API panicked", slog.String("method", method),
		slog.String("type", fmt.Sprintf("%T", cause)), slog.String("stack", string(debug.Stack())))
	return &problem{code: codeInternal, detail: "something went wrong here"}
}

// checkRequest refuses what is too large or told but not the client's to tell,
// and gives the request the version of If-Match.
func checkRequest(method string, m proto.Message, who *caller) *problem {
	if proto.Size(m) > largest(method) {
		return &problem{code: codeTooLarge, detail: fmt.Sprintf("the request has more than %d bytes", largest(method))}
	}
	reflected := m.ProtoReflect()
	if p := foreignFields(reflected, ""); p != nil {
		return p
	}
	if who.version == 0 || reads(method) {
		return nil
	}
	return setVersion(reflected, who.version)
}

// foreignFields refuses fields that are output only: a client that sets one
// expects what won't happen.
func foreignFields(m protoreflect.Message, path string) *problem {
	p := &problem{code: codeInvalidArgument, detail: "the request has fields that Postern sets"}
	m.Range(func(fd protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		inside := joined(path, string(fd.Name()))
		switch {
		case behaves(fd, annotations.FieldBehavior_OUTPUT_ONLY):
			p.fields = append(p.fields, fieldProblem{inside, "is set by Postern alone"})
		case fd.Kind() == protoreflect.MessageKind && !fd.IsList() && !fd.IsMap() && fd.Message().ParentFile().Package() == m.Descriptor().ParentFile().Package():
			if path == "" && fd.Message().Fields().ByName("version") != nil {
				inside = "" // the body of an HTTP request
			}
			if deeper := foreignFields(v.Message(), inside); deeper != nil {
				p.fields = append(p.fields, deeper.fields...)
			}
		}
		return true
	})
	if len(p.fields) == 0 {
		return nil
	}
	return p
}

// setVersion puts a version where the request holds one: in itself, or in the
// record that it changes.
func setVersion(m protoreflect.Message, version int64) *problem {
	fields := m.Descriptor().Fields()
	if fd := fields.ByName("version"); fd != nil {
		if told := m.Get(fd).Int(); told != 0 && told != version {
			return invalid("version", "is another one than in If-Match")
		}
		m.Set(fd, protoreflect.ValueOfInt64(version))
		return nil
	}
	if fields.ByName("update_mask") == nil {
		return invalid("If-Match", "this call has no version to match")
	}
	for i := range fields.Len() {
		if fd := fields.Get(i); fd.Message() != nil && fd.Message().Fields().ByName("version") != nil {
			return setVersion(m.Mutable(fd).Message(), version)
		}
	}
	return nil
}

type keysKey struct{}

// keys is the keyring that a call works with.
func (s *Server) keys(ctx context.Context) *keyring.Keyring {
	if k, ok := ctx.Value(keysKey{}).(*keyring.Keyring); ok {
		return k
	}
	return s.options.Keyring
}
