package gate

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/postern-authz/postern/internal/access"
)

const jsonType = "application/json"

// sign writes on a verdict what every verdict carries.
func (h *hearing) sign(v access.Verdict) access.Verdict {
	v.DecisionID = h.id
	if h.rules != nil {
		v.Revision = h.rules.Revision
	}
	if h.route != nil {
		v.Route = h.route.Name
	}
	v.Identity = h.identity
	if v.Identity == nil {
		v.Identity = access.AnonymousIdentity()
	}
	return v
}

// deny refuses the request with the gate's own body, and with the challenges
// where the client may try again with a credential. A reason of CodeFault is a
// fault.
func (h *hearing) deny(reason access.Reason) access.Verdict {
	if reason.Code == access.CodeFault {
		return h.fault(reason.Detail)
	}
	v := h.sign(access.Deny(reason))
	v.Body, v.ContentType = h.body(reason.Code), jsonType
	v.Client = h.challenges(v.Status)
	if h.found.rejection != nil && h.found.rejection.RetryAfter > 0 {
		v.Client = append(v.Client, retryAfter(h.found.rejection.RetryAfter))
	}
	return v
}

// retryAfter is in whole seconds, rounded up (RFC 9110 section 10.2.3).
func retryAfter(d time.Duration) access.Header {
	return access.Header{Name: "Retry-After", Value: strconv.Itoa(int((d + time.Second - 1) / time.Second))}
}

// fault refuses the request because something went wrong on our side.
func (h *hearing) fault(detail string) access.Verdict {
	v := h.sign(access.Fault(detail))
	v.Body, v.ContentType = h.body(access.CodeFault), jsonType
	return v
}

// body is the answer that programs can read. Marshalling three strings can't
// fail.
func (h *hearing) body(code access.Code) string {
	text, _ := json.Marshal(struct {
		Code       access.Code `json:"code"`
		Message    string      `json:"message"`
		DecisionID string      `json:"decision_id"`
	}{code, code.Message(), h.id})
	return string(text)
}

// challenges are the WWW-Authenticate lines of a 401, one a believed kind
// (RFC 9110 section 11.6.1). Kinds that ask for the same, such as tokens of two
// kinds under Bearer, share a line; it tells of a rejection by any of them.
func (h *hearing) challenges(status int) []access.Header {
	if status != http.StatusUnauthorized || h.route == nil {
		return nil
	}
	var lines []access.Header
	at := map[string]int{}
	for _, a := range h.rules.believed[h.route] {
		rejected := slices.Contains(h.found.rejected, a.Kind())
		i, shared := at[a.Challenge(false)]
		switch {
		case !shared:
			at[a.Challenge(false)] = len(lines)
			lines = append(lines, access.Header{Name: "WWW-Authenticate", Value: a.Challenge(rejected)})
		case rejected:
			lines[i].Value = a.Challenge(true)
		}
	}
	return lines
}

// denyByPolicy refuses in policy's own words where it has any.
func (h *hearing) denyByPolicy(d *access.Decision) access.Verdict {
	v := h.deny(access.Reason{Code: access.CodeDeniedByPolicy, Detail: d.Detail})
	if d.Status != 0 {
		v.Status = d.Status
	}
	if d.HasBody {
		v.Body, v.ContentType = d.Body, "text/plain; charset=utf-8"
		if json.Valid([]byte(d.Body)) {
			v.ContentType = jsonType
		}
	}
	v.Client, v.Metadata = h.challenges(v.Status), d.Metadata
	for _, header := range h.settable(&v, d.Headers) {
		if strings.EqualFold(header.Name, "Content-Type") {
			v.ContentType = header.Value
			continue
		}
		v.Client = append(v.Client, header)
	}
	return v
}

// waive lets through what policy denied on a dry run. What it said for the
// client's eyes or about the request is left aside; its metadata is for the
// gateway's own, and tells the access log of the denial.
func (h *hearing) waive(ctx context.Context, d *access.Decision) access.Verdict {
	v := h.allow(ctx, &access.Decision{Allowed: true, Metadata: d.Metadata})
	if v.Outcome() == access.Allowed {
		v.DryRun = access.Reason{Code: access.CodeDeniedByPolicy, Detail: d.Detail}
		h.note("dry run", "policy denied the request, which is let through all the same")
	}
	return v
}

// reserved reports whether policy may not set a header, named in lower case:
// those that Postern speaks for and those that frame the message.
func (h *hearing) reserved(name string) bool {
	switch name {
	case "x-postern-code", "x-postern-status", "content-length", "transfer-encoding", "connection":
		return true
	}
	return h.rules.managed[name] || h.rules.alias(name) || strings.HasPrefix(name, ":")
}

