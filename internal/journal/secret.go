package journal

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// redacted stands in place of what may be a credential.
const redacted = "[redacted]"

// shortest is the length below which a word is no credential.
const shortest = 4

// secretHeaders may hold credentials whatever is configured.
var secretHeaders = []string{
	"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key", "apikey", "x-forwarded-client-cert",
	"x-client-cert", "ssl-client-cert", "x-ssl-cert", "x-ssl-client-cert", "x-forwarded-tls-client-cert",
	"x-forwarded-tls-client-cert-info", "client-cert", "client-cert-chain", "signature", "signature-input",
	"x-amz-security-token", "x-goog-iap-jwt-assertion", "x-jwt-assertion",
}

// secretWords make a name one of a credential, wherever it stands; secretNames
// are whole names that do, secretParameters do so in a query.
var (
	secretWords      = []string{"token", "secret", "passw", "passphrase", "credential", "signature", "authorization", "cookie", "certificate", "assertion", "jwt", "sessionid", "session_id", "session-id"}
	secretNames      = []string{"sid", "session", "session_state", "pwd", "pin", "otp", "cert", "nonce"}
	secretParameters = []string{"sig", "code", "auth", "hmac", "samlresponse", "samlrequest", "state", "ticket"}
)

func secretName(name string) bool {
	name = strings.ToLower(name)
	return strings.HasSuffix(name, "key") || slices.Contains(secretNames, name) ||
		slices.ContainsFunc(secretWords, func(word string) bool { return strings.Contains(name, word) })
}

// names say where credentials stand by configuration.
type names struct {
	headers map[string]bool
	queries map[string]bool
}

func namesOf(headers, queries []string) *names {
	n := &names{headers: map[string]bool{}, queries: map[string]bool{}}
	for _, name := range append(slices.Clone(secretHeaders), headers...) {
		n.headers[strings.ToLower(name)] = true
	}
	for _, name := range queries {
		n.queries[strings.ToLower(name)] = true
	}
	return n
}

func (n *names) header(name string) bool { return n.headers[strings.ToLower(name)] || secretName(name) }

func (n *names) query(name string) bool {
	lower := strings.ToLower(name)
	return n.queries[lower] || slices.Contains(secretParameters, lower) || secretName(lower)
}

// secretsOf are the words of a request that may be credentials, to be taken out
// wherever else they stand. The longest come first.
func (n *names) secretsOf(r *access.Request) []string {
	var all []string
	add := func(text string) {
		if len(text) >= shortest && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	for _, h := range r.Headers {
		if n.header(h.Name) {
			ofHeader(h.Value, add)
		}
	}
	eachParameter(r.Query, func(name, value string) {
		if n.query(name) {
			add(value)
			if plain, err := url.QueryUnescape(value); err == nil {
				add(plain)
			}
		}
	})
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

// eachParameter goes through a raw query. Names are given decoded where that
// can be done.
func eachParameter(query string, each func(name, value string)) {
	for _, one := range strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(one, "=")
		each(decoded(name), value)
	}
}

func decoded(name string) string {
	if plain, err := url.QueryUnescape(name); err == nil {
		return plain
	}
	return name
}

// target takes the credentials out of the query of a path or URL.
func (n *names) target(text string) string {
	path, query, found := strings.Cut(text, "?")
	if !found {
		return text
	}
	out := append(make([]byte, 0, len(text)+len(redacted)), path...)
	out = append(out, '?')
	for {
		end := strings.IndexAny(query, "&;#")
		one := query
		if end >= 0 {
			one = query[:end]
		}
		name, value, _ := strings.Cut(one, "=")
		if value != "" && n.query(decoded(name)) {
			one = name + "=" + redacted
		}
		out = append(out, one...)
		if end < 0 {
			return string(out)
		}
		out = append(out, query[end])
		query = query[end+1:]
	}
}

// withoutSecrets takes the words of credentials out of a text, and everything
// with the form of a token or of a key that Postern makes.
func (n *names) withoutSecrets(text string, secrets []string) string {
	if strings.IndexByte(text, '?') >= 0 {
		text = n.target(text)
	}
	for _, secret := range secrets {
		if strings.Contains(text, secret) {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	if strings.Contains(text, "eyJ") || holdsKey(text) {
		return redacted
	}
	return text
}

// holdsKey reports whether a word of a text has the form of a key.
func holdsKey(text string) bool {
	from := 0
	for i := 0; i <= len(text); i++ {
		if i == len(text) || !isWord(text[i]) {
			if i-from > 24 && consumer.LooksLikeKey(text[from:i]) {
				return true
			}
			from = i + 1
		}
	}
	return false
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}
