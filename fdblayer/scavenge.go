package fdblayer

import (
	"context"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// ScavengeOptions are the options of Store.Scavenge. The zero value is a good default.
type ScavengeOptions struct {
	// Progress, if not nil, is called from time to time with the number of streams that
	// have been examined, and with the number that there are, if that is known.
	Progress func(done, total int64)
}

// ScavengeReport says what a Scavenge did.
type ScavengeReport struct {
	// Streams is the number of streams examined, Events the number of events removed.
	Streams, Events int64
}

// Scavenge removes the events that readers of their streams no longer see: those that
// are truncated, belong to deleted streams, or exceed their stream's Retention. This
// frees their bytes; their tags no longer lead to them, and readers of the log pass
// over them. Their slots in the log stay, empty, so that the rank of other slots does
// not change. Their ids stay too, so that appending one of them again is still a
// repeat; only the ids of tombstoned streams, which accept no events, are removed.
//
// Scavenge works in small transactions alongside readers and writers. After an
// interruption, the next call resumes where this one stopped.
func (s *Store) Scavenge(ctx context.Context, o ScavengeOptions) (ScavengeReport, error) {
	sc := scavenger{store: s, progress: o.Progress}
	if err := sc.run(ctx); err != nil {
		return sc.report, fmt.Errorf("scavenging: %w; scavenge again to resume", err)
	}
	return sc.report, nil
}

// scavenger is the state of one Scavenge. It belongs to one goroutine.
type scavenger struct {
	store    *Store
	progress func(done, total int64)
	report   ScavengeReport
	total    int64
}

const (
	// scavengeEvents and scavengeBytes bound what one transaction removes.
	scavengeEvents = 200
	scavengeBytes  = 500_000
	// streamsBetweenPlaces is how many streams are examined before the place among them
	// is stored.
	streamsBetweenPlaces = 1000
)

// run goes through all streams: first from where an earlier scavenge was interrupted to
// the end, then those before it.
func (sc *scavenger) run(ctx context.Context) error {
	s := sc.store
	begin, err := sc.resume(ctx)
	if err != nil {
		return err
	}
	if sc.progress != nil {
		if err := sc.count(ctx); err != nil {
			return err
		}
	}
	all := s.keys.Heads("")
	for _, part := range []engine.Range{{Begin: s.keys.Head(nil, begin), End: all.End}, {Begin: all.Begin, End: s.keys.Head(nil, begin)}} {
		if err := sc.streams(ctx, part); err != nil {
			return err
		}
	}
	return sc.savePlace(ctx, "")
}

// resume returns the stream to begin with.
func (sc *scavenger) resume(ctx context.Context) (stream string, err error) {
	err = sc.store.view(ctx, func(r Reader) error {
		value, err := r.Get(sc.store.keys.Scavenged()).Get()
		if err != nil {
			return err
		}
		at, err := layout.DecodeScavengePlace(value)
		stream = string(at)
		return err
	})
	return stream, err
}

// savePlace stores the stream to resume with; "" ends the work.
func (sc *scavenger) savePlace(ctx context.Context, stream string) error {
	return sc.store.update(ctx, func(tr engine.Transaction, _ error) error {
		if stream == "" {
			tr.Clear(sc.store.keys.Scavenged())
		} else {
			tr.Set(sc.store.keys.Scavenged(), layout.AppendScavengePlace(nil, []byte(stream)))
		}
		return nil
	})
}

func (sc *scavenger) count(ctx context.Context) error {
	for _, err := range sc.store.Streams(ctx, "") {
		if err != nil {
			return err
		}
		sc.total++
	}
	return nil
}

func (sc *scavenger) streams(ctx context.Context, r engine.Range) error {
	s := sc.store
	for kv, err := range s.Door().Scan(ctx, r) {
		if err != nil {
			return err
		}
		stream, err := s.keys.ParseHead(kv.Key)
		if err != nil {
			return err
		}
		h, err := layout.DecodeHead(kv.Value)
		if err != nil {
			return fmt.Errorf("head of stream %q: %w", stream, err)
		}
		if h.First() > 0 || h.MaxAge > 0 || h.State != layout.StateOpen {
			if err := sc.stream(ctx, stream); err != nil {
				return fmt.Errorf("stream %q: %w", stream, err)
			}
		}
		if sc.report.Streams++; sc.report.Streams%streamsBetweenPlaces == 0 {
			if err := sc.savePlace(ctx, stream); err != nil {
				return err
			}
		}
		if sc.progress != nil {
			sc.progress(sc.report.Streams, max(sc.total, sc.report.Streams))
		}
	}
	return nil
}

// stream removes the hidden events of one stream, oldest first. Each step begins where
// the one before ended, because an engine passes over removed keys as slowly as over
// others.
func (sc *scavenger) stream(ctx context.Context, stream string) error {
	from := int64(0)
	for more := true; more; {
		var h layout.Head
		var bound int64
		var found int
		err := sc.store.view(ctx, func(r Reader) (err error) {
			h, bound, found, more, err = sc.removable(r, stream, from)
			return err
		})
		if err == nil && bound > h.TruncateBefore {
			err = sc.raise(ctx, stream, bound)
		}
		if err == nil && bound > 0 {
			err = sc.remove(ctx, stream, from, bound, h.State == layout.StateTombstoned)
		}
		if err != nil {
			return err
		}
		// Count here and not in remove, which runs again after an unknown outcome and
		// then finds nothing.
		sc.report.Events += int64(found)
		from = max(from, bound)
	}
	return nil
}

// removable finds how far the next few events from revision from on can be removed: they
// are the found events before revision bound, which is 0 if there are none. more is true
// if others may follow.
func (sc *scavenger) removable(r engine.Reader, stream string, from int64) (h layout.Head, bound int64, found int, more bool, err error) {
	s := sc.store
	if h, err = s.readHead(r, stream); err != nil {
		return h, 0, 0, false, err
	}
	first, last := h.First(), h.First()-1
	if h.MaxAge > 0 {
		last = h.Next - 1
	}
	page, err := r.GetRange(s.keys.Entries(stream, from, last), engine.RangeOptions{Limit: scavengeEvents, Bytes: scavengeBytes}).Get()
	if err != nil {
		return h, 0, 0, false, err
	}
	oldest := time.Now().Add(-h.MaxAge)
	var d layout.RecordDecoder
	for _, kv := range page.KeyValues {
		_, revision, err := s.keys.ParseEntry(kv.Key)
		if err != nil {
			return h, 0, 0, false, err
		}
		if revision >= first {
			// Revisions stay dense: nothing behind an event that stays is removed.
			ev, ok, err := s.readEntry(&d, r, kv)
			if err != nil {
				return h, 0, 0, false, err
			}
			if ok && !ev.Created.Before(oldest) {
				return h, bound, found, false, nil
			}
		}
		bound, found = revision+1, found+1
	}
	return h, bound, found, page.More, nil
}

// raise makes readers see that the events before bound are gone before they are
// removed. It is a separate, short transaction, because appends to the stream conflict
// with it.
func (sc *scavenger) raise(ctx context.Context, stream string, bound int64) error {
	s := sc.store
	return s.update(ctx, func(tr engine.Transaction, _ error) error {
		h, err := s.readHead(tr, stream)
		if err != nil || h.TruncateBefore >= bound {
			return err
		}
		h.TruncateBefore = bound
		tr.Set(s.keys.Head(nil, stream), layout.AppendHead(nil, h))
		return nil
	})
}

// remove removes the events at revisions from up to bound, few enough for one transaction.
// It reads their slots serializably, so that an event that is erased at the same time does
// not come back.
func (sc *scavenger) remove(ctx context.Context, stream string, from, bound int64, ids bool) error {
	s := sc.store
	return s.update(ctx, func(tr engine.Transaction, _ error) error {
		indexes, err := s.readIndexes(tr)
		if err != nil {
			return err
		}
		entries := s.keys.Entries(stream, from, bound-1)
		page, err := tr.GetRange(entries, engine.RangeOptions{Limit: scavengeEvents}).Get()
		if err != nil {
			return err
		}
		var d layout.RecordDecoder
		for _, kv := range page.KeyValues {
			e, err := layout.DecodeEntry(kv.Value)
			if err != nil {
				return fmt.Errorf("key %x: %w", kv.Key, err)
			}
			to := layout.Pointer{At: e.At, Partition: e.Partition}
			var ev fdbevents.Event
			slot := s.keys.GetRecord(tr, to)
			ok, err := s.keys.AwaitRecord(&d, tr, to, slot, &ev)
			if err != nil {
				return err
			}
			if ok {
				if err := s.scavenge(tr, &ev, to, slot, indexes); err != nil {
					return err
				}
			}
			if ids && ok {
				tr.Clear(s.keys.ID(nil, ev.ID, stream))
			}
			tr.Clear(kv.Key)
		}
		return nil
	})
}

// scavenge empties an event's slot and removes its tags.
func (s *Store) scavenge(tr engine.Transaction, ev *fdbevents.Event, to layout.Pointer, slot engine.Future[[]byte], indexes *indexSet) error {
	if err := s.replaceRecord(tr, to, slot, []byte{}); err != nil {
		return err
	}
	for _, tag := range indexes.tags(append([]string(nil), ev.Tags...), ev.Stream, ev.Type) {
		tr.Clear(s.keys.Tag(nil, tag, to.At))
	}
	return nil
}
