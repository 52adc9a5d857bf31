package pebbleengine

import (
	"context"
	"fmt"
	"hash/maphash"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

// MaxWatches is the largest number of watches that an Engine keeps at one time.
const MaxWatches = 10_000

// watch is one promise to report a change. It ends once: fired, failed or
// cancelled.
type watch struct {
	key []byte
	// changed means that the transaction itself wrote the key after making the
	// watch, so that the watch fires at its commit.
	changed bool

	ending atomic.Bool
	err    error         // set before done is closed
	done   chan struct{} // closed at the end

	// mu guards released, which releases everything that is kept for the watch. It
	// is called once, at the end.
	mu       sync.Mutex
	released []func()
}

func newWatch(key []byte) *watch {
	return &watch{key: key, done: make(chan struct{})}
}

// end resolves the watch; it fires if err is nil. Only the first call counts.
func (w *watch) end(err error) {
	if !w.ending.CompareAndSwap(false, true) {
		return
	}
	w.err = err
	close(w.done)
	w.mu.Lock()
	released := w.released
	w.released = nil
	w.mu.Unlock()
	for _, f := range released {
		f()
	}
}

// onEnd calls f when the watch ends, or at once if it has ended.
func (w *watch) onEnd(f func()) {
	w.mu.Lock()
	if !w.ending.Load() {
		w.released = append(w.released, f)
		w.mu.Unlock()
		return
	}
	w.mu.Unlock()
	f()
}

// Wait implements engine.Watch.
func (w *watch) Wait(ctx context.Context) error {
	select {
	case <-w.done:
		return w.err
	default:
	}
	select {
	case <-w.done:
		return w.err
	case <-ctx.Done():
		return fmt.Errorf("watch: %w", ctx.Err())
	}
}

// Cancel implements engine.Watch.
func (w *watch) Cancel() { w.end(fmt.Errorf("watch: %w", engine.ErrCancelled)) }

// watches are the armed watches of a store, by the hash of their key. As in the
// conflict window, two keys with equal hashes cost at worst a needless wake-up.
type watches struct {
	seed maphash.Seed

	mu     sync.Mutex
	byHash map[uint64][]*watch
	closed bool
	// armed is the number of watches. It lets a commit see, without the lock, that
	// there are no watches.
	armed atomic.Int64
}

func newWatches(seed maphash.Seed) *watches {
	return &watches{seed: seed, byHash: make(map[uint64][]*watch)}
}

// arm registers w until it ends.
func (a *watches) arm(w *watch) {
	hash := maphash.Bytes(a.seed, w.key)
	a.mu.Lock()
	if a.closed {
		a.mu.Unlock()
		w.end(engine.ErrClosed)
		return
	}
	a.byHash[hash] = append(a.byHash[hash], w)
	a.armed.Add(1)
	a.mu.Unlock()
	w.onEnd(func() { a.disarm(hash, w) })
}

func (a *watches) disarm(hash uint64, w *watch) {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.byHash[hash]
	i := slices.Index(list, w)
	if i < 0 {
		return
	}
	a.armed.Add(-1)
	if list = slices.Delete(list, i, i+1); len(list) == 0 {
		delete(a.byHash, hash)
		return
	}
	a.byHash[hash] = list
}

// touched appends the watches that must fire because of what h has gained since
// points and ranges, its earlier lengths. They stay armed until they are ended.
func (a *watches) touched(to []*watch, h *history, points, ranges int) []*watch {
	if a.armed.Load() == 0 {
		return to
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, hash := range h.hashes[points:] {
		to = append(to, a.byHash[hash]...)
	}
	for _, r := range h.ranges[ranges:] {
		for _, list := range a.byHash {
			for _, w := range list {
				if r.Contains(w.key) {
					to = append(to, w)
				}
			}
		}
	}
	return to
}

// close ends all watches, now and in future.
func (a *watches) close(err error) {
	a.mu.Lock()
	a.closed = true
	var all []*watch
	for _, list := range a.byHash {
		all = append(all, list...)
	}
	a.mu.Unlock()
	for _, w := range all {
		w.end(err)
	}
}
