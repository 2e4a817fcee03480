//go:build !unix

package bench_test

import "io/fs"

func blocks(info fs.FileInfo) int64 { return info.Size() }
