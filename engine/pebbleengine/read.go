package pebbleengine

import (
	"bytes"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents/engine"
)

// Get implements engine.Reader.
func (t *transaction) Get(key []byte) engine.Future[[]byte] { return t.get(key, false) }

// GetRange implements engine.Reader.
func (t *transaction) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return t.getRange(r, o, false)
}

// Snapshot implements engine.Transaction.
func (t *transaction) Snapshot() engine.Reader { return snapshotReader{t} }

// snapshotReader reads without read conflicts.
type snapshotReader struct{ t *transaction }

func (s snapshotReader) Get(key []byte) engine.Future[[]byte] { return s.t.get(key, true) }

func (s snapshotReader) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return s.t.getRange(r, o, true)
}

func (t *transaction) get(key []byte, snapshot bool) engine.Future[[]byte] {
	t.mu.Lock()
	known, v, err := t.beginGet(key, snapshot)
	t.mu.Unlock()
	switch {
	case err != nil:
		return failed[[]byte](err)
	case v == nil:
		return ready[[]byte]{value: bytes.Clone(known.value)}
	}
	// The read itself is outside the lock. If the transaction is cancelled
	// meanwhile, the view handles it.
	f := v.get(key)
	if known.at == dependent {
		f = &resolved{below: f, node: known}
	}
	if p, ok := f.(interface{ settle() error }); ok {
		t.mu.Lock()
		t.pending = append(t.pending, p)
		t.mu.Unlock()
	}
	return f
}

// beginGet returns what the transaction's own writes say about key, and the view
// to read if that is not enough. The caller holds mu.
func (t *transaction) beginGet(key []byte, snapshot bool) (known node, v view, err error) {
	if err := t.usable(); err != nil {
		return node{}, nil, err
	}
	if err := engine.CheckReadKey(key); err != nil {
		return node{}, nil, err
	}
	if len(key) > longestRead {
		return node{}, nil, nil // no such key can exist
	}
	known = t.known(key)
	switch known.at {
	case written, cleared:
		return known, nil, nil
	case unreadable:
		return node{}, nil, t.cannotRead(fmt.Errorf("read of %.64q: %w", key, engine.ErrUnreadable))
	}
	if err := t.open(); err != nil {
		return node{}, nil, err
	}
	if !snapshot {
		t.addReadPoint(key)
	}
	return known, t.view, nil
}

// cannotRead records why a read has failed: the commit will fail too. The caller
// holds mu.
func (t *transaction) cannotRead(err error) error {
	if t.unread == nil {
		t.unread = err
	}
	return err
}

// known returns what the transaction's own writes say about key. The caller holds
// mu.
func (t *transaction) known(key []byte) node {
	if len(t.mutations) == 0 {
		return node{key: key}
	}
	t.layOver()
	return t.overlay.lookup(key)
}

// layOver brings the overlay up to date. The caller holds mu.
func (t *transaction) layOver() {
	for ; t.overlaid < len(t.mutations); t.overlaid++ {
		version := int64(0)
		if t.view != nil && t.overlaid >= t.blind {
			version = t.view.version()
		}
		t.overlay.apply(t.mutations[t.overlaid], version)
	}
}

func (t *transaction) addReadPoint(key []byte) {
	t.reads.points = append(t.reads.points, key)
	t.size += int64(2*len(key) + 1)
}

// addRead adds to the read conflicts the part of r that the transaction's own
// writes leave open. The caller holds mu.
func (t *transaction) addRead(r engine.Range) {
	if len(t.mutations) == 0 {
		t.reads.add(r)
		t.size += rangeSize(r)
		return
	}
	t.layOver()
	for _, s := range t.overlay.segments(r) {
		switch s.at {
		case written, cleared:
			continue
		case unreadable:
			if len(s.End) == len(s.Begin)+1 {
				continue // a key with a stamped value: it is written
			}
		}
		t.reads.add(s.Range)
		t.size += rangeSize(s.Range)
	}
}

