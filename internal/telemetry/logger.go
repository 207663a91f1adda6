package telemetry

import (
	"encoding"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxLogValue bounds one value of a log line, in bytes.
const maxLogValue = 4096

func newLogger(o Options) (*slog.Logger, error) {
	level := slog.LevelInfo
	if o.LogLevel != "" {
		if err := level.UnmarshalText([]byte(o.LogLevel)); err != nil {
			return nil, fmt.Errorf("telemetry: log_level is %q; expected debug, info, warn or error", o.LogLevel)
		}
	}
	options := &slog.HandlerOptions{Level: level, ReplaceAttr: safeAttr}
	switch o.LogFormat {
	case "", "json":
		return slog.New(slog.NewJSONHandler(o.LogWriter, options)), nil
	case "text":
		return slog.New(slog.NewTextHandler(o.LogWriter, options)), nil
	}
	return nil, fmt.Errorf("telemetry: log_format is %q; expected json or text", o.LogFormat)
}

// safeAttr makes every value of a log line safe to print. Strings are bounded
// and escaped. A value of a type that has no word of its own for itself is
// named by its type alone: printing its fields would reach secrets that no
// method of theirs could hide.
func safeAttr(_ []string, a slog.Attr) slog.Attr {
	switch a.Value.Kind() {
	case slog.KindString:
		a.Value = slog.StringValue(printable(a.Value.String()))
	case slog.KindAny:
		a.Value = safeAny(a.Value.Any())
	}
	return a
}

func safeAny(value any) slog.Value {
	switch v := value.(type) {
	case nil:
		return slog.AnyValue(nil)
	case *slog.Source, slog.Level:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(printable(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(printable(v.String()))
	case encoding.TextMarshaler:
		text, err := v.MarshalText()
		if err != nil {
			return slog.StringValue(fmt.Sprintf("[%T]", v))
		}
		return slog.StringValue(printable(string(text)))
	case []string:
		return slog.StringValue(printable(strings.Join(v, " ")))
	}
	return slog.StringValue(fmt.Sprintf("[%T]", value))
}

// printable bounds s and escapes, as Go does in a quoted string,
// whatever a terminal or a reader of lines could take for more than text. JSON
// leaves the C1 controls and the marks of text direction as they are.
func printable(s string) string {
	s = cut(s, maxLogValue)
	for _, r := range s {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			quoted := strconv.QuoteToGraphic(s)
			return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`)
		}
	}
	return s
}

// cut shortens s to at most limit bytes, between runes, and marks the cut.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
