package sqlstore

import (
	"errors"
	"syscall"
)

// isFull reports an error of the system that means that there is no room.
func isFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
