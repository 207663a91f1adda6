package clientcert

import (
	"errors"
	"fmt"
	"strings"
)

// lastElement returns the last element of X-Forwarded-Client-Cert, or "" where
// quotes are not in order: a quote that a client left open would swallow what
// a proxy added. So a quoted value begins right after "=", and only a separator
// or the end follows it. Nothing is allocated.
func lastElement(header string) string {
	start, quoted := 0, false
	for i := 0; i < len(header); i++ {
		switch c := header[i]; {
		case c < ' ' || c == 0x7f:
			return ""
		case quoted && c == '\\':
			i++
		case quoted && c == '"':
			if i+1 < len(header) && header[i+1] != ';' && header[i+1] != ',' {
				return ""
			}
			quoted = false
		case c == '"':
			if i == 0 || header[i-1] != '=' {
				return ""
			}
			quoted = true
		case c == ',' && !quoted:
			start = i + 1
		}
	}
	if quoted {
		return ""
	}
	return strings.Trim(header[start:], " ")
}

// element is what one proxy tells of the certificate that it saw.
type element struct {
	hash, cert, chain, subject string
	uris, dns                  []string
}

// readElement reads "Key=value;Key=value". Keys are without case; By, which
// tells of the proxy, and keys of a later day are passed over. A value that is
// empty says nothing.
func readElement(text string) (e element, err error) {
	for more := true; more; {
		var pair string
		pair, text, more = cutPair(text)
		key, value, ok := strings.Cut(pair, "=")
		if !ok || key == "" {
			return element{}, errors.New("what is no key=value")
		}
		if err := e.add(strings.ToLower(key), value); err != nil {
			return element{}, fmt.Errorf("the key %.16q %w", key, err)
		}
	}
	return e, nil
}

// cutPair cuts at the first semicolon outside of quotes.
func cutPair(text string) (pair, rest string, more bool) {
	quoted := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case c == ';' && !quoted:
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// add takes a key's value. The subject's backslashes stay: Envoy writes them as
// RFC 2253 does, where they escape as well.
func (e *element) add(key, value string) error {
	if inner, ok := strings.CutPrefix(value, `"`); ok {
		value = strings.TrimSuffix(inner, `"`)
		if key != "subject" && strings.Contains(value, `\`) {
			return errors.New("has a backslash in its value")
		}
	}
	switch key {
	case "hash":
		return once(&e.hash, value)
	case "cert":
		return once(&e.cert, value)
	case "chain":
		return once(&e.chain, value)
	case "subject":
		return once(&e.subject, value)
	case "uri":
		return several(&e.uris, value)
	case "dns":
		return several(&e.dns, value)
	}
	return nil
}

func once(field *string, value string) error {
	if *field != "" {
		return errors.New("is there twice")
	}
	*field = value
	return nil
}

func several(list *[]string, value string) error {
	if len(*list) == maxNames {
		return fmt.Errorf("is there more than %d times", maxNames)
	}
	if value != "" {
		*list = append(*list, value)
	}
	return nil
}
