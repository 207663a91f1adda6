package basic

import (
	"slices"
	"sync/atomic"

	"github.com/postern-authz/postern/internal/access"
	"github.com/postern-authz/postern/internal/consumer/password"
)

// maxLearnt bounds the amounts of work that are learnt.
const maxLearnt = 64

// decoys are hashes of no password, one for each amount of work that a
// verification may be. Those of files are known from the start; what a store
// holds is learnt as it is met, since nobody can read it all.
type decoys struct {
	known  []access.Secret
	learnt *learnt
}

func newDecoys(known []access.Secret, learnt *learnt) *decoys {
	if len(known) == 0 {
		known = []access.Secret{password.Dummy()}
	}
	return &decoys{known, learnt}
}

// pick returns one by a number; the same for the same number until another
// amount of work is known or learnt.
func (d *decoys) pick(number byte) access.Secret {
	list := slices.Clone(d.known)
	for _, decoy := range d.learnt.all() {
		if !has(d.known, decoy) {
			list = append(list, decoy)
		}
	}
	return list[int(number)%len(list)]
}

// learn takes note of a hash's work.
func (d *decoys) learn(hash access.Secret) {
	parsed, err := password.Parse(string(hash.Reveal()))
	if err != nil {
		return
	}
	if decoy := parsed.Decoy(); !has(d.known, decoy) {
		d.learnt.add(decoy)
	}
}

// learnt are the decoys that a program learns while it runs. Its zero value is
// none.
type learnt struct {
	list atomic.Pointer[[]access.Secret]
}

// all returns them; they are not to be changed.
func (l *learnt) all() []access.Secret {
	if list := l.list.Load(); list != nil {
		return *list
	}
	return nil
}

func (l *learnt) add(decoy access.Secret) {
	for {
		last := l.list.Load()
		var list []access.Secret
		if last != nil {
			list = *last
		}
		if len(list) >= maxLearnt || has(list, decoy) {
			return
		}
		more := append(slices.Clone(list), decoy)
		if l.list.CompareAndSwap(last, &more) {
			return
		}
	}
}

func has(list []access.Secret, decoy access.Secret) bool {
	return slices.ContainsFunc(list, func(s access.Secret) bool { return s.Equal(decoy.Reveal()) })
}
