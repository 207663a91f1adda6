package signature

import (
	"errors"
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// The names of what is no header and can be signed all the same.
const (
	requestTarget = "@request-target"
	requestLine   = "request-line"
)

// part is one signed thing: a header, or what stands for the request line.
type part struct {
	// spelt is its name as the client signed it, name in lower case.
	spelt, name string
}

// readParts reads the list of what is signed: names with one space between
// them.
func readParts(dialect Dialect, list string) ([]part, error) {
	if n := strings.Count(list, " ") + 1; n > maxSigned {
		return nil, fmt.Errorf("it signs %d headers, more than %d", n, maxSigned)
	}
	var parts []part
	for spelt := range strings.SplitSeq(list, " ") {
		p := part{spelt: spelt, name: spelt}
		if !p.isTarget(dialect) {
			var err error
			if p.name, err = canon.HeaderName(spelt); err != nil {
				return nil, errors.New("a name among its signed headers is none")
			}
		}
		if signs(parts, p.name) {
			return nil, errors.New("a header is signed twice")
		}
		parts = append(parts, p)
	}
	return parts, nil
}

// isTarget reports that the part covers method and path.
func (p part) isTarget(dialect Dialect) bool {
	return p.name == requestTarget || dialect == Kong && p.name == requestLine
}

// signs reports that a name in lower case is among the parts.
func signs(parts []part, name string) bool {
	for _, p := range parts {
		if p.name == name {
			return true
		}
	}
	return false
}

// signingText puts together the text that was signed. APISIX's begins with the
// key's id and ends every line, the last one too; Kong's only parts its lines.
func signingText(req *access.Request, dialect Dialect, keyID string, parts []part) (string, error) {
	var lines []string
	if dialect == APISIX {
		lines = append(lines, keyID)
	}
	for _, p := range parts {
		line, err := p.line(req, dialect)
		if err != nil {
			return "", err
		}
		// A line break within a line would let one signed header pass for two.
		if strings.ContainsAny(line, "\r\n\x00") {
			return "", errors.New("what it signs holds a line break")
		}
		lines = append(lines, line)
	}
	text := strings.Join(lines, "\n")
	if dialect == APISIX {
		text += "\n"
	}
	if readsAsPlain(text) {
		return "", errors.New("what it signs begins like a plain signature's text")
	}
	return text, nil
}

// line writes what is signed of one part. The target is that of the wire, with
// its query, as the client wrote it.
func (p part) line(req *access.Request, dialect Dialect) (string, error) {
	switch {
	case p.name == requestTarget && dialect == APISIX:
		return req.Method + " " + req.RawPath, nil
	case p.name == requestTarget:
		return p.name + ": " + strings.ToLower(req.Method) + " " + req.RawPath, nil
	case p.isTarget(dialect):
		version, err := versionOf(req.Protocol)
		return req.Method + " " + req.RawPath + " " + version, err
	}
	value, err := p.value(req)
	return p.spelt + ": " + value, err
}

func (p part) value(req *access.Request) (string, error) {
	if p.name == "host" && req.RawHost != "" {
		return req.RawHost, nil
	}
	value, lines := req.Headers.Get(p.name)
	if lines != 1 {
		return "", fmt.Errorf("a header that it signs has %d lines, expected one", lines)
	}
	return value, nil
}

// versionOf writes the protocol as in a request line; gateways leave the zero
// out of HTTP/2.0.
func versionOf(protocol string) (string, error) {
	switch protocol {
	case "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "HTTP/3.0":
		return protocol, nil
	case "HTTP/2", "HTTP/3":
		return protocol + ".0", nil
	}
	return "", errors.New("it signs the request line, and the gateway does not tell the protocol")
}
