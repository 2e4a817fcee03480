package state

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// ErrNoSpace says that the disk under the directory is nearly full.
var ErrNoSpace = errors.New("no space left for the data directory")

const (
	// reserveDefault is the free space without which a directory is not opened.
	// Badger writes through mmap: on a full disk the process dies of a signal, in
	// the middle of anything, instead of getting an error. Half of the reserve is
	// enough to finish the batch in hand and to close all stores in order.
	reserveDefault = 256 << 20
	// watchEvery is how often a running instance looks at its disk. At the rate
	// of the fastest disks half of the reserve lasts for longer than that.
	watchEvery = 200 * time.Millisecond
)

// freeSpace is what an unprivileged process may still write under path.
func freeSpace(path string) (int64, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(path, &st); err != nil {
		return 0, fmt.Errorf("ask for free space: %w", err)
	}
	return int64(st.Bavail) * st.Bsize, nil
}

// room checks that the directory has free bytes and can be written.
func (d *Dir) room(need int64) error {
	free, err := d.cfg.Free(d.cfg.Path)
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.cfg.Path, err)
	}
	if free < need {
		return fmt.Errorf("%w: %s has %d MiB free and needs %d: free some, or give a --data-dir on another disk; the state is rebuilt from Kafka there",
			ErrNoSpace, d.cfg.Path, free>>20, need>>20)
	}
	// A file system that turned read-only still has space.
	probe := filepath.Join(d.cfg.Path, probeFile)
	if err := os.WriteFile(probe, nil, 0o600); err != nil {
		return fmt.Errorf("data directory %s cannot be written: %w: mend the disk, or give another --data-dir", d.cfg.Path, err)
	}
	return nil
}

// Watch looks after the disk until ctx ends. It returns an error when there is
// too little space left to go on, in time to stop in order: nothing is lost, as
// what is in the stores is in Kafka.
func (d *Dir) Watch(ctx context.Context) error {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := d.room(d.cfg.Reserve / 2); err != nil {
				return err
			}
		}
	}
}
