package admin

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"unicode/utf8"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Bounds of bodies and gRPC messages.
const (
	maxBody   = 1 << 20
	maxImport = 32 << 20
)

// largest is how large a call's request may be.
func largest(method string) int {
	if method == "Import" {
		return maxImport
	}
	return maxBody
}

// strictly checks queries and bodies before the gateway reads them.
func (s *Server) strictly(all routes) runtime.Middleware {
	return func(next runtime.HandlerFunc) runtime.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request, inPath map[string]string) {
			route := all.of(r)
			if route == nil || !readable(inPath) {
				writeProblem(w, &problem{code: codeNotFound, detail: "there is no such path"})
				return
			}
			p := route.checkQuery(r.URL.RawQuery)
			if p == nil {
				p = route.readBody(w, r)
			}
			if p != nil {
				writeProblem(w, p)
				return
			}
			next(w, r, inPath)
		}
	}
}

// readable reports whether a path's variables are texts.
func readable(inPath map[string]string) bool {
	for _, value := range inPath {
		if !utf8.ValidString(value) {
			return false
		}
	}
	return true
}

// readBody reads the whole body, checks it, and leaves it to be read again.
func (rt *route) readBody(w http.ResponseWriter, r *http.Request) *problem {
	limit := largest(string(rt.call.Name()))
	data, err := io.ReadAll(http.MaxBytesReader(w, r.Body, int64(limit)))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return &problem{code: codeTooLarge, detail: "the body has more than " + strconv.Itoa(limit) + " bytes"}
	case err != nil:
		return &problem{code: codeMalformed, detail: "the body did not come whole"}
	case len(data) > 0 && rt.body == nil:
		return &problem{code: codeMalformed, detail: "this call has no body"}
	case len(data) > 0:
		if p := checkBody(data, rt.body, rt.hidden()); p != nil {
			return p
		}
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return nil
}

// hidden are the fields that the path gives, where the body is the request.
func (rt *route) hidden() map[string]bool {
	if rt.body == rt.call.Input() {
		return rt.inPath
	}
	return nil
}

// checkQuery lets parameters pass that the request has, each once.
func (rt *route) checkQuery(raw string) *problem {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return &problem{code: codeMalformed, detail: "the query can't be read"}
	}
	p := &problem{code: codeInvalidArgument, detail: "the query has invalid parameters"}
	for name, given := range values {
		if text := rt.wrongParameter(name, given); text != "" && len(p.fields) < maxFieldProblems {
			p.fields = append(p.fields, fieldProblem{joined("", name), text})
		}
	}
	if len(p.fields) > 0 {
		return p
	}
	return nil
}

// wrongParameter says what is wrong with a parameter; "": nothing.
func (rt *route) wrongParameter(name string, given []string) string {
	fd := rt.call.Input().Fields().ByName(protoreflect.Name(name))
	switch {
	case fd == nil || rt.inPath[name] || rt.body != nil:
		return "there is no such parameter"
	case len(given) != 1:
		return "is given more than once"
	case !utf8.ValidString(given[0]):
		return "is not UTF-8"
	}
	return wrongValue(fd.Kind(), given[0])
}

func wrongValue(kind protoreflect.Kind, value string) string {
	var err error
	switch kind {
	case protoreflect.Int32Kind:
		_, err = strconv.ParseInt(value, 10, 32)
	case protoreflect.Int64Kind:
		_, err = strconv.ParseInt(value, 10, 64)
	case protoreflect.BoolKind:
		if value != "true" && value != "false" {
			return "expected true or false"
		}
	}
	if err != nil {
		return "expected a whole number"
	}
	return ""
}
