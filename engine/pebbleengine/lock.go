package pebbleengine

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The contents of a directory.
const (
	// lockName is the file whose lock decides who holds the directory. It contains
	// the holder's process id, for people.
	lockName = "lock"
	// socketName is the socket on which the holder serves. It exists only while
	// the holder serves, or if the holder was killed.
	socketName = "socket"
	// storeName is the directory of the Pebble database.
	storeName = "store"
)

// prepareDirectory creates dir if necessary and makes sure that it is a directory
// of ours.
func prepareDirectory(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	foreign := ""
	for _, e := range entries {
		switch e.Name() {
		case lockName, storeName:
			return nil
		default:
			foreign = e.Name()
		}
	}
	if foreign != "" {
		return fmt.Errorf("it holds other files, for example %q, and no fdbevents data", foreign)
	}
	return nil
}

// lock is the right to open the store. The operating system releases it when the
// process ends, however that happens.
type lock struct{ file *os.File }

// tryLock returns nil if the lock is taken, perhaps by another Engine of this
// process.
func tryLock(dir string) (*lock, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		_ = f.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, nil
		}
		return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	// The contents are a courtesy; see lockHolder.
	_ = f.Truncate(0)
	_, _ = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	return &lock{f}, nil
}

func (l *lock) release() error { return l.file.Close() }

// lockHolder names the process that has the lock.
func lockHolder(dir string) string {
	f, err := os.Open(filepath.Join(dir, lockName))
	if err != nil {
		return "another process"
	}
	defer f.Close()
	pid, err := io.ReadAll(io.LimitReader(f, 32))
	if err != nil || len(pid) == 0 {
		return "another process"
	}
	return "process " + strings.TrimSpace(string(pid))
}

// maxSocketPath is below the operating system's limit for socket addresses, in
// bytes.
const maxSocketPath = 100

// socketPath returns a path to name in dir that is short enough for a socket
// address. The caller calls done after use.
func socketPath(dir, name string) (path string, done func(), err error) {
	if path = filepath.Join(dir, name); len(path) <= maxSocketPath {
		return path, func() {}, nil
	}
	short, err := os.MkdirTemp("", "fdbevents")
	if err != nil {
		return "", nil, err
	}
	done = func() { _ = os.RemoveAll(short) }
	link := filepath.Join(short, "d")
	if err := os.Symlink(dir, link); err != nil {
		done()
		return "", nil, err
	}
	return filepath.Join(link, name), done, nil
}
