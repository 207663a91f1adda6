package journal

import (
	"strings"

	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/redact"
)

// redacted stands in place of what may be a credential.
const redacted = redact.Mark

// maxNames is how many names are remembered.
const maxNames = 4096

// names say under which names credentials stand: those of the configuration,
// and those that are named like one. They are asked by one goroutine.
type names struct {
	headers map[string]bool
	queries map[string]bool
	known   map[string]bool
}

func namesOf(headers, queries []string) *names {
	n := &names{headers: map[string]bool{}, queries: map[string]bool{}, known: map[string]bool{}}
	for _, name := range headers {
		n.headers[strings.ToLower(name)] = true
	}
	for _, name := range queries {
		n.queries[strings.ToLower(name)] = true
	}
	return n
}

// named is the one rule for names.
func (n *names) named(name string) bool {
	is, known := n.known[name]
	if !known {
		is = redact.Name(name)
		if len(n.known) < maxNames && len(name) < 100 {
			n.known[strings.Clone(name)] = is
		}
	}
	return is
}

func (n *names) header(name string) bool { return n.named(name) || n.headers[strings.ToLower(name)] }

func (n *names) query(name string) bool {
	return n.named(name) || n.queries[strings.ToLower(redact.Decoded(name))]
}

// wordsOf are the credentials that a question brings outside of its body and
// metadata.
func (n *names) wordsOf(q *gate.Question) *words {
	w := &words{}
	search := &redact.Names{Secret: n.query, Found: w.add}
	for _, h := range q.Request.Headers {
		if n.header(h.Name) {
			w.credential(h.Value)
		} else {
			search.Text(h.Value)
		}
	}
	for _, p := range q.Params {
		if n.query(p.Name) {
			w.add(p.Value)
		}
	}
	for name, value := range q.Request.Extensions {
		if n.query(name) {
			w.add(value)
			w.credential(value)
		}
	}
	search.Text(q.Request.RawPath)
	search.Text("?" + q.Request.Query)
	return w
}

// withoutSecrets takes out of a text what stands under the name of a credential
// or has the form of one, and the words of credentials.
func (n *names) withoutSecrets(text string, w *words) string {
	if w.known[text] {
		return redacted
	}
	return w.takenOut((&redact.Names{Secret: n.query}).Text(text))
}
