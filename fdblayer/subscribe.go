package fdblayer

import (
	"context"
	"iter"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// SubscribeOptions say what a subscription delivers. The zero value delivers
// everything. The functions run on the goroutine that consumes the subscription.
type SubscribeOptions struct {
	// Filter selects the events to deliver.
	Filter fdbevents.Filter
	// CaughtUp, if not nil, is called each time the subscription has delivered
	// everything that was there and turns live.
	CaughtUp func()
	// FellBehind, if not nil, is called each time a live subscription has to return to
	// reading the log because its consumer is slower than the writers.
	FellBehind func()
	// Scavenged, if not nil, is called with the number of events that the subscription
	// has passed over since the last call because they had been scavenged before it
	// reached them. If the query is served by the index of a tag, there is nothing left
	// to count.
	Scavenged func(n int)
	// Idle, if not nil, is called each time a live subscription has nothing to deliver
	// for the moment: when it turns live, and after each run of events. This is the
	// time to flush what the consumer has gathered.
	Idle func()
	// CheckpointInterval is how often SubscribeFrom stores its place while it moves; 1
	// s if zero. Other subscriptions do not use it.
	CheckpointInterval time.Duration
}

// Subscribe reads the log of all streams after a position, that one not included, and
// continues with what is appended later. After Start it begins with the first event,
// after End with the next one to be appended. Order and completeness are as in
// ReadAll, also across the seam between old and new events.
//
// The subscription ends when the consumer stops, or with one error: ctx's, ErrClosed,
// an *InvalidError for a position that this store has not reached, or the error of a
// read that failed. A consumer that is slower than the writers is served from the log
// in pages, so memory stays bounded.
func (s *Store) Subscribe(ctx context.Context, after fdbevents.Position, o SubscribeOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		sub := subscription{store: s, options: o, at: after, fromNow: after == fdbevents.End}
		sub.yieldTo(ctx, yield)
	}
}

// SubscribeStream is Subscribe for one stream, after a revision: after -1 it begins
// with the stream's first event, after fdbevents.StreamEnd with the next one to be
// appended. The stream need not exist yet. If events are truncated or expire before
// they are delivered, the subscription ends with a *TruncatedError.
func (s *Store) SubscribeStream(ctx context.Context, stream string, after int64, o SubscribeOptions) iter.Seq2[fdbevents.Event, error] {
	return func(yield func(fdbevents.Event, error) bool) {
		if err := fdbevents.ValidateStreamName(stream); err != nil {
			yield(fdbevents.Event{}, err)
			return
		}
		sub := subscription{store: s, options: o, stream: stream, revision: after, fromNow: after == fdbevents.StreamEnd}
		sub.yieldTo(ctx, yield)
	}
}

// subscription is the state of one subscription under way. All of it belongs to the
// consumer's goroutine.
type subscription struct {
	store    *Store
	options  SubscribeOptions
	consumer consumer
	// stream is empty for all streams.
	stream string
	// fromNow skips what is there when the subscription begins.
	fromNow bool

	// Everything up to position at has been delivered, and in stream everything up to
	// revision. While a subscription to a stream catches up, only revision is
	// maintained.
	at       fdbevents.Position
	revision int64
	// begun is true once the stream has been examined: what is truncated from then on
	// is missed.
	begun bool
	live  *subscriber
	// stopped is true once the consumer wants no more.
	stopped bool
}

// consumer is what a subscription delivers to. Its functions run on one goroutine and
// return false when they want no more.
type consumer struct {
	// event is called with each selected event, which it may keep.
	event func(ev *fdbevents.Event) bool
	// through, if not nil, is called after each page with the position up to which
	// everything, selected or not, has been delivered, and with whether more is already
	// there.
	through func(at fdbevents.Position, more bool) bool
	// caughtUp, if not nil, is called when the subscription turns live, having
	// delivered everything up to position at.
	caughtUp func(at fdbevents.Position) bool
	// alarmed is called if alarm fires while the subscription waits. Both may be nil.
	alarm   <-chan time.Time
	alarmed func() bool
}

// yieldTo delivers to an iterator's consumer, including the error that ends the
// subscription.
func (sub *subscription) yieldTo(ctx context.Context, yield func(fdbevents.Event, error) bool) {
	sub.consumer.event = func(ev *fdbevents.Event) bool { return yield(*ev, nil) }
	if err := sub.run(ctx); err != nil {
		yield(fdbevents.Event{}, err)
	}
}

// run delivers until the consumer stops, or returns the error that ends the
// subscription.
func (sub *subscription) run(ctx context.Context) error {
	s := sub.store
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(fdbevents.ErrClosed) })()

	err := sub.options.Filter.Validate()
	if err == nil {
		err = sub.serve(ctx)
	}
	if sub.stopped {
		return nil
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	return err
}

