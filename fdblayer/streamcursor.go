package fdblayer

import (
	"fmt"
	"math"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// streamCursor reads a stream through its entries.
type streamCursor struct {
	store    *Store
	stream   string
	backward bool
	// at is the next revision to read; outside 0..StreamEnd there is none.
	at int64
	// limit is how many events are wanted at most, 0 if that is not known.
	limit int
	// mustExist makes the first page look for the stream's head.
	mustExist bool
}

const (
	// pageBytes bounds the records of a page, but for the one that exceeds it.
	pageBytes = 2 << 20
	// pageEntries bounds the entries of a stream read at once; they can be much
	// smaller than the records they point to.
	pageEntries = 2048
)

func (s *Store) newStreamCursor(stream string, from int64, o ReadOptions) *streamCursor {
	return &streamCursor{store: s, stream: stream, at: from, backward: o.Backward, limit: pageHint(o)}
}

func (c *streamCursor) read(tr engine.Transaction) (page, cursor, error) {
	r := tr.Snapshot()
	from, to := max(c.at, 0), int64(math.MaxInt64)
	if c.backward {
		from, to = 0, c.at
	}
	o := engine.RangeOptions{Limit: pageEntries, Bytes: pageBytes, Reverse: c.backward}
	if c.limit > 0 {
		o.Limit = min(o.Limit, c.limit)
	}
	entries := r.GetRange(c.store.keys.entries(c.stream, from, to), o)
	if c.mustExist {
		if err := c.exists(r); err != nil {
			return page{}, nil, err
		}
	}
	got, err := entries.Get()
	if err != nil {
		return page{}, nil, fmt.Errorf("reading stream %q: %w", c.stream, err)
	}
	var p page
	taken := 0
	if p.events, taken, err = c.events(r, got.KeyValues); err != nil {
		return page{}, nil, fmt.Errorf("reading stream %q: %w", c.stream, err)
	}
	next := *c
	next.mustExist = false
	if taken > 0 {
		_, last, err := c.store.keys.parseEntry(got.KeyValues[taken-1].Key)
		if err != nil {
			return page{}, nil, err
		}
		next.at = last + 1
		if c.backward {
			next.at = last - 1
		}
	}
	if p.tail = taken == len(got.KeyValues) && !got.More; p.tail {
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return page{}, nil, err
		}
		p.through = lastOfVersion(version)
	}
	return p, &next, nil
}

func (c *streamCursor) exists(r engine.Reader) error {
	h, err := c.store.readHead(r, c.stream)
	if err == nil && h.next == 0 {
		err = fmt.Errorf("stream %q: %w", c.stream, ErrStreamNotFound)
	}
	return err
}

// events decodes entries, fetching in parallel the records that they point to,
// and stops when these get large: taken is how many entries it used.
func (c *streamCursor) events(r engine.Reader, kvs []engine.KeyValue) (events []*Event, taken int, err error) {
	entries := make([]entry, 0, len(kvs))
	records := make([]engine.Future[engine.Page], 0, len(kvs))
	size := 0
	for _, kv := range kvs {
		e, err := decodeEntry(kv.Value)
		if err != nil {
			return nil, 0, fmt.Errorf("key %x: %w", kv.Key, err)
		}
		if size += e.size; size > pageBytes && taken > 0 {
			break
		}
		var f engine.Future[engine.Page]
		if e.record == nil {
			f = c.store.getRecord(r, e.partition, e.at)
		}
		entries, records = append(entries, e), append(records, f)
		taken++
	}
	d := c.store.decoder()
	defer c.store.release(d)
	all := make([]Event, taken)
	events = make([]*Event, 0, taken)
	for i, e := range entries {
		ev := &all[i]
		ok := true
		if e.record != nil {
			err = d.record(e.record, ev)
			ev.Position = e.at
		} else {
			ok, err = c.store.awaitRecord(d, e.partition, e.at, records[i], ev)
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
