package fdblayer

import (
	"context"
	"fmt"
	"iter"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// ReadOptions say what to read. The zero value reads everything, forward.
type ReadOptions struct {
	// Backward reads from newer to older.
	Backward bool
	// Limit is the most events to return; 0 is no limit.
	Limit int
	// Filter selects the events to return.
	Filter fdbevents.Filter
}

// ReadStream reads a stream from a revision on, that one included: forward to the end,
// or backward to the start. Backward from fdbevents.StreamEnd begins with the last
// event. Pages are separate transactions, so the read also finds what is appended while
// it runs. It fetches the next page while one is consumed.
//
// The iterator yields at most one error, as its last element: ErrStreamNotFound if the
// stream has no events, ErrStreamDeleted, a *TruncatedError if the read was overtaken,
// or ctx's error.
func (s *Store) ReadStream(ctx context.Context, stream string, from int64, o ReadOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		if err := checkRead(o); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		if err := fdbevents.ValidateStreamName(stream); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		c := s.newStreamCursor(stream, from, o)
		c.mustExist = true
		s.read(ctx, c, o, yield)
	}
}

// ReadAll reads the log of all streams from a position on, that one included: forward
// from Start to the end, or backward from End to the start. The order is total, every
// reader sees the same one, and no event is left out. Pages are separate transactions;
// see ReadStream.
//
// The iterator yields at most one error, as its last element: an *InvalidError for a
// position that this store has not reached, or ctx's error.
func (s *Store) ReadAll(ctx context.Context, from fdbevents.Position, o ReadOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		if err := checkRead(o); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		s.read(ctx, s.newLogCursor(from, o), o, yield)
	}
}

func checkRead(o ReadOptions) error {
	if o.Limit < 0 {
		return &fdbevents.InvalidError{What: "read limit", Value: fmt.Sprint(o.Limit), Reason: "want 0 for no limit, or more"}
	}
	return o.Filter.Validate()
}

// pageHint returns the most events wanted, or 0 if that cannot be known.
func pageHint(o ReadOptions) int {
	if !o.Filter.All() {
		return 0
	}
	return o.Limit
}

// grown is the bound of a page that follows one without a visible event: a reader that
// wants few events does not go through many hidden ones in as many transactions.
func grown(limit int) int { return min(8*limit, pageEntries) }

// cursor is a place in a stream or in the log. It is immutable.
type cursor interface {
	// read reads the next page and returns the place after it. The transaction may fail
	// and be retried.
	read(r Reader) (page, cursor, error)
}

// page is a run of events in the order of reading.
type page struct {
	events []*fdbevents.Event
	// scavenged counts scavenged events that would have been among the events, or close
	// to them.
	scavenged int
	// tail is true if there was nothing more to read.
	tail bool
	// through is the position up to which a forward read has then seen every event.
	through fdbevents.Position
}

// fetched is the result of reading a page in a transaction of its own.
type fetched struct {
	page
	next cursor
	err  error
}

// fetch reads the next page of c.
func (d Door) fetch(ctx context.Context, c cursor) (f fetched) {
	f.err = d.View(ctx, func(r Reader) error { return f.read(r, c) })
	d.store.stats.pages.Add(1)
	return f
}

// fetchArmed is fetch, but also calls arm in the transaction of the page.
func (d Door) fetchArmed(ctx context.Context, c cursor, arm func(p page, watch func(key []byte) engine.Watch)) (f fetched) {
	f.err = d.watch(ctx, func(r Reader, watch func(key []byte) engine.Watch) error {
		err := f.read(r, c)
		if err == nil {
			arm(f.page, watch)
		}
		return err
	})
	d.store.stats.pages.Add(1)
	return f
}

func (f *fetched) read(r Reader, c cursor) (err error) {
	f.page, f.next, err = c.read(r)
	return err
}

// pages yields the pages from c on, up to and including the one that reaches the tail
// or fails. While a page is consumed, it fetches the next one, unless ahead says that
// the next one will probably not be wanted.
func (s *Store) pages(ctx context.Context, c cursor, ahead func(page) bool) iter.Seq[fetched] {
	return func(yield func(fetched) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var fetching sync.WaitGroup
		defer fetching.Wait()
		defer cancel()
		for f := s.Door().fetch(ctx, c); ; {
			next := f.next
			following := sync.OnceValue(func() fetched { return s.Door().fetch(ctx, next) })
			last := f.err != nil || f.tail
			if !last && ahead(f.page) {
				fetching.Go(func() { following() })
			}
			if !yield(f) || last {
				return
			}
			f = following()
		}
	}
}

// read yields the events from c on that o selects.
func (s *Store) read(ctx context.Context, c cursor, o ReadOptions, yield func(fdbevents.Event, error) bool) {
	left := o.Limit
	ahead := func(p page) bool { return o.Limit == 0 || left > len(p.events) }
	for f := range s.pages(ctx, c, ahead) {
		if f.err != nil {
			yield(fdbevents.Event{}, f.err)
			return
		}
		for _, ev := range f.events {
			if !o.Filter.Matches(ev) {
				continue
			}
			if !yield(*ev, nil) {
				return
			}
			if left--; left == 0 {
				return
			}
		}
	}
}
