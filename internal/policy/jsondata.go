package policy

import (
	"bytes"
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/open-policy-agent/opa/v1/ast"
)

// maxDataDepth is how deep data may be nested: far deeper than anyone writes,
// and no danger to what walks it.
const maxDataDepth = 128

// The texts that repeat in a file, names of members above all, are held once:
// so many of them, each up to so many bytes.
const (
	maxSharedTexts = 1 << 14
	maxSharedText  = 64
)

// misread is what is wrong with a file of data, and where.
type misread struct {
	// line and column count from 1; 0 where unknown.
	line, column int
	text         string
}

func (m *misread) Error() string { return m.text }

// jsonReader reads JSON (RFC 8259) straight into OPA's values, with nothing in
// between: a file of a million members takes little more memory than what it
// becomes. It is stricter than encoding/json where that would lose something
// without a word: members that stand twice and text that is no Unicode are
// errors. Numbers are kept as they are written.
type jsonReader struct {
	text []byte
	at   int
	// depth is how many objects and arrays are open.
	depth int
	// terms and pairs are what the open arrays and objects hold so far.
	terms []*ast.Term
	pairs [][2]*ast.Term
	// texts are shared by all who have them; nobody changes a term of data.
	texts map[string]*ast.Term
	bare  []byte
}

// readJSON reads one value. Its error is a *misread.
func readJSON(text []byte) (ast.Value, error) {
	r := &jsonReader{text: text, texts: map[string]*ast.Term{}}
	value, err := r.value()
	if err != nil {
		return nil, err
	}
	if r.space(); r.at < len(r.text) {
		return nil, r.wrong("there is more after the value")
	}
	return value.Value, nil
}

// wrong tells of what is wrong where the reader stands.
func (r *jsonReader) wrong(format string, args ...any) error {
	return r.wrongAt(r.at, format, args...)
}

func (r *jsonReader) wrongAt(at int, format string, args ...any) error {
	before := r.text[:min(at, len(r.text))]
	column := len(before) - bytes.LastIndexByte(before, '\n')
	return &misread{line: r.lineAt(len(before)), column: column, text: fmt.Sprintf(format, args...)}
}

func (r *jsonReader) lineAt(at int) int { return bytes.Count(r.text[:at], []byte{'\n'}) + 1 }

// unexpected tells of a byte that can't stand where the reader is.
func (r *jsonReader) unexpected(expected string) error {
	if r.at >= len(r.text) {
		return r.wrong("the file ends where %s is expected", expected)
	}
	return r.wrong("found %q, expected %s", r.text[r.at], expected)
}

func (r *jsonReader) space() {
	for r.at < len(r.text) {
		switch r.text[r.at] {
		case ' ', '\t', '\n', '\r':
			r.at++
		default:
			return
		}
	}
}

// next passes space and gives the byte after it; 0 at the end.
func (r *jsonReader) next() byte {
	if r.space(); r.at < len(r.text) {
		return r.text[r.at]
	}
	return 0
}

func (r *jsonReader) value() (*ast.Term, error) {
	switch c := r.next(); {
	case c == '{':
		return r.nested((*jsonReader).object)
	case c == '[':
		return r.nested((*jsonReader).array)
	case c == '"':
		return r.string()
	case c == '-' || c >= '0' && c <= '9':
		return r.number()
	case c == 't':
		return r.word("true", ast.InternedTerm(true))
	case c == 'f':
		return r.word("false", ast.InternedTerm(false))
	case c == 'n':
		return r.word("null", ast.InternedNullTerm)
	}
	return nil, r.unexpected("a value")
}

func (r *jsonReader) word(word string, term *ast.Term) (*ast.Term, error) {
	if !bytes.HasPrefix(r.text[r.at:], []byte(word)) {
		return nil, r.wrong("expected %s", word)
	}
	r.at += len(word)
	return term, nil
}

