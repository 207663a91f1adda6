package policy

import (
	"errors"
	"io"
	"mime"
	"mime/multipart"
	"net/url"
	"strconv"
	"strings"

	"github.com/open-policy-agent/opa/v1/util"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
)

// unreadable says what is wrong with a part of the request that a policy reads.
// Leaving the part out would make a rule that denies on it undefined, and so
// let through what it was written against.
func unreadable(detail string) error { return &access.Unreadable{Detail: detail} }

// maxFormParts bounds the parts of a multipart body.
const maxFormParts = 1000

// parsedBody is the body by its content type, null when there is none, when it
// is of another type, or when the gateway passed only a part of it.
func (d *descriptors) parsedBody(s sink, k key, q *gate.Question, _ *reads) error {
	truncated, err := d.truncation(q.Request)
	if err != nil {
		return err
	}
	if truncated || len(q.Request.Body) == 0 {
		s.null(k)
		return nil
	}
	body, err := d.parseBody(q.Request)
	if err != nil {
		return err
	}
	if s.value(k, body) != nil {
		return unreadable("the body holds a value that can't be read safely")
	}
	return nil
}

func (d *descriptors) truncatedBody(s sink, k key, q *gate.Question, _ *reads) error {
	truncated, err := d.truncation(q.Request)
	if err == nil {
		s.flag(k, truncated)
	}
	return err
}

// truncation reports whether the gateway passed a part of the body only: by
// its word, or because more was announced of a body that is parsed. Of gRPC a
// frame announces the message.
func (d *descriptors) truncation(r *access.Request) (bool, error) {
	if r.BodyTruncated {
		return true, nil
	}
	if isGRPC(r) {
		call, err := d.call(r)
		return call.truncated, err
	}
	announced, found := header(r, "content-length")
	if !found || len(r.Body) == 0 || parserOf(r) == nil {
		return false, nil
	}
	n, err := strconv.ParseInt(announced, 10, 64)
	if err != nil {
		return false, unreadable("the content length is not a number")
	}
	return n > int64(len(r.Body)), nil
}

func (d *descriptors) parseBody(r *access.Request) (any, error) {
	if isGRPC(r) {
		return d.parseGRPC(r)
	}
	if parse := parserOf(r); parse != nil {
		return parse(r)
	}
	return nil, nil
}

// isGRPC looks for the content type as OPA-Envoy does: after JSON's.
func isGRPC(r *access.Request) bool {
	contentType, _ := header(r, "content-type")
	return strings.Contains(contentType, "application/grpc") && !strings.Contains(contentType, "application/json")
}

// parserOf finds the parser of a content type, by containment as OPA-Envoy
// does.
func parserOf(r *access.Request) func(*access.Request) (any, error) {
	contentType, _ := header(r, "content-type")
	switch {
	case strings.Contains(contentType, "application/json"):
		return func(r *access.Request) (any, error) { return parseJSON(r.Body) }
	case strings.Contains(contentType, "application/x-www-form-urlencoded"):
		return parseForm
	case strings.Contains(contentType, "multipart/form-data"):
		return parseMultipart
	}
	return nil
}

func parseJSON(body []byte) (v any, err error) {
	if err := util.UnmarshalJSON(body, &v); err != nil {
		return nil, unreadable("the body is not JSON, as its content type says")
	}
	return v, nil
}

func parseForm(r *access.Request) (any, error) {
	form, err := url.ParseQuery(string(r.Body))
	if err != nil {
		return nil, unreadable("the body is not a form, as its content type says")
	}
	return map[string][]string(form), nil
}

// parseMultipart gives each form field a list of its values: JSON where the
// part says so, text otherwise.
func parseMultipart(r *access.Request) (any, error) {
	contentType, _ := header(r, "content-type")
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil || params["boundary"] == "" {
		return nil, unreadable("the multipart content type names no boundary")
	}
	values := map[string]any{}
	reader := multipart.NewReader(strings.NewReader(string(r.Body)), params["boundary"])
	for range maxFormParts {
		part, err := reader.NextPart()
		if errors.Is(err, io.EOF) {
			return values, nil
		}
		if err != nil {
			return nil, unreadable("the body is not multipart, as its content type says")
		}
		if err := addPart(values, part); err != nil {
			return nil, err
		}
	}
	return nil, unreadable("the body has too many parts")
}

func addPart(values map[string]any, part *multipart.Part) error {
	name := part.FormName()
	if name == "" {
		return nil
	}
	content, err := io.ReadAll(part) // bounded by the body, which is in memory
	if err != nil {
		return unreadable("the body is not multipart, as its content type says")
	}
	var value any = string(content)
	if strings.Contains(part.Header.Get("Content-Type"), "application/json") {
		if value, err = parseJSON(content); err != nil {
			return err
		}
	}
	earlier, _ := values[name].([]any)
	values[name] = append(earlier, value)
	return nil
}
