package admin

import (
	"net/netip"
	"strconv"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/fieldmaskpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/rules"
	adminv1 "github.com/postern-authz/postern/proto/postern/admin/v1"
)

// stamp is nil for no time.
func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// moment is the zero time for none.
func moment(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, nil
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid(field, "is no time")
	}
	if t.AsTime().IsZero() { // the first moment of all, which would become none
		return time.Time{}, invalid(field, "is in the past")
	}
	return t.AsTime(), nil
}

// duration reads "720h", "30d" or "2s". Empty is 0.
func duration(field, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(text)
	if days, ok := strings.CutSuffix(text, "d"); ok {
		var n int64
		n, err = strconv.ParseInt(days, 10, 32)
		d = time.Duration(min(n, maxDays)) * 24 * time.Hour
	}
	if err != nil || d < 0 {
		return 0, invalid(field, `expected a duration such as "720h", "30d" or "2s"`)
	}
	return d, nil
}

// maxDays is near the longest duration that there is.
const maxDays = 100_000

func constraints(c *access.Constraints) *adminv1.Constraints {
	if c == nil {
		return nil
	}
	shown := &adminv1.Constraints{Methods: c.Methods}
	for _, network := range c.Addresses {
		shown.Addresses = append(shown.Addresses, networkText(network))
	}
	return shown
}

// networkText writes a network of one address as that address.
func networkText(n netip.Prefix) string {
	if n.IsSingleIP() {
		return n.Addr().String()
	}
	return n.String()
}

func constraintRules(c *adminv1.Constraints) *rules.Constraints {
	if c == nil {
		return nil
	}
	return &rules.Constraints{Addresses: c.GetAddresses(), Methods: c.GetMethods()}
}

// masked are the fields of a record that an update names, the first parts of
// the mask's paths: a field is replaced whole.
func masked(mask *fieldmaskpb.FieldMask) map[string]bool {
	fields := map[string]bool{}
	for _, path := range mask.GetPaths() {
		field, _, _ := strings.Cut(path, ".")
		fields[field] = true
	}
	return fields
}

// fixed refuses an update of a field that can't be changed, and an update of
// nothing.
func fixed(fields map[string]bool, changeable ...string) error {
	p := &problem{code: codeInvalidArgument, detail: "the request has invalid fields"}
	can := map[string]bool{"version": true}
	for _, field := range changeable {
		can[field] = true
	}
	some := false
	for field := range fields {
		some = some || field != "version"
		if !can[field] {
			p.fields = append(p.fields, fieldProblem{joined("", field), "can't be changed"})
		}
	}
	if !some {
		return &problem{code: codeInvalidArgument, detail: "the request names no field to change"}
	}
	if len(p.fields) > 0 {
		return p
	}
	return nil
}
