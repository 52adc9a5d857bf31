package pebbleengine

import (
	"bytes"
	"errors"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/engine"
)

// snapshotView is the database at one published version. All transactions that
// read at this version share it.
type snapshotView struct {
	store    *store
	at       int64
	snapshot *pebble.Snapshot
	closing  sync.Once // closes the snapshot, after the last lease or with the store

	// leases counts the transactions and reads that use the view, plus the store
	// while the view is current. Once zero, it stays zero.
	leases atomic.Int64

	// mu guards seekers, which are iterators for short reads, kept for reuse. No
	// read is under way when the view is closed.
	mu      sync.Mutex
	seekers []*pebble.Iterator

	// superseded is when a newer view was published, in nanoseconds since the
	// start of the store, or 0. MaxTransactionAge later, every transaction on this
	// view is too old.
	superseded atomic.Int64
}

func newView(s *store, at int64) *snapshotView {
	v := &snapshotView{store: s, at: at, snapshot: s.db.NewSnapshot()}
	v.leases.Store(1)
	return v
}

// lease takes a lease, unless the view has ended.
func (v *snapshotView) lease() bool {
	for {
		n := v.leases.Load()
		if n == 0 {
			return false
		}
		if v.leases.CompareAndSwap(n, n+1) {
			return true
		}
	}
}

func (v *snapshotView) release() {
	if v.leases.Add(-1) == 0 {
		v.close()
	}
}

func (v *snapshotView) close() {
	v.closing.Do(func() {
		for _, it := range v.seekers {
			_ = it.Close()
		}
		_ = v.snapshot.Close()
	})
}

func (v *snapshotView) version() int64 { return v.at }

// enter begins a read. The caller holds a lease during the call, but not
// necessarily for as long as the read takes.
func (v *snapshotView) enter() error {
	if !v.lease() {
		return engine.ErrCancelled
	}
	if !v.store.reads.enter() {
		v.release()
		return engine.ErrClosed
	}
	return nil
}

func (v *snapshotView) leave() {
	v.store.reads.leave()
	v.release()
}

func (v *snapshotView) get(key []byte) engine.Future[[]byte] {
	if len(key) == 0 {
		return v.getEmpty()
	}
	if err := v.enter(); err != nil {
		return failed[[]byte](err)
	}
	defer v.leave()
	it, err := v.takeSeeker()
	if err != nil {
		return failed[[]byte](v.store.describe(err))
	}
	var value []byte
	// A key is its own prefix, so this finds key itself or nothing.
	if it.SeekPrefixGE(key) {
		var stored []byte
		stored, err = it.ValueAndErr()
		value = make([]byte, len(stored))
		copy(value, stored)
	}
	if err := errors.Join(err, it.Error()); err != nil {
		return failed[[]byte](errors.Join(v.store.describe(err), it.Close()))
	}
	v.putSeeker(it)
	return ready[[]byte]{value: value}
}

// getEmpty reads the empty key. A seeker looks for a prefix, and the empty key as
// a prefix would match every key.
func (v *snapshotView) getEmpty() engine.Future[[]byte] {
	page, err := v.scan(engine.KeyRange(nil), engine.RangeOptions{}).Get()
	if err != nil || len(page.KeyValues) == 0 {
		return ready[[]byte]{err: err}
	}
	return ready[[]byte]{value: page.KeyValues[0].Value}
}

// maxSeekers is how many seekers a view keeps.
const maxSeekers = 16

// takeSeeker returns an iterator for point reads and scans of a few keys. Unlike
// Pebble's Get, it also uses the filters of the bottom level, without which an
// absent key costs a block of data; and a reused one is faster for absent keys.
func (v *snapshotView) takeSeeker() (*pebble.Iterator, error) {
	v.mu.Lock()
	if last := len(v.seekers) - 1; last >= 0 {
		it := v.seekers[last]
		v.seekers = v.seekers[:last]
		v.mu.Unlock()
		return it, nil
	}
	v.mu.Unlock()
	return v.snapshot.NewIter(&pebble.IterOptions{UseL6Filters: true})
}

func (v *snapshotView) putSeeker(it *pebble.Iterator) {
	v.mu.Lock()
	if len(v.seekers) < maxSeekers {
		v.seekers = append(v.seekers, it)
		it = nil
	}
	v.mu.Unlock()
	if it != nil {
		_ = it.Close()
	}
}

