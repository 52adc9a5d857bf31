package pebbleengine

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fdbevents/fdbevents/engine"
)

// Engine is an open database. It implements engine.Engine.
type Engine struct {
	name string
	// find gets a backend when there is none: it opens the store or attaches to
	// the process that has opened it. Only engines on a directory have it.
	find func(context.Context) (backend, error)

	// now is the current backend. It is replaced when it is lost.
	now atomic.Pointer[backend]

	// searching holds a token while a backend is being found or closed.
	searching chan struct{}
	// life ends when Close is called.
	life context.Context
	end  context.CancelFunc

	// buffers has the []mutation of ended transactions, for reuse.
	buffers sync.Pool

	// mu guards watches: all watches that have not ended, armed or not.
	mu      sync.Mutex
	watches map[*watch]struct{}
}

var _ engine.Engine = (*Engine)(nil)

// OpenMemory opens a new, empty database in memory. It is gone when closed.
func OpenMemory() (*Engine, error) { return openFS(vfs.NewMem(), false, memTableSize) }

// openFS opens the database in fs. memTable is the size of one Pebble memtable in
// bytes.
func openFS(fs vfs.FS, durable bool, memTable uint64) (*Engine, error) {
	s, err := openStore(fs, "store", durable, memTable)
	if err != nil {
		return nil, fmt.Errorf("open database in memory: %w", err)
	}
	e := newEngine("mem:")
	e.use(s)
	return e, nil
}

func newEngine(name string) *Engine {
	e := &Engine{name: name, searching: make(chan struct{}, 1), watches: make(map[*watch]struct{})}
	e.life, e.end = context.WithCancel(context.Background())
	return e
}

func (e *Engine) use(b backend) { e.now.Store(&b) }

// backend returns a backend that was not lost a moment ago. It finds a new one if
// necessary.
func (e *Engine) backend(ctx context.Context) (backend, error) {
	if e.life.Err() != nil {
		return nil, engine.ErrClosed
	}
	if b := *e.now.Load(); !b.lost() {
		return b, nil
	}
	select {
	case e.searching <- struct{}{}:
		defer func() { <-e.searching }()
	case <-e.life.Done():
		return nil, engine.ErrClosed
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for the database in %s: %w", e.name, ctx.Err())
	}
	b := *e.now.Load()
	if !b.lost() {
		return b, nil
	}
	_ = b.close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(e.life, cancel)()
	b, err := e.find(ctx)
	if e.life.Err() != nil {
		if err == nil {
			err = b.close()
		}
		return nil, errors.Join(engine.ErrClosed, err)
	}
	if err != nil {
		return nil, err
	}
	e.use(b)
	return b, nil
}

// acquire returns a view and the backend it belongs to.
func (e *Engine) acquire(ctx context.Context) (backend, view, error) {
	for {
		b, err := e.backend(ctx)
		if err != nil {
			return nil, nil, err
		}
		v, err := b.acquire(ctx)
		if errors.Is(err, errLost) {
			continue
		}
		return b, v, err
	}
}

// commit hands c to the backend that its transaction has read from, or to any
// backend if bound is nil.
func (e *Engine) commit(ctx context.Context, bound backend, c *commit) (outcome, error) {
	for {
		b, err := bound, error(nil)
		if b == nil {
			if b, err = e.backend(ctx); err != nil {
				return outcome{}, err
			}
		}
		result, err := b.commit(ctx, c)
		switch {
		case !errors.Is(err, errLost):
			return result, err
		case bound != nil:
			return outcome{}, fmt.Errorf("commit after reads from a lost backend: %w: %w", err, engine.ErrTooOld)
		}
	}
}

// takeBuffer returns an empty buffer for mutations.
func (e *Engine) takeBuffer() []mutation {
	if b, ok := e.buffers.Get().(*[]mutation); ok {
		return (*b)[:0]
	}
	return make([]mutation, 0, 16)
}

// giveBuffer takes back the mutations of a finished commit.
func (e *Engine) giveBuffer(b []mutation) {
	if cap(b) == 0 || cap(b) > largestBuffer {
		return
	}
	clear(b)
	e.buffers.Put(&b)
}

const largestBuffer = 4 << 10

// keep registers a watch until it ends.
func (e *Engine) keep(w *watch) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case e.life.Err() != nil:
		return engine.ErrClosed
	case len(e.watches) == MaxWatches:
		return fmt.Errorf("more than %d watches: %w", MaxWatches, engine.ErrTooManyWatches)
	}
	e.watches[w] = struct{}{}
	w.onEnd(func() {
		e.mu.Lock()
		defer e.mu.Unlock()
		delete(e.watches, w)
	})
	return nil
}

// Begin implements engine.Engine.
func (e *Engine) Begin(ctx context.Context) engine.Transaction {
	return &transaction{engine: e, ctx: ctx, pause: firstPause}
}

// Prefix implements engine.Engine: the whole database is the caller's.
func (e *Engine) Prefix() []byte { return nil }

// String implements engine.Engine.
func (e *Engine) String() string { return e.name }

// Close implements engine.Engine.
func (e *Engine) Close() error {
	if e.life.Err() != nil {
		return engine.ErrClosed
	}
	e.end()
	e.searching <- struct{}{}
	defer func() { <-e.searching }()
	err := (*e.now.Load()).close()
	e.mu.Lock()
	watches := slices.Collect(maps.Keys(e.watches))
	e.mu.Unlock()
	for _, w := range watches {
		w.end(fmt.Errorf("watch: %w", engine.ErrClosed))
	}
	return err
}
