package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
	"golang.org/x/sync/semaphore"
)

// Store is an event store. Its methods are safe for concurrent use.
type Store struct {
	engine engine.Engine
	keys   layout.Keys
	// header is the header that Open read; it does not change. Its Indexes may be out
	// of date: see indexes.
	header layout.Header
	logger *slog.Logger
	hooks  Hooks
	// process distinguishes the markers of this Store from those of others.
	process uuid.UUID
	// closeEngine is Options.CloseEngine.
	closeEngine bool
	batcher     batcher
	watcher     *watcher
	stats       counters
	// pending holds the cost of the AppendAsync calls under way, up to maxPendingCost.
	pending *semaphore.Weighted
	// indexes is the set of system indexes that was read last.
	indexes atomic.Pointer[indexSet]

	// ctx ends when Close has waited for calls, or has given up.
	ctx  context.Context
	stop context.CancelFunc
	// calls counts the calls of users under way, workers the goroutines of the Store.
	// Both grow only through enter, or on behalf of a call or goroutine that is counted
	// already. Close waits for calls, then for workers.
	calls, workers sync.WaitGroup

	// mu guards closed, idle and markers.
	mu     sync.Mutex
	closed bool
	// idle holds the markers that are not in use; markers is how many have been made.
	idle    []*marker
	markers int
	// marked is true once a mark may have been written, which Close then has to clear.
	marked atomic.Bool
}

// Options are the options of Open. The zero value is a good default. Partitions and
// InlineLimit take effect when the store is created; for an existing store they are
// only compared with its own.
type Options struct {
	// Partitions is the number of slices of the log: 1 to MaxPartitions, or 8 if zero.
	// It is fixed when the store is created. More partitions spread the load over more
	// FoundationDB servers.
	Partitions int
	// InlineLimit is the largest record, in bytes, that is also kept in its stream, so
	// that loading a stream takes one range read. It is 1,024 if zero; if negative, no
	// records are kept there. It is fixed when the store is created.
	InlineLimit int

	// CloseEngine makes Close close the engine as well.
	CloseEngine bool
	// Logger gets the errors that goroutines of the Store survive. If it is nil,
	// nothing is logged.
	Logger *slog.Logger
	// Hooks tell an observer what the Store does.
	Hooks Hooks
}

const (
	defaultPartitions = 8
	// closePatience is how long Close waits before it gives up batches under way.
	closePatience = 10 * time.Second
	// maxPendingCost bounds the appends that AppendAsync has under way, in bytes.
	maxPendingCost = 64 << 20
)

// Open opens the store in e, and creates it if there is none. Unless
// Options.CloseEngine is set, the caller keeps e and closes it after the Store. ctx
// applies only to Open itself.
//
// Errors: ErrFormat if the format of the store is unknown, *InvalidError if o contradicts
// the store, *LimitError if o exceeds a limit, *AheadError if the store's events are
// ahead of the database's version.
func Open(ctx context.Context, e engine.Engine, o Options) (*Store, error) {
	if o.Partitions < 0 || o.Partitions > fdbevents.MaxPartitions {
		return nil, &fdbevents.LimitError{What: "partitions", Got: int64(o.Partitions), Limit: fdbevents.MaxPartitions, Unit: "partitions"}
	}
	if o.InlineLimit > layout.ChunkSize {
		return nil, &fdbevents.LimitError{What: "inline limit", Got: int64(o.InlineLimit), Limit: layout.ChunkSize, Unit: "bytes"}
	}
	s := &Store{
		engine:      e,
		keys:        layout.Keys{Prefix: e.Prefix()},
		process:     uuid.New(),
		logger:      o.Logger,
		hooks:       o.Hooks,
		closeEngine: o.CloseEngine,
		pending:     semaphore.NewWeighted(maxPendingCost),
	}
	if err := s.loadHeader(ctx, o); err != nil {
		return nil, fmt.Errorf("opening store in %s: %w", e, err)
	}
	if err := s.refuseFuture(ctx); err != nil {
		return nil, fmt.Errorf("opening store in %s: %w", e, err)
	}
	if err := s.sweepMarks(ctx); err != nil {
		return nil, fmt.Errorf("opening store in %s: cleaning up after processes that are gone: %w", e, err)
	}
	s.ctx, s.stop = context.WithCancel(context.Background())
	s.batcher.store = s
	s.watcher = newWatcher(s)
	return s, nil
}