// allow lets the request through with the identity in the managed headers. A
// value that can't stand in a header is a fault: it is never emitted.
func (h *hearing) allow(ctx context.Context, d *access.Decision) access.Verdict {
	if err := h.vouch(ctx); err != nil {
		return h.fault("identity assertion: " + err.Error())
	}
	v := h.sign(access.Allow())
	v.Managed = make([]access.Header, len(h.rules.Managed))
	for i := range h.rules.Managed {
		value := h.managedValue(&h.rules.Managed[i])
		if !printable(value) {
			return h.fault("the value for " + h.rules.Managed[i].Name + " holds control characters")
		}
		v.Managed[i] = access.Header{Name: h.rules.Managed[i].Name, Value: value}
	}
	h.hide(&v)
	h.obey(&v, d)
	return v
}

// vouch has the identity signed for the upstream, where the rules say so.
// There is nothing to vouch for in an anonymous one.
func (h *hearing) vouch(ctx context.Context) (err error) {
	if h.rules.Assertion.Signer != nil && !h.identity.Anonymous() {
		h.assertion, err = h.rules.Assertion.Signer.Sign(ctx, h.req, h.identity, h.id)
	}
	return err
}

func (h *hearing) managedValue(m *ManagedHeader) string {
	switch {
	case m.Name == DecisionIDHeader:
		return h.id
	case m.Name == h.rules.Assertion.Header:
		return h.assertion
	case m.Value == nil:
		return ""
	}
	return m.Value(h.identity)
}

// printable reports whether a value can be sent in a header (RFC 9110 section
// 5.5: no controls).
func printable(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// hide takes from the request the credentials that proved it, but for those
// that are forwarded, and the aliases of managed headers.
func (h *hearing) hide(v *access.Verdict) {
	v.Remove = h.aliases
	for i := range h.found.proofs {
		if slices.Contains(h.rules.Forward, h.found.proofs[i].kind) {
			continue
		}
		found := &h.found.proofs[i]
		if found.From.Query != "" {
			v.RemoveQuery = append(v.RemoveQuery, found.From.Query)
		}
		v.Remove = withName(v.Remove, found.From.Header)
		for _, name := range found.Beside {
			if _, lines := h.req.Headers.Get(name); lines > 0 {
				v.Remove = withName(v.Remove, name)
			}
		}
	}
}

func withName(names []string, name string) []string {
	if name == "" || slices.Contains(names, name) {
		return names
	}
	return append(names, name)
}

// obey does to the request what policy asked for, except for managed headers,
// which are Postern's. What policy removes is not set; what it sets is not
// hidden, so that it can hand the upstream another credential.
func (h *hearing) obey(v *access.Verdict, d *access.Decision) {
	removed := h.removals(v, d)
	for _, header := range h.settable(v, d.Headers) {
		name := strings.ToLower(header.Name)
		if slices.Contains(removed, name) {
			continue
		}
		v.Upstream = append(v.Upstream, header)
		v.Remove = slices.DeleteFunc(v.Remove, func(hidden string) bool { return hidden == name })
	}
	for _, name := range removed {
		if !slices.Contains(v.Remove, name) {
			v.Remove = append(v.Remove, name)
		}
	}
	v.Client = h.settable(v, d.ResponseHeaders)
	v.SetQuery, v.Metadata = d.SetQuery, d.Metadata
	v.RemoveQuery = append(v.RemoveQuery, d.RemoveQuery...)
}

// settable drops the headers that policy may not set, with a warning.
func (h *hearing) settable(v *access.Verdict, headers []access.Header) []access.Header {
	var allowed []access.Header
	for _, header := range headers {
		if name := strings.ToLower(header.Name); h.reserved(name) {
			v.Warnings = append(v.Warnings, "policy may not set the header "+name+": dropped")
			continue
		}
		allowed = append(allowed, header)
	}
	return allowed
}

// removals are the headers that policy removes, in lower case. Managed ones
// are replaced or removed anyway.
func (h *hearing) removals(v *access.Verdict, d *access.Decision) []string {
	var names []string
	for _, name := range d.RemoveHeaders {
		name = strings.ToLower(name)
		if h.reserved(name) {
			v.Warnings = append(v.Warnings, "policy may not remove the header "+name+": dropped")
			continue
		}
		names = append(names, name)
	}
	return names
}
