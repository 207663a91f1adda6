package certname

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxAttributes is more than any subject has.
const maxAttributes = 64

// Subject returns the reference of a distinguished name in the string form of
// RFC 4514 (RFC 2253): most specific part first, "CN=app,OU=mobile,O=Example",
// as `openssl x509 -noout -subject -nameopt RFC2253`, Go's pkix.Name and Envoy
// write it.
//
// Those three differ in spelling, so the reference has one of its own: types by
// their short names in upper case or else as numbers, values unescaped as far
// as can be and with case, no white space around separators, the attributes of
// one part ("CN=a+UID=b") in order. A part in another place is another name.
func Subject(text string) (string, error) {
	if text == "" || len(text) > maxSubject {
		return "", fmt.Errorf("the subject has %d bytes, expected 1 to %d", len(text), maxSubject)
	}
	r := &subjectReader{rest: text}
	parts := r.parts()
	if r.err != nil {
		return "", fmt.Errorf("the subject is no distinguished name such as CN=app,O=Example: %w", r.err)
	}
	return write(parts)
}

// SubjectDER is Subject for a certificate's own name, in DER. The empty name
// has the reference "".
func SubjectDER(der []byte) (string, error) {
	var sequence []rdnSET
	if rest, err := asn1.Unmarshal(der, &sequence); err != nil || len(rest) > 0 {
		return "", errors.New("the subject is not well-formed")
	}
	parts := make([][]attribute, 0, len(sequence))
	for _, set := range slices.Backward(sequence) {
		if len(set) == 0 {
			return "", errors.New("the subject has an empty part")
		}
		part := make([]attribute, 0, len(set))
		for _, a := range set {
			part = append(part, attribute{typeName(a.Type.String()), valueOf(a.Value)})
		}
		parts = append(parts, part)
	}
	if len(parts) == 0 {
		return "", nil
	}
	return write(parts)
}

// rdnSET is RelativeDistinguishedName of RFC 5280 section 4.1.2.4; asn1 knows
// a set by the end of its type's name.
type rdnSET []struct {
	Type  asn1.ObjectIdentifier
	Value asn1.RawValue
}

// attribute is a type, as it is written, with its value. A value that is no
// text is "#" and its DER in hexadecimal digits; a text that begins so is
// escaped when it is written.
type attribute struct {
	name  string
	value value
}

type value struct {
	text  string
	bytes bool
}

// valueOf reads the string types that certificates are made with today
// (RFC 5280 section 4.1.2.4). Others stay as bytes.
func valueOf(raw asn1.RawValue) value {
	if raw.Class == asn1.ClassUniversal && !raw.IsCompound {
		switch raw.Tag {
		case asn1.TagUTF8String, asn1.TagPrintableString, asn1.TagIA5String, asn1.TagNumericString:
			return value{text: string(raw.Bytes)}
		}
	}
	return value{text: "#" + hex.EncodeToString(raw.FullBytes), bytes: true}
}

// write makes the one form. A name that can't be told in text is refused.
func write(parts [][]attribute) (string, error) {
	var written []string
	count := 0
	for _, part := range parts {
		var attributes []string
		for _, a := range part {
			if !a.value.bytes && !tellable(a.value.text) {
				return "", fmt.Errorf("the subject has %w", ErrUnprintable)
			}
			attributes = append(attributes, a.name+"="+a.value.written())
		}
		count += len(part)
		slices.Sort(attributes)
		written = append(written, strings.Join(attributes, "+"))
	}
	reference := "subject:" + strings.Join(written, ",")
	if count > maxAttributes || len(reference) > 2*maxSubject {
		return "", errors.New("the subject is too long")
	}
	return reference, nil
}

// tellable reports that a text is UTF-8 without controls and without what
// changes how the text around it is shown.
func tellable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, func(c rune) bool {
		return unicode.IsControl(c) || unicode.Is(unicode.Cf, c)
	})
}

// written escapes a value as RFC 4514 section 2.4 asks.
func (v value) written() string {
	if v.bytes {
		return v.text
	}
	var b strings.Builder
	for i := range len(v.text) {
		c := v.text[i]
		edge := c == ' ' && (i == 0 || i == len(v.text)-1) || c == '#' && i == 0
		if edge || strings.IndexByte(special, c) >= 0 {
			_ = b.WriteByte('\\') // never fails
		}
		_ = b.WriteByte(c)
	}
	return b.String()
}

// special are the characters that are escaped in a value; "=" is only ever
// escaped by others.
const special = `"+,;<>\`

// typeName is an attribute type in the one spelling: the short name of a
// number that has one. Others stay numbers.
func typeName(number string) string {
	if name, ok := shortNames()[number]; ok {
		return name
	}
	return number
}

// shortNames are those that RFC 4514, OpenSSL, BoringSSL and Go know, in upper
// case.
func shortNames() map[string]string {
	return map[string]string{
		"2.5.4.3": "CN", "2.5.4.4": "SN", "2.5.4.5": "SERIALNUMBER", "2.5.4.6": "C", "2.5.4.7": "L", "2.5.4.8": "ST",
		"2.5.4.9": "STREET", "2.5.4.10": "O", "2.5.4.11": "OU", "2.5.4.12": "TITLE", "2.5.4.13": "DESCRIPTION",
		"2.5.4.15": "BUSINESSCATEGORY", "2.5.4.17": "POSTALCODE", "2.5.4.41": "NAME", "2.5.4.42": "GN", "2.5.4.43": "INITIALS",
		"2.5.4.44": "GENERATIONQUALIFIER", "2.5.4.46": "DNQUALIFIER", "2.5.4.65": "PSEUDONYM", "2.5.4.97": "ORGANIZATIONIDENTIFIER",
		"0.9.2342.19200300.100.1.1": "UID", "0.9.2342.19200300.100.1.25": "DC", "1.2.840.113549.1.9.1": "EMAILADDRESS",
	}
}

// otherNames are further spellings of types.
func otherNames() map[string]string {
	return map[string]string{"E": "EMAILADDRESS", "EMAIL": "EMAILADDRESS", "S": "ST", "GIVENNAME": "GN", "SURNAME": "SN", "STREETADDRESS": "STREET", "USERID": "UID"}
}
