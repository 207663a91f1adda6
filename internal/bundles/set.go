package bundles

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/postern-authz/postern/internal/policy"
)

// Set is the bundles of one configuration.
type Set struct {
	keeper  *Keeper
	sources []*source
}

// Len counts them.
func (s *Set) Len() int { return len(s.sources) }

// Remote reports whether any is fetched over the network.
func (s *Set) Remote() bool {
	return slices.ContainsFunc(s.sources, func(s *source) bool { return s.web != nil })
}

func (s *Set) has(wanted *source) bool { return slices.Contains(s.sources, wanted) }

// MissingError tells that there is no content yet of some bundles.
type MissingError struct{ Reasons []string }

// Error gives each bundle with why it is not there.
func (e *MissingError) Error() string {
	return "policy.bundles: not there yet: " + strings.Join(e.Reasons, "; ")
}

// Chosen is one content of each bundle of a set, which can be put in force.
type Chosen struct {
	// Bundles are in the order of the configuration.
	Bundles []*policy.Bundle
	// Refused is why newer contents were left out; nil: none was.
	Refused error

	set      *Set
	versions []*version
}

// Choose finds the newest contents that try accepts together: all of the newest
// or else those that can be joined to the ones in force, one by one. What is
// left out has its reason in the report. Its last successful call of try is the
// one whose bundles are returned.
func (s *Set) Choose(try func([]*policy.Bundle) error) (*Chosen, error) {
	newest, good, err := s.versions()
	if err != nil {
		return nil, err
	}
	err = attempt(newest, try)
	if err == nil {
		return s.chosen(newest, nil), nil
	}
	if good == nil || slices.Equal(newest, good) {
		s.refuse(newest, err)
		return nil, err
	}
	return s.join(newest, good, err, try)
}

// join begins with what is in force and adds the newest that fit. why is why all
// together do not.
func (s *Set) join(newest, good []*version, why error, try func([]*policy.Bundle) error) (*Chosen, error) {
	fits, tried := slices.Clone(good), false
	refused := map[int]error{}
	pending := 0
	for i := range newest {
		if newest[i] != good[i] {
			pending++
		}
	}
	for i := range newest {
		if newest[i] == good[i] {
			continue
		}
		candidate := slices.Clone(fits)
		candidate[i] = newest[i]
		err := why
		if pending > 1 {
			err = attempt(candidate, try)
		}
		if err != nil {
			refused[i] = err
			continue
		}
		fits, tried = candidate, true
	}
	if !tried { // nothing newer fits: what is in force is tried with all else that may have changed

		if err := attempt(fits, try); err != nil {
			return nil, errors.Join(err, s.tell(newest, refused))
		}
	}
	return s.chosen(fits, s.tell(newest, refused)), nil
}

// tell notes what was refused, and gives it as one error.
func (s *Set) tell(newest []*version, refused map[int]error) error {
	var all []error
	for i, source := range s.sources {
		if err := refused[i]; err != nil {
			source.refuse(newest[i], err.Error())
			all = append(all, fmt.Errorf("policy.bundles: %s: %w", source.config.Name, err))
		}
	}
	return errors.Join(all...)
}

func (s *Set) refuse(newest []*version, err error) {
	for i, source := range s.sources {
		source.refuse(newest[i], err.Error())
	}
}

// versions are the newest of each, and those in force, nil if there is none of
// one of them.
func (s *Set) versions() (newest, good []*version, err error) {
	missing := &MissingError{}
	complete := true
	for _, source := range s.sources {
		n, g := source.versions()
		if n == nil {
			missing.Reasons = append(missing.Reasons, source.config.Name+": "+source.why())
		}
		complete = complete && g != nil
		newest, good = append(newest, n), append(good, g)
	}
	if len(missing.Reasons) > 0 {
		return nil, nil, missing
	}
	if !complete {
		good = nil
	}
	return newest, good, nil
}

func attempt(versions []*version, try func([]*policy.Bundle) error) error {
	all := bundlesOf(versions)
	if err := disjoint(all); err != nil {
		return err
	}
	return try(all)
}

func bundlesOf(versions []*version) []*policy.Bundle {
	all := make([]*policy.Bundle, len(versions))
	for i, v := range versions {
		all[i] = v.bundle
	}
	return all
}

// disjoint refuses two bundles that claim the same part of data, as OPA does:
// which of them counts would be a matter of chance.
func disjoint(all []*policy.Bundle) error {
	for i, a := range all {
		for _, b := range all[i+1:] {
			for _, root := range a.Roots {
				for _, other := range b.Roots {
					if bundle.RootPathsOverlap(root, other) {
						return fmt.Errorf("the bundles %s and %s overlap: one has the root %q, the other %q", a.Name, b.Name, root, other)
					}
				}
			}
		}
	}
	return nil
}

func (s *Set) chosen(versions []*version, refused error) *Chosen {
	return &Chosen{Bundles: bundlesOf(versions), Refused: refused, set: s, versions: versions}
}

// Activated notes that what was chosen is in force: it is kept on disk, and
// followed until another set is in force.
func (c *Chosen) Activated() {
	if c == nil {
		return // a build without bundles of its own
	}
	for i, source := range c.set.sources {
		source.activated(c.versions[i])
	}
	c.set.keeper.putInForce(c.set)
}

// Await waits until there is a content of every bundle, or ctx ends.
func (s *Set) Await(ctx context.Context) error {
	for {
		if _, _, err := s.versions(); err == nil {
			return nil
		}
		pause := time.NewTimer(20 * time.Millisecond)
		select {
		case <-ctx.Done():
			pause.Stop()
			_, _, err := s.versions()
			return err
		case <-pause.C:
		}
	}
}
