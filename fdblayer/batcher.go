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

// batcher turns concurrent appends into few engine transactions. An append that finds
// nothing under way runs at once on the caller's goroutine, unless the batch before it
// was crowded. Other appends queue while a batch is under way and go together when it
// ends, or earlier if many are waiting.
//
// Streams are spread over lanes. A lane is in at most one batch at a time, so that
// concurrent batches do not write the same heads and the appends to one stream keep
// their order.
type batcher struct {
	store *Store

	// mu guards everything below it, the lanes included.
	mu    sync.Mutex
	lanes [lanes]lane
	// ready is the number of requests queued in lanes that are not busy.
	ready int
	// running is the number of batches under way, including one that is starting.
	running int
	// starting is true while a batch has begun but has not taken its requests yet. At
	// most one batch is starting.
	starting bool
	// crowded is true if the last batch that was taken from the queues had several
	// requests. Their callers often come back together, and if the first one went
	// alone, all others would wait for it.
	crowded bool
	// nextLane is where the next batch begins to take requests, so that every lane gets
	// its turn.
	nextLane int
}

// lane is one of the queues of a batcher, guarded by its mu.
type lane struct {
	// queue holds the requests that no batch has taken yet, in the order of the calls.
	queue []*request
	// busy is true while a batch that has requests of this lane is under way.
	busy bool
}

const (
	lanes = 64
	// maxBatches is the most batches under way.
	maxBatches = 8
	// enough is how many waiting requests justify another batch while one is under way.
	enough = 16
	// maxBatchCost, in bytes, and maxBatchEvents bound a batch of several requests. A
	// request beyond them goes alone. FoundationDB works best with transactions below 1
	// MB.
	maxBatchCost   = 800_000
	maxBatchEvents = 1024
)

// do carries out r and returns when it is done or r.ctx ends. The caller must not hold
// mu.
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

	// This batch serves only its caller, so it runs under the caller's context.
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

// wait returns when r is done, and withdraws it or stops waiting when r.ctx ends.
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
	case <-r.done: // it finished at the same moment
		return r.err
	default:
	}
	return fmt.Errorf("%w: stopped waiting for the commit: %w", fdbevents.ErrOutcomeUnknown, cause)
}

// withdraw takes r off its queue and fails it, unless a batch has already taken it.
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

// enqueue adds a request, and begins a batch if one is due. The caller holds mu.
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
		// Yield first, so that callers woken by the previous batch can join this one:
		// where processors are busy, batches grow.
		runtime.Gosched()
		b.mu.Lock()
		batch, taken := b.take() // empty if all callers have withdrawn
		b.starting = false
		b.begin()
		b.mu.Unlock()
		// Each caller waits under its own context; the batch runs under the store's.
		m := b.store.takeMarker()
		b.run(b.store.ctx, m, batch)
		b.store.putMarker(m)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.ended(taken)
	})
}

// ended releases the lanes of a batch that is over, and begins another batch if one is
// due. The caller holds mu.
func (b *batcher) ended(taken []*lane) {
	b.running--
	for _, l := range taken {
		l.busy = false
		b.ready += len(l.queue)
	}
	b.begin()
}

// take takes a batch from the queues of lanes that are not busy, and marks those lanes
// busy. The caller holds mu.
func (b *batcher) take() (batch []*request, taken []*lane) {
	var cost int64
	events := 0
	for i := range lanes {
		l := &b.lanes[(b.nextLane+i)%lanes]
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
	b.nextLane = (b.nextLane + 1) % lanes
	return batch, taken
}

// run carries out a batch in one transaction. Each request fails or succeeds on its
// own; if the transaction fails, all of them do.
func (b *batcher) run(ctx context.Context, m *marker, batch []*request) {
	s := b.store
	// results holds the results of all requests; the i-th request's begin at begins[i].
	var results []plannedResult
	begins := make([]int, len(batch))
	failures := make([]error, len(batch))
	attempt := func(p *plan) error {
		results = results[:0]
		for _, r := range batch {
			p.fetch(r)
		}
		for i, r := range batch {
			begins[i] = len(results)
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
		// Close has given up. Callers whose own contexts have not ended learn why.
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
			r.finish(resolve(r.oneResult[:0], results[begins[i]:][:len(r.appends)], stamp), nil)
		}
	}
}

// withPosition returns a request's failure, now that the stamp of its transaction is
// known: a plannedConditionError becomes a ConditionError.
func withPosition(failure error, stamp engine.Stamp) error {
	var planned *plannedConditionError
	if errors.As(failure, &planned) {
		return &fdbevents.ConditionError{Position: layout.NewPosition(stamp, planned.index)}
	}
	return failure
}

// IsEngineError reports whether err is a failure of the engine or the end of a context,
// and so says nothing about what is stored.
func IsEngineError(err error) bool {
	if err == nil {
		return false // the usual case, which spares the allocation of errors.As
	}
	var e engine.Error
	return errors.As(err, &e) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
}
