package main

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// window is how many appends an asynchronous writer has under way at a time.
const window = 64

// async sends a window of appends to one stream without waiting in between. Those
// that succeed at the first attempt must be in the stream in the order sent.
func (w *writer) async(ctx context.Context) error {
	s, err := w.site.store(ctx, w.slot)
	if err != nil {
		return err
	}
	stream := fmt.Sprintf("async-%d-%d", w.number, w.seq/ownLength)
	first := w.seq
	w.seq += window
	w.witness.sent(w.number, false, w.seq-1)
	appends := make([][]fdbevents.StreamAppend, window)
	pending := make([]*fdblayer.PendingAppend, window)
	for i := range pending {
		appends[i] = []fdbevents.StreamAppend{{Stream: stream, Expected: fdbevents.Any, Events: []fdbevents.EventData{
			newEvent(w.seed, body{ident{w.number, first + uint32(i)}, 0, 1, plain, 0}),
		}}}
		if pending[i], err = s.AppendAsync(ctx, stream, fdbevents.Any, appends[i][0].Events...); err != nil && !transient(err) {
			return err
		}
	}
	last := int64(-1)
	var failed []int
	unknowns := 0
	for i, p := range pending {
		if p == nil {
			failed = append(failed, i)
			continue
		}
		r, err := p.Wait()
		switch {
		case err == nil:
			if r.LastRevision <= last {
				w.witness.wrong(reordered, fmt.Sprintf("%s was sent after the event at revision %d of %q, but is at revision %d", ident{w.number, first + uint32(i)}, last, stream, r.LastRevision))
			}
			last = r.LastRevision
			w.report(first+uint32(i), false, appends[i], []fdbevents.AppendResult{r}, 0, 0)
		case transient(err):
			if isUnknown(err) {
				unknowns++
			}
			failed = append(failed, i)
		default:
			return err
		}
	}
	for _, i := range failed {
		if err := w.again(ctx, first+uint32(i), appends[i], unknowns); err != nil {
			return err
		}
		unknowns = 0 // count them only once
	}
	return nil
}

// again sends a failed append again.
func (w *writer) again(ctx context.Context, first uint32, appends []fdbevents.StreamAppend, unknown int) error {
	var result fdbevents.AppendResult
	more, again, err := w.do(ctx, w.slot, func(s *fdblayer.Store) (err error) {
		result, err = s.Append(ctx, appends[0].Stream, fdbevents.Any, appends[0].Events...)
		return err
	})
	if err != nil {
		return fmt.Errorf("%s: %w", ident{w.number, first}, err)
	}
	w.report(first, false, appends, []fdbevents.AppendResult{result}, 1+again, unknown+more)
	return nil
}
