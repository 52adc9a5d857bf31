//go:build !linux

package harness

import (
	"errors"
	"io/fs"
	"time"
)

func allocated(info fs.FileInfo) int64 { return info.Size() }

func forget(string) error {
	return errors.New("files can be dropped from the page cache on Linux only")
}

func ownCPU() time.Duration { return 0 }

func fileSystem(string) string { return "" }
