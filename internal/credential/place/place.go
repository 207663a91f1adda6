// Package place finds the one token in a request, for every kind of credential
// that comes as a token.
package place

import (
	"errors"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

const authorization = "authorization"

// errOthers is what a place says that holds another kind's value.
var errOthers = errors.New("it is another kind's")

// Location is a place where a token may stand, as it is configured.
type Location struct {
	// Header is a header's name, without case.
	Header string
	// Scheme is what stands before the token, without case, such as Bearer;
	// empty when the token is the whole value.
	Scheme string
}

// Place is a location, ready to be read.
type Place struct {
	header, scheme string
	others         func(l Location, value string) bool
}

// List are all places where a token may stand. One request carries one token,
// in one of them.
type List []Place

// New makes places. others says which values are another kind's; they are
// passed over. It is asked with header and scheme in lower case.
func New(in []Location, others func(l Location, value string) bool) List {
	list := make(List, len(in))
	for i, l := range in {
		list[i] = Place{header: strings.ToLower(l.Header), scheme: strings.ToLower(l.Scheme), others: others}
	}
	return list
}

// Headers are the headers of locations, in lower case.
func Headers(in []Location) []string {
	names := make([]string, len(in))
	for i, l := range in {
		names[i] = strings.ToLower(l.Header)
	}
	return names
}

// UnderAuthorization reports that the place is a scheme of the Authorization
// header, which several kinds of credential share.
func (l Location) UnderAuthorization() bool {
	return strings.EqualFold(l.Header, authorization) && l.Scheme != ""
}

// LooksLikeJWS reports whether a value has the three parts of a JWS in its
// compact form (RFC 7515 section 7.1): whether its two dots make it a JWT's
// business, and not an opaque token's.
func LooksLikeJWS(value string) bool { return strings.Count(value, ".") == 2 }

// String names the place in logs.
func (p *Place) String() string {
	if p.scheme == "" {
		return "header " + p.header
	}
	return "header " + p.header + " under " + p.scheme
}

// Location names the place in the request.
func (p *Place) Location() access.Location { return access.Location{Header: p.header} }

// Take returns the one token in a request and its place. All places are looked
// at: two tokens are refused, even when they are equal. A value of another
// kind's form is left to it, and the error says so.
func (list List) Take(req *access.Request) (raw string, at *Place, err error) {
	none := access.ErrNoCredential
	for i := range list {
		value, there, err := list[i].read(req.Headers)
		switch {
		case errors.Is(err, errOthers):
			none = &access.LeftToOthers{Header: list[i].header}
			continue
		case err != nil:
			return "", nil, access.Invalid(list[i].String() + ": " + err.Error())
		case !there:
			continue
		case at != nil:
			return "", nil, access.Invalid("tokens in " + at.String() + " and in " + list[i].String())
		}
		raw, at = value, &list[i]
	}
	if at == nil {
		return "", nil, none
	}
	return raw, at, nil
}

// read returns what stands in the place. What is there and empty, or there
// twice, is an error: a credential that is there is never passed over.
func (p *Place) read(h access.Headers) (value string, there bool, err error) {
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
		return "", false, errors.New("it is empty")
	case p.others != nil && p.others(Location{Header: p.header, Scheme: p.scheme}, value):
		return "", false, errOthers
	}
	return value, true, nil
}

func (p *Place) readAuthorization(h access.Headers) (value string, there bool, err error) {
	scheme, value, state := canon.Authorization(h)
	switch state {
	case canon.Absent:
		return "", false, nil
	case canon.Repeated:
		return "", false, errors.New("it holds two credentials")
	case canon.Empty:
		return "", false, errors.New("it is empty")
	case canon.Present:
	}
	return value, scheme == p.scheme, nil
}

func (p *Place) readWhole(h access.Headers) (value string, there bool, err error) {
	value, lines := h.Get(p.header)
	if lines > 1 {
		return "", false, errors.New("there are two lines of it")
	}
	return value, lines == 1, nil
}

func (p *Place) readUnderScheme(h access.Headers) (value string, there bool, err error) {
	line, there, err := p.readWhole(h)
	if err != nil || !there {
		return "", there, err
	}
	scheme, value, _ := strings.Cut(line, " ")
	if !strings.EqualFold(scheme, p.scheme) {
		return "", true, errors.New("it does not have its scheme")
	}
	return value, true, nil
}
