package journal

import (
	"encoding/base64"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/redact"
)

// The bounds of the words of one record, so that what it costs grows with its
// length alone: their number and bytes, beyond which nothing of a client's texts
// is kept; and how much of a word is looked for.
const (
	maxWords     = 256
	maxWordBytes = 64 << 10
	maxLooked    = 64
)

// shortest is the length below which a word is looked for as a whole value only:
// it may stand in anything.
const shortest = 4

// longMark stands, while words are taken out, where only the beginning of one
// was looked for.
const longMark = redacted + "\x00"

// words are the credentials of one record, to be taken out wherever else they
// stand.
type words struct {
	known map[string]bool
	all   []string
	bytes int
	// over says that there are too many.
	over     bool
	replacer *strings.Replacer
}

// add takes up a credential.
func (w *words) add(text string) {
	w.take(text)
	w.take(redact.Decoded(text))
	if strings.IndexByte(text, ' ') >= 0 {
		w.take(strings.ReplaceAll(text, " ", "+"))
	}
}

func (w *words) take(word string) {
	if w.over || word == "" || word == redacted || w.known[word] {
		return
	}
	if w.bytes += len(word); len(w.known) >= maxWords || w.bytes > maxWordBytes {
		w.over = true
		return
	}
	if w.known == nil {
		w.known = map[string]bool{}
	}
	w.known[word] = true
	if len(word) >= shortest {
		w.all = append(w.all, word)
	}
}

// credential takes up a value that stands where one does, such as a header's:
// its words but a scheme, what a basic credential says, and the values of
// parameters.
func (w *words) credential(value string) {
	if first, rest, more := strings.Cut(strings.TrimSpace(value), " "); more && !strings.ContainsAny(first, "=;,\"") {
		value = rest
	}
	for word := range strings.FieldsSeq(value) {
		if w.add(word); w.over {
			return
		}
		for _, piece := range strings.FieldsFunc(word, func(r rune) bool { return r == ';' || r == ',' || r == '"' }) {
			if _, after, found := strings.Cut(piece, "="); found {
				piece = after
			}
			if len(piece) >= 2*shortest {
				w.add(piece)
			}
		}
		if _, password, found := strings.Cut(ofBase64(word), ":"); found {
			w.add(password)
		}
	}
}

// ofBase64 is what a word says in base64, with padding or without, in either
// alphabet; "" where it is none.
func ofBase64(word string) string {
	word = strings.TrimRight(word, "=")
	encoding := base64.RawStdEncoding
	if strings.ContainsAny(word, "-_") {
		encoding = base64.RawURLEncoding
	}
	plain, err := encoding.DecodeString(word)
	if err != nil {
		return ""
	}
	return string(plain)
}

// takenOut is a text of a client without them. A text that holds one in another
// encoding, or one that is too long to look for, goes whole.
func (w *words) takenOut(text string) string {
	if w.known[text] {
		return redacted
	}
	if len(w.all) == 0 {
		return text
	}
	out := w.replaced(text)
	if strings.Contains(out, longMark) {
		return redacted
	}
	if strings.IndexByte(text, '%') < 0 {
		return out
	}
	if decoded := redact.Decoded(text); w.known[decoded] || w.replaced(decoded) != decoded {
		return redacted
	}
	return out
}

// replaced looks for all words in one pass: what stands in place of one is not
// looked through again.
func (w *words) replaced(text string) string {
	if len(w.all) <= 8 && !slices.ContainsFunc(w.all, func(word string) bool { return strings.Contains(text, word) }) {
		return text
	}
	if w.replacer == nil {
		w.replacer = w.looked()
	}
	return w.replacer.Replace(text)
}

// looked looks for the longest words first.
func (w *words) looked() *strings.Replacer {
	slices.SortFunc(w.all, func(a, b string) int { return len(b) - len(a) })
	pairs := make([]string, 0, 2*len(w.all))
	for _, word := range w.all {
		if len(word) > maxLooked {
			pairs = append(pairs, word[:maxLooked], longMark)
			continue
		}
		pairs = append(pairs, word, redacted)
	}
	return strings.NewReplacer(pairs...)
}
