package stamp

import (
	"io/fs"
	"syscall"
)

// complete adds what only the inode says.
func (s *Stamp) complete(info fs.FileInfo) {
	inode, ok := info.Sys().(*syscall.Stat_t)
	if !ok { // it is in no file system of the kernel's
		return
	}
	s.device, s.inode, s.whole = uint64(inode.Dev), inode.Ino, true //nolint:unconvert // it is narrower on some machines
	seconds, nanoseconds := inode.Ctim.Unix()
	s.changed = seconds*1e9 + nanoseconds
}
