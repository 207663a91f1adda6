package serve

import (
	"errors"
	"fmt"
	"os"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
)

// blame names the line of the configuration that asks for a file of policy which
// can't be read, in the problems of err.
func blame(c *config.Config, err error) error {
	var wrong *policy.Error
	if !errors.As(err, &wrong) {
		return err
	}
	asks := map[string]string{}
	if c.Policy.Descriptors != "" {
		asks[c.Policy.Descriptors] = "policy.descriptors"
	}
	for i, data := range c.Policy.Data {
		if _, twice := asks[data.Pattern]; !twice {
			asks[data.Pattern] = fmt.Sprintf("policy.data[%d].file", i)
		}
	}
	for i, p := range wrong.Problems {
		field := asks[p.File]
		if field == "" || p.Line > 0 || c.Policy.Lines[field] == 0 {
			continue
		}
		if _, err := os.Stat(p.File); err == nil {
			continue // it is there: what is wrong is in it
		}
		wrong.Problems[i] = policy.Problem{File: c.Files[0], Line: c.Policy.Lines[field], Text: field + ": " + p.String()}
	}
	return err
}
