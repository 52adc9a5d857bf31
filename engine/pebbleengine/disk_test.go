package pebbleengine

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"
	"github.com/fdbevents/fdbevents/engine"
)

// smallDisk is a file system with room for a number of bytes; when they are
// written, it is full. If a write does not fit, its beginning is written.
type smallDisk struct {
	vfs.FS
	room atomic.Int64
}

func (d *smallDisk) take(n int) (fits int, err error) {
	left := d.room.Add(int64(-n))
	if left >= 0 {
		return n, nil
	}
	return max(0, n+int(left)), syscall.ENOSPC
}

func (d *smallDisk) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if _, err := d.take(1); err != nil {
		return nil, err
	}
	f, err := d.FS.Create(name, c)
	return smallFile{f, d}, err
}

func (d *smallDisk) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if _, err := d.take(1); err != nil {
		return nil, err
	}
	f, err := d.FS.ReuseForWrite(from, to, c)
	return smallFile{f, d}, err
}

type smallFile struct {
	vfs.File
	disk *smallDisk
}

func (f smallFile) Write(p []byte) (int, error) {
	fits, full := f.disk.take(len(p))
	n, err := f.File.Write(p[:fits])
	return n, errors.Join(err, full)
}

func (f smallFile) WriteAt(p []byte, at int64) (int, error) {
	fits, full := f.disk.take(len(p))
	n, err := f.File.WriteAt(p[:fits], at)
	return n, errors.Join(err, full)
}

// TestDiskFull makes the disk run full at many moments, including while opening,
// while flushing to tables and while writing the list of tables. Commits fail and
// say why, the process goes on, and everything acknowledged is there when the
// directory is opened with room again.
func TestDiskFull(t *testing.T) {
	for room := int64(0); room < 600_000; room += room/16 + 37 {
		disk := vfs.NewCrashableMem()
		full := &smallDisk{FS: disk}
		full.room.Store(room)
		acknowledged := fillUp(t, full, room)
		rest := disk.CrashClone(vfs.CrashCloneCfg{})
		full = &smallDisk{FS: disk.CrashClone(vfs.CrashCloneCfg{})}
		full.room.Store(room % 5000)
		if e, err := openFS(full, true, memTableSize); err == nil {
			_ = e.Close()
		} else { // before room is made
			wantDiskFull(t, room, "open again", err)
		}
		e, err := openFS(rest, true, memTableSize)
		if err != nil {
			t.Fatalf("room for %d bytes: opening with room again: %v", room, err)
		}
		tr := e.Begin(t.Context())
		for _, key := range acknowledged {
			if v, err := tr.Get([]byte(key)).Get(); v == nil || err != nil {
				t.Errorf("room for %d bytes: %s was acknowledged and is %q, %v", room, key, v, err)
			}
		}
		tr.Set([]byte("again"), nil)
		if err := tr.Commit(); err != nil {
			t.Errorf("room for %d bytes: a commit after making room: %v", room, err)
		}
		closeEngine(t, e)
	}
}

// fillUp opens a database and commits until a commit fails. It returns the keys
// that were acknowledged.
func fillUp(t *testing.T, full *smallDisk, room int64) (acknowledged []string) {
	e, err := openFS(full, true, 64<<10)
	if err != nil {
		wantDiskFull(t, room, "open", err)
		return nil
	}
	var mu sync.Mutex
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for n := 0; ; n++ {
				key := fmt.Sprintf("%d/%d", w, n)
				tr := e.Begin(t.Context())
				tr.Set([]byte(key), make([]byte, 100))
				if err := tr.Commit(); err != nil {
					wantDiskFull(t, room, "commit", err)
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, key)
				mu.Unlock()
			}
		})
	}
	done := make(chan struct{})
	go func() { writers.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatalf("room for %d bytes: commits hang", room)
	}
	// From now on, every commit says what has happened and what to do.
	tr := e.Begin(t.Context())
	tr.Set([]byte("later"), nil)
	err = tr.Commit()
	wantDiskFull(t, room, "a later commit", err)
	if !strings.Contains(err.Error(), "make room on the disk, then ") {
		t.Errorf("room for %d bytes: a later commit does not say what to do: %v", room, err)
	}
	if engine.Retryable(err) || engine.MaybeCommitted(err) {
		t.Errorf("room for %d bytes: a later commit can be retried, or may have happened: %v", room, err)
	}
	tr = e.Begin(t.Context())
	if len(acknowledged) > 0 {
		if v, err := tr.Get([]byte(acknowledged[0])).Get(); v == nil || err != nil {
			t.Errorf("room for %d bytes: a read on a full disk: %q, %v", room, v, err)
		}
	}
	tr.Cancel()
	if err := e.Close(); err != nil {
		t.Errorf("room for %d bytes: close: %v", room, err)
	}
	return acknowledged
}