func (t *transaction) getRange(r engine.Range, o engine.RangeOptions, snapshot bool) engine.Future[engine.Page] {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err := t.usable(); err != nil {
		return failed[engine.Page](err)
	}
	if err := engine.CheckRange(r); err != nil {
		return failed[engine.Page](err)
	}
	if o.Limit < 0 || o.Bytes < 0 {
		return failed[engine.Page](fmt.Errorf("invalid range limits: %d keys, %d bytes: %w", o.Limit, o.Bytes, engine.ErrInvalidOperation))
	}
	if r = shorten(r); r.Empty() {
		return ready[engine.Page]{}
	}
	if len(t.mutations) > 0 {
		t.layOver()
		if own := t.overlay.segments(r); len(own) > 1 || own[0].at != unmodified {
			page, err := t.merge(own, o)
			if err != nil {
				return failed[engine.Page](err)
			}
			if !snapshot {
				t.addRead(extent(r, o, page))
			}
			return ready[engine.Page]{value: page}
		}
	}

	if err := t.open(); err != nil {
		return failed[engine.Page](err)
	}
	v, number := t.view, t.number
	t.mu.Unlock()
	f := v.scan(r, o)
	t.mu.Lock()
	if t.number != number {
		return f
	}
	if snapshot {
		if p, ok := f.(interface{ settle() error }); ok {
			t.pending = append(t.pending, p)
		}
		return f
	}
	if page, ok := f.(ready[engine.Page]); ok {
		if page.err == nil {
			t.addBelow(extent(r, o, page.value))
		}
		return f
	}
	late := &scanned{t: t, number: number, below: f, r: r, o: o}
	t.pending = append(t.pending, late)
	return late
}

// addBelow adds a range that was read where the transaction has no writes of its
// own. The caller holds mu.
func (t *transaction) addBelow(r engine.Range) {
	t.reads.add(r)
	t.size += rangeSize(r)
}

// extent returns the part of r that the page covers: up to the key at which a
// bound ended the read.
func extent(r engine.Range, o engine.RangeOptions, page engine.Page) engine.Range {
	if !page.More {
		return r
	}
	last := page.KeyValues[len(page.KeyValues)-1].Key
	if o.Reverse {
		return engine.Range{Begin: bytes.Clone(last), End: r.End}
	}
	return engine.Range{Begin: r.Begin, End: engine.KeyRange(last).End}
}

// merge reads a range to which the transaction has written. The caller holds mu.
func (t *transaction) merge(own []segment, o engine.RangeOptions) (engine.Page, error) {
	if o.Reverse {
		slices.Reverse(own)
	}
	b := pageBuilder{options: o}
	below := cursor{t: t, reverse: o.Reverse, whole: own}
	for i := range own {
		s := &own[i]
		switch s.at {
		case cleared:
		case unreadable:
			return engine.Page{}, t.cannotRead(fmt.Errorf("range read reaches %.64q: %w", s.Begin, engine.ErrUnreadable))
		case written:
			if b.add(s.Begin, s.value) {
				return b.page, nil
			}
		case dependent:
			kv, err := below.next(s.Range)
			if err != nil {
				return engine.Page{}, err
			}
			var base []byte
			if kv != nil {
				base = kv.Value
			}
			if value := s.resolve(base); value != nil && b.add(s.Begin, value) {
				return b.page, nil
			}
		default:
			for {
				kv, err := below.next(s.Range)
				if err != nil {
					return engine.Page{}, err
				}
				if kv == nil {
					break
				}
				if b.add(kv.Key, kv.Value) {
					return b.page, nil
				}
			}
		}
	}
	return b.page, nil
}

// cursor steps through the database below the transaction's own writes, a page at
// a time, in one direction. It jumps over parts that nobody asks for.
type cursor struct {
	t       *transaction // its mu is held; it is opened when there is something to fetch
	reverse bool
	whole   []segment // the whole range, in the order of the read

	page []engine.KeyValue // fetched and not yet stepped over
	// done is how far pages have been fetched: an end or, in reverse, a beginning.
	// It is nil before the first page.
	done []byte
}

