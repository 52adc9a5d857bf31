package fdblayer

import (
	"context"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// watcher reads the end of the log once for all subscribers of a Store. It runs while
// there is at least one.
type watcher struct {
	store *Store

	// mu guards everything below it.
	mu   sync.Mutex
	subs map[*subscriber]struct{}
	// begun is the number of subscribers so far.
	begun int64
	// feed serves the present subscribers; nil if there are none. stop ends the
	// goroutine that publishes to it.
	feed *feed
	stop context.CancelFunc
}

// subscriber is a subscription as the watcher knows it, and what Stats says about it.
type subscriber struct {
	// feed, number and stream do not change. number is the order in which subscriptions
	// began; stream is empty for all streams.
	feed   *feed
	number int64
	stream string

	// mu guards the fields below it. The subscription writes them; Stats reads them.
	mu sync.Mutex
	// at is the position up to which the consumer has been served; live is true if the
	// feed serves it; waiting is otherwise the rest of its page.
	at      fdbevents.Position
	live    bool
	waiting int
}

const (
	// lookAgain is how long the watcher trusts a silent watch.
	lookAgain = time.Second
	// afterFailure is how long the watcher waits after a watch that failed.
	afterFailure = 20 * time.Millisecond
)

func newWatcher(s *Store) *watcher {
	return &watcher{store: s, subs: make(map[*subscriber]struct{})}
}

// subscribe registers a subscriber of one stream, or of all streams if stream is empty.
// Once its feed is ready, the feed gets every event after the position at which it
// became ready.
func (w *watcher) subscribe(stream string) (*subscriber, error) {
	s := w.store
	if err := s.enter(&s.workers); err != nil {
		return nil, err
	}
	defer s.workers.Done()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.feed == nil {
		ctx, cancel := context.WithCancel(s.ctx)
		f := newFeed()
		w.feed, w.stop = f, cancel
		s.workers.Go(func() { w.run(ctx, f) })
	}
	w.begun++
	sub := &subscriber{feed: w.feed, number: w.begun, stream: stream}
	w.subs[sub] = struct{}{}
	return sub, nil
}

// unsubscribe removes a subscriber; with the last one, the watcher stops.
func (w *watcher) unsubscribe(sub *subscriber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subs, sub)
	if len(w.subs) == 0 && w.feed != nil {
		w.stop()
		w.feed = nil
	}
}

// run publishes what is appended until ctx ends.
func (w *watcher) run(ctx context.Context, to *feed) {
	s := w.store
	own := Door{store: s, resident: true}
	bells := newBells(s)
	defer bells.close()
	var c cursor
	pause := time.NewTimer(lookAgain)
	defer pause.Stop()
	for ctx.Err() == nil {
		if c == nil {
			at, err := own.tail(ctx)
			if err == nil {
				c = s.newLogCursorAfter(at, ReadOptions{})
				to.begin(at)
			} else if ctx.Err() == nil {
				s.trouble("looking for the end of the log", err)
			}
		}
		if c != nil {
			f := own.fetchArmed(ctx, c, bells.arm)
			if f.err == nil {
				bells.listen(ctx)
				c = f.next
				if len(f.events) > 0 {
					to.publish(f.events)
				}
				if !f.tail {
					continue
				}
			} else if ctx.Err() == nil {
				// Subscribers now read the log themselves and see what is wrong.
				s.trouble("reading the end of the log", f.err)
				to.lose()
				c = nil
			}
		}
		pause.Reset(lookAgain)
		select {
		case <-ctx.Done():
		case <-bells.rung:
		case <-pause.C:
		}
	}
}

// tail returns a position that everything committed from now on comes after.
func (d Door) tail(ctx context.Context) (at fdbevents.Position, err error) {
	err = d.View(ctx, func(r Reader) error {
		version, err := r.ReadVersion().Get()
		at = layout.LastOfVersion(version)
		return err
	})
	return at, err
}

// bells watches the doorbells of all partitions.
type bells struct {
	store *Store
	// rung has room for one signal, which means: look at the log.
	rung chan struct{}
	// armed holds the new watches of the transaction's last attempt, by partition. Only
	// the watcher's goroutine uses it.
	armed map[int]engine.Watch

	// mu guards listening.
	mu sync.Mutex
	// listening holds the watches that have not fired yet, by partition.
	listening map[int]engine.Watch
	waiters   sync.WaitGroup
}

func newBells(s *Store) *bells {
	return &bells{
		store:     s,
		rung:      make(chan struct{}, 1),
		armed:     make(map[int]engine.Watch),
		listening: make(map[int]engine.Watch),
	}
}

// arm watches the partitions that are not being watched, as this transaction sees them,
// if the page reached the end of the log.
func (b *bells) arm(p page, watch func(key []byte) engine.Watch) {
	clear(b.armed)
	if !p.tail {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for part := range b.store.header.Partitions {
		if b.listening[part] == nil {
			b.armed[part] = watch(b.store.keys.Doorbell(nil, part))
		}
	}
}

// listen waits in the background for the watches that arm made.
func (b *bells) listen(ctx context.Context) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for part, watch := range b.armed {
		b.listening[part] = watch
		b.waiters.Go(func() {
			// Firing and failing mean the same: look again. But after a failure, wait a
			// little, because the next watch may fail at once as well.
			if err := watch.Wait(ctx); err != nil {
				if ctx.Err() == nil {
					b.store.trouble("watching a partition", err)
				}
				select {
				case <-time.After(afterFailure):
				case <-ctx.Done():
				}
			}
			b.mu.Lock()
			delete(b.listening, part)
			b.mu.Unlock()
			watch.Cancel()
			select {
			case b.rung <- struct{}{}:
			default:
			}
		})
	}
	clear(b.armed)
}

// close waits for the background goroutines of listen, whose ctx has ended.
func (b *bells) close() { b.waiters.Wait() }
