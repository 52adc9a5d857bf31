package fdblayer

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// batcher turns concurrent appends into few engine transactions. An append that
// finds nothing under way is carried out at once, by the goroutine that called,
// unless there was a crowd a moment ago. Others gather while a batch is under way,
// and go together when it is done, or earlier when they are many.
//
// Streams are spread over lanes. A lane is in one batch at a time, so that
// batches under way do not write the same heads, and the appends to one stream
// keep their order.
type batcher struct {
	store *Store

	mu    sync.Mutex
	lanes [lanes]lane
	// ready counts the requests that wait in lanes which are not busy.
	ready int
	// running counts the batches under way, with the one that is starting.
	running int
	// starting is true while a batch has been begun and not taken its requests yet.
	starting bool
	// crowded is true when the last batch was of several requests. Those who made
	// them often come back together, and all but the first would wait for it if it
	// went alone.
	crowded bool
	// first is the lane that the next batch begins with, so that all get a turn.
	first int
}

type lane struct {
	// queue holds requests that no batch has taken yet.
	queue []*request
	// busy is true while a batch is under way that has requests of this lane.
	busy bool
}

const (
	lanes = 64
	// maxBatches is how many batches are under way at most.
	maxBatches = 8
	// enough is how many waiting requests are worth a further batch.
	enough = 16
	// maxBatchCost and maxBatchEvents bound a batch of several requests.
	// FoundationDB is happiest with transactions below 1 MB.
	maxBatchCost   = 800_000
	maxBatchEvents = 1024
)

// do carries out r and returns when it is done or r.ctx ends.
func (b *batcher) do(r *request) error {
	b.mu.Lock()
	if b.running > 0 || b.ready > 0 || b.crowded {
		b.enqueue(r)
		b.mu.Unlock()
		return b.wait(r)
	}
	l := &b.lanes[r.lane]
	l.busy = true
	b.running++
	b.mu.Unlock()

	// Nobody else depends on this batch: it lives under the caller's context.
	m := b.store.takeMarker()
	b.run(r.ctx, m, []*request{r})
	b.store.putMarker(m)

	b.mu.Lock()
	b.ended([]*lane{l})
	b.mu.Unlock()
	return r.err
}

// start carries out r in the background.
func (b *batcher) start(r *request) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.enqueue(r)
}

// wait returns when r is done, or gives up when r.ctx ends.
func (b *batcher) wait(r *request) error {
	select {
	case <-r.done:
		return r.err
	case <-r.ctx.Done():
	}
	cause := context.Cause(r.ctx)
	if b.withdraw(r, cause) {
		return r.err
	}
	select {
	case <-r.done: // it was done in the same moment
		return r.err
	default:
	}
	return fmt.Errorf("%w: stopped waiting for the commit: %w", fdbevents.ErrOutcomeUnknown, cause)
}

// withdraw takes r off its queue if no batch has taken it yet.
func (b *batcher) withdraw(r *request, cause error) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := &b.lanes[r.lane]
	i := slices.Index(l.queue, r)
	if i < 0 {
		return false
	}
	l.queue = slices.Delete(l.queue, i, i+1)
	if !l.busy {
		b.ready--
	}
	r.finish(nil, fmt.Errorf("append not started: %w", cause))
	return true
}

// enqueue adds a request, and begins a batch if that is due. The caller holds mu.
func (b *batcher) enqueue(r *request) {
	l := &b.lanes[r.lane]
	l.queue = append(l.queue, r)
	if !l.busy {
		b.ready++
	}
	b.begin()
}

// begin begins a batch if one is due. The caller holds mu.
func (b *batcher) begin() {
	due := b.ready > 0 && b.running == 0 || b.ready >= enough && b.running < maxBatches
	if !due || b.starting {
		return
	}
	b.starting = true
	b.running++
	b.store.workers.Go(func() {
		// Callers who can run now, perhaps because the batch before has just told
		// them, shall come along: where processors are busy, batches grow.
		runtime.Gosched()
		b.mu.Lock()
		batch, taken := b.take() // nothing, if all have withdrawn meanwhile
		b.starting = false
		b.begin()
		b.mu.Unlock()
		// Each caller waits under its own context; the batch lives under the
		// store's.
		m := b.store.takeMarker()
		b.run(b.store.ctx, m, batch)
		b.store.putMarker(m)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended(taken)
	})
}

// ended frees the lanes of a batch. The caller holds mu.
func (b *batcher) ended(taken []*lane) {
	b.running--
	for _, l := range taken {
		l.busy = false
		b.ready += len(l.queue)
	}
	b.begin()
}

// take cuts a batch off the queues of lanes that are not busy, and makes these
// busy. The caller holds mu.
func (b *batcher) take() (batch []*request, taken []*lane) {
	var cost int64
	events := 0
	for i := range lanes {
		l := &b.lanes[(b.first+i)%lanes]
		if l.busy || len(l.queue) == 0 {
			continue
		}
		n := 0
		for n < len(l.queue) {
			r := l.queue[n]
			if len(batch) > 0 && (cost+r.cost > maxBatchCost || events+r.count > maxBatchEvents) {
				break
			}
			cost += r.cost
			events += r.count
			batch = append(batch, r)
			n++
		}
		if n == 0 {
			break
		}
		b.ready -= len(l.queue)
		l.busy = true
		l.queue = slices.Delete(l.queue, 0, n)
		taken = append(taken, l)
	}
	b.crowded = len(batch) > 1
	b.first = (b.first + 1) % lanes
	return batch, taken
}

// run carries out a batch in one transaction. Each request fails or succeeds on
// its own; if the transaction fails, all do.
func (b *batcher) run(ctx context.Context, m *marker, batch []*request) {
	s := b.store
	// The results of all requests are in one slice; those of the i-th begin at
	// first[i].
	var results []plannedResult
	first := make([]int, len(batch))
	failures := make([]error, len(batch))
	attempt := func(p *plan) error {
		results = results[:0]
		for _, r := range batch {
			p.fetch(r)
		}
		for i, r := range batch {
			first[i] = len(results)
			var err error
			results, err = p.apply(results, r)
			if IsEngineError(err) {
				return err
			}
			failures[i] = err
		}
		return nil
	}
	stamp, err := m.commit(ctx, attempt)
	if err != nil && s.ctx.Err() != nil && !errors.Is(err, fdbevents.ErrClosed) {
		// Close has given up. Callers whose own contexts go on are to know why.
		err = fmt.Errorf("%w: %w", fdbevents.ErrClosed, err)
	}
	for i, r := range batch {
		switch {
		case err != nil:
			r.finish(nil, err)
		case failures[i] != nil:
			r.finish(nil, withPosition(failures[i], stamp))
		default:
			s.stats.appends.Add(1)
			s.stats.events.Add(int64(r.count))
			r.finish(resolve(r.oneResult[:0], results[first[i]:][:len(r.appends)], stamp), nil)
		}
	}
}

// withPosition is a request's failure now that the stamp is known.
func withPosition(failure error, stamp engine.Stamp) error {
	var planned *plannedConditionError
	if errors.As(failure, &planned) {
		return &fdbevents.ConditionError{Position: layout.NewPosition(stamp, planned.index)}
	}
	return failure
}

// IsEngineError reports whether err is a failure of the engine, or the end of a context,
// and says nothing about what is stored.
func IsEngineError(err error) bool {
	if err == nil {
		return false // most often, and without what errors.As allocates
	}
	var e engine.Error
	return errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