func (r *jsonReader) nested(read func(*jsonReader) (ast.Value, error)) (*ast.Term, error) {
	if r.depth == maxDataDepth {
		return nil, r.wrong("nested deeper than %d", maxDataDepth)
	}
	r.depth++
	r.at++
	value, err := read(r)
	r.depth--
	return &ast.Term{Value: value}, err
}

// object reads members up to the closing brace.
func (r *jsonReader) object() (ast.Value, error) {
	first, began := len(r.pairs), r.at
	for c := r.next(); c != '}'; c = r.next() {
		if len(r.pairs) > first {
			if c != ',' {
				return nil, r.unexpected("a comma or }")
			}
			r.at++
		}
		if err := r.member(); err != nil {
			return nil, err
		}
	}
	r.at++
	members := r.pairs[first:]
	object, twice := objectOf(members)
	if object == nil {
		return nil, r.repeated(twice, began)
	}
	r.pairs = r.pairs[:first]
	return object, nil
}

func (r *jsonReader) member() error {
	if r.next() != '"' {
		return r.unexpected("a member's name in quotes")
	}
	name, err := r.string()
	if err != nil {
		return err
	}
	if r.next() != ':' {
		return r.unexpected("a colon")
	}
	r.at++
	value, err := r.value()
	if err != nil {
		return err
	}
	r.pairs = append(r.pairs, [2]*ast.Term{name, value})
	return nil
}

// repeated tells of a member that stands twice in the object that begins at a
// place, which is read once more to find where.
func (r *jsonReader) repeated(name *ast.Term, began int) error {
	var lines []int
	at := began
	for r.at = began; r.next() != '}' && len(lines) < 2; {
		if r.text[r.at] == ',' {
			r.at++
			r.space()
		}
		here := r.at
		if err := r.member(); err != nil {
			return err
		}
		if r.pairs[len(r.pairs)-1][0].Value == name.Value {
			lines, at = append(lines, r.lineAt(here)), here
		}
	}
	if len(lines) < 2 {
		return r.wrongAt(at, "the member %s stands twice", name)
	}
	return r.wrongAt(at, "the member %s stands twice; it is at line %d already", name, lines[0])
}

// array reads items up to the closing bracket.
func (r *jsonReader) array() (ast.Value, error) {
	first := len(r.terms)
	for c := r.next(); c != ']'; c = r.next() {
		if len(r.terms) > first {
			if c != ',' {
				return nil, r.unexpected("a comma or ]")
			}
			r.at++
		}
		item, err := r.value()
		if err != nil {
			return nil, err
		}
		r.terms = append(r.terms, item)
	}
	r.at++
	items := make([]*ast.Term, len(r.terms)-first)
	copy(items, r.terms[first:])
	r.terms = r.terms[:first]
	return ast.NewArray(items...), nil
}

// number reads a number as it is written.
func (r *jsonReader) number() (*ast.Term, error) {
	began := r.at
	if r.text[r.at] == '-' {
		r.at++
	}
	zero := r.at < len(r.text) && r.text[r.at] == '0'
	whole := r.digits()
	if whole == 0 || zero && whole > 1 {
		return nil, r.wrongAt(began, "this is no number")
	}
	if r.at < len(r.text) && r.text[r.at] == '.' {
		if r.at++; r.digits() == 0 {
			return nil, r.unexpected("a digit")
		}
	}
	if r.at < len(r.text) && r.text[r.at]|0x20 == 'e' {
		if r.at++; r.at < len(r.text) && (r.text[r.at] == '+' || r.text[r.at] == '-') {
			r.at++
		}
		if r.digits() == 0 {
			return nil, r.unexpected("a digit")
		}
	}
	term, err := numberTerm(string(r.text[began:r.at]))
	if err != nil {
		return nil, r.wrongAt(began, "%s", err)
	}
	return term, nil
}

// numberTerm is a number of JSON's form.
func numberTerm(text string) (*ast.Term, error) {
	if shared := ast.InternedIntNumberTermFromString(text); shared != nil {
		return shared, nil
	}
	number, err := ast.NumberChecked(text)
	if err != nil || len(text) > maxDigits {
		return nil, fmt.Errorf("a number that is out of range")
	}
	return &ast.Term{Value: number}, nil
}

