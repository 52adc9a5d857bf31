package fdblayer

import (
	"context"

	"github.com/fdbevents/fdbevents"
)

// Follower wakes its owner when events are appended. It is exported for the packages of
// this module. It is not safe for concurrent use.
type Follower struct {
	watcher *watcher
	sub     *subscriber
	// seen is the position up to which Next has returned every event, or reported that
	// it missed some.
	seen fdbevents.Position
	// missed is the state of the feed for which Next last reported that it missed
	// events.
	missed *feedState
}

// Follow registers a follower. The caller must close it.
func (d Door) Follow() (*Follower, error) {
	sub, err := d.store.watcher.subscribe("")
	if err != nil {
		return nil, err
	}
	return &Follower{watcher: d.store.watcher, sub: sub}, nil
}

// Next waits for events that are appended after the previous call, or until ctx ends.
// The events are shared and must not be modified. missed is true if there may be events
// that Next does not return, so the owner must read the log itself: this is so at
// first, and after the owner fell behind.
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
