//go:build fdb

package fdbengine

import (
	"bytes"
	"math"
	"sync"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/engine"
)

// failed is the future of a read that cannot be made.
type failed[T any] struct{ err error }

func (f failed[T]) Get() (none T, err error) { return none, f.err }

// pending is a future whose result await returns.
type pending[T any] struct{ await func() (T, error) }

func (p pending[T]) Get() (T, error) { return p.await() }

// future returns a future that yields the result of await, which is called once.
func future[T any](await func() (T, error)) engine.Future[T] {
	return pending[T]{sync.OnceValues(await)}
}

// snapshot is the view of a transaction without read conflicts.
type snapshot struct{ t *transaction }

// Snapshot implements engine.Transaction.
func (t *transaction) Snapshot() engine.Reader { return snapshot{t} }

func (s snapshot) Get(key []byte) engine.Future[[]byte] { return s.t.get(key, true) }

func (s snapshot) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return s.t.getRange(r, o, true)
}

// Get implements engine.Reader.
func (t *transaction) Get(key []byte) engine.Future[[]byte] { return t.get(key, false) }

// GetRange implements engine.Reader.
func (t *transaction) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return t.getRange(r, o, false)
}

// ReadVersion implements engine.Transaction.
func (t *transaction) ReadVersion() engine.Future[int64] {
	if err := t.usable(); err != nil {
		return failed[int64]{err}
	}
	f := t.tr.GetReadVersion()
	return future(func() (int64, error) {
		version, err := f.Get()
		if err != nil {
			return 0, t.failure(err)
		}
		return version, nil
	})
}

func (t *transaction) get(key []byte, snapshot bool) engine.Future[[]byte] {
	if err := t.usable(); err != nil {
		return failed[[]byte]{err}
	}
	if err := engine.CheckReadKey(key); err != nil {
		return failed[[]byte]{err}
	}
	var f fdb.FutureByteSlice
	if snapshot {
		f = t.tr.Snapshot().Get(fdb.Key(key))
	} else {
		f = t.tr.Get(fdb.Key(key))
		t.size.read(key, key)
	}
	return future(func() ([]byte, error) {
		value, err := f.Get()
		if err != nil {
			return nil, t.failure(err)
		}
		return value, nil
	})
}

func (t *transaction) getRange(r engine.Range, o engine.RangeOptions, snapshot bool) engine.Future[engine.Page] {
	if err := t.usable(); err != nil {
		return failed[engine.Page]{err}
	}
	if err := engine.CheckRange(r); err != nil {
		return failed[engine.Page]{err}
	}
	switch {
	case r.Empty():
		return future(func() (engine.Page, error) { return engine.Page{}, nil })
	case o.Bytes > 0:
		return t.getBounded(r, o, snapshot)
	}
	return t.getWhole(r, o, snapshot)
}

// getWhole reads a range with a limit or without any bound. The client gathers
// the result: with an exact limit (an unreachable one if none is given) there is
// one future, and no batch to request later.
func (t *transaction) getWhole(r engine.Range, o engine.RangeOptions, snapshot bool) engine.Future[engine.Page] {
	options := fdb.RangeOptions{Limit: o.Limit, Reverse: o.Reverse, Mode: fdb.StreamingModeExact}
	if o.Limit <= 0 || o.Limit > math.MaxInt32 {
		options.Limit = math.MaxInt32
	}
	var result fdb.RangeResult
	if snapshot {
		result = t.tr.Snapshot().GetRange(keyRange(r), options)
	} else {
		result = t.tr.GetRange(keyRange(r), options)
	}
	return future(func() (engine.Page, error) {
		pairs, err := result.GetSliceWithError()
		if err != nil {
			return engine.Page{}, t.failure(err)
		}
		page := engine.Page{More: len(pairs) == options.Limit}
		if len(pairs) > 0 {
			page.KeyValues = make([]engine.KeyValue, len(pairs))
			for i, kv := range pairs {
				page.KeyValues[i] = engine.KeyValue{Key: kv.Key, Value: kv.Value}
			}
		}
		if !snapshot {
			t.size.readRange(conflictOf(r, o, page))
		}
		return page, nil
	})
}

