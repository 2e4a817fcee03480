// Package victim lets a test's process be killed in the middle of a write, always: who
// kills it from outside has to be lucky.
//
// It knows the kernel's limits and nothing of what is written.
package victim

import (
	"fmt"
	"syscall"
	"unsafe"
)

// DieBeyond has the kernel kill this process when it writes a file that has so many bytes
// already. What is below is on the file's system then, as after any other kill.
func DieBeyond(fileBytes uint64) error {
	for _, l := range []struct {
		what  int
		limit uint64
	}{{syscall.RLIMIT_CORE, 0}, {syscall.RLIMIT_FSIZE, fileBytes}} {
		if err := syscall.Setrlimit(l.what, &syscall.Rlimit{Cur: l.limit, Max: l.limit}); err != nil {
			return fmt.Errorf("limit this process: %w", err)
		}
	}
	// The Go runtime makes an error of the signal, which therefore is not its own any more.
	const setBytes = 8
	var unset [64]byte // a struct sigaction: what the kernel does by default
	//nolint:gosec // the kernel reads it during the call
	_, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(syscall.SIGXFSZ), uintptr(unsafe.Pointer(&unset)), 0, setBytes, 0, 0)
	if errno != 0 {
		return fmt.Errorf("leave the signal to the kernel: %w", errno)
	}
	return nil
}