func (v *snapshotView) scan(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	if r.Empty() {
		return ready[engine.Page]{}
	}
	if err := v.enter(); err != nil {
		return failed[engine.Page](err)
	}
	defer v.leave()
	if o.Limit > 0 && o.Limit <= fewKeys && !o.Reverse && len(r.Begin) > 0 {
		return v.look(r, o)
	}
	bounds := pebble.IterOptions{LowerBound: r.Begin, UpperBound: r.End}
	if len(r.Begin) == 0 {
		bounds.LowerBound = nil // Pebble treats an empty bound as a mistake
	}
	it, err := v.snapshot.NewIter(&bounds)
	if err != nil {
		return failed[engine.Page](v.store.describe(err))
	}
	start, step := it.First, it.Next
	if o.Reverse {
		start, step = it.Last, it.Prev
	}
	b := pageBuilder{options: o}
	for ok := start(); ok; ok = step() {
		var value []byte
		if value, err = it.ValueAndErr(); err != nil {
			break
		}
		if b.add(it.Key(), value) {
			break
		}
	}
	if err := errors.Join(err, it.Error(), it.Close()); err != nil {
		return failed[engine.Page](v.store.describe(err))
	}
	return ready[engine.Page]{value: b.page}
}

// fewKeys is the largest limit of a scan that uses a seeker. For so few keys, a
// new iterator with the scan's bounds would cost more than it saves.
const fewKeys = 32

// look scans a few keys with a seeker. The caller has entered. The range does not
// begin with the empty key, which Pebble does not seek.
func (v *snapshotView) look(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	it, err := v.takeSeeker()
	if err != nil {
		return failed[engine.Page](v.store.describe(err))
	}
	b := pageBuilder{options: o}
	// Pebble may stop at the limit; a key beyond the limit means that it went on.
	at := it.SeekGEWithLimit(r.Begin, r.End)
	for at == pebble.IterValid && bytes.Compare(it.Key(), r.End) < 0 {
		var value []byte
		if value, err = it.ValueAndErr(); err != nil || b.add(it.Key(), value) {
			break
		}
		at = it.NextWithLimit(r.End)
	}
	if err := errors.Join(err, it.Error()); err != nil {
		return failed[engine.Page](errors.Join(v.store.describe(err), it.Close()))
	}
	v.putSeeker(it)
	return ready[engine.Page]{value: b.page}
}

// pageBuilder gathers a page within its bounds. Keys and values share blocks of
// memory, so a page costs few allocations.
type pageBuilder struct {
	options engine.RangeOptions
	page    engine.Page
	bytes   int
	block   []byte
}

// add copies a key and its value into the page and reports whether the page is
// full.
func (b *pageBuilder) add(key, value []byte) (full bool) {
	n := len(key)
	kept := b.keep(n + len(value))
	copy(kept, key)
	copy(kept[n:], value)
	b.bytes += len(kept)
	if len(b.page.KeyValues) == cap(b.page.KeyValues) {
		b.grow()
	}
	b.page.KeyValues = append(b.page.KeyValues, engine.KeyValue{Key: kept[:n:n], Value: kept[n:]})
	b.page.More = b.options.Limit > 0 && len(b.page.KeyValues) >= b.options.Limit ||
		b.options.Bytes > 0 && b.bytes >= b.options.Bytes
	return b.page.More
}

// fewPairs and smallBlock are the first steps in which a page grows, largeBlock
// the largest block.
const (
	fewPairs               = 32
	smallBlock, largeBlock = 1 << 10, 64 << 10
)

// grow makes room for more pairs: many more each time, but no more than the page
// will need until it is full, if the pairs to come are as large as those so far.
func (b *pageBuilder) grow() {
	n := len(b.page.KeyValues)
	room := max(fewPairs, 8*n)
	if b.options.Limit > 0 {
		room = min(room, b.options.Limit)
	}
	if b.options.Bytes > 0 {
		each := b.bytes/(n+1) + 1
		room = min(room, max(b.options.Bytes/each, n)+n/16+1)
	}
	b.page.KeyValues = slices.Grow(b.page.KeyValues, room-n)
}

// keep allocates n bytes in the current block, or in a new one.
func (b *pageBuilder) keep(n int) []byte {
	if cap(b.block)-len(b.block) < n {
		size := min(max(4*cap(b.block), smallBlock), largeBlock)
		if b.options.Bytes > 0 {
			size = min(size, b.options.Bytes-b.bytes)
		}
		b.block = make([]byte, 0, max(n, size))
	}
	at := len(b.block)
	b.block = b.block[:at+n]
	return b.block[at : at+n : at+n]
}

// gate counts calls under way and can be shut for good.
type gate struct {
	n       atomic.Int64 // under way; far below zero once shut
	drained chan struct{}
}

const gateShut = math.MinInt64 / 2

func (g *gate) enter() bool {
	if g.n.Add(1) > 0 {
		return true
	}
	g.leave()
	return false
}

func (g *gate) leave() {
	if g.n.Add(-1) == gateShut {
		select {
		case g.drained <- struct{}{}:
		default:
		}
	}
}

// shut lets nobody in any more and waits until all have left. It is called only
// once.
func (g *gate) shut() {
	for left := g.n.Add(gateShut); left != gateShut; left = g.n.Load() {
		<-g.drained
	}
}
