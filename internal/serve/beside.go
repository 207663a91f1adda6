package serve

import (
	"reflect"
	"slices"

	"github.com/postern-authz/postern/internal/config"
	"github.com/postern-authz/postern/internal/policy"
)

// beside is what a candidate was made of, beside its own directory.
type beside struct {
	candidate *policy.Snapshot
	config    config.Policy
	bundles   []*policy.Bundle
}

// besideOf is what a candidate is made of while a revision is in force. Bundles
// of data alone are left out: what is promoted has those of the moment.
func besideOf(candidate *policy.Snapshot, current *built) *beside {
	b := &beside{candidate: candidate, config: current.config.Policy}
	if current.chosen != nil {
		b.bundles = slices.DeleteFunc(slices.Clone(current.chosen.Bundles), (*policy.Bundle).Further)
	}
	return b
}

// holds reports whether a candidate would be made of the same now. One that would
// not is about to be made anew, and its rules may be older than those that are in
// force.
func (b *beside) holds(candidate *policy.Snapshot, current *built) bool {
	if b == nil {
		return false
	}
	now := besideOf(candidate, current)
	return b.candidate == candidate && reflect.DeepEqual(b.config, now.config) && slices.Equal(b.bundles, now.bundles)
}
