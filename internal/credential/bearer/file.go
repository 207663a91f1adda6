package bearer

import (
	"context"
	"fmt"
	"os"
	"time"
)

// filePoll is how often a file is read again. Reading beats being told: it sees
// renames, links that swap and file systems without notification alike.
const filePoll = 500 * time.Millisecond

// fileSource reads a set from a file.
type fileSource struct{ path string }

func (s fileSource) String() string { return s.path }

func (s fileSource) read(context.Context) ([]byte, error) {
	info, err := os.Stat(s.path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a regular file", s.path)
	}
	file, err := os.Open(s.path)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // it was only read
	data, err := readBounded(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.path, err)
	}
	return data, nil
}
