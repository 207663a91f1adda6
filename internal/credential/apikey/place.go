package apikey

import (
	"net/url"
	"slices"
	"strings"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
	"github.com/postern-authz/postern/internal/consumer"
)

// place is a Location made ready: names in the case that requests have them in.
type place struct {
	location access.Location
	scheme   string
}

func placesOf(locations []Location) []place {
	var places []place
	for _, l := range locations {
		p := place{
			location: access.Location{Header: strings.ToLower(l.Header), Query: l.Query},
			scheme:   strings.ToLower(l.Scheme),
		}
		if !slices.Contains(places, p) {
			places = append(places, p)
		}
	}
	return places
}

// isShared reports that signed requests have their key's id in the place.
func (p *place) isShared() bool { return p.location.Header == "x-api-key" && p.scheme == "" }

// String names the place for logs.
func (p *place) String() string {
	switch {
	case p.location.Header == "":
		return "query parameter " + p.location.Query
	case p.scheme != "":
		return "header " + p.location.Header + " with scheme " + p.scheme
	}
	return "header " + p.location.Header
}

// read returns what stands in the place as it came. A place that is there but
// holds nothing, or two things, is rejected.
func (p *place) read(req *access.Request) (value string, there bool, err error) {
	switch {
	case p.location.Header == "":
		return p.readQuery(req.Query)
	case p.scheme != "":
		return p.readScheme(req.Headers)
	}
	return p.readHeader(req.Headers)
}

func (p *place) readHeader(headers access.Headers) (string, bool, error) {
	value, lines := headers.Get(p.location.Header)
	switch {
	case lines == 0:
		return "", false, nil
	case lines > 1:
		return "", false, access.Invalid(p.String() + ": more than one line")
	}
	return value, true, nil
}

func (p *place) readScheme(headers access.Headers) (string, bool, error) {
	scheme, value, state := canon.Authorization(headers)
	switch {
	case state == canon.Absent:
		return "", false, nil
	case state != canon.Present:
		return "", false, access.Invalid("header authorization: empty, or more than one credential")
	case scheme != p.scheme:
		return "", false, nil
	case scheme == "bearer" && value != "" && !consumer.LooksLikeKey(value):
		return "", false, refuseHiddenKey(value)
	}
	return value, true, nil
}

// refuseHiddenKey rejects a bearer value in which a key stands with something
// beside it. Any other value is a token's to judge.
func refuseHiddenKey(value string) error {
	if !strings.ContainsAny(value, " \t,") {
		return nil
	}
	for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == '\t' || r == ',' }) {
		if consumer.LooksLikeKey(part) {
			return access.Invalid("header authorization: a key with something beside it")
		}
	}
	return nil
}

// readQuery looks for the parameter under every spelling of its name. One that
// is spelt with escapes is rejected: gateways that remove a parameter look for
// the plain spelling, so the key would go on to the upstream.
func (p *place) readQuery(query string) (value string, there bool, err error) {
	for more := query != ""; more; {
		var pair string
		pair, query, more = strings.Cut(query, "&")
		name, raw, _ := strings.Cut(pair, "=")
		if !isSpelling(name, p.location.Query) {
			continue
		}
		switch {
		case name != p.location.Query:
			return "", false, access.Invalid(p.String() + ": its name is spelt with escapes")
		case there:
			return "", false, access.Invalid(p.String() + ": more than one value")
		}
		if value, err = url.QueryUnescape(raw); err != nil {
			return "", false, access.Invalid(p.String() + ": bad percent-encoding")
		}
		there = true
	}
	return value, there, nil
}

func isSpelling(raw, name string) bool {
	if raw == name {
		return true
	}
	if !strings.ContainsAny(raw, "%+") {
		return false
	}
	decoded, err := url.QueryUnescape(raw)
	return err == nil && decoded == name
}
