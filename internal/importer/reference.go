package importer

import (
	"encoding/json"
	"regexp"
	"strings"
)

// deckEnv is decK's form of an environment variable, whose name begins with
// DECK_ there.
var deckEnv = regexp.MustCompile(`^\$\{\{\s*env\s+"(DECK_[A-Za-z0-9_]+)"\s*\}\}$`)

// resolve returns the value that a text stands for: itself, unless it has the
// form of a reference. References are those of APISIX ($ENV://NAME,
// $ENV://NAME/key, $secret://…), of decK (${{ env "DECK_NAME" }}) and of Kong
// ({vault://…}).
func (r *reader) resolve(text string) (string, bool) {
	folded := strings.ToLower(text)
	switch {
	case strings.HasPrefix(folded, "$env://"):
		return r.fromEnv(text[len("$env://"):])
	case strings.HasPrefix(folded, "$secret://"), strings.HasPrefix(folded, "{vault://"):
		value, ok := r.Secrets(text)
		return value, ok && value != ""
	case deckEnv.MatchString(text):
		return r.variable(deckEnv.FindStringSubmatch(text)[1])
	case strings.HasPrefix(text, "${"):
		return "", false
	}
	return text, true
}

// fromEnv reads a variable, or a key of the JSON object in it.
func (r *reader) fromEnv(name string) (string, bool) {
	name, key, nested := strings.Cut(name, "/")
	value, ok := r.variable(name)
	if !ok || !nested {
		return value, ok
	}
	var object map[string]any
	if err := json.Unmarshal([]byte(value), &object); err != nil {
		return "", false
	}
	text, ok := object[key].(string)
	return text, ok && text != ""
}

func (r *reader) variable(name string) (string, bool) {
	value, ok := r.Env(name)
	return value, ok && value != ""
}
