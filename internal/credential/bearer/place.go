package bearer

import (
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/consumer"
)

const authorization = "authorization"

// Location is a place where a token may stand.
type Location struct {
	// Header is a header's name, without case.
	Header string
	// Scheme is what stands before the token, without case, such as Bearer;
	// empty when the token is the whole value.
	Scheme string
}

// place is a location, ready to be read.
type place struct {
	header, scheme string
	skipKeys       bool
}

func placesOf(config Config) []place {
	places := make([]place, 0, len(config.In))
	for _, l := range config.In {
		p := place{header: strings.ToLower(l.Header), scheme: strings.ToLower(l.Scheme)}
		p.skipKeys = config.SkipKeyForm && p.header == authorization && p.scheme != ""
		places = append(places, p)
	}
	return places
}

// String names the place in logs.
func (p *place) String() string {
	if p.scheme == "" {
		return "header " + p.header
	}
	return "header " + p.header + " under " + p.scheme
}

// take returns the one token in a request and its place. All places are looked
// at: two tokens are refused, even when they are equal.
func (a *Authenticator) take(req *access.Request) (raw string, at *place, err error) {
	for i := range a.places {
		value, there, err := a.places[i].read(req.Headers)
		switch {
		case err != nil:
			return "", nil, access.Invalid(a.places[i].String() + ": " + err.Error())
		case !there:
			continue
		case at != nil:
			return "", nil, access.Invalid("tokens in " + at.String() + " and in " + a.places[i].String())
		}
		raw, at = value, &a.places[i]
	}
	if at == nil {
		return "", nil, access.ErrNoCredential
	}
	return raw, at, nil
}

// read returns what stands in the place. What is there and empty, or there
// twice, is an error: a credential that is there is never passed over.
func (p *place) read(h access.Headers) (value string, there bool, err error) {
	switch {
	case p.scheme == "":
		value, there, err = p.readWhole(h)
	case p.header == authorization:
		value, there, err = p.readAuthorization(h)
	default:
		value, there, err = p.readUnderScheme(h)
	}
	switch {
	case err != nil || !there:
		return "", false, err
	case value == "":
		return "", false, malformed("it is empty")
	case p.skipKeys && consumer.LooksLikeKey(value):
		return "", false, nil
	}
	return value, true, nil
}

func (p *place) readAuthorization(h access.Headers) (value string, there bool, err error) {
	scheme, value, state := canon.Authorization(h)
	switch state {
	case canon.Absent:
		return "", false, nil
	case canon.Repeated:
		return "", false, malformed("it holds two credentials")
	case canon.Empty:
		return "", false, malformed("it is empty")
	case canon.Present:
	}
	return value, scheme == p.scheme, nil
}

func (p *place) readWhole(h access.Headers) (value string, there bool, err error) {
	value, lines := h.Get(p.header)
	if lines > 1 {
		return "", false, malformed("there are two lines of it")
	}
	return value, lines == 1, nil
}

func (p *place) readUnderScheme(h access.Headers) (value string, there bool, err error) {
	line, there, err := p.readWhole(h)
	if err != nil || !there {
		return "", there, err
	}
	scheme, value, _ := strings.Cut(line, " ")
	if !strings.EqualFold(scheme, p.scheme) {
		return "", true, malformed("it does not have its scheme")
	}
	return value, true, nil
}
