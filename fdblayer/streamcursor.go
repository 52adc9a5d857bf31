package fdblayer

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// streamCursor reads a stream through its entries, and respects what the stream's head
// hides from readers. Like every cursor it is immutable.
type streamCursor struct {
	store    *Store
	stream   string
	backward bool
	// at is the next revision to read. There is none outside 0 to StreamEnd.
	at int64
	// limit bounds the entries of a page: the number of events that the reader wants,
	// and more after a page of hidden ones. 0 is no bound.
	limit int
	// mustExist makes the first page fail if the stream does not exist.
	mustExist bool
	// follows makes the last page report its through, which costs FoundationDB's client
	// a switch between threads.
	follows bool
	// resumed is true if the reader has read, or has named, the revision before at, so
	// that it must not silently pass over at.
	resumed bool
	// first is the first visible revision that the previous page found, and asOf the
	// time of that page: what was already hidden then is not missed now. A resumed
	// reader brings no time of its last visit: its asOf is zero.
	first int64
	asOf  time.Time
}

const (
	// pageBytes bounds the records of a page, apart from the one that exceeds it.
	pageBytes = 2 << 20
	// pageEntries bounds the entries of a stream that are read at once. Entries can be
	// much smaller than the records that they point to.
	pageEntries = 2048
)

func (s *Store) newStreamCursor(stream string, from int64, o ReadOptions) *streamCursor {
	return &streamCursor{store: s, stream: stream, at: from, backward: o.Backward, limit: pageHint(o), asOf: time.Now()}
}

// resumeStreamCursor returns a cursor that begins after a revision that the reader has
// read.
func (s *Store) resumeStreamCursor(stream string, after int64) *streamCursor {
	return &streamCursor{store: s, stream: stream, at: after + 1, resumed: true}
}

func (c *streamCursor) read(r Reader) (page, cursor, error) {
	from, to := max(c.at, 0), int64(math.MaxInt64)
	if c.backward {
		from, to = 0, c.at
	}
	o := engine.RangeOptions{Limit: pageEntries, Bytes: pageBytes, Reverse: c.backward}
	if c.limit > 0 {
		o.Limit = min(o.Limit, c.limit)
	}
	entries := r.GetRange(c.store.keys.Entries(c.stream, from, to), o)
	h, err := c.store.readHead(r, c.stream)
	if err == nil {
		err = c.admit(h)
	}
	if err != nil {
		return page{}, nil, err
	}
	got, err := entries.Get()
	if err != nil {
		return page{}, nil, fmt.Errorf("reading stream %q: %w", c.stream, err)
	}
	next := *c
	next.mustExist, next.resumed, next.first, next.asOf = false, true, h.First(), time.Now()
	kvs, cut, err := c.visible(got.KeyValues, next.first)
	if err != nil {
		return page{}, nil, err
	}
	var p page
	taken := 0
	if p.events, taken, err = c.events(r, kvs); err != nil {
		return page{}, nil, fmt.Errorf("reading stream %q: %w", c.stream, err)
	}
	if taken > 0 {
		_, last, err := c.store.keys.ParseEntry(kvs[taken-1].Key)
		if err != nil {
			return page{}, nil, err
		}
		next.at = last + 1
		if c.backward {
			next.at = last - 1
		}
	} else if !c.backward && len(got.KeyValues) > 0 {
		next.at = next.first // the whole page is hidden
	}
	if h.MaxAge > 0 {
		if err := c.overtaken(r, p.events, h.MaxAge, next.asOf); err != nil {
			return page{}, nil, err
		}
		p.events = slices.DeleteFunc(p.events, func(ev *fdbevents.Event) bool { return expired(ev, h.MaxAge, next.asOf) })
	}
	if len(p.events) == 0 {
		next.limit = grown(c.limit)
	}
	if p.tail = taken == len(kvs) && (cut || !got.More); p.tail && c.follows {
		version, err := r.ReadVersion().Get()
		if err != nil {
			return page{}, nil, err
		}
		p.through = layout.LastOfVersion(version)
	}
	return p, &next, nil
}

// admit refuses a stream that cannot be read, or not without missing events.
func (c *streamCursor) admit(h layout.Head) error {
	first := h.First()
	switch {
	case h.State == layout.StateTombstoned:
		return fmt.Errorf("stream %q: %w", c.stream, fdbevents.ErrStreamDeleted)
	case c.mustExist && !h.Exists():
		return &fdbevents.NotFoundError{What: "stream", Name: c.stream}
	case !c.resumed || c.at >= first:
		return nil
	case c.backward && c.at < c.first:
		return nil // it was already hidden before
	}
	return &fdbevents.TruncatedError{Stream: c.stream, Revision: c.at, First: first}
}

