package access

import (
	"fmt"
	"runtime"
)

// PanicText tells of a recovered panic without its value, which may hold
// anything, but for what the runtime itself says.
func PanicText(cause any) string {
	if e, ok := cause.(runtime.Error); ok {
		return "panic: " + e.Error()
	}
	return fmt.Sprintf("panic of type %T", cause)
}
