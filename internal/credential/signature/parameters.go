package signature

import (
	"errors"
	"fmt"
	"strings"
)

const (
	// maxParameters is the longest list of parameters, in bytes.
	maxParameters = 4 << 10
	// maxSigned is how many headers may be signed.
	maxSigned = 32
)

// parameters are those of an Authorization header. Each is required.
type parameters struct{ keyID, algorithm, headers, signature string }

// readParameters reads `name="value"` pairs parted by commas with optional
// white space around them: RFC 9110 section 11.4 without tokens as values,
// white space around "=" and escapes, none of which a client of either gateway
// sends and which programs read differently.
func readParameters(dialect Dialect, text string) (p parameters, err error) {
	if len(text) > maxParameters {
		return p, fmt.Errorf("its parameters have %d bytes, more than %d", len(text), maxParameters)
	}
	for more := true; more; {
		var name, value string
		if name, value, text, err = cutParameter(text); err != nil {
			return p, err
		}
		if err := p.set(dialect, name, value); err != nil {
			return p, err
		}
		if text, more, err = cutComma(text); err != nil {
			return p, err
		}
	}
	if p.keyID == "" || p.algorithm == "" || p.headers == "" || p.signature == "" {
		return p, errors.New("it lacks a parameter: key id, algorithm, headers and signature are required")
	}
	return p, nil
}

// cutParameter takes one pair from the front.
func cutParameter(text string) (name, value, rest string, err error) {
	name, rest, ok := strings.Cut(text, `="`)
	if !ok || strings.ContainsAny(name, " \t,\"") {
		return "", "", "", errors.New(`its parameters are not of the form name="value", name="value"`)
	}
	value, rest, ok = strings.Cut(rest, `"`)
	if !ok {
		return "", "", "", errors.New("a parameter has no closing quote")
	}
	for i := range len(value) {
		if c := value[i]; c < ' ' || c > '~' || c == '\\' {
			return "", "", "", errors.New("a parameter holds an escape or a byte that is not printable ASCII")
		}
	}
	if value == "" {
		return "", "", "", errors.New("a parameter is empty")
	}
	return name, value, rest, nil
}

// cutComma takes the comma behind a pair; there is none behind the last.
func cutComma(text string) (rest string, more bool, err error) {
	if text == "" {
		return "", false, nil
	}
	rest, ok := strings.CutPrefix(strings.TrimLeft(text, " \t"), ",")
	if !ok {
		return "", false, errors.New("something that is no parameter stands behind a parameter")
	}
	return strings.TrimLeft(rest, " \t"), true, nil
}

func (p *parameters) set(dialect Dialect, name, value string) error {
	key := "keyId"
	if dialect == Kong {
		key = "username"
	}
	var field *string
	switch name {
	case key:
		field = &p.keyID
	case "algorithm":
		field = &p.algorithm
	case "headers":
		field = &p.headers
	case "signature":
		field = &p.signature
	default:
		return fmt.Errorf("it has a parameter that is none of %s, algorithm, headers, signature", key)
	}
	if *field != "" {
		return fmt.Errorf("its parameter %s stands there twice", name)
	}
	*field = value
	return nil
}
