//go:build !linux

package victim

import "errors"

// DieBeyond is not known for this system.
func DieBeyond(uint64) error { return errors.ErrUnsupported }
