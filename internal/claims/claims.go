// Package claims reads what an issuer says about a token, strictly: the JSON
// object itself (RFC 8259), and the claims in it that are more than a value to
// hand on (RFC 7519 section 4.1, RFC 7662 section 2.2). Names are exact: one in
// another case is another claim.
package claims

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"time"
)

// endOfTime is the first second of the year 10000: no date is past it.
const endOfTime = 253402300800

// Date reads a NumericDate (RFC 7519 section 2), fractions and all; absent is
// the zero time.
func Date(all map[string]any, name string) (time.Time, error) {
	value, present := all[name]
	if !present {
		return time.Time{}, nil
	}
	number, ok := value.(json.Number)
	if !ok {
		return time.Time{}, Malformed("claim " + name + " is not a number")
	}
	seconds, err := strconv.ParseFloat(number.String(), 64)
	if err != nil || seconds < 0 || seconds >= endOfTime {
		return time.Time{}, Malformed("claim " + name + " is out of range")
	}
	whole, fraction := math.Modf(seconds)
	return time.Unix(int64(whole), int64(fraction*float64(time.Second))), nil
}

// Audience reads `aud`: one string or a list of strings; absent is none.
func Audience(all map[string]any) ([]string, error) {
	switch aud := all["aud"].(type) {
	case string:
		return []string{aud}, nil
	case nil:
		if _, present := all["aud"]; !present {
			return nil, nil
		}
	case []any:
		if list, ok := texts(aud); ok {
			return list, nil
		}
	}
	return nil, Malformed("claim aud is neither a string nor a list of strings")
}

// Join returns the members of both lists, each once, in a new list.
func Join(a, b []string) []string {
	var out []string
	for _, list := range [][]string{a, b} {
		for _, s := range list {
			if !slices.Contains(out, s) {
				out = append(out, s)
			}
		}
	}
	return out
}

func texts(list []any) ([]string, bool) {
	out := make([]string, 0, len(list))
	for _, item := range list {
		s, ok := item.(string)
		if !ok {
			return nil, false
		}
		out = append(out, s)
	}
	return out, true
}
