package policy_test

import (
	"context"
	"errors"
	"testing"
	"unicode/utf8"

	"github.com/postern-authz/postern/internal/access"
)

// FuzzBody gives policy bodies, queries and paths of any kind: an answer comes,
// or the request can't be read; never an error, never a panic.
func FuzzBody(f *testing.F) {
	f.Add("application/json", "2", []byte(`{"a": 1}`), "a=1", "/a/b")
	f.Add("application/json", "x", []byte(`{"a":`), "a=%zz", "/")
	f.Add("application/x-www-form-urlencoded", "", []byte("a=1&a=2;"), "&&", "")
	f.Add("multipart/form-data; boundary=b", "", []byte(multipartBody), "", "//")
	f.Add("application/json", "", []byte(`{"n":1e1000000}`), "", "/")
	f.Add("multipart/form-data; boundary=b", "9999", []byte("--b\r\n\r\n--b--"), "a", "a")
	s := rules(f, `allow := {"allowed": count([x | walk([input.parsed_body, input.parsed_query, input.parsed_path], [_, x])]) > 0, "dynamic_metadata": {"t": input.truncated_body}}`)
	f.Fuzz(func(t *testing.T, contentType, length string, body []byte, query, path string) {
		q := question()
		q.Request.Body, q.Request.Query, q.Request.Path = body, query, path
		q.Request.Headers = access.Headers{{Name: "content-type", Value: contentType}, {Name: "content-length", Value: length}}
		d, err := s.Decide(context.Background(), q)
		var unreadable *access.Unreadable
		if err != nil && !errors.As(err, &unreadable) {
			t.Fatal(err)
		}
		if d.Allowed == (err != nil) || d.Allowed && d.Metadata["t"] == nil {
			t.Fatalf("got %+v", d)
		}
	})
}

// FuzzResult obeys no header that HTTP forbids, and no denial that looks like a
// success, whatever a policy takes from the request.
func FuzzResult(f *testing.F) {
	f.Add("x-user", "mobile", 403)
	f.Add("x user", "a\r\nb: c", 200)
	f.Add(":path", "\x00", 600)
	f.Add("", "é", -1)
	s := rules(f, `allow := {"allowed": false, "http_status": input.consumer.attributes.status, "headers": {input.consumer.attributes.name: input.consumer.attributes.value}}`)
	f.Fuzz(func(t *testing.T, name, value string, status int) {
		q := question()
		q.Identity.Consumer.Attributes = map[string]any{"name": name, "value": value, "status": status}
		d, err := s.Decide(context.Background(), q)
		if err != nil {
			return
		}
		if d.Allowed || d.Status < 300 || d.Status > 599 || len(d.Headers) != 1 || d.Headers[0].Name == "" {
			t.Fatalf("got %+v", d)
		}
		for _, c := range d.Headers[0].Value {
			if c < ' ' && c != '\t' && utf8.ValidString(value) {
				t.Fatalf("a control character is obeyed: %q", d.Headers[0].Value)
			}
		}
	})
}
