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

// store is the backend of this process: a Pebble database and the state of its
// sequencer. User keys are stored as they are; what the store keeps for itself
// is under keys that begin with 0xFF, which users cannot write.
type store struct {
	db *pebble.DB
	// durable is false when all is in memory, and there is nothing to sync.
	durable bool
	// start is when time began for superseded views.
	start time.Time

	// seed is that of all key hashes.
	seed    maphash.Seed
	watches *watches

	// current is the view of the latest published version.
	current atomic.Pointer[snapshotView]
	// reads are under way; shut by close.
	reads gate

	// mu guards the queue and who leads. See commit.go.
	mu      sync.Mutex
	queue   []*request
	leading bool
	closed  bool
	// broken is why nothing can be committed any more.
	broken error
	// unpublished are the groups on their way to the disk, in order.
	unpublished []*group
	// loading is true while Pebble opens.
	loading atomic.Bool
	// dead is closed when Pebble cannot go on, and may never answer again.
	dead chan struct{}
	// idle is closed when the store is closed and the last commit is done.
	idle chan struct{}

	// What follows belongs to the leader, and to close once there is none.

	// version is the highest version given to a group.
	version int64
	// views are those that may be in use, oldest first, and those not yet
	// published.
	views  []*snapshotView
	window *window
}

// The store's own keys.
var (
	formatKey  = []byte("\xffformat")
	versionKey = []byte("\xffversion") // 8 bytes, big-endian: the last commit's
)

// format is the number of the layout of the directory and of the store's own
// keys. A store of a higher one is not opened.
const format = 1

const (
	memTableSize = 32 << 20
	// cacheSize bounds cached blocks and memtables together: Pebble takes the
	// memory of the latter, up to four, from the cache.
	cacheSize = 192 << 20
	// maxGroup is the bytes at which a group is large enough: well below what
	// makes Pebble flush a batch on its own.
	maxGroup = 8 << 20
)

// openStore opens the Pebble database in dir of fs, and creates it if need be.
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
			// Pebble would try again for ever, and opening and closing wait for it.
			s.die(fmt.Errorf("%w: writing a table: %w", errPanicked, err))
			runtime.Goexit()
		}
	}
	fresh, err := s.load(dir, options)
	if err == nil && fresh && durable {
		// The first log of a new store does not say what was synced, so that damage
		// to it would pass for a torn write. Later ones do.
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
	case strings.Contains(err.Error(), "unknown format major version"): // Pebble has no value for it
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

// pebbleOptions are for many small synced batches, point reads of absent keys
// and short scans, in moderate memory.
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
			// Whoever reads a damaged or missing table gets an error. By default,
			// Pebble would end the process as soon as it notices.
			DataCorruption: func(pebble.DataCorruptionInfo) {},
		},
	}
	for i := range options.Levels {
		// Absence is asked for often: is this event here already?
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
		return false, fmt.Errorf("data is of format %d, this program knows formats up to %d: use a newer fdbevents", number, format)
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

// lost implements backend: a store only ends when it is closed.
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
		return nil // closing Pebble could block for ever; the process gives its lock back
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
		return nil // what Pebble says has been said
	}
	return err
}

// failure is why nothing can be committed any more, or nil.
func (s *store) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// describe makes an error of Pebble one of this engine.
func (s *store) describe(err error) error {
	return fmt.Errorf("embedded store: %w", err)
}

// logger keeps Pebble quiet. Pebble calls Fatalf where it cannot go on, on a full
// disk for example, and takes for granted that this ends the process. It ends
// what was being done, and the store's writing life.
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
	// A goroutine of Pebble's own. It cannot go on, and others must.
	l.store.die(cause)
	runtime.Goexit()
}

// fatalError is what Pebble said, and the error that it said it of.
type fatalError struct {
	text  string
	cause error
}

func (e *fatalError) Error() string { return e.text }
func (e *fatalError) Unwrap() error { return e.cause }

// rescue makes a panic of Pebble the error of the function that defers it.
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
