package serve

import (
	"fmt"
	"strings"

	"github.com/postern-authz/postern/internal/policy"
)

// whole refuses a kept revision whose further data is gone. What it asks of that
// data would be undefined, and `not data.blocked[name]` hold for everyone.
func whole(p *policy.Snapshot, needs []string) error {
	lacking := p.Lacking(needs)
	if len(lacking) == 0 {
		return nil
	}
	const told = 5
	more := ""
	if n := len(lacking) - told; n > 0 {
		lacking, more = lacking[:told], fmt.Sprintf(" and %d more", n)
	}
	names := make([]string, len(lacking))
	for i, place := range lacking {
		names[i] = "data." + strings.ReplaceAll(place, "/", ".")
	}
	return fmt.Errorf("the revision needs further data that is not there now: %s%s; expected a file of policy.data, or a bundle of data alone, that stands there, though it be empty",
		strings.Join(names, ", "), more)
}
