package harness

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// describe describes the machine, and the file system of the directory that holds a
// run's data.
func describe(dir string) (Machine, error) {
	m := Machine{
		CPU: procText("/proc/cpuinfo", "model name"), Processors: runtime.NumCPU(),
		OS: runtime.GOOS + "/" + runtime.GOARCH, FileSystem: fileSystem(dir), Go: runtime.Version(),
	}
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		m.OS += ", kernel " + strings.TrimSpace(string(kernel))
	}
	kib, err := procField("/proc/meminfo", "MemTotal:")
	if err == nil {
		m.Memory = kib << 10
	}
	m.SyncMicros, err = syncMicros(dir)
	return m, err
}

// procText returns the first value of a name in a file of /proc, or "" if the name is
// absent.
func procText(path, name string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(text)) {
		if before, after, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}

// syncMicros returns the median time in microseconds to append 4 KiB to a file and
// sync it.
func syncMicros(dir string) (micros float64, err error) {
	f, err := os.Create(filepath.Join(dir, "sync"))
	if err != nil {
		return 0, fmt.Errorf("time a sync: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	const n = 200
	took := make([]time.Duration, n)
	for i := range took {
		began := time.Now()
		if _, err := f.Write(make([]byte, 4096)); err != nil {
			return 0, fmt.Errorf("time a sync: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("time a sync: %w", err)
		}
		took[i] = time.Since(began)
	}
	slices.Sort(took)
	return float64(took[n/2].Nanoseconds()) / 1e3, nil
}
