package fdblayer

import (
	"context"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// watcher reads the end of the log once for all subscribers of a Store. It runs
// while there are any.
type watcher struct {
	store *Store

	mu   sync.Mutex
	subs map[*subscriber]struct{}
	// running is true while the goroutine lives that reads and publishes; stop
	// ends it.
	running bool
	stop    context.CancelFunc
}

// batch is what the watcher read in one transaction.
type batch struct {
	// events are those after position after and up to position through.
	after, through Position
	events         []*Event
}

// subscriber receives batches, or the signal that one is missing.
type subscriber struct {
	batches chan batch
	// lagged has room for one signal: a batch did not fit into the buffer.
	lagged chan struct{}
}

const (
	// subscriberBuffer is how many batches wait for a subscriber before it falls
	// back to reading pages. Batches are shared among subscribers.
	subscriberBuffer = 16
	// lookAgain is how long the watcher trusts a silent watch.
	lookAgain = time.Second
	// afterFailure is how long it waits after a watch that failed.
	afterFailure = 20 * time.Millisecond
)

func newWatcher(s *Store) *watcher {
	return &watcher{store: s, subs: make(map[*subscriber]struct{})}
}

// subscribe registers a subscriber. Every event committed after the call reaches
// it, or its lagged signal does, or a batch that begins after a gap.
func (w *watcher) subscribe() (*subscriber, error) {
	s := w.store
	if err := s.enter(&s.workers); err != nil {
		return nil, err
	}
	defer s.workers.Done()
	sub := &subscriber{batches: make(chan batch, subscriberBuffer), lagged: make(chan struct{}, 1)}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.subs[sub] = struct{}{}
	if !w.running {
		ctx, cancel := context.WithCancel(s.ctx)
		w.running, w.stop = true, cancel
		s.workers.Go(func() { w.run(ctx) })
	}
	return sub, nil
}

func (w *watcher) unsubscribe(sub *subscriber) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.subs, sub)
	if len(w.subs) == 0 && w.running {
		w.stop()
		w.running = false
	}
}

func (w *watcher) publish(b batch) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for sub := range w.subs {
		select {
		case sub.batches <- b:
		default:
			select {
			case sub.lagged <- struct{}{}:
			default:
			}
		}
	}
}

// run publishes what is appended until ctx ends. The first batch is empty: it
// tells those who subscribed before from where on they are served.
func (w *watcher) run(ctx context.Context) {
	s := w.store
	bells := newBells(s)
	defer bells.close()
	var published Position
	var c cursor
	pause := time.NewTimer(lookAgain)
	defer pause.Stop()
	for ctx.Err() == nil {
		if c == nil {
			if at, err := s.tail(ctx); err == nil {
				published, c = at, s.newLogCursorAfter(at, ReadOptions{})
				w.publish(batch{after: at, through: at})
			}
		}
		if c != nil {
			// On an error the next look, at the latest in a second, reads from the
			// same place; subscribers only see the delay.
			if f := s.fetch(ctx, c, bells.arm); f.err == nil {
				bells.listen(ctx)
				c = f.next
				if n := len(f.events); n > 0 {
					through := f.events[n-1].Position
					w.publish(batch{after: published, through: through, events: f.events})
					published = through
				}
				if !f.tail {
					continue
				}
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
func (s *Store) tail(ctx context.Context) (at Position, err error) {
	err = engine.Run(ctx, s.engine, func(tr engine.Transaction, _ error) error {
		version, err := tr.ReadVersion().Get()
		at = lastOfVersion(version)
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
func (b *bells) arm(tr engine.Transaction, p page) {
	clear(b.armed)
	if !p.tail {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for part := range b.store.header.partitions {
		if b.listening[part] == nil {
			b.armed[part] = tr.Watch(b.store.keys.doorbell(nil, part))
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
			if watch.Wait(ctx) != nil {
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
