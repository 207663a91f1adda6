package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"strconv"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// newGateway makes the JSON door of the service. It reads nothing but paths,
// queries and bodies: what a header says is read by this package, so that no
// header is a call's metadata and no other method than the request's is meant.
func (s *Server) newGateway(ctx context.Context) (http.Handler, error) {
	routes, err := readRoutes()
	if err != nil {
		return nil, err
	}
	mux := runtime.NewServeMux(
		runtime.WithMarshalerOption(runtime.MIMEWildcard, codec{}),
		runtime.WithMiddlewares(s.strictly(routes)),
		runtime.WithForwardResponseOption(succeed),
		runtime.WithErrorHandler(s.fail),
		runtime.WithRoutingErrorHandler(routes.unrouted),
		runtime.WithIncomingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithOutgoingHeaderMatcher(func(string) (string, bool) { return "", false }),
		runtime.WithDisablePathLengthFallback(),
		runtime.WithDisableHTTPMethodOverride(),
	)
	return mux, adminv1.RegisterAdminHandlerClient(ctx, mux, adminv1.NewAdminClient(s.inside()))
}

// succeed writes the status of an answer, and its version as entity tag.
func succeed(ctx context.Context, w http.ResponseWriter, m proto.Message) error {
	if versioned, ok := m.(interface{ GetVersion() int64 }); ok && versioned.GetVersion() > 0 {
		w.Header().Set("ETag", `"`+strconv.FormatInt(versioned.GetVersion(), 10)+`"`)
	}
	method, _ := runtime.RPCMethod(ctx)
	switch {
	case creates(methodName(method)):
		w.WriteHeader(http.StatusCreated)
	case isEmpty(m):
		w.Header().Del("Content-Type")
		w.WriteHeader(http.StatusNoContent)
	}
	return nil
}

func isEmpty(m proto.Message) bool {
	return m.ProtoReflect().Descriptor().FullName() == "google.protobuf.Empty"
}

// fail answers with what went wrong.
func (s *Server) fail(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, _ *http.Request, err error) {
	var p *problem
	switch {
	case errors.As(err, &p):
	case status.Code(err) == codes.InvalidArgument: // the gateway's own reading, of what strictly let pass
		p = &problem{code: codeInvalidArgument, detail: "the request can't be read"}
	default:
		p = s.internal("the gateway failed", err)
	}
	writeProblem(w, p)
}

// codec reads bodies that were checked, and writes answers.
type codec struct{}

func (codec) ContentType(any) string { return "application/json" }

func (codec) Marshal(v any) ([]byte, error) {
	m, ok := v.(proto.Message)
	switch {
	case !ok:
		return nil, fmt.Errorf("%T is no message", v)
	case isEmpty(m):
		return nil, nil
	}
	text, err := MarshalJSON(m)
	return append(text, '\n'), err
}

func (codec) Unmarshal(data []byte, v any) error {
	m, ok := v.(proto.Message)
	if !ok { // a pointer to a field that is a message: it is made
		field := reflect.ValueOf(v).Elem()
		field.Set(reflect.New(field.Type().Elem()))
		if m, ok = field.Interface().(proto.Message); !ok {
			return fmt.Errorf("%T is no message", v)
		}
	}
	return protojson.Unmarshal(data, m)
}

func (c codec) NewDecoder(r io.Reader) runtime.Decoder {
	return runtime.DecoderFunc(func(v any) error {
		data, err := io.ReadAll(r)
		if err == nil && len(data) == 0 {
			err = io.EOF
		}
		if err != nil {
			return err
		}
		return c.Unmarshal(data, v)
	})
}

func (c codec) NewEncoder(w io.Writer) runtime.Encoder {
	return runtime.EncoderFunc(func(v any) error {
		text, err := c.Marshal(v)
		if err == nil {
			_, err = w.Write(text)
		}
		return err
	})
}
