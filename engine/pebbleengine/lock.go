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

// What is in a directory.
const (
	// lockName is the file whose lock decides who holds the directory. It names
	// the holder's process, for people.
	lockName = "lock"
	// socketName is where the holder serves; it is there only while it does, or
	// when the holder was killed.
	socketName = "socket"
	// storeName is the directory of the Pebble database.
	storeName = "store"
)

// prepareDirectory makes sure that dir is a directory that is ours.
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
		return fmt.Errorf("it has other contents, such as %q, and no fdbevents data", foreign)
	}
	return nil
}

// lock is the right to open the store. The system gives it back when the process
// ends, however that happens.
type lock struct{ file *os.File }

// tryLock returns nil when somebody else has the lock, be it in this process.
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
	// The contents are a courtesy, see lockHolder.
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

// maxSocketPath is below what the system's socket addresses have room for.
const maxSocketPath = 100

// socketPath returns a path to name in dir that is short enough for a socket
// address. done is called after use.
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