func (r *jsonReader) digits() int {
	began := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at - began
}

// string reads a text in quotes.
func (r *jsonReader) string() (*ast.Term, error) {
	r.at++
	began := r.at
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			text := r.text[began:r.at]
			if !utf8.Valid(text) {
				return nil, r.wrongAt(began, "a text that is not UTF-8")
			}
			r.at++
			return r.share(text), nil
		case c == '\\':
			return r.escaped(began)
		case c < ' ':
			return nil, r.wrong("a control character in a text; it is written \\u%04x", c)
		}
		r.at++
	}
	return nil, r.unexpected(`the closing "`)
}

// escaped reads on where a text has its first escape.
func (r *jsonReader) escaped(began int) (*ast.Term, error) {
	r.bare = append(r.bare[:0], r.text[began:r.at]...)
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			if !utf8.Valid(r.bare) {
				return nil, r.wrongAt(began, "a text that is not UTF-8")
			}
			r.at++
			return r.share(r.bare), nil
		case c == '\\':
			char, err := r.escape()
			if err != nil {
				return nil, err
			}
			r.bare = utf8.AppendRune(r.bare, char)
			continue
		case c < ' ':
			return nil, r.wrong("a control character in a text; it is written \\u%04x", c)
		default:
			r.bare = append(r.bare, c)
		}
		r.at++
	}
	return nil, r.unexpected(`the closing "`)
}

// escapes are the letters that stand for one character after a backslash.
func escapes(letter byte) (char rune, known bool) {
	switch letter {
	case '"', '\\', '/':
		return rune(letter), true
	case 'b':
		return '\b', true
	case 'f':
		return '\f', true
	case 'n':
		return '\n', true
	case 'r':
		return '\r', true
	case 't':
		return '\t', true
	}
	return 0, false
}

func (r *jsonReader) escape() (rune, error) {
	began := r.at
	if r.at++; r.at >= len(r.text) {
		return 0, r.unexpected("an escape")
	}
	letter := r.text[r.at]
	if char, known := escapes(letter); known {
		r.at++
		return char, nil
	}
	if letter != 'u' {
		return 0, r.wrongAt(began, "an escape that JSON does not have")
	}
	char, ok := r.unit()
	if ok && utf16.IsSurrogate(char) {
		if !bytes.HasPrefix(r.text[r.at:], []byte(`\u`)) {
			return 0, r.wrongAt(began, "half of a surrogate pair")
		}
		r.at++
		low, isUnit := r.unit()
		if char = utf16.DecodeRune(char, low); isUnit && char == utf8.RuneError {
			return 0, r.wrongAt(began, "half of a surrogate pair")
		}
		ok = isUnit
	}
	if !ok {
		return 0, r.wrongAt(began, "expected four hexadecimal digits after \\u")
	}
	return char, nil
}

// unit reads the four digits after a u.
func (r *jsonReader) unit() (rune, bool) {
	r.at++
	if r.at+4 > len(r.text) {
		return 0, false
	}
	for _, digit := range r.text[r.at : r.at+4] {
		if hex := digit >= '0' && digit <= '9' || digit|0x20 >= 'a' && digit|0x20 <= 'f'; !hex {
			return 0, false
		}
	}
	unit, err := strconv.ParseUint(string(r.text[r.at:r.at+4]), 16, 16)
	r.at += 4
	return rune(unit), err == nil
}

// share gives all that have the same short text one term.
func (r *jsonReader) share(text []byte) *ast.Term {
	if len(text) > maxSharedText {
		return ast.StringTerm(string(text))
	}
	if term, known := r.texts[string(text)]; known {
		return term
	}
	held := string(text)
	term := ast.StringTerm(held)
	if len(r.texts) < maxSharedTexts {
		r.texts[held] = term
	}
	return term
}
