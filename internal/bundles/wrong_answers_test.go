package bundles_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestNothingOfAWrongAnswerIsTold: what a server says that is no HTTP, or leads
// nowhere, may hold a secret, and is told to everyone who asks whether Postern is
// ready.
func TestNothingOfAWrongAnswerIsTold(t *testing.T) {
	for name, test := range map[string]struct{ answer, says string }{
		"a redirect to what is no URL": {"HTTP/1.1 302 Found\r\nLocation: http://canary.example:canary/%zz?token=canary\r\nContent-Length: 0\r\n\r\n", "redirects to what is no URL"},
		"a redirect with a control":    {"HTTP/1.1 307 Found\r\nLocation: https://canary\x7f/?token=canary\r\nContent-Length: 0\r\n\r\n", "can't be read as TLS or HTTP"},
		"a redirect to elsewhere":      {"HTTP/1.1 302 Found\r\nLocation: https://user:canary@other.example/canary?token=canary\r\nContent-Length: 0\r\n\r\n", "other.example, which is not followed"},
		"no HTTP":                      {"canary canary canary\r\n\r\n", "can't be read as TLS or HTTP"},
		"a header without a colon":     {"HTTP/1.1 200 OK\r\ncanary\r\n\r\n", "can't be read as TLS or HTTP"},
		"a status that is no number":   {"HTTP/1.1 canary OK\r\n\r\n", "can't be read as TLS or HTTP"},
		"a status with words":          {"HTTP/1.1 503 canary\r\nContent-Length: 6\r\n\r\ncanary", "the server answers 503 Service Unavailable"},
		"a length that is no number":   {"HTTP/1.1 200 OK\r\nContent-Length: canary\r\n\r\n", "can't be read as TLS or HTTP"},
		"an unknown encoding":          {"HTTP/1.1 200 OK\r\nTransfer-Encoding: canary\r\n\r\n", "can't be read as TLS or HTTP"},
		"a chunk of no size":           {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\ncanary", "broke off"},
		"nothing":                      {"", "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			s.put(nil, func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = conn.Write([]byte(test.answer))
				_ = conn.Close()
			})
			f := keep(t, "")
			f.want(t, config("main", s.URL))
			f.first(t)
			if r := f.Reports()[0]; !strings.Contains(r.Error, test.says) || strings.Contains(r.Error, "canary") {
				t.Errorf("the report says %q, want %q and nothing of the server's", r.Error, test.says)
			}
			if strings.Contains(f.log.text(), "canary") {
				t.Errorf("the log says\n%s", f.log.text())
			}
		})
	}
}
