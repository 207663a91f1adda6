// Package page keeps the report of several tools: each has a part of its own,
// which it alone replaces.
package page

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"time"
)

const title = "# What Postern costs\n"

// Replace puts a tool's part into the file at path, in place of the one that it
// put there before, or at the end.
func Replace(path, part, text string) error {
	old, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	changed, err := replace(string(old), part, text)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.WriteFile(path, []byte(changed), 0o644)
}

func replace(old, part, text string) (string, error) {
	if old == "" {
		old = title
	}
	begin, end := "<!-- begin "+part+" -->\n", "<!-- end "+part+" -->\n"
	text = begin + strings.TrimRight(text, "\n") + "\n" + end
	before, rest, found := strings.Cut(old, begin)
	if !found {
		return old + "\n" + text, nil
	}
	_, after, found := strings.Cut(rest, end)
	if !found {
		return "", fmt.Errorf("the part %q has no end", part)
	}
	return before + text + after, nil
}

// Machine tells when and where something was measured.
func Machine() string {
	return fmt.Sprintf("%s: %s, %d cores, %s", time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), runtime.Version())
}

// processor is the machine's model, where Linux tells it.
func processor() string {
	text, err := os.ReadFile("/proc/cpuinfo")
	if err == nil {
		for line := range strings.Lines(string(text)) {
			if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
				return strings.TrimSpace(value)
			}
		}
	}
	return runtime.GOOS + "/" + runtime.GOARCH
}
