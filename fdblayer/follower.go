package fdblayer

import (
	"context"

	"github.com/fdbevents/fdbevents"
)

// Follower wakes its owner when events are appended. It is for one goroutine at a time.
type Follower struct {
	watcher *watcher
	sub     *subscriber
	// seen is the position up to which Next has returned all, or said that it missed
	// some.
	seen fdbevents.Position
	// missed is the state of the feed for which Next has said so.
	missed *feedState
}

// Follow registers a follower. The caller closes it.
func (d Door) Follow() (*Follower, error) {
	sub, err := d.store.watcher.subscribe("")
	if err != nil {
		return nil, err
	}
	return &Follower{watcher: d.store.watcher, sub: sub}, nil
}

// Next waits for what is appended after the last call, or until ctx ends. missed is
// true when there may be events besides those returned, so that the owner looks at the
// log itself: so it is at first, and after it fell behind.
func (f *Follower) Next(ctx context.Context) (events []*fdbevents.Event, missed bool, err error) {
	for {
		now := f.sub.feed.now()
		next, ok := now.next(f.seen)
		if next != nil {
			f.seen = next.through
			return next.events, false, nil
		}
		if !ok && f.seen.Before(now.through) {
			f.seen = now.through
		}
		f.sub.turn(now.ready, f.seen)
		if !ok && now != f.missed {
			f.missed = now
			return nil, true, nil
		}
		select {
		case <-now.replaced:
		case <-ctx.Done():
			return nil, false, context.Cause(ctx)
		}
	}
}

// Close ends the registration.
func (f *Follower) Close() { f.watcher.unsubscribe(f.sub) }
