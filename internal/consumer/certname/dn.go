package certname

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
)

// subjectReader reads the string form of a distinguished name (RFC 4514
// section 3), with the white space around separators that people type. The
// first problem stays in err.
type subjectReader struct {
	rest string
	err  error
}

func (r *subjectReader) fail(text string) {
	if r.err == nil {
		r.err = errors.New(text)
	}
}

// parts reads all of the name.
func (r *subjectReader) parts() [][]attribute {
	parts := [][]attribute{nil}
	for count := 1; r.err == nil; count++ {
		last := len(parts) - 1
		parts[last] = append(parts[last], r.attribute())
		switch {
		case r.err != nil || r.rest == "":
			return parts
		case count == maxAttributes:
			r.fail("too many attributes")
		case r.rest[0] != '+':
			parts = append(parts, nil)
		}
		r.rest = r.rest[1:] // a separator: the value ended there
	}
	return nil
}

// attribute reads "TYPE=value" up to the next separator.
func (r *subjectReader) attribute() attribute {
	name, rest, ok := strings.Cut(r.rest, "=")
	name = strings.Trim(name, " ")
	canonical := r.typeOf(name)
	if !ok || canonical == "" {
		r.fail("an attribute has no known type")
		return attribute{}
	}
	r.rest = strings.TrimLeft(rest, " ")
	if strings.HasPrefix(r.rest, "#") {
		return attribute{canonical, r.bytes()}
	}
	return attribute{canonical, value{text: r.text()}}
}

func (r *subjectReader) typeOf(name string) string {
	upper := strings.ToUpper(name)
	if known, ok := otherNames()[upper]; ok {
		return known
	}
	number := strings.TrimPrefix(upper, "OID.")
	for code, short := range shortNames() {
		if short == upper || code == number {
			return short
		}
	}
	if isNumber(number) {
		return number
	}
	return ""
}

// isNumber reports whether a text is an object identifier in its one decimal
// form.
func isNumber(text string) bool {
	arcs := strings.Split(text, ".")
	for _, arc := range arcs {
		n, err := strconv.ParseUint(arc, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != arc {
			return false
		}
	}
	return len(arcs) > 1
}

// bytes reads "#" and hexadecimal digits: one DER value.
func (r *subjectReader) bytes() value {
	end := strings.IndexAny(r.rest, ",;+")
	if end < 0 {
		end = len(r.rest)
	}
	der, err := hex.DecodeString(strings.TrimRight(r.rest[1:end], " "))
	r.rest = r.rest[end:]
	var raw asn1.RawValue
	if err == nil {
		var more []byte
		more, err = asn1.Unmarshal(der, &raw)
		if len(more) > 0 {
			r.fail("a value in hexadecimal digits holds more than one value")
		}
	}
	if err != nil {
		r.fail("a value in hexadecimal digits is not well-formed")
	}
	v := valueOf(raw)
	if !v.bytes && v.text == "" {
		r.fail("an attribute has no value")
	}
	return v
}

// text reads a value with its escapes. White space at its end counts only
// where it is escaped.
func (r *subjectReader) text() string {
	var b strings.Builder
	kept, i := 0, 0
	for i < len(r.rest) && !strings.ContainsRune(",;+", rune(r.rest[i])) {
		switch c := r.rest[i]; c {
		case '\\':
			char, width := r.escaped(r.rest[i+1:])
			_ = b.WriteByte(char) // never fails
			kept, i = b.Len(), i+1+width
			continue
		case '"', '<', '>':
			r.fail("a value holds a character that has to be escaped")
		default:
			_ = b.WriteByte(c)
			if c != ' ' {
				kept = b.Len()
			}
		}
		i++
	}
	r.rest = r.rest[i:]
	if kept == 0 {
		r.fail("an attribute has no value")
	}
	return b.String()[:kept]
}

// escaped reads what follows a backslash: two hexadecimal digits of a byte, or
// a character that stands for itself.
func (r *subjectReader) escaped(text string) (char byte, width int) {
	if len(text) >= 2 {
		if b, err := hex.DecodeString(text[:2]); err == nil {
			return b[0], 2
		}
	}
	if text == "" || strings.IndexByte(special+" #=", text[0]) < 0 {
		r.fail("a backslash escapes nothing")
		return 0, min(1, len(text))
	}
	return text[0], 1
}
