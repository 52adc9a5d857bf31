package harness

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// costs is what a system has used since it began, in this process and in the
// instance's other processes.
type costs struct {
	cpu         time.Duration
	allocations int64
	written     int64 // bytes
	resident    int64 // bytes, the sum of the processes' peaks
}

// costs reads the costs from /proc. Outside Linux, all but the allocations are zero.
func (s *stage) costs() (costs, error) {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	all := costs{allocations: int64(m.Mallocs)}
	if runtime.GOOS != "linux" {
		return all, nil
	}
	pids := []int{os.Getpid()}
	if x, ok := s.instance.(Costed); ok {
		pids = append(pids, x.Processes()...)
	}
	for i, pid := range pids {
		c, err := processCosts(pid)
		if i > 0 && errors.Is(err, fs.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			return costs{}, fmt.Errorf("costs of process %d: %w", pid, err)
		}
		if i == 0 {
			c.cpu = ownCPU() // at a finer resolution
		}
		all.cpu += c.cpu
		all.written += c.written
		all.resident += c.resident
	}
	return all, nil
}

// ticks is the unit of times in /proc: 1/100 s on Linux wherever Go runs
// (proc(5), sysconf(_SC_CLK_TCK)).
const ticks = time.Second / 100

func processCosts(pid int) (c costs, err error) {
	dir := "/proc/" + strconv.Itoa(pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return c, err
	}
	// The second field is a name in parentheses, which may contain spaces. Fields 14 to
	// 17 are the user and system times of the process and of its children that ended.
	_, after, ok := bytes.Cut(stat, []byte(") "))
	fields := strings.Fields(string(after))
	if !ok || len(fields) < 15 {
		return c, fmt.Errorf("/proc/PID/stat is %q", stat)
	}
	for _, f := range fields[11:15] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return c, fmt.Errorf("/proc/PID/stat: %w", err)
		}
		c.cpu += time.Duration(n) * ticks
	}
	if c.resident, err = procField(dir+"/status", "VmHWM:"); err != nil {
		return c, err
	}
	c.resident <<= 10 // VmHWM is in KiB
	c.written, err = procField(dir+"/io", "write_bytes:")
	if errors.Is(err, fs.ErrPermission) {
		return c, nil // the process belongs to another user
	}
	return c, err
}

// procField returns the number after a name in a file of /proc, or 0 if the name is
// absent.
func procField(path, name string) (n int64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	_, after, ok := strings.Cut("\n"+string(text), "\n"+name)
	if !ok {
		return 0, nil
	}
	if _, err := fmt.Sscan(after, &n); err != nil {
		return 0, fmt.Errorf("%s: %s %w", path, name, err)
	}
	return n, nil
}

// Located is an Instance that keeps its data outside its directory.
type Located interface {
	// DataDir returns the directory of the data, or "" if it is unknown.
	DataDir() string
}

func (s *stage) dataDirs() []string {
	dirs := []string{s.dir}
	if x, ok := s.instance.(Located); ok && x.DataDir() != "" {
		dirs = append(dirs, x.DataDir())
	}
	return dirs
}

// size returns how many bytes the files under the directories take on disk.
func size(dirs []string) (total int64, err error) {
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return passing(err)
			}
			info, err := entry.Info()
			if err == nil {
				total += allocated(info)
			}
			return passing(err)
		})
		if err != nil {
			return 0, fmt.Errorf("size of %s: %w", dir, err)
		}
	}
	return total, nil
}

// passing drops the error for a file that was removed during a walk.
func passing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