// serve alternates between catching up from the log and live delivery. It returns nil
// when the consumer has stopped.
func (sub *subscription) serve(ctx context.Context) (err error) {
	s := sub.store
	// The feed comes first, so that it is sure to have what the log does not show yet.
	if sub.live, err = s.watcher.subscribe(sub.stream); err != nil {
		return err
	}
	defer s.watcher.unsubscribe(sub.live)
	if err := sub.awaitFeed(ctx); err != nil {
		return err
	}
	if sub.fromNow {
		err = sub.skipToNow(ctx)
	} else if sub.at != fdbevents.Start {
		err = s.view(ctx, func(r Reader) error { return checkPosition(r, sub.at) })
	}
	if err != nil {
		return err
	}
	for {
		if err := sub.catchUp(ctx); err != nil || sub.stopped {
			return err
		}
		if _, ok := sub.live.feed.now().next(sub.at); !ok {
			// The feed has dropped what comes next, or was lost.
			if err := sub.awaitFeed(ctx); err != nil {
				return err
			}
			continue
		}
		sub.live.turn(true, sub.at)
		if sub.consumer.caughtUp != nil && !sub.consumer.caughtUp(sub.at) {
			sub.stopped = true
			return nil
		}
		if sub.options.CaughtUp != nil {
			sub.options.CaughtUp()
		}
		if err := sub.follow(ctx); err != nil || sub.stopped {
			return err
		}
		sub.live.turn(false, sub.at)
		if sub.options.FellBehind != nil {
			sub.options.FellBehind()
		}
	}
}

// awaitFeed waits until the feed is ready.
func (sub *subscription) awaitFeed(ctx context.Context) error {
	for {
		w := sub.live.feed.now()
		if w.ready {
			return nil
		}
		select {
		case <-w.replaced:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// skipToNow moves the subscription to the present end of the log, or of its stream.
func (sub *subscription) skipToNow(ctx context.Context) error {
	s := sub.store
	return s.view(ctx, func(r Reader) error {
		version, err := r.ReadVersion().Get()
		if err != nil {
			return err
		}
		sub.at = layout.LastOfVersion(version)
		if sub.stream != "" {
			h, err := s.readHead(r, sub.stream)
			if err != nil {
				return err
			}
			sub.revision = h.Next - 1
		}
		return nil
	})
}

// catchUp delivers from the log up to its end.
func (sub *subscription) catchUp(ctx context.Context) error {
	s := sub.store
	var c cursor = s.newLogCursorAfter(sub.at, ReadOptions{Filter: sub.options.Filter})
	if sub.stream != "" {
		sc := s.newStreamCursor(sub.stream, sub.revision+1, ReadOptions{})
		if sub.revision >= 0 || sub.begun {
			sc = s.resumeStreamCursor(sub.stream, sub.revision)
		}
		sc.follows, sub.begun = true, true
		c = sc
	}
	for f := range s.pages(ctx, c, func(page) bool { return true }) {
		if f.err != nil {
			return f.err
		}
		for i, ev := range f.events {
			if ctx.Err() != nil {
				return ctx.Err() // a consumer may take long over a page
			}
			sub.live.served(ev.Position, len(f.events)-i-1)
			if sub.deliver(ev); sub.stopped {
				return nil
			}
		}
		if f.scavenged > 0 && sub.options.Scavenged != nil {
			sub.options.Scavenged(f.scavenged)
		}
		if n := len(f.events); n > 0 && !sub.passed(f.events[n-1].Position, !f.tail) {
			return nil
		}
		if f.tail {
			sub.at = f.through
		}
	}
	return nil
}

// follow delivers pages of the feed until the feed no longer has the next one.
func (sub *subscription) follow(ctx context.Context) error {
	// idle is true once the consumer has been told that there is nothing to deliver.
	idle := false
	for {
		w := sub.live.feed.now()
		b, ok := w.next(sub.at)
		if !ok {
			return nil
		}
		if b == nil {
			if !idle && sub.options.Idle != nil {
				sub.options.Idle()
			}
			idle = true
			select {
			case <-w.replaced:
			case <-sub.consumer.alarm:
				if sub.stopped = !sub.consumer.alarmed(); sub.stopped {
					return nil
				}
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		}
		for _, ev := range b.events {
			if sub.skips(ev) {
				continue
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			sub.live.served(ev.Position, 0)
			if sub.deliver(ev); sub.stopped {
				return nil
			}
		}
		idle = false
		sub.at = b.through
		sub.live.served(b.through, 0)
		if sub.consumer.through != nil {
			more, _ := sub.live.feed.now().next(sub.at)
			if !sub.passed(b.through, more != nil) {
				return nil
			}
		}
	}
}

// passed reports to the consumer how far it has been served, and returns whether it
// wants more.
func (sub *subscription) passed(at fdbevents.Position, more bool) bool {
	if sub.consumer.through != nil && !sub.consumer.through(at, more) {
		sub.stopped = true
	}
	return !sub.stopped
}

// skips reports whether to pass over a live event: it belongs to another stream, has
// already been delivered, or precedes the place where the subscription begins. A stream
// can be shorter than the revision that the caller named.
func (sub *subscription) skips(ev *fdbevents.Event) bool {
	if sub.stream != "" && (ev.Stream != sub.stream || ev.Revision <= sub.revision) {
		return true
	}
	return !sub.at.Before(ev.Position)
}

// deliver hands an event to the consumer if it is selected.
func (sub *subscription) deliver(ev *fdbevents.Event) {
	if sub.stream == "" {
		sub.at = ev.Position
	} else {
		sub.revision = ev.Revision
	}
	if sub.options.Filter.Matches(ev) {
		sub.stopped = !sub.consumer.event(ev)
	}
}

// served records for Stats that the consumer has reached an event, and how many more
// wait in its page.
func (sub *subscriber) served(at fdbevents.Position, waiting int) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.at, sub.waiting = at, waiting
}

// turn records for Stats that the subscription now reads the log, or is live.
func (sub *subscriber) turn(live bool, at fdbevents.Position) {
	sub.mu.Lock()
	defer sub.mu.Unlock()
	sub.live, sub.at, sub.waiting = live, at, 0
}
