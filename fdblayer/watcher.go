package fdblayer

import (
	"context"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// watcher reads the end of the log once for all subscribers of a Store. It runs
// while there are any.
type watcher struct {
	store *Store

	mu   sync.Mutex
	subs map[*subscriber]struct{}
	// begun counts the subscribers so far.
	begun int64
	// feed is what the present subscribers are served from, nil when there are
	// none; stop ends the goroutine that publishes to it.
	feed *feed
	stop context.CancelFunc
}

// subscriber is a subscription as the watcher knows it, with what Stats tells.
type subscriber struct {
	feed   *feed
	number int64
	stream string

	mu sync.Mutex
	// at is the position up to which the consumer has been served, live whether
	// that is from the feed, and waiting the rest of the page otherwise.
	at      fdbevents.Position
	live    bool
	waiting int
}

const (
	// lookAgain is how long the watcher trusts a silent watch.
	lookAgain = time.Second
	// afterFailure is how long it waits after a watch that failed.
	afterFailure = 20 * time.Millisecond
)

func newWatcher(s *Store) *watcher {
	return &watcher{store: s, subs: make(map[*subscriber]struct{})}
}

// subscribe registers a subscriber of all streams, or of one. Its feed has every
// event after the position that it is ready from.
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
				// Subscribers now read the log themselves, and see what is wrong.
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

// tail is the position after which everything that is committed from now on
// comes.
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
	// rung has room for one signal: look at the log.
	rung chan struct{}
	// armed is the transaction's new watches, of the last attempt only.
	armed map[int]engine.Watch

	mu sync.Mutex
	// listening holds the watch of each partition that has not fired yet.
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

// arm watches, from this transaction on, the partitions that are not watched, if
// the page came to the end of the log.
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
			// Firing and failing mean the same: look again. But where watches
			// fail, the next one may at once, too.
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

// close waits for the waiters, whose ctx has ended.
func (b *bells) close() { b.waiters.Wait() }
