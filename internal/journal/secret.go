package journal

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/redact"
)

// redacted stands in place of what may be a credential.
const redacted = redact.Mark

// shortest is the length below which a word is no credential, maxNames how many
// names are remembered.
const (
	shortest = 4
	maxNames = 4096
)

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

// secretsOf are the words of a question that may be credentials, to be taken out
// wherever else they stand. The longest come first.
func (n *names) secretsOf(q *gate.Question) []string {
	known := map[string]bool{}
	var all []string
	add := func(text string) {
		for _, one := range []string{text, redact.Decoded(text), url.QueryEscape(text), url.PathEscape(text)} {
			if len(one) >= shortest && one != redacted && !known[one] {
				known[one] = true
				all = append(all, one)
			}
		}
	}
	search := &redact.Names{Secret: n.query, Found: add}
	for _, h := range q.Request.Headers {
		if n.header(h.Name) {
			ofHeader(h.Value, add)
		} else {
			search.Text(h.Value)
		}
	}
	for _, p := range q.Params {
		if n.query(p.Name) {
			add(p.Value)
		}
	}
	search.Text(q.Request.RawPath)
	search.Text("?" + q.Request.Query)
	slices.SortFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// ofHeader takes apart a header that holds a credential: its words but a
// scheme, what a basic credential says, and the values of parameters.
func ofHeader(value string, add func(string)) {
	words := strings.Fields(value)
	if len(words) > 1 && !strings.ContainsAny(words[0], "=;,\"") {
		words = words[1:]
	}
	for _, word := range words {
		add(word)
		for _, piece := range strings.FieldsFunc(word, func(r rune) bool { return r == ';' || r == ',' || r == '"' }) {
			if _, after, found := strings.Cut(piece, "="); found {
				piece = after
			}
			if len(piece) >= 2*shortest {
				add(piece)
			}
		}
		if plain, err := base64.StdEncoding.DecodeString(word); err == nil {
			if _, password, found := strings.Cut(string(plain), ":"); found {
				add(password)
			}
		}
	}
}

// withoutSecrets takes out of a text what stands under the name of a credential
// or has the form of one, and the words of credentials.
func (n *names) withoutSecrets(text string, secrets []string) string {
	text = (&redact.Names{Secret: n.query}).Text(text)
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	if len(secrets) == 0 || strings.IndexByte(text, '%') < 0 {
		return text
	}
	decoded := redact.Decoded(text)
	if slices.ContainsFunc(secrets, func(secret string) bool { return strings.Contains(decoded, secret) }) {
		return redacted
	}
	return text
}