// boundedPage is a range read bounded in bytes. The client offers only batches of
// a few sizes for this: the first is on its way at once, and more follow while
// the page is awaited. The read must leave no read conflict with keys that the
// page does not hold, so the client reads a snapshot and boundedPage adds the
// conflict.
//
// A batch would see writes made after the call that started the read, and so
// would the conflict range; settle keeps the two apart.
type boundedPage struct {
	t    *transaction
	r    engine.Range
	o    engine.RangeOptions
	it   *fdb.RangeIterator
	read func() (engine.Page, error)
}

func (t *transaction) getBounded(r engine.Range, o engine.RangeOptions, snapshot bool) engine.Future[engine.Page] {
	options := fdb.RangeOptions{Limit: min(max(o.Limit, 0), math.MaxInt32), Reverse: o.Reverse, Mode: batchFor(o.Bytes)}
	p := &boundedPage{t: t, r: r, o: o, it: t.tr.Snapshot().GetRange(keyRange(r), options).Iterator()}
	p.read = sync.OnceValues(func() (engine.Page, error) {
		page, err := p.gather()
		if err == nil && !snapshot {
			err = p.conflict(page)
		}
		if err != nil {
			return engine.Page{}, t.failure(err)
		}
		return page, nil
	})
	t.mu.Lock()
	t.pages = append(t.pages, p)
	t.mu.Unlock()
	return pending[engine.Page]{p.read}
}

// batchFor returns the mode whose batches hold about this many bytes, and not
// many more. Source of the numbers: bindings/c/fdb_c.cpp, mode_bytes_array.
func batchFor(bytes int) fdb.StreamingMode {
	switch {
	case bytes <= 256:
		return fdb.StreamingModeSmall
	case bytes <= 1000:
		return fdb.StreamingModeMedium
	case bytes <= 4096:
		return fdb.StreamingModeLarge
	}
	return fdb.StreamingModeSerial // serialBatch
}

const (
	// serialBatch is the number of bytes at which a batch of StreamingModeSerial
	// ends, counted as the servers do: with pairOverhead for each pair.
	serialBatch  = 80_000
	pairOverhead = 24
	// batchEnd is where we take a batch to end. Only few pairs come after it, and
	// taking the last one would make the client request the next batch.
	batchEnd = serialBatch * 95 / 100
)

// gather awaits batches until the page is full. Whatever it leaves of a batch is
// lost and read again for the next page, so a page of several batches goes on to
// the end of its last one.
func (p *boundedPage) gather() (engine.Page, error) {
	var page engine.Page
	whole := p.o.Bytes >= serialBatch // whether to take all of the last batch
	size, batch := 0, 0
	for p.it.Advance() {
		kv, err := p.it.Get()
		if err != nil {
			return engine.Page{}, err
		}
		page.KeyValues = append(page.KeyValues, engine.KeyValue{Key: kv.Key, Value: kv.Value})
		n := len(kv.Key) + len(kv.Value)
		size, batch = size+n, batch+n+pairOverhead
		if size >= p.o.Bytes && (!whole || batch >= batchEnd) || len(page.KeyValues) == p.o.Limit {
			page.More = true
			break
		}
		if batch >= serialBatch {
			batch = 0
		}
	}
	return page, nil
}

// conflict adds the part of the range that the page covers to the read conflicts.
func (p *boundedPage) conflict(page engine.Page) error {
	r := conflictOf(p.r, p.o, page)
	p.t.size.readRange(r)
	return p.t.tr.AddReadConflictRange(keyRange(r))
}

// settle finishes bounded reads before anything changes what they would see.
func (t *transaction) settle() {
	t.mu.Lock()
	pages := t.pages
	t.pages = nil
	t.mu.Unlock()
	for _, p := range pages {
		_, _ = p.read() // the reader gets the error
	}
}

// conflictOf returns the part of r that a page covers.
func conflictOf(r engine.Range, o engine.RangeOptions, page engine.Page) engine.Range {
	if !page.More || len(page.KeyValues) == 0 {
		return r
	}
	last := page.KeyValues[len(page.KeyValues)-1].Key
	if o.Reverse {
		r.Begin = bytes.Clone(last)
	} else {
		r.End = engine.KeyRange(last).End
	}
	return r
}
