// Package stamp tells, by what the file system says alone, whether a file is
// certainly as it was when it was read.
//
// Name, size and time of modification do not tell it: reproducible archives all
// have one time, and whoever writes may set it back. What no one sets is the time
// of the last change to the inode, and where that can't be had a file is never
// said to be the same.
package stamp

import (
	"io/fs"
	"time"
)

// racy is how old a change must be for its time to tell it from the next one:
// clocks of file systems tick slowly, and two changes may have one time.
const racy = 2 * time.Second

// Stamp is what the file system says of a file. Equal ones are of files that look
// alike; Unchanged says what that is worth.
type Stamp struct {
	device, inode uint64
	size          int64
	// modified and changed are nanoseconds of the wall clock.
	modified, changed int64
	// whole says that nothing of it is missing.
	whole bool
}

// Of gives what info says.
func Of(info fs.FileInfo) Stamp {
	s := Stamp{size: info.Size(), modified: info.ModTime().UnixNano()}
	s.complete(info)
	return s
}

// Unchanged reports whether a file that had s when it was read at a time, and has
// now by now, is certainly as it was. One that was changed just before it was read
// is not: another change may have come after, at the same time by its clock.
func (s Stamp) Unchanged(readAt time.Time, now Stamp) bool {
	return s.whole && s == now && s.Settled(readAt)
}

// Settled reports whether the last change was long enough before a time that the
// next one will show.
func (s Stamp) Settled(at time.Time) bool {
	return at.Sub(time.Unix(0, max(s.modified, s.changed))) > racy
}
