package forwardauth

import (
	"fmt"
	"maps"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// fillInput reads {"input": {…}} as APISIX's opa plugin writes it
// (apisix/plugins/opa/helper.lua). Route, service and consumer are APISIX's
// own and count for nothing here.
func fillInput(req *access.Request, body []byte) error {
	root, err := decodeObject(body)
	if err != nil {
		return err
	}
	in := reader{}
	in.only(root, "input")
	input := in.object(root, "input")
	in.only(input, "type", "request", "var", "route", "service", "consumer")
	if kind := in.text(input, "type"); kind != "" && kind != "http" {
		in.fail("type is not http")
	}
	request := in.object(input, "request")
	in.only(request, "scheme", "method", "host", "port", "path", "headers", "query", "body")
	in.connection(req, in.object(input, "var"))
	in.message(req, request)
	question, err := in.question(request)
	if err != nil {
		return err
	}
	return fill(req, question, decodedPath)
}

// reader takes values of known types out of JSON objects. The first problem
// stays in err.
type reader struct{ err error }

func (in *reader) fail(format string, args ...any) {
	if in.err == nil {
		in.err = fmt.Errorf("the input's "+format, args...)
	}
}

func (in *reader) only(object map[string]any, names ...string) {
	for name := range object {
		if !slices.Contains(names, name) {
			in.fail("member %.32q is unknown", name)
		}
	}
}

// object is empty where there is none; so is an empty list, which is how Lua's
// encoder may write an empty table.
func (in *reader) object(from map[string]any, name string) map[string]any {
	switch v := from[name].(type) {
	case nil:
	case map[string]any:
		return v
	case []any:
		if len(v) > 0 {
			in.fail("%s is no object", name)
		}
	default:
		in.fail("%s is no object", name)
	}
	return nil
}

func (in *reader) text(from map[string]any, name string) string {
	value, there := from[name]
	text, ok := value.(string)
	if there && !ok {
		in.fail("%s is no string", name)
	}
	return text
}

// texts is a string or a list of strings.
func (in *reader) texts(from map[string]any, name string) []string {
	list, ok := from[name].([]any)
	if !ok {
		return []string{in.text(from, name)}
	}
	texts := make([]string, len(list))
	for i := range list {
		if texts[i], ok = list[i].(string); !ok {
			in.fail("%s holds no string", name)
		}
	}
	return texts
}

// connection reads the client's address. "unix:" is nginx's word for a client
// that has none.
func (in *reader) connection(req *access.Request, vars map[string]any) {
	remote := in.text(vars, "remote_addr")
	if remote == "" || remote == "unix:" {
		return
	}
	client, err := netip.ParseAddr(remote)
	if err != nil || client.Zone() != "" {
		in.fail("remote_addr is no address")
		return
	}
	req.Client = client.Unmap()
	req.Source.Address = netip.AddrPortFrom(req.Client, 0)
}

// message reads headers and, under with_body, the body.
func (in *reader) message(req *access.Request, request map[string]any) {
	headers := in.object(request, "headers")
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		lower, err := canon.HeaderName(name)
		if err != nil {
			in.fail("headers: %w", err)
		}
		for _, value := range in.texts(headers, name) {
			if !httpguts.ValidHeaderFieldValue(value) {
				in.fail("header %.32q holds a control character", name)
			}
			req.Headers = append(req.Headers, access.Header{Name: lower, Value: value})
		}
	}
	if _, there := request["body"]; there {
		req.Body = []byte(in.text(request, "body"))
		req.Size = int64(len(req.Body))
	}
}

// question has the path as nginx's $uri, decoded: a "?" in it was "%3F" to the
// client, and would end the path here.
func (in *reader) question(request map[string]any) (Question, error) {
	q := Question{
		Method: in.text(request, "method"),
		Host:   in.text(request, "host"),
		Scheme: in.text(request, "scheme"),
		URI:    in.text(request, "path"),
	}
	if strings.Contains(q.URI, "?") {
		in.fail("path holds a question mark")
	}
	if query := in.query(in.object(request, "query")); query != "" {
		q.URI += "?" + query
	}
	return q, in.err
}

// query writes the decoded arguments as a query again, names in order.
func (in *reader) query(arguments map[string]any) string {
	var parts []string
	for _, name := range slices.Sorted(maps.Keys(arguments)) {
		values, ok := arguments[name].([]any)
		if !ok {
			values = []any{arguments[name]}
		}
		for _, value := range values {
			parts = append(parts, in.argument(name, value))
		}
	}
	return strings.Join(parts, "&")
}

// argument is one of the query's; nginx-lua reads one without "=" as true.
func (in *reader) argument(name string, value any) string {
	if value == true {
		return url.QueryEscape(name)
	}
	text, ok := value.(string)
	if !ok {
		in.fail("query argument %.32q is neither a string nor true", name)
	}
	return url.QueryEscape(name) + "=" + url.QueryEscape(text)
}