// The bounds of a cursor's pages.
const (
	cursorKeys  = 1 << 10
	cursorBytes = 1 << 20
)

// next returns the next key in r, or nil if there are no more. Successive ranges
// follow each other in the direction of the cursor.
func (c *cursor) next(r engine.Range) (*engine.KeyValue, error) {
	for {
		for len(c.page) > 0 {
			kv := &c.page[0]
			if c.before(kv.Key, r) {
				c.page = c.page[1:]
				continue
			}
			if !r.Contains(kv.Key) {
				return nil, nil
			}
			c.page = c.page[1:]
			return kv, nil
		}
		rest := c.rest(r)
		if rest.Empty() {
			return nil, nil
		}
		// Reading on beyond r saves a read for each of the next segments.
		if c.reverse {
			rest.Begin = c.whole[len(c.whole)-1].Begin
		} else {
			rest.End = c.whole[len(c.whole)-1].End
		}
		if err := c.t.open(); err != nil {
			return nil, err
		}
		page, err := c.t.view.scan(rest, engine.RangeOptions{Limit: cursorKeys, Bytes: cursorBytes, Reverse: c.reverse}).Get()
		if err != nil {
			return nil, err
		}
		c.page = page.KeyValues
		covered := extent(rest, engine.RangeOptions{Reverse: c.reverse}, page)
		c.done = covered.End
		if c.reverse {
			c.done = covered.Begin
		}
	}
}

// before reports whether the cursor reaches key before r.
func (c *cursor) before(key []byte, r engine.Range) bool {
	if c.reverse {
		return bytes.Compare(key, r.End) >= 0
	}
	return bytes.Compare(key, r.Begin) < 0
}

// rest returns the part of r that has not been fetched.
func (c *cursor) rest(r engine.Range) engine.Range {
	switch {
	case c.done == nil:
	case c.reverse && bytes.Compare(c.done, r.End) < 0:
		r.End = c.done
	case !c.reverse && bytes.Compare(c.done, r.Begin) > 0:
		r.Begin = c.done
	}
	return r
}

// resolved is the read of a key that the transaction's own operations change.
type resolved struct {
	below engine.Future[[]byte]
	node  node
}

func (f *resolved) Get() ([]byte, error) {
	base, err := f.below.Get()
	if err != nil {
		return nil, err
	}
	return bytes.Clone(f.node.resolve(base)), nil
}

func (f *resolved) settle() error {
	_, err := f.below.Get()
	return err
}

// scanned is a range read whose result was not there when the call returned. The
// result shows how far it read, and so its read conflict.
type scanned struct {
	t        *transaction
	number   int
	below    engine.Future[engine.Page]
	r        engine.Range
	o        engine.RangeOptions
	recorded bool // under t.mu
}

func (f *scanned) Get() (engine.Page, error) {
	page, err := f.below.Get()
	if err == nil {
		f.t.mu.Lock()
		f.record(page)
		f.t.mu.Unlock()
	}
	return page, err
}

// settle is Get for a caller that holds mu.
func (f *scanned) settle() error {
	page, err := f.below.Get()
	if err == nil {
		f.record(page)
	}
	return err
}

func (f *scanned) record(page engine.Page) {
	if !f.recorded && f.t.number == f.number {
		f.recorded = true
		f.t.addBelow(extent(f.r, f.o, page))
	}
}

// longestRead is the longest key that FoundationDB looks up or checks for
// conflicts: the longest possible key, plus room for the prefix of a tenant. A
// longer key is absent without a lookup; a longer bound is truncated.
const longestRead = engine.MaxKeySize + 8

// shorten truncates bounds that are longer than any key can be: the range still
// holds the same possible keys.
func shorten(r engine.Range) engine.Range {
	if len(r.Begin) > longestRead+1 {
		r.Begin = r.Begin[:longestRead+1]
	}
	if len(r.End) > longestRead+1 {
		r.End = r.End[:longestRead+1]
	}
	return r
}

func rangeSize(r engine.Range) int64 { return int64(len(r.Begin) + len(r.End)) }
