//go:build unix

package kafka

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// dirLock is an exclusive lock that the kernel drops when the process ends,
// however it ends.
type dirLock struct{ f *os.File }

// lockDir takes the lock or fails at once if another process holds it.
func lockDir(path string) (*dirLock, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return &dirLock{f: f}, nil
}

func (l *dirLock) release() error {
	if err := l.f.Close(); err != nil {
		return fmt.Errorf("release lock: %w", err)
	}
	return nil
}
