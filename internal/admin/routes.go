package admin

import (
	"context"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/grpc-ecosystem/grpc-gateway/v2/runtime"
	"google.golang.org/genproto/googleapis/api/annotations"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// route is one way to a call over HTTP, as the proto file annotates it.
type route struct {
	call protoreflect.MethodDescriptor
	// body is the message in the body; nil: there is none.
	body protoreflect.MessageDescriptor
	// inPath are the request's fields that the path gives.
	inPath map[string]bool
}

// routes are all of them, by method and pattern ("GET /v1/keys/{id}").
type routes map[string]*route

// variable is a part of a pattern; the gateway writes "{id=*}" for "{id}".
var variable = regexp.MustCompile(`\{([a-z_]+)(=\*)?\}`)

func readRoutes() (routes, error) {
	all := routes{}
	calls := adminv1.File_postern_admin_v1_admin_proto.Services().ByName("Admin").Methods()
	for i := range calls.Len() {
		call := calls.Get(i)
		rule, ok := proto.GetExtension(call.Options(), annotations.E_Http).(*annotations.HttpRule)
		if !ok || rule == nil {
			return nil, fmt.Errorf("%s has no path", call.FullName())
		}
		for _, r := range append([]*annotations.HttpRule{rule}, rule.GetAdditionalBindings()...) {
			all.add(call, r)
		}
	}
	return all, nil
}

func (all routes) add(call protoreflect.MethodDescriptor, rule *annotations.HttpRule) {
	method, pattern := methodAndPattern(rule)
	r := &route{call: call, inPath: map[string]bool{}}
	for _, found := range variable.FindAllStringSubmatch(pattern, -1) {
		r.inPath[found[1]] = true
	}
	switch body := rule.GetBody(); body {
	case "":
	case "*":
		r.body = call.Input()
	default:
		r.body = call.Input().Fields().ByName(protoreflect.Name(body)).Message()
	}
	all[method+" "+pattern] = r
}

func methodAndPattern(rule *annotations.HttpRule) (method, pattern string) {
	switch {
	case rule.GetGet() != "":
		return http.MethodGet, rule.GetGet()
	case rule.GetPost() != "":
		return http.MethodPost, rule.GetPost()
	case rule.GetPatch() != "":
		return http.MethodPatch, rule.GetPatch()
	}
	return http.MethodDelete, rule.GetDelete()
}

// of finds the route that the gateway has chosen.
func (all routes) of(r *http.Request) *route {
	pattern, _ := runtime.HTTPPattern(r.Context())
	return all[r.Method+" "+variable.ReplaceAllString(pattern.String(), "{$1}")]
}

// allowed are the methods of a path.
func (all routes) allowed(path string) []string {
	var methods []string
	for key := range all {
		method, pattern, _ := strings.Cut(key, " ")
		if samePath(pattern, path) && !slices.Contains(methods, method) {
			methods = append(methods, method)
		}
	}
	slices.Sort(methods)
	return methods
}

func samePath(pattern, path string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != have[i] && !strings.HasPrefix(want[i], "{") {
			return false
		}
	}
	return true
}

// unrouted answers where there is no route.
func (all routes) unrouted(_ context.Context, _ *runtime.ServeMux, _ runtime.Marshaler, w http.ResponseWriter, r *http.Request, status int) {
	switch status {
	case http.StatusNotFound:
		writeProblem(w, &problem{code: codeNotFound, detail: "there is no such path"})
	case http.StatusMethodNotAllowed:
		writeProblem(w, &problem{code: codeMethodNotAllowed, detail: "the path has no such method", allow: all.allowed(r.URL.Path)})
	default:
		writeProblem(w, &problem{code: codeMalformed, detail: "the path can't be read"})
	}
}