// visible cuts off the entries before first. cut is true if a backward read has reached
// them, and so its end.
func (c *streamCursor) visible(kvs []engine.KeyValue, first int64) (seen []engine.KeyValue, cut bool, err error) {
	if first == 0 || len(kvs) == 0 {
		return kvs, false, nil
	}
	_, revision, err := c.store.keys.ParseEntry(kvs[0].Key)
	switch {
	case err != nil:
		return nil, false, err
	case !c.backward:
		return kvs[min(max(first-revision, 0), int64(len(kvs))):], false, nil
	}
	n := max(revision-first+1, 0)
	return kvs[:min(n, int64(len(kvs)))], n <= int64(len(kvs)), nil
}

func expired(ev *fdbevents.Event, maxAge time.Duration, now time.Time) bool {
	return ev.Created.Before(now.Add(-maxAge))
}

// overtaken fails if an event has expired since the reader's last page, so that the
// reader misses it.
func (c *streamCursor) overtaken(r engine.Reader, events []*fdbevents.Event, maxAge time.Duration, now time.Time) error {
	if !c.resumed || c.backward {
		return nil
	}
	for i, ev := range events {
		// A resumed reader brings no time of its last visit, so only the event that it
		// would have read next counts.
		missed := i == 0
		if !c.asOf.IsZero() {
			missed = !expired(ev, maxAge, c.asOf)
		}
		if missed && expired(ev, maxAge, now) {
			first, err := c.firstYoung(r, ev.Revision, maxAge, now)
			if err != nil {
				return err
			}
			return &fdbevents.TruncatedError{Stream: c.stream, Revision: ev.Revision, First: first}
		}
	}
	return nil
}

// firstYoung returns the first revision from the given one on that has not expired, or
// the next one to be appended.
func (c *streamCursor) firstYoung(r engine.Reader, revision int64, maxAge time.Duration, now time.Time) (int64, error) {
	entries := c.store.keys.Entries(c.stream, revision, fdbevents.StreamEnd)
	for {
		page, err := r.GetRange(entries, engine.RangeOptions{Bytes: pageBytes}).Get()
		if err != nil {
			return 0, err
		}
		for len(page.KeyValues) > 0 {
			events, taken, err := c.events(r, page.KeyValues)
			if err != nil {
				return 0, err
			}
			for _, ev := range events {
				if !expired(ev, maxAge, now) {
					return ev.Revision, nil
				}
				revision = ev.Revision + 1
			}
			entries.Begin = layout.After(page.KeyValues[taken-1].Key)
			page.KeyValues = page.KeyValues[taken:]
		}
		if !page.More {
			return revision, nil
		}
	}
}

// events decodes entries, fetching in parallel the records that they point to. It stops
// when these get large: taken is the number of entries that it used.
func (c *streamCursor) events(r engine.Reader, kvs []engine.KeyValue) (events []*fdbevents.Event, taken int, err error) {
	entries := make([]layout.Entry, 0, len(kvs))
	records := make([]engine.Future[[]byte], 0, len(kvs))
	size := 0
	for _, kv := range kvs {
		e, err := layout.DecodeEntry(kv.Value)
		if err != nil {
			return nil, 0, fmt.Errorf("key %x: %w", kv.Key, err)
		}
		if size += e.Size; size > pageBytes && taken > 0 {
			break
		}
		var f engine.Future[[]byte]
		if e.Record == nil {
			f = c.store.keys.GetRecord(r, layout.Pointer{At: e.At, Partition: e.Partition})
		}
		entries, records = append(entries, e), append(records, f)
		taken++
	}
	var d layout.RecordDecoder
	all := make([]fdbevents.Event, taken)
	events = make([]*fdbevents.Event, 0, taken)
	for i, e := range entries {
		ev := &all[i]
		ok := true
		if e.Record != nil {
			err = d.Record(e.Record, ev)
			ev.Position = e.At
		} else {
			ok, err = c.store.keys.AwaitRecord(&d, r, layout.Pointer{At: e.At, Partition: e.Partition}, records[i], ev)
		}
		if err != nil {
			return nil, 0, err
		}
		if ok {
			events = append(events, ev)
		}
	}
	return events, taken, nil
}
