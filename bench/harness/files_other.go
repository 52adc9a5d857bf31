//go:build !linux

package harness

import (
	"errors"
	"io/fs"
	"time"
)

func allocated(info fs.FileInfo) int64 { return info.Size() }

func forget(string) error {
	return errors.New("dropping files from the page cache works only on Linux")
}

func ownCPU() time.Duration { return 0 }

func fileSystem(string) string { return "" }
