// Package gateway runs Postern behind real gateways with the files of deploy/,
// before a real upstream, and looks at both ends.
package gateway

import (
	"os"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
