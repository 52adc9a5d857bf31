package fdblayer

import (
	"context"
	"iter"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// SubscribeOptions select what a subscription delivers. The zero value delivers
// everything.
type SubscribeOptions struct {
	// StreamPrefix selects the streams whose name begins with it.
	StreamPrefix string
	// Query selects events by type and tags.
	Query Query
	// CaughtUp, when not nil, is called each time the subscription has delivered
	// everything that was there and begins to wait for more. It runs on the
	// goroutine that consumes the subscription.
	CaughtUp func()
}

// Subscribe reads the log of all streams after a position, that one not
// included, and goes on with what is appended later. After Start it begins with
// the first event, after End with the next one to be appended. Order and
// completeness are those of ReadAll, over the seam between old and new as well.
//
// The subscription ends when the consumer stops, or with one error: ctx's,
// ErrClosed, or that of a read that failed. A consumer that is slower than the
// writers is served from the log in pages; memory stays bounded.
func (s *Store) Subscribe(ctx context.Context, after Position, o SubscribeOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		sub := subscription{store: s, options: o, at: after, fromNow: after == End, yield: yield}
		sub.run(ctx)
	}
}

// SubscribeStream is Subscribe for one stream, after a revision: -1 begins with
// the stream's first event, StreamEnd with the next one to be appended. The
// stream need not exist yet.
func (s *Store) SubscribeStream(ctx context.Context, stream string, after int64, o SubscribeOptions) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		if err := checkStreamName(stream); err != nil {
			yield(Event{}, err)
			return
		}
		sub := subscription{store: s, options: o, stream: stream, revision: after, fromNow: after == StreamEnd, yield: yield}
		sub.run(ctx)
	}
}

// subscription is the state of one Subscribe or SubscribeStream under way.
type subscription struct {
	store   *Store
	options SubscribeOptions
	yield   func(Event, error) bool
	// stream is empty for all streams.
	stream string
	// fromNow skips what is there when the subscription begins.
	fromNow bool

	// at is the position, and revision that in stream, up to which everything has
	// been delivered. While a stream is being caught up with, only revision is
	// kept.
	at       Position
	revision int64
	// begun is true once the stream has been looked at: what is truncated from
	// then on is missed.
	begun bool
	// stopped is true when the consumer wants no more.
	stopped bool
}

// run delivers until the consumer stops or an error ends it, which it delivers.
func (sub *subscription) run(ctx context.Context) {
	s := sub.store
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(s.ctx, func() { cancel(ErrClosed) })()

	err := sub.options.Query.check()
	if err == nil {
		err = sub.serve(ctx)
	}
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	}
	if err != nil && !sub.stopped {
		sub.yield(Event{}, err)
	}
}

// serve alternates between catching up from the log and live delivery. It
// returns nil when the consumer stopped.
func (sub *subscription) serve(ctx context.Context) error {
	// Registering comes first: what the log does not show yet is then sure to be
	// delivered live.
	live, err := sub.store.watcher.subscribe()
	if err != nil {
		return err
	}
	defer sub.store.watcher.unsubscribe(live)
	if sub.fromNow {
		if err := sub.skipToNow(ctx); err != nil {
			return err
		}
	}
	for {
		if err := sub.catchUp(ctx); err != nil || sub.stopped {
			return err
		}
		if sub.options.CaughtUp != nil {
			sub.options.CaughtUp()
		}
		if err := sub.follow(ctx, live); err != nil || sub.stopped {
			return err
		}
	}
}

func (sub *subscription) skipToNow(ctx context.Context) error {
	s := sub.store
	return engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return err
		}
		sub.at = lastOfVersion(version)
		if sub.stream != "" {
			h, err := s.readHead(tr.Snapshot(), sub.stream)
			if err != nil {
				return err
			}
			sub.revision = h.next - 1
		}
		return nil
	})
}

// catchUp delivers from the log until its end.
func (sub *subscription) catchUp(ctx context.Context) error {
	s := sub.store
	var c cursor = s.newLogCursorAfter(sub.at, ReadOptions{StreamPrefix: sub.options.StreamPrefix, Query: sub.options.Query})
	if sub.stream != "" {
		c = s.newStreamCursor(sub.stream, sub.revision+1, ReadOptions{})
		if sub.revision >= 0 || sub.begun {
			c = s.resumeStreamCursor(sub.stream, sub.revision)
		}
		sub.begun = true
	}
	for f := range s.pages(ctx, c, func(page) bool { return true }) {
		if f.err != nil {
			return f.err
		}
		for _, ev := range f.events {
			if sub.deliver(ev); sub.stopped {
				return nil
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if f.tail {
			sub.at = f.through
		}
	}
	return nil
}

// follow delivers live batches, until one is missing.
func (sub *subscription) follow(ctx context.Context, live *subscriber) error {
	for {
		select {
		case b := <-live.batches:
			if sub.at.Before(b.after) {
				return nil
			}
			for _, ev := range b.events {
				if sub.passes(ev) {
					continue
				}
				if sub.deliver(ev); sub.stopped {
					return nil
				}
			}
			if sub.at.Before(b.through) {
				sub.at = b.through
			}
		case <-live.lagged:
			return nil
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// passes reports whether to pass over a live event: it is none of this
// subscription's, or was delivered, or comes before where it is to begin. A stream
// can be shorter than the revision that the caller named.
func (sub *subscription) passes(ev *Event) bool {
	if sub.stream != "" && (ev.Stream != sub.stream || ev.Revision <= sub.revision) {
		return true
	}
	return !sub.at.Before(ev.Position)
}

// deliver hands an event to the consumer if it is selected.
func (sub *subscription) deliver(ev *Event) {
	if sub.stream == "" {
		sub.at = ev.Position
	} else {
		sub.revision = ev.Revision
	}
	if selects(sub.options.StreamPrefix, &sub.options.Query, ev) {
		sub.stopped = !sub.yield(*ev, nil)
	}
}
