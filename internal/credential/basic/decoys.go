package basic

import (
	"slices"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// maxDecoys bounds the amounts of work that are told apart.
const maxDecoys = 64

// decoys are hashes of no password, one for each amount of work that a
// verification may be. Those of files are known from the start; what a store
// holds is learnt as it is met, since nobody can read it all.
type decoys struct {
	list atomic.Pointer[[]access.Secret]
}

func newDecoys(known []access.Secret) *decoys {
	if len(known) == 0 {
		known = []access.Secret{password.Dummy()}
	}
	d := &decoys{}
	d.list.Store(&known)
	return d
}

// pick returns one by a number; the same for the same number until another
// amount of work is learnt.
func (d *decoys) pick(number byte) access.Secret {
	list := *d.list.Load()
	return list[int(number)%len(list)]
}

// learn takes note of a hash's work.
func (d *decoys) learn(hash access.Secret) {
	parsed, err := password.Parse(string(hash.Reveal()))
	if err != nil {
		return
	}
	decoy := parsed.Decoy()
	for {
		now := d.list.Load()
		if len(*now) >= maxDecoys || slices.ContainsFunc(*now, func(s access.Secret) bool { return s.Equal(decoy.Reveal()) }) {
			return
		}
		more := append(slices.Clone(*now), decoy)
		if d.list.CompareAndSwap(now, &more) {
			return
		}
	}
}
