package pebbleengine

import (
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guard is the file system of a store. If the disk fails while Pebble begins a
// new write-ahead log, Pebble panics at a point where it does not hold a lock
// that it then releases, and that ends the process even if the panic is
// recovered. The guard keeps such an error away from Pebble: it ends all commits
// of the store and blocks the goroutine for ever. See store.apply.
type guard struct {
	vfs.FS
	store *store
}

// Unwrap implements vfs.FS.
func (g *guard) Unwrap() vfs.FS { return g.FS }

// Create implements vfs.FS.
func (g *guard) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.Create(name, c)
	return g.file(f, err)
}

// ReuseForWrite implements vfs.FS.
func (g *guard) ReuseForWrite(from, to string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := g.FS.ReuseForWrite(from, to, c)
	return g.file(f, err)
}

// OpenDir implements vfs.FS.
func (g *guard) OpenDir(name string) (vfs.File, error) {
	f, err := g.FS.OpenDir(name)
	if err != nil {
		return nil, err
	}
	return &guarded{File: f, guard: g}, nil
}

func (g *guard) file(f vfs.File, err error) (vfs.File, error) {
	if err != nil {
		g.check(err)
		return nil, err
	}
	return &guarded{File: f, guard: g}, nil
}

// check never returns for an error at a point where Pebble cannot handle it.
func (g *guard) check(err error) {
	if err == nil || !g.store.loading.Load() && !calledBy(").rotateWAL") {
		return
	}
	g.store.die(fmt.Errorf("%w while opening or beginning a new log: %w", errPanicked, err))
	select {}
}

// guarded is the directory or a file open for writing. It remembers its first
// error, which Pebble meets again when it closes the log.
type guarded struct {
	vfs.File
	guard *guard
	first atomic.Pointer[error]
}

func (f *guarded) note(err error) error {
	if err == nil {
		return nil
	}
	first := err // a copy, so that successful writes cost no allocation
	f.first.CompareAndSwap(nil, &first)
	f.guard.check(err)
	return err
}

func (f *guarded) Write(p []byte) (int, error) {
	n, err := f.File.Write(p)
	return n, f.note(err)
}

func (f *guarded) Sync() error     { return f.note(f.File.Sync()) }
func (f *guarded) SyncData() error { return f.note(f.File.SyncData()) }

func (f *guarded) SyncTo(length int64) (bool, error) {
	full, err := f.File.SyncTo(length)
	return full, f.note(err)
}

func (f *guarded) Preallocate(at, length int64) error {
	return f.note(f.File.Preallocate(at, length))
}

func (f *guarded) Close() error {
	if first := f.first.Load(); first != nil {
		f.guard.check(*first)
	}
	return f.note(f.File.Close())
}

// calledBy reports whether this goroutine is in a call, beyond the caller's
// caller, of a function whose full name contains part.
func calledBy(part string) bool {
	callers := make([]uintptr, 128)
	frames := runtime.CallersFrames(callers[:runtime.Callers(3, callers)])
	for {
		frame, more := frames.Next()
		if strings.Contains(frame.Function, part) {
			return true
		}
		if !more {
			return false
		}
	}
}
