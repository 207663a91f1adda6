// Package life runs whole programs through the life of consumers and keys: made,
// shown once, rotated, revoked and refused, on SQLite and on PostgreSQL, while
// the store is cut off, hangs, is full or is killed.
package life

import (
	"os"
	"testing"

	"github.com/postern-authz/postern/test/harness"
)

func TestMain(m *testing.M) { os.Exit(harness.Main(m)) }
