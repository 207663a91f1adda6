package file

import (
	"context"
	"slices"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer"
)

// Snapshot holds the consumers of all files as they were at one moment. It
// never changes, and it is read without locks.
type Snapshot struct {
	found     map[consumer.Reference]*consumer.Found
	consumers int
	revision  string
	files     []string
	decoys    []access.Secret
}

var _ consumer.Store = (*Snapshot)(nil)

// Find implements consumer.Store.
func (s *Snapshot) Find(_ context.Context, ref consumer.Reference) (*consumer.Found, error) {
	found, ok := s.found[ref]
	if !ok {
		return nil, consumer.ErrNotFound
	}
	return found, nil
}

// Revision names the contents: it is the same for the same files and the same
// secrets that they refer to, wherever they lie.
func (s *Snapshot) Revision() string { return s.revision }

// Files are the paths of everything that was read: the consumer files, and the
// key and secret files that they name.
func (s *Snapshot) Files() []string { return slices.Clone(s.files) }

// Decoys are hashes of no password, one for each amount of work that a
// verification of the passwords here may be; none when there are no passwords.
// Verified for a username that there is not, they take the time of one that
// there is.
func (s *Snapshot) Decoys() []access.Secret { return slices.Clone(s.decoys) }

// Len is how many consumers there are.
func (s *Snapshot) Len() int { return s.consumers }
