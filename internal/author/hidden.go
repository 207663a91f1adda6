package author

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/postern-authz/postern/internal/gate"
	"github.com/postern-authz/postern/internal/redact"
)

// hiddenMark stands in place of what may be a credential.
const hiddenMark = "(hidden)"

// shortest is the length below which a word is no credential: hiding it would
// only make the rest unreadable.
const shortest = 4

// secretsOf are the values of a question that may be credentials, by where they
// stand or by their form.
func secretsOf(q *gate.Question, headers []string) (secrets []string) {
	add := func(text string) {
		for _, word := range append(strings.Fields(text), text) {
			quoted := ast.String(word).String() // as it is shown where it holds quotes
			secrets = append(secrets, word, quoted[1:len(quoted)-1])
		}
	}
	formed := func(text string) {
		for _, word := range append(strings.Fields(text), text) {
			if redact.Formed(word) {
				add(word)
			}
		}
	}
	search := &redact.Names{Secret: redact.Name, Found: add}
	for _, h := range q.Request.Headers {
		if slices.Contains(headers, h.Name) || redact.Name(h.Name) {
			add(h.Value)
		}
		formed(h.Value)
		search.Text(h.Value)
	}
	for _, p := range q.Params {
		if redact.Name(p.Name) {
			add(p.Value)
		}
	}
	query, _ := url.ParseQuery(q.Request.Query) // what can't be parsed is read by nobody
	for name, values := range query {
		formed(name)
		for _, value := range values {
			if redact.Name(name) {
				add(value)
			}
			formed(value)
		}
	}
	search.Text(q.Request.RawPath)
	secrets = slices.DeleteFunc(secrets, func(text string) bool { return len(text) < shortest })
	slices.SortFunc(secrets, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	return slices.Compact(secrets)
}

// withoutSecrets takes secrets out of a text, also what is left of one where
// the text was cut short, and every word with the form of one.
func withoutSecrets(text string, secrets []string) string {
	for _, secret := range secrets {
		text = strings.ReplaceAll(text, secret, hiddenMark)
		for n := min(len(secret), longest); n > 1 && strings.Contains(text, "…"); n-- {
			text = strings.ReplaceAll(text, secret[:n]+"…", hiddenMark+"…")
		}
	}
	if !redact.Formed(text) {
		return text
	}
	words := strings.Split(text, " ")
	for i, word := range words {
		if redact.Formed(word) {
			words[i] = hiddenMark
		}
	}
	return strings.Join(words, " ")
}
