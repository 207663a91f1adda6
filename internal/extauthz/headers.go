package extauthz

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/canon"
)

// headerWriter makes HeaderValueOptions.
//
// A line overwrites, by append_action and by the older append: false as well:
// Envoy 1.37.0 takes an unset append as true, and the client's own line would
// stay in front. Values are in `value`: Envoy ignores raw_value here and sets
// an empty header.
type headerWriter struct {
	// overwrite and add are shared by all answers: nobody writes to them.
	overwrite, add *wrapperspb.BoolValue
}

func newHeaderWriter() headerWriter {
	return headerWriter{overwrite: wrapperspb.Bool(false), add: wrapperspb.Bool(true)}
}

// option is one HeaderValueOption with its parts, to be allocated at once.
type option struct {
	option corev3.HeaderValueOption
	header corev3.HeaderValue
}

// repeats is what append says in the lines of a name that has several. It
// differs by place, as seen on Envoy 1.40 and in the sources of older ones.
type repeats struct{ first, further *wrapperspb.BoolValue }

// request: further lines stay only under append: true.
func (w headerWriter) request() repeats { return repeats{w.overwrite, w.add} }

// response, on an allow: what overwrites is applied last and leaves one line,
// so that all lines are added, beside the upstream's own.
func (w headerWriter) response() repeats { return repeats{w.add, w.add} }

// denial, with its several challenges: whatever has no append: true is added;
// Envoys before 1.37 leave out what has.
func (w headerWriter) denial() repeats { return repeats{w.overwrite, nil} }

// write makes an option of each line. An error means that HTTP or protobuf
// forbids one of them: Envoy would answer something of its own.
func (w headerWriter) write(lines []access.Header, several repeats) ([]*corev3.HeaderValueOption, error) {
	if len(lines) == 0 {
		return nil, nil
	}
	block := make([]option, len(lines))
	options := make([]*corev3.HeaderValueOption, len(lines))
	for i := range lines {
		if err := checkHeader(&lines[i]); err != nil {
			return nil, err
		}
		o := &block[i]
		o.header.Key, o.header.Value = lines[i].Name, lines[i].Value
		o.option.Header = &o.header
		adds := w.appendOf(lines, i, several)
		o.option.Append = adds //nolint:staticcheck // deprecated, and yet what Envoy goes by first
		if adds == w.overwrite {
			o.option.AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
		}
		options[i] = &o.option
	}
	return options, nil
}

func (w headerWriter) appendOf(lines []access.Header, i int, several repeats) *wrapperspb.BoolValue {
	switch name := lines[i].Name; {
	case hasName(lines[:i], name):
		return several.further
	case hasName(lines[i+1:], name):
		return several.first
	}
	return w.overwrite
}

// upstream parts the headers for the upstream from those to remove. A managed
// header without a value is removed, so that the client's own does not stay.
// Envoy removes after it has set, so no name may be in both.
func (r *renderer) upstream(v *access.Verdict) ([]*corev3.HeaderValueOption, []string, error) {
	set := make([]access.Header, 0, len(v.Managed)+len(v.Upstream))
	remove := make([]string, 0, len(v.Managed)+len(v.Remove))
	for _, header := range v.Managed {
		if header.Value != "" {
			set = append(set, header)
		} else {
			remove = append(remove, strings.ToLower(header.Name))
		}
	}
	for _, header := range v.Upstream {
		if hasName(v.Managed, header.Name) {
			return nil, nil, fmt.Errorf("the managed header %q is set a second time", header.Name)
		}
		set = append(set, header)
	}
	for _, name := range v.Remove {
		if !hasName(set, name) && !slices.Contains(remove, name) {
			remove = append(remove, name)
		}
	}
	if err := checkNames(remove); err != nil {
		return nil, nil, err
	}
	options, err := r.headers.write(set, r.headers.request())
	return options, remove, err
}

func hasName(lines []access.Header, name string) bool {
	for i := range lines {
		if len(lines[i].Name) == len(name) && strings.EqualFold(lines[i].Name, name) {
			return true
		}
	}
	return false
}

func checkNames(names []string) error {
	for _, name := range names {
		if err := checkName(name); err != nil {
			return err
		}
	}
	return nil
}

func checkName(name string) error {
	_, err := canon.HeaderName(name)
	return err
}

// checkHeader says what makes a line one that HTTP forbids (RFC 9110 section
// 5.5). The value is not repeated: it may be anything.
func checkHeader(h *access.Header) error {
	if err := checkName(h.Name); err != nil {
		return err
	}
	for i := range len(h.Value) {
		if c := h.Value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return fmt.Errorf("the value of the header %q holds the control character %q", h.Name, c)
		}
	}
	if !utf8.ValidString(h.Value) {
		return fmt.Errorf("the value of the header %q is not UTF-8", h.Name)
	}
	return nil
}

// checkText refuses what protobuf can't carry in a string: the whole answer
// would become a gRPC error, which a gateway may take as an allow.
func checkText(what, text string) error {
	if !utf8.ValidString(text) {
		return errors.New(what + " is not UTF-8")
	}
	return nil
}
