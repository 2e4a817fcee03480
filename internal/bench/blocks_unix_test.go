//go:build unix

package bench_test

import (
	"io/fs"
	"syscall"
)

// blocks is the space that a file takes: Badger makes its files larger than what
// they hold.
func blocks(info fs.FileInfo) int64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Blocks * 512
	}
	return info.Size()
}
