package pebbleengine

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fdbevents/fdbevents/engine"
)

// store is the local backend: a Pebble database and the state of its sequencer.
// User keys are stored unchanged; the store's own data is under keys that begin
// with 0xFF, which users cannot write.
type store struct {
	db *pebble.DB
	// durable is false when all data is in memory and there is nothing to sync.
	durable bool
	// start is the time from which views count superseded.
	start time.Time

	// seed is the seed of all key hashes.
	seed    maphash.Seed
	watches *watches

	// current is the view of the latest published version.
	current atomic.Pointer[snapshotView]
	// reads counts the reads under way; close shuts it.
	reads gate

	// mu guards the queue and the leadership. See commit.go.
	mu      sync.Mutex
	queue   []*request
	leading bool
	closed  bool
	// broken is why nothing can be committed any more, or nil.
	broken error
	// unpublished are the groups on their way to disk, in order.
	unpublished []*group
	// loading is true while Pebble opens.
	loading atomic.Bool
	// dead is closed when Pebble cannot go on and may never answer again.
	dead chan struct{}
	// idle is closed when the store is closed and the last commit is done.
	idle chan struct{}

	// The fields below belong to the leader, and to close once there is no leader.

	// version is the highest version given to a group.
	version int64
	// views are the views that may be in use and those not yet published, oldest
	// first.
	views  []*snapshotView
	window *window
}

// The store's own keys.
var (
	formatKey  = []byte("\xffformat")
	versionKey = []byte("\xffversion") // the last commit's version: 8 bytes, big-endian
)

// format is the format number of the directory and of the store's own keys. A
// store with a higher number is not opened.
const format = 1

const (
	memTableSize = 32 << 20
	// cacheSize bounds cached blocks and memtables together: Pebble takes the
	// memory of up to four memtables from the cache.
	cacheSize = 192 << 20
	// maxGroup is the size in bytes at which a group is large enough. It is well
	// below the size at which Pebble flushes a batch on its own.
	maxGroup = 8 << 20
)

// openStore opens the Pebble database in dir of fs, and creates it if necessary.
func openStore(fs vfs.FS, dir string, durable bool, memTable uint64) (_ *store, err error) {
	defer rescue(&err)
	s := &store{
		durable: durable,
		start:   time.Now(),
		seed:    maphash.MakeSeed(),
		idle:    make(chan struct{}),
		dead:    make(chan struct{}),
		reads:   gate{drained: make(chan struct{}, 1)},
	}
	s.watches = newWatches(s.seed)
	options := pebbleOptions(durable)
	options.MemTableSize = memTable
	options.FS, options.Logger = &guard{fs, s}, logger{s}
	options.EventListener.BackgroundError = func(err error) {
		if s.loading.Load() || !pebble.IsCorruptionError(err) {
			// Pebble would retry for ever, and opening and closing would wait for
			// it.
			s.die(fmt.Errorf("%w: writing a table: %w", errPanicked, err))
			runtime.Goexit()
		}
	}
	fresh, err := s.load(dir, options)
	if err == nil && fresh && durable {
		// The first log of a new store does not record what was synced, so damage
		// to it would pass for a torn write. Later logs do record it.
		if err = s.db.Close(); err == nil {
			_, err = s.load(dir, options)
		}
	}
	if err != nil {
		return nil, err
	}
	s.window = newWindow(s.version)
	first := newView(s, s.version)
	s.views = append(s.views, first)
	s.current.Store(first)
	return s, nil
}

// load opens the Pebble database and reads or writes the store's own keys.
func (s *store) load(dir string, options *pebble.Options) (fresh bool, err error) {
	type opened struct {
		db  *pebble.DB
		err error
	}
	answer := make(chan opened, 1)
	s.loading.Store(true)
	go func() {
		var o opened
		defer func() { answer <- o }()
		defer rescue(&o.err)
		o.db, o.err = pebble.Open(dir, options)
	}()
	var db *pebble.DB
	select {
	case o := <-answer:
		db, err = o.db, o.err
	case <-s.dead:
		return false, s.broken
	}
	s.loading.Store(false)
	switch {
	case err == nil:
	case pebble.IsCorruptionError(err):
		return false, fmt.Errorf("the data is damaged: %w", err)
	case strings.Contains(err.Error(), "unknown format major version"): // Pebble exports no error for it
		return false, fmt.Errorf("%w: use a newer fdbevents", err)
	default:
		return false, err
	}
	s.db = db
	if fresh, err = s.recover(); err != nil {
		return false, errors.Join(err, s.db.Close())
	}
	return fresh, nil
}