// loadHeader reads the header, or writes one into an empty store.
func (s *Store) loadHeader(ctx context.Context, o Options) error {
	id := uuid.New()
	return engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		value, err := tr.Get(s.keys.Header()).Get()
		if err != nil {
			return err
		}
		if value == nil {
			s.header = newHeader(id, o)
			value = layout.AppendHeader(nil, s.header)
			tr.Set(s.keys.Header(), value)
			s.indexes.Store(&indexSet{raw: value})
			return nil
		}
		if s.header, err = layout.DecodeHeader(value); err != nil {
			return err
		}
		s.indexes.Store(&indexSet{raw: value, all: s.header.Indexes})
		if o.Partitions != 0 && o.Partitions != s.header.Partitions {
			return &fdbevents.InvalidError{What: "partitions", Value: fmt.Sprint(o.Partitions), Reason: fmt.Sprintf("this store was created with %d, which cannot change", s.header.Partitions)}
		}
		if want := newHeader(id, o).InlineLimit; o.InlineLimit != 0 && want != s.header.InlineLimit {
			return &fdbevents.InvalidError{What: "inline limit", Value: fmt.Sprint(o.InlineLimit), Reason: fmt.Sprintf("this store was created with %d, which cannot change", s.header.InlineLimit)}
		}
		return nil
	})
}

// refuseFuture fails if an event's position is ahead of the database's version. Readers
// that go by versions would not see the event, and events appended now would come
// before it.
func (s *Store) refuseFuture(ctx context.Context) error {
	return engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return err
		}
		page, err := tr.Snapshot().GetRange(s.keys.Doorbells(), engine.RangeOptions{}).Get()
		if err != nil {
			return err
		}
		for _, kv := range page.KeyValues {
			last, err := layout.DecodeDoorbell(kv.Value)
			if err != nil {
				return fmt.Errorf("doorbell %x: %w", kv.Key, err)
			}
			if last.Version() > version {
				return &fdbevents.AheadError{Last: last, Version: version}
			}
		}
		return nil
	})
}

func newHeader(id uuid.UUID, o Options) layout.Header {
	h := layout.Header{ID: id, Partitions: o.Partitions, InlineLimit: o.InlineLimit}
	if h.Partitions == 0 {
		h.Partitions = defaultPartitions
	}
	switch {
	case h.InlineLimit == 0:
		h.InlineLimit = layout.DefaultInlineLimit
	case h.InlineLimit < 0:
		h.InlineLimit = 0
	}
	return h
}

// Close waits for appends and transactions under way, ends subscriptions with
// ErrClosed, and removes what this process kept in the store for itself. It gives up
// batches that the engine has not answered after ten seconds, with ErrOutcomeUnknown,
// but waits for everything that runs under a caller's own context. It closes the engine
// if Options.CloseEngine is set. A second Close returns ErrClosed.
func (s *Store) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return fdbevents.ErrClosed
	}
	s.closed = true
	s.mu.Unlock()
	giveUp := time.AfterFunc(closePatience, s.stop)
	defer giveUp.Stop()
	s.calls.Wait()
	s.stop()
	s.workers.Wait()
	err := s.clearMarks()
	if s.closeEngine {
		if closing := s.engine.Close(); closing != nil {
			err = errors.Join(err, fmt.Errorf("closing engine: %w", closing))
		}
	}
	return err
}

// clearMarks removes the marks of this Store's markers.
func (s *Store) clearMarks() error {
	if !s.marked.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), engine.MaxTransactionAge)
	defer cancel()
	err := engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		tr.ClearRange(s.keys.Marks(s.process))
		return nil
	})
	if err != nil && !errors.Is(err, engine.ErrClosed) {
		return fmt.Errorf("closing store: %w", err)
	}
	return nil
}

// takeMarker lends an idle marker to a batch or a Transact, which gives it back with
// putMarker.
func (s *Store) takeMarker() *marker {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.idle); n > 0 {
		m := s.idle[n-1]
		s.idle = s.idle[:n-1]
		return m
	}
	s.markers++
	return &marker{store: s, key: s.keys.Marker(s.process, s.markers)}
}

func (s *Store) putMarker(m *marker) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, m)
}

// partitionOf returns the partition of a stream's events.
func (s *Store) partitionOf(stream string) int {
	return int(layout.HashStream(stream) % uint64(s.header.Partitions))
}
