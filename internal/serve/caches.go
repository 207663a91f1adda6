package serve

import (
	"errors"
	"time"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/cache"
	"github.com/postern-authz/postern/internal/config"
)

// maxNegatives bounds how many unknown credentials are remembered; each takes
// about a hundred bytes.
const maxNegatives = 16 << 10

// caches share cache.max_memory: half for what was proven, three eighths for
// what policy decided, one eighth for identities that were signed.
type caches struct {
	proofs     *cache.Cache[*access.Identity]
	decisions  *cache.Cache[access.Decision]
	assertions *cache.Cache[string]
}

// openCaches makes them; all are off when max_memory is 0.
func openCaches(c config.Cache, now func() time.Time) (*caches, error) {
	var made caches
	var errs [3]error
	made.proofs, errs[0] = cache.New(cache.Options[*access.Identity]{
		MaxMemory: c.MaxMemory / 2, MaxNegatives: maxNegatives, TTL: c.TTL, NegativeTTL: c.NegativeTTL,
		Negative: isRejection, Owner: ownerOf, Now: now,
	})
	made.decisions, errs[1] = cache.New(cache.Options[access.Decision]{MaxMemory: c.MaxMemory / 8 * 3, TTL: c.TTL, Now: now})
	made.assertions, errs[2] = cache.New(cache.Options[string]{MaxMemory: c.MaxMemory / 8, TTL: c.TTL, Now: now})
	if err := errors.Join(errs[:]...); err != nil {
		made.close()
		return nil, err
	}
	return &made, nil
}

func (c *caches) close() {
	if c == nil {
		return
	}
	if c.proofs != nil {
		c.proofs.Close()
	}
	if c.decisions != nil {
		c.decisions.Close()
	}
	if c.assertions != nil {
		c.assertions.Close()
	}
}

// isRejection reports that an error is an answer about the credential, not
// about the store.
func isRejection(err error) bool {
	var rejection *access.Rejection
	return errors.As(err, &rejection)
}

// ownerOf names whose change ends a proof. That a consumer is ephemeral rests on
// what no record says, which any change may end.
func ownerOf(id *access.Identity) string {
	if id.Anonymous() || id.Consumer.Ephemeral {
		return ""
	}
	return id.Consumer.Name
}