// pebbleOptions returns options for many small synced batches, point reads of
// absent keys and short scans, in moderate memory.
func pebbleOptions(durable bool) *pebble.Options {
	options := &pebble.Options{
		DisableWAL:                  !durable,
		FormatMajorVersion:          pebble.FormatNewest,
		MemTableStopWritesThreshold: 4,
		CacheSize:                   cacheSize,
		L0CompactionThreshold:       4,
		L0StopWritesThreshold:       24,
		LBaseMaxBytes:               64 << 20,
		BytesPerSync:                512 << 10,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		EventListener: &pebble.EventListener{
			// A read of a damaged or missing table gets an error. By default, Pebble
			// would end the process as soon as it notices.
			DataCorruption: func(pebble.DataCorruptionInfo) {},
		},
	}
	for i := range options.Levels {
		// Reads of absent keys are frequent: is this event here already?
		options.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		options.Levels[i].FilterType = pebble.TableFilter
	}
	return options
}

// recover reads the store's own keys, or writes them when the store is fresh.
func (s *store) recover() (fresh bool, err error) {
	number, err := s.own(formatKey)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		b := s.db.NewBatch()
		s.version = time.Now().UnixMicro()
		_ = b.Set(formatKey, binary.BigEndian.AppendUint64(nil, format), nil)
		_ = b.Set(versionKey, binary.BigEndian.AppendUint64(nil, uint64(s.version)), nil)
		return true, b.Commit(s.sync())
	case err != nil:
		return false, err
	case number > format:
		return false, fmt.Errorf("data has format %d, this program knows formats up to %d: use a newer fdbevents", number, format)
	}
	number, err = s.own(versionKey)
	if err == nil && number > math.MaxInt64 {
		err = fmt.Errorf("stored version %d is impossible", number)
	}
	s.version = int64(number)
	return false, err
}

func (s *store) own(key []byte) (uint64, error) {
	value, closer, err := s.db.Get(key)
	if err != nil {
		return 0, err
	}
	defer closer.Close()
	if len(value) != 8 {
		return 0, fmt.Errorf("value of %q has %d bytes, not 8", key, len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

func (s *store) sync() *pebble.WriteOptions {
	if s.durable {
		return pebble.Sync
	}
	return pebble.NoSync
}

// acquire implements backend.
func (s *store) acquire(context.Context) (view, error) {
	for {
		v := s.current.Load()
		if v == nil {
			return nil, engine.ErrClosed
		}
		if v.lease() {
			return v, nil
		}
	}
}

// lost implements backend: a store ends only when it is closed.
func (s *store) lost() bool { return false }

// close implements backend.
func (s *store) close() (err error) {
	defer rescue(&err)
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return engine.ErrClosed
	}
	s.closed = true
	s.settle()
	s.mu.Unlock()
	<-s.idle

	s.current.Store(nil)
	s.watches.close(engine.ErrClosed)
	s.reads.shut()
	for _, v := range s.views {
		v.close()
	}
	if errors.Is(s.failure(), errPanicked) {
		return nil // closing Pebble could block for ever; its lock goes with the process
	}
	answer := make(chan error, 1)
	go func() {
		var err error
		defer func() { answer <- err }()
		defer rescue(&err)
		err = s.db.Close()
	}()
	select {
	case err = <-answer:
	case <-s.dead:
		err = nil // everything acknowledged is in the log
	}
	if s.failure() != nil {
		return nil // the cause has been reported already
	}
	return err
}

// failure returns why nothing can be committed any more, or nil.
func (s *store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// describe turns an error of Pebble into one of this engine.
func (s *store) describe(err error) error {
	return fmt.Errorf("embedded store: %w", err)
}

// logger keeps Pebble quiet. Pebble calls Fatalf when it cannot go on, for
// example on a full disk, and takes for granted that the process ends. Fatalf
// ends the current operation instead, and all further commits of the store.
type logger struct{ store *store }

func (logger) Infof(string, ...any)  {}
func (logger) Errorf(string, ...any) {}
func (l logger) Fatalf(format string, args ...any) {
	cause := fmt.Errorf(format, args...)
	for _, arg := range args {
		if err, ok := arg.(error); ok && !errors.Is(cause, err) {
			cause = &fatalError{cause.Error(), err}
		}
	}
	cause = fmt.Errorf("%w: %w", errPanicked, cause)
	if calledBy("/pebbleengine.") {
		panic(cause) // see rescue
	}
	// This is a goroutine of Pebble's own. It cannot go on, and others must.
	l.store.die(cause)
	runtime.Goexit()
}

// fatalError is Pebble's message, with the error that caused it.
type fatalError struct {
	text  string
	cause error
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }

// rescue turns a panic of Pebble into the error of the function that defers
// rescue.
func rescue(err *error) {
	switch p := recover().(type) {
	case nil:
	case error:
		*err = p
		if !errors.Is(p, errPanicked) {
			*err = fmt.Errorf("%w: %w", errPanicked, p)
		}
	default:
		*err = fmt.Errorf("%w: %v", errPanicked, p)
	}
}
