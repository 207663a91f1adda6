package forwardauth

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"github.com/postern-authz/postern/internal/access"
)

// Headers of an answer that are not the verdict's own.
const (
	decisionIDHeader = "X-Decision-Id"
	codeHeader       = "X-Postern-Code"
	statusHeader     = "X-Postern-Status"
)

// answer is a verdict in HTTP's words.
type answer struct {
	allowed           bool
	status            int
	headers           []access.Header
	body, contentType string
}

// render writes a verdict as the gateway can bear it.
func (h *handler) render(w http.ResponseWriter, r *http.Request, d *Dialect, v *access.Verdict) {
	a := h.answer(v)
	if !a.allowed && len(d.Denials) > 0 {
		a.headers = append(a.headers, access.Header{Name: statusHeader, Value: strconv.Itoa(a.status)})
		if !slices.Contains(d.Denials, a.status) {
			a.status = http.StatusForbidden
		}
	}
	write(w, r, &a)
}

// answer puts a verdict in HTTP's words. One that HTTP forbids is a fault
// instead: no part of it is ever emitted.
func (h *handler) answer(v *access.Verdict) answer {
	a := denial(v)
	if v.Outcome() == access.Allowed {
		a = admission(v)
	}
	if name, ok := a.sendable(); !ok {
		h.log.Error("a header holds what HTTP forbids: the request was refused", "header", name, "decision_id", v.DecisionID)
		fault := access.Fault("")
		if httpguts.ValidHeaderFieldValue(v.DecisionID) {
			fault.DecisionID = v.DecisionID
		}
		return denial(&fault)
	}
	return a
}

// admission is 200 without a body; other 2xx are no allow to Envoy. Every
// managed header is there, since the gateway can't be told to remove one. What
// is for the client goes along for gateways that can tell it by name.
func admission(v *access.Verdict) answer {
	a := answer{allowed: true, status: http.StatusOK}
	a.headers = make([]access.Header, 0, len(v.Managed)+len(v.Upstream)+len(v.Client))
	a.headers = append(append(a.headers, v.Managed...), v.Upstream...)
	for _, header := range v.Client {
		if !a.has(header.Name) {
			a.headers = append(a.headers, header)
		}
	}
	return a
}

// denial is the verdict's status, body and headers for the client.
func denial(v *access.Verdict) answer {
	a := answer{status: denialStatus(v), body: v.Body, contentType: v.ContentType}
	if a.body == "" && a.contentType == "" {
		a.body, a.contentType = plainBody(v), "application/json"
	}
	a.headers = append(make([]access.Header, 0, len(v.Client)+3), v.Client...)
	a.headers = append(a.headers, access.Header{Name: codeHeader, Value: string(denialCode(v))})
	if v.DecisionID != "" {
		a.headers = append(a.headers, access.Header{Name: decisionIDHeader, Value: v.DecisionID})
	}
	return a
}

// denialStatus never is one that a gateway takes for an allow, whatever a
// policy wrote.
func denialStatus(v *access.Verdict) int {
	switch {
	case v.Status >= 300 && v.Status <= 599:
		return v.Status
	case v.Outcome() == access.Denied:
		return http.StatusForbidden
	}
	return http.StatusServiceUnavailable
}

// denialCode is the reason's; a verdict that nobody pronounced is a fault.
func denialCode(v *access.Verdict) access.Code {
	if v.Reason.Code == "" || v.Reason.Code == access.CodeAllowed {
		return access.CodeFault
	}
	return v.Reason.Code
}

// plainBody is for a verdict that the gate did not write. Marshalling strings
// can't fail.
func plainBody(v *access.Verdict) string {
	code := denialCode(v)
	text, _ := json.Marshal(struct {
		Code       access.Code `json:"code"`
		Message    string      `json:"message"`
		DecisionID string      `json:"decision_id"`
	}{code, code.Message(), v.DecisionID})
	return string(text)
}

func (a *answer) has(name string) bool {
	return slices.ContainsFunc(a.headers, func(h access.Header) bool { return strings.EqualFold(h.Name, name) })
}

// sendable reports whether every header can be sent, or names one that can't
// (RFC 9110 section 5.5: no CR, LF or NUL). net/http would quietly mend it.
func (a *answer) sendable() (name string, ok bool) {
	for i := range a.headers {
		if h := &a.headers[i]; !httpguts.ValidHeaderFieldName(h.Name) || !httpguts.ValidHeaderFieldValue(h.Value) {
			return strconv.QuoteToASCII(h.Name), false
		}
	}
	return "Content-Type", httpguts.ValidHeaderFieldValue(a.contentType)
}

// write sends an answer. Names keep their spelling; HEAD gets the length and no
// body.
func write(w http.ResponseWriter, r *http.Request, a *answer) {
	header := w.Header()
	values := make([]string, len(a.headers)) // shared by the lines
	for i := range a.headers {
		values[i] = a.headers[i].Value
		switch name := a.headers[i].Name; {
		case framing(name):
		case header[name] == nil:
			header[name] = values[i : i+1 : i+1]
		default:
			header[name] = append(header[name], values[i])
		}
	}
	if a.contentType != "" {
		header["Content-Type"] = []string{a.contentType}
	}
	header["Content-Length"] = []string{strconv.Itoa(len(a.body))}
	w.WriteHeader(a.status)
	if a.body != "" && r.Method != http.MethodHead {
		_, _ = w.Write([]byte(a.body)) // a peer that is gone needs no answer
	}
}

// framing reports whether a header is about the message and the connection,
// which are net/http's to speak of (RFC 9110 section 7.6.1).
func framing(name string) bool {
	for _, own := range [...]string{"Connection", "Content-Length", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade"} {
		if strings.EqualFold(name, own) {
			return true
		}
	}
	return false
}
