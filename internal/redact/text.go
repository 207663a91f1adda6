package redact

import (
	"encoding/json"
	"strings"
)

// Mark stands in place of what may be a credential.
const Mark = "[redacted]"

// maxEscapes is how often a text may be percent-encoded; what is more often
// goes whole.
const maxEscapes = 4

// Names says whether a name is one of a credential. Found takes values that
// stood under one; nil: nobody wants them.
type Names struct {
	Secret func(name string) bool
	Found  func(value string)
}

// Text takes credentials out of a path, a target, a URL or another text by the
// one rule for names.
func Text(text string) string { return (&Names{Secret: Name}).Text(text) }

// Text takes credentials out of a path, a target, a URL or another text. Of a
// path and of a query it takes the part, of any other text mostly all.
func (n *Names) Text(text string) string {
	if plain(text) {
		return text
	}
	if n.holdsMember(text) {
		return Mark
	}
	var out strings.Builder
	inPath := strings.HasPrefix(text, "/")
	for {
		if !inPath && strings.HasPrefix(text, "://") {
			text = n.host(&out, text)
			inPath = strings.HasPrefix(text, "/")
		}
		end := n.end(text, inPath)
		out.WriteString(n.part(text[:end], inPath))
		if text = text[end:]; text == "" {
			return out.String()
		}
		if text[0] != ':' {
			inPath = inPath && text[0] != '?' && text[0] != '#'
			out.WriteByte(text[0])
			text = text[1:]
		}
	}
}

// host writes what follows a scheme, without what stands before the host's
// name, and gives the rest.
func (n *Names) host(out *strings.Builder, text string) string {
	out.WriteString("://")
	text = text[len("://"):]
	end := strings.IndexAny(text, "/?#&")
	if end < 0 {
		end = len(text)
	}
	host := text[:end]
	if at := strings.LastIndexByte(host, '@'); at >= 0 {
		host = Mark + host[at:]
	}
	out.WriteString(n.part(host, false))
	return text[end:]
}

// end is where a part of a text ends: in a path at each segment and parameter,
// elsewhere at what parts the parameters of a query.
func (n *Names) end(rest string, inPath bool) int {
	ends := "&?#"
	if inPath {
		ends = "/;?#"
	}
	end := strings.IndexAny(rest, ends)
	if end < 0 {
		end = len(rest)
	}
	if scheme := strings.Index(rest[:end], "://"); !inPath && scheme >= 0 && !strings.ContainsRune(rest[:scheme], '=') {
		return scheme
	}
	return end
}

// part takes out of a part what may be a credential, from the first name of one
// to its end; and all of it but its first name where one shows when it is read
// once more.
func (n *Names) part(text string, inPath bool) string {
	if plain(text) {
		return text
	}
	if at := n.pair(text); at >= 0 {
		return text[:at] + Mark
	}
	if !n.holdsDeep(text) {
		return text
	}
	if name, _, found := strings.Cut(text, "="); found && !inPath && !n.holdsDeep(name) {
		return name + "=" + Mark
	}
	return Mark
}

// pair is where the value begins of the first name of a credential; less than 0:
// there is none.
func (n *Names) pair(text string) int {
	from := 0
	for i := range len(text) {
		c := text[i]
		if c == '=' && i+1 < len(text) && text[i+1:] != Mark && n.Secret(text[from:i]) {
			n.found(text[i+1:])
			return i + 1
		}
		if c == '=' || c < 0x80 && strings.IndexByte(" \t;,/?&#\"'{}()<>|", c) >= 0 {
			from = i + 1
		}
	}
	return -1
}

func (n *Names) found(value string) {
	if n.Found == nil {
		return
	}
	n.Found(value)
	if decoded := Decoded(value); decoded != value {
		n.Found(decoded)
	}
	if first, _, more := strings.Cut(value, ";"); more {
		n.Found(first)
	}
}

// holdsDeep reports whether a credential shows in a text, as it stands or
// decoded.
func (n *Names) holdsDeep(text string) bool {
	for range maxEscapes {
		if holdsForm(text) || n.holdsMember(text) || n.holdsPair(text) || holdsPassword(text) {
			return true
		}
		decoded := unescapedOnce(text)
		if decoded == text {
			return false
		}
		text = decoded
	}
	return true
}

// holdsPair reports whether there is a name of a credential with its value.
func (n *Names) holdsPair(text string) bool {
	if strings.IndexByte(text, '=') < 0 {
		return false
	}
	for _, one := range strings.FieldsFunc(text, func(r rune) bool { return r == '&' || r == '?' || r == '#' }) {
		if n.pair(one) >= 0 {
			return true
		}
	}
	return false
}

// holdsPassword reports whether there is a URL with somebody's name in it (RFC
// 3986 section 3.2.1).
func holdsPassword(text string) bool {
	_, rest, found := strings.Cut(text, "://")
	if !found {
		return false
	}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	return at > 0 && rest[:at] != Mark
}

// holdsMember reports whether a text holds a member of a document, or a line of
// a form, under the name of a credential: "name": or name: with a blank.
func (n *Names) holdsMember(text string) bool {
	for i := 1; i < len(text)-1; i++ {
		if text[i] != ':' {
			continue
		}
		before := strings.TrimRight(text[:i], " \t")
		quoted := strings.HasSuffix(before, `"`) || strings.HasSuffix(before, "'")
		if !quoted && text[i+1] != ' ' && text[i+1] != '\t' {
			continue
		}
		before = strings.TrimRight(before, "\"'\\")
		from := strings.LastIndexAny(before, " \t\"',;{[&=/")
		if quoted {
			from = strings.LastIndexAny(before, "\"'")
		}
		if n.Secret(unquoted(before[from+1:])) {
			return true
		}
	}
	return false
}

func unquoted(name string) string {
	var plain string
	if strings.IndexByte(name, '\\') < 0 || json.Unmarshal([]byte(`"`+name+`"`), &plain) != nil {
		return name
	}
	return plain
}

// plain reports that a text can hold nothing by its letters.
func plain(text string) bool {
	return strings.IndexByte(text, '=') < 0 && strings.IndexByte(text, '%') < 0 && strings.IndexByte(text, ':') < 0 && !holdsForm(text)
}

// Decoded is a text without percent-encoding (RFC 3986 section 2.1), as often as
// it is there, up to four times.
func Decoded(text string) string {
	for range maxEscapes {
		decoded := unescapedOnce(text)
		if decoded == text {
			break
		}
		text = decoded
	}
	return text
}

// unescapedOnce decodes what is percent-encoded rightly, and leaves the rest.
func unescapedOnce(text string) string {
	first := strings.IndexByte(text, '%')
	if first < 0 {
		return text
	}
	out := append(make([]byte, 0, len(text)), text[:first]...)
	for i := first; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]) {
			out = append(out, hex(text[i+1])<<4|hex(text[i+2]))
			i += 2
			continue
		}
		out = append(out, text[i])
	}
	return string(out)
}

func isHex(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' }

func hex(c byte) byte {
	if isDigit(c) {
		return c - '0'
	}
	return c | 0x20 - 'a' + 10
}
