package bundles

import (
	"context"
	"fmt"
	"log/slog"

	"github.com/open-policy-agent/opa/v1/logging"
)

// logger gives what OPA's parts log to slog. It never has them tell the details
// of requests and answers, which they do at their level of debugging.
type logger struct {
	to     *slog.Logger
	redact func(string) string
}

var _ logging.Logger = (*logger)(nil)

func (l *logger) log(level slog.Level, format string, args []any) {
	if !l.to.Enabled(context.Background(), level) {
		return
	}
	text := format
	if len(args) > 0 {
		text = fmt.Sprintf(format, args...)
	}
	l.to.Log(context.Background(), level, "OPA: "+l.redact(text))
}

// Debug implements logging.Logger, as do the others.
func (l *logger) Debug(format string, args ...any) { l.log(slog.LevelDebug, format, args) }
func (l *logger) Info(format string, args ...any)  { l.log(slog.LevelDebug, format, args) }
func (l *logger) Warn(format string, args ...any)  { l.log(slog.LevelWarn, format, args) }

// Error drops what it is told: each failure is reported by the source itself,
// once, and without the URLs and answers that stand in OPA's words.
func (*logger) Error(string, ...any) {}

// WithFields implements logging.Logger. The fields are requests' and answers'.
func (l *logger) WithFields(map[string]any) logging.Logger { return l }

// GetLevel implements logging.Logger.
func (*logger) GetLevel() logging.Level { return logging.Info }

// SetLevel implements logging.Logger; slog has its own.
func (*logger) SetLevel(logging.Level) {}
