//go:build !linux

package local

import "syscall"

// childAttributes has nothing to add where the kernel cannot tie a child's
// life to its parent's: there a test that is killed leaves its broker, whose
// number is in the file pid beside its log.
func childAttributes() *syscall.SysProcAttr { return nil }
