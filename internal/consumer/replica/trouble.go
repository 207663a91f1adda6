package replica

import "log/slog"

// trouble logs when something begins to fail and when it works again, not every
// time between.
type trouble struct {
	logger  *slog.Logger
	what    string
	failing bool
}

func newTrouble(logger *slog.Logger, what string) *trouble {
	return &trouble{logger: logger, what: what}
}

// note takes the outcome of a try; nil is a good one.
func (t *trouble) note(err error) {
	switch {
	case err != nil && !t.failing:
		t.logger.Warn(t.what, "error", err.Error())
	case err == nil && t.failing:
		t.logger.Info("no more: " + t.what)
	}
	t.failing = err != nil
}
