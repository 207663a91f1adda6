package journal

import (
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/policy"
	"github.com/postern-authz/postern/internal/redact"
)

// The outcomes of a decision.
const (
	Allowed = "allowed"
	Denied  = "denied"
	Error   = "error"
)

// held names what the records that refer to it hold of the input.
type held struct {
	source     *source
	entrypoint string
	whole      bool
}

// record is a decision as a line without its selection's number, which stands
// first.
func (j *Journal) record(n *note) (held, []byte) {
	q := n.question
	h := held{n.source, q.Entrypoint, j.config.Whole}
	input, omitted, err := n.source.inputs.Input(q, h.whole)
	if err != nil && h.whole && n.err == nil { // it can't be read whole, and its rules did not need that
		h.whole = false
		input, omitted, err = n.source.inputs.Input(q, false)
	}
	e := &encoder{bytes: make([]byte, 0, 2048), names: n.source.names, words: n.source.names.wordsOf(q), key: j.key, omitted: omitted}
	if err == nil {
		e.gather(input.Value, false)
	}
	j.envelope(e, n)
	if err == nil {
		from := len(e.bytes)
		e.bytes = append(e.bytes, `,"input":`...)
		e.value(input.Value, j.rules, keep, false)
		e.bytes = append(e.bytes, '}', '\n')
		e.bytes = withLists(e, from)
		return h, e.bytes
	}
	e.bytes = append(e.bytes, '}', '\n')
	return h, e.bytes
}

// withLists puts what the input does not hold before it.
func withLists(e *encoder, at int) []byte {
	var lists []byte
	for _, list := range []struct {
		name  string
		paths []policy.Path
	}{{"redacted", e.redacted}, {"hashed", e.hashed}, {"omitted", e.omitted}} {
		if len(list.paths) == 0 {
			continue
		}
		text, err := json.Marshal(list.paths)
		if err != nil {
			continue // paths are text
		}
		lists = append(append(append(append(lists, `,"`...), list.name...), `":`...), text...)
	}
	if len(lists) == 0 {
		return e.bytes
	}
	out := make([]byte, 0, len(e.bytes)+len(lists))
	out = append(append(out, e.bytes[:at]...), lists...)
	return append(out, e.bytes[at:]...)
}

// envelope is what is said of a decision beside its input. It begins with a
// comma.
func (j *Journal) envelope(e *encoder, n *note) {
	q := n.question
	// What clients can't write stands as it is: no word of theirs may take a part
	// of it out.
	own := func(name, value string) {
		if value == "" {
			return
		}
		e.bytes = append(append(append(e.bytes, `,"`...), name...), `":`...)
		e.quote(strings.ToValidUTF8(value, "\ufffd"))
	}
	field := func(name, value string) { own(name, e.safe(value)) }
	at := q.Request.Time
	if at.IsZero() {
		at = j.deps.Now()
	}
	own("id", q.DecisionID)
	own("time", at.UTC().Format(time.RFC3339Nano))
	own("entrypoint", q.Entrypoint)
	own("revision", n.source.inputs.Revision())
	own("route", j.ruled(q.Route, "route", "name"))
	if !q.Identity.Anonymous() {
		own("consumer", redact.Text(j.ruled(q.Identity.Consumer.Name, "consumer", "name")))
	}
	outcome, status := OutcomeOf(&n.decision, n.err)
	own("outcome", outcome)
	e.bytes = append(e.bytes, `,"status":`...)
	e.bytes = strconv.AppendInt(e.bytes, int64(status), 10)
	if n.err != nil {
		text, _, _ := strings.Cut(n.err.Error(), "\n")
		field("error", text[:min(len(text), 300)])
		return
	}
	own("answer", AnswerOf(j.key, &n.decision))
}

// ruled is a value of the envelope, as the input holds it.
func (j *Journal) ruled(value string, path ...string) string {
	switch j.rules.of(path...) {
	case omit:
		return ""
	case hash:
		return digestOf(j.key, []byte(ast.String(value).String()))
	}
	return value
}

// OutcomeOf is what became of a question, and the status that answers the
// client.
func OutcomeOf(d *access.Decision, err error) (outcome string, status int) {
	var unreadable *access.Unreadable
	switch {
	case errors.As(err, &unreadable):
		return Error, 400
	case err != nil:
		return Error, 503
	case d.Allowed:
		return Allowed, 200
	case d.Status != 0:
		return Denied, d.Status
	}
	return Denied, 403
}

// AnswerOf is a keyed digest of what a policy answered beside yes or no and the
// status, "" for nothing.
func AnswerOf(key []byte, d *access.Decision) string {
	if len(d.Headers)+len(d.ResponseHeaders)+len(d.RemoveHeaders)+len(d.SetQuery)+len(d.RemoveQuery)+len(d.Metadata) == 0 && !d.HasBody {
		return ""
	}
	plain := *d
	plain.Detail = ""
	text, err := json.Marshal(&plain)
	if err != nil {
		return ""
	}
	return digestOf(key, text)
}

var _ gate.Policy = (*noted)(nil)
