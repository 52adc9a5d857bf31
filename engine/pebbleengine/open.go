package pebbleengine

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fdbevents/fdbevents/engine"
)

// Open opens the database in a directory, and creates both if necessary. Any
// number of engines, in any number of processes on the machine, can have the same
// directory open. Open waits up to 30 s for a holder of the directory that does
// not answer. ctx bounds only the opening.
func Open(ctx context.Context, dir string) (*Engine, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := prepareDirectory(dir); err != nil {
		return nil, fmt.Errorf("open database in %s: %w", dir, err)
	}
	d := &directory{path: dir}
	_, _ = rand.Read(d.client[:])
	e := newEngine("file:" + dir)
	e.find = d.find
	b, err := d.find(ctx)
	if err != nil {
		return nil, err
	}
	e.use(b)
	return e, nil
}

// directory is where an Engine finds its backends.
type directory struct {
	path   string
	client clientID
}

const (
	// patience bounds how long a directory may be held by a process that does not
	// answer: it may be opening the store, or shutting down.
	patience = 30 * time.Second
	// firstLook and lastLook are the first and the longest pause between two
	// attempts. There is nothing to wait on: the holder may end in any way.
	firstLook, lastLook = time.Millisecond, 50 * time.Millisecond
)

// find becomes the holder of the directory or attaches to it.
func (d *directory) find(ctx context.Context) (backend, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("it does not answer"))
	defer cancel()
	for pause := firstLook; ; pause = min(2*pause, lastLook) {
		l, err := tryLock(d.path)
		if err != nil {
			return nil, fmt.Errorf("open database in %s: %w", d.path, err)
		}
		if l != nil {
			return d.hold(l)
		}
		b, err := attach(ctx, d.path, d.client)
		if err == nil {
			return b, nil
		}
		if errors.Is(err, errProtocol) {
			return nil, fmt.Errorf("%s is held by %s: %w", d.path, lockHolder(d.path), err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return nil, fmt.Errorf("%s is held by %s: %w: %w", d.path, lockHolder(d.path), context.Cause(ctx), err)
		}
	}
}

// hold opens the store under the lock, and serves it.
func (d *directory) hold(l *lock) (backend, error) {
	path := filepath.Join(d.path, storeName)
	// Pebble's files are readable by all, so their directory is not: the data may lie in
	// a directory that others can enter.
	if err := errors.Join(os.MkdirAll(path, 0o700), os.Chmod(path, 0o700)); err != nil {
		return nil, errors.Join(fmt.Errorf("open database in %s: %w", d.path, err), l.release())
	}
	s, err := openStore(vfs.Default, path, true, memTableSize)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open database in %s: %w", d.path, err), l.release())
	}
	served, err := serve(d.path, s)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("serve database in %s: %w", d.path, err), s.close(), l.release())
	}
	return &holder{store: s, server: served, lock: l}, nil
}

// holder is this process's store, served to others.
type holder struct {
	*store
	server *server
	lock   *lock
}

// close implements backend. The lock is released last: when another process gets
// it, this one has nothing in flight.
func (h *holder) close() error {
	if !h.server.closing.CompareAndSwap(false, true) {
		return engine.ErrClosed
	}
	return errors.Join(h.server.close(), h.store.close(), h.lock.release())
}