func wantDiskFull(t *testing.T, room int64, what string, err error) {
	t.Helper()
	if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("room for %d bytes: %s: %v, want an error about a full disk", room, what, err)
	}
}

// TestReadOnlyDisk opens a database on a disk that cannot be written.
func TestReadOnlyDisk(t *testing.T) {
	disk := vfs.NewCrashableMem()
	closeEngine(t, openDisk(t, disk))
	for _, kinds := range [][]errorfs.OpKind{
		{errorfs.OpCreate, errorfs.OpReuseForWrite, errorfs.OpMkdirAll, errorfs.OpRemove, errorfs.OpRename, errorfs.OpLink},
		{errorfs.OpFileWrite, errorfs.OpFileSync, errorfs.OpFileSyncData},
	} {
		e, err := openFS(errorfs.Wrap(disk, errorfs.InjectorFunc(func(op errorfs.Op) error {
			if slices.Contains(kinds, op.Kind) {
				return &fs.PathError{Op: "open", Path: op.Path, Err: syscall.EROFS}
			}
			return nil
		})), true, memTableSize)
		if err == nil { // then the first write must fail
			tr := e.Begin(t.Context())
			tr.Set([]byte("k"), nil)
			err = tr.Commit()
			_ = e.Close()
		}
		if !errors.Is(err, syscall.EROFS) || !strings.Contains(err.Error(), "read-only file system") {
			t.Errorf("%v: %v, want an error about a read-only file system", kinds, err)
		}
	}
}

// TestReadOnlyDirectory tests file system permissions, which do not stop root.
func TestReadOnlyDirectory(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can write everywhere")
	}
	dir := t.TempDir()
	closeEngine(t, open(t, dir))
	if err := errors.Join(os.Remove(filepath.Join(dir, lockName)), os.Chmod(dir, 0o500)); err != nil {
		t.Fatal(err)
	}
	defer os.Chmod(dir, 0o700)
	if _, err := Open(t.Context(), dir); !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), dir) {
		t.Errorf("open of a directory without write permission: %v", err)
	}
}

// TestNewerPebble opens a store written by a newer Pebble.
func TestNewerPebble(t *testing.T) {
	dir := t.TempDir()
	closeEngine(t, open(t, dir))
	markers, err := filepath.Glob(filepath.Join(dir, storeName, "marker.format-version.*"))
	if err != nil || len(markers) != 1 {
		t.Fatalf("markers %q, %v", markers, err)
	}
	if err := os.Rename(markers[0], filepath.Join(dir, storeName, "marker.format-version.000999.999")); err != nil {
		t.Fatal(err)
	}
	_, err = Open(t.Context(), dir)
	if err == nil || !strings.Contains(err.Error(), "use a newer fdbevents") || !strings.Contains(err.Error(), dir) {
		t.Errorf("open of a newer Pebble's store: %v", err)
	}
}

// TestDamagedLog damages the write-ahead log in the middle: opening must fail,
// and must not drop anything silently. In the last 32 KiB of a log, Pebble cannot
// tell damage from a write torn by a crash.
func TestDamagedLog(t *testing.T) {
	dir := t.TempDir()
	e := open(t, dir)
	for n := range 100 {
		if err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
			tr.Set(fmt.Append(nil, n), bytes.Repeat([]byte{1}, 2000))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	// These are the files as kill -9 leaves them, without an orderly shutdown.
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(filepath.Join(dir, storeName))); err != nil {
		t.Fatal(err)
	}
	closeEngine(t, e)
	logs, err := filepath.Glob(filepath.Join(copied, "*.log"))
	if err != nil || len(logs) == 0 {
		t.Fatalf("logs %q, %v", logs, err)
	}
	log, err := os.ReadFile(logs[len(logs)-1])
	if err != nil {
		t.Fatal(err)
	}
	used := len(bytes.TrimRight(log, "\x00"))
	for _, part := range []int{10, 3, 2} { // damage at 1/part of the log
		damaged := bytes.Clone(log)
		copy(damaged[used/part:], "damage")
		if err := os.WriteFile(logs[len(logs)-1], damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		target := t.TempDir()
		if err := os.CopyFS(filepath.Join(target, storeName), os.DirFS(copied)); err != nil {
			t.Fatal(err)
		}
		e, err := Open(t.Context(), target)
		if err == nil {
			closeEngine(t, e)
		}
		if err == nil || !strings.Contains(err.Error(), target) || !strings.Contains(err.Error(), "the data is damaged") {
			t.Errorf("damage at 1/%d of the log: %v, want an error about it", part, err)
		}
	}
}
