package sqlstore_test

import (
	"fmt"
	"os"
	"testing"

	"go.uber.org/goleak"
)

// toxic is what the proxy of the outage tests leaves behind when a connection
// ends while one of its toxics is taken away: its own goroutine, none of ours.
const toxic = "github.com/Shopify/toxiproxy/v2/toxics.(*ToxicStub).Run"

func TestMain(m *testing.M) {
	if path := os.Getenv(writerVariable); path != "" {
		os.Exit(writeUntilKilled(path))
	}
	code := m.Run()
	if err := goleak.Find(goleak.IgnoreAnyFunction(toxic)); err != nil && code == 0 {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}
