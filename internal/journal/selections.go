package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"github.com/postern-authz/postern/internal/policy"
)

// selections are what one file has said so far. A number is said once.
type selections struct {
	mu    sync.RWMutex
	said  map[int]saidSelection
	bytes int
}

// saidSelection is a selection and the line that says it.
type saidSelection struct {
	line     int
	selected *policy.Selection
}

// before is what was said of a number above a line, nil for nothing.
func (s *selections) before(line, number int) *policy.Selection {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if one := s.said[number]; one.line < line {
		return one.selected
	}
	return nil
}

// add takes up a line.
func (s *selections) add(n int, line []byte) error {
	if s.bytes += len(line); len(s.said) >= maxSelections || s.bytes > maxSelectionBytes {
		return errors.New("this file says too often what records hold")
	}
	var one selection
	if err := json.Unmarshal(line, &one); err != nil {
		return errors.New("expected a line that says what records hold")
	}
	if s.said[one.Number].selected != nil {
		return fmt.Errorf("what selection %d holds was said before", one.Number)
	}
	selected := policy.Whole()
	if !one.Whole {
		var err error
		if selected, err = policy.NewSelection(one.Paths); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.said[one.Number] = saidSelection{n, selected}
	return nil
}

// isSelection tells lines that say what records hold from records, by how they
// begin.
func isSelection(line []byte) bool {
	rest, found := bytes.CutPrefix(line, []byte(`{"selection":`))
	if !found {
		return false
	}
	rest = bytes.TrimLeft(rest, "0123456789")
	return bytes.HasPrefix(rest, []byte(`,"whole"`)) || bytes.HasPrefix(rest, []byte(`,"holds"`))
}
