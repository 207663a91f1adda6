package rollout

import "slices"

// maxPlaces bounds the places that an entry names, and maxPlacesBytes their
// size.
const (
	maxPlaces      = 500
	maxPlacesBytes = 32 << 10
)

// together are places that were known and those of now. What was there once is
// not forgotten when it goes: it may go a step before the rules do.
func together(known, now []string) []string {
	all, size := slices.Clone(known), 0
	for _, place := range known {
		size += len(place)
	}
	for _, place := range now {
		if slices.Contains(known, place) {
			continue
		}
		if size += len(place); len(all) == maxPlaces || size > maxPlacesBytes {
			break
		}
		all = append(all, place)
	}
	slices.Sort(all)
	return all
}

// Further are the places of the further data that a kept revision needs. It is
// safe on nil.
func (r *Revisions) Further(revision string) []string {
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	kept, _ := r.find(revision)
	return slices.Clone(kept.Further)
}
