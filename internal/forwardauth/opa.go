package forwardauth

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/postern-authz/postern/internal/access"
)

const (
	// maxInput bounds the opa plugin's question, in bytes; with_route and
	// with_body make it large.
	maxInput = 1 << 20
	// maxEntrypoint bounds the policy's path, in bytes.
	maxEntrypoint = 256
)

// opaAnswer is what APISIX's opa plugin reads (apisix/plugins/opa.lua). On an
// allow it sets the headers named in send_headers_upstream; on a denial it
// answers the client with the status code, the headers and the reason as body.
// Any other HTTP status than 200 would be a 503 to its client.
type opaAnswer struct {
	Result struct {
		Allow      bool           `json:"allow"`
		Reason     string         `json:"reason,omitempty"`
		Headers    map[string]any `json:"headers,omitempty"`
		StatusCode int            `json:"status_code,omitempty"`
	} `json:"result"`
}

// serveOPA answers POST /v1/data/POLICY as OPA's data API does, in the form
// that APISIX's opa plugin expects.
func (h *handler) serveOPA(w http.ResponseWriter, r *http.Request, entrypoint string) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	entrypoint, _, _ = strings.Cut(entrypoint, "?") // OPA's own query parameters change nothing here
	body, err := readInput(w, r)
	verdict := h.judge(r.Context(), func() *access.Request { return h.readOPA(r, entrypoint, body, err) })
	text, err := json.Marshal(h.opaAnswer(&verdict))
	if err != nil { // strings and numbers: it can't be
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	write(w, r, &answer{status: http.StatusOK, body: string(text), contentType: "application/json"})
}

// readInput reads the whole body. Only then may the connection stay open.
func readInput(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxInput))
	if err != nil {
		return nil, errors.New("the input can't be read or is longer than 1 MiB")
	}
	if r.ContentLength > 0 {
		w.Header().Del("Connection")
	}
	return body, nil
}

// readOPA makes the client's request of the plugin's input.
func (h *handler) readOPA(r *http.Request, entrypoint string, body []byte, err error) *access.Request {
	req := &access.Request{Door: access.OPA, Time: h.now(), Size: -1, Trusted: h.believes(peerOf(r))}
	if !req.Trusted {
		return malformed(req, errors.New("the peer is not among the trusted proxies, so its input counts for nothing"))
	}
	if err == nil {
		err = checkEntrypoint(entrypoint)
	}
	if err != nil {
		return malformed(req, err)
	}
	req.Entrypoint = entrypoint
	return malformed(req, fillInput(req, body))
}

// checkEntrypoint takes the path of a rule, such as "postern/authz/allow". One
// that is no compiled entry point is the gate's to refuse.
func checkEntrypoint(path string) error {
	if path == "" || len(path) > maxEntrypoint {
		return errors.New("the policy's path is empty or too long")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || strings.ContainsFunc(part, func(c rune) bool { return !isWord(c) }) {
			return errors.New("the policy's path is no path of names")
		}
	}
	return nil
}

func isWord(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_'
}

func (h *handler) opaAnswer(v *access.Verdict) (out opaAnswer) {
	a := h.answer(v)
	out.Result.Allow = a.allowed
	out.Result.Headers = make(map[string]any, len(a.headers)+1)
	for _, header := range a.headers {
		addLine(out.Result.Headers, header)
	}
	if a.allowed {
		return out
	}
	out.Result.StatusCode, out.Result.Reason = a.status, a.body
	addLine(out.Result.Headers, access.Header{Name: "Content-Type", Value: a.contentType})
	return out
}

// addLine keeps one line as a string and several as a list, as nginx-lua takes
// them.
func addLine(headers map[string]any, line access.Header) {
	switch before := headers[line.Name].(type) {
	case nil:
		headers[line.Name] = line.Value
	case string:
		headers[line.Name] = []string{before, line.Value}
	case []string:
		headers[line.Name] = append(before, line.Value)
	}
}
