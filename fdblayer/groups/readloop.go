package groups

import (
	"context"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// readLoop reads the partition of a lease, and what is to be replayed there, into the
// lease's unsettled events. It is one goroutine from the taking of the lease until the
// lease is dropped or the membership ends. The fields from through on are guarded by
// mu.
type readLoop struct {
	*membership
	lease *lease
	// settles takes the settlements of replays that have no event any more.
	settles *settleLoop
	// wake wakes the loop: news, replayDue or the room in unsettled has changed.
	wake signal
	// cancel ends the loop.
	cancel context.CancelFunc

	// through is the position up to which the partition was read. Only the loop changes
	// it.
	through fdbevents.Position
	// news is true when the partition may have more events.
	news bool
	// replayDue is true when there may be replays to read.
	replayDue bool
	// replayMore is true when the last page of replays was not the last one.
	replayMore bool
	// replayed are the replays that were settled since the loop last began to read
	// replays: the page may still have them.
	replayed map[fdbevents.Position]bool
}

// run reads until ctx ends.
func (r *readLoop) run(ctx context.Context) {
	pages := r.door.Partition(r.lease.partition, r.through, r.group.options.Filter)
	for ctx.Err() == nil {
		var err error
		switch events, replays := r.work(); {
		case replays:
			if err = r.readReplays(ctx); err != nil {
				r.again(&r.replayDue)
			}
		case events:
			var page fdblayer.PartitionPage
			if page, err = pages.Next(ctx); err == nil {
				r.add(page)
			} else {
				r.again(&r.news)
			}
		default:
			select {
			case <-r.wake:
			case <-ctx.Done():
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if fatal(err) {
			r.stop(err)
			return
		}
		r.trouble("reading for consumer group", err)
		pause(ctx)
	}
}

// work says what to read next, and clears the flag that asked for it.
func (r *readLoop) work() (events, replays bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.replayDue {
		r.replayDue = false
		r.replayed = make(map[fdbevents.Position]bool)
		return false, true
	}
	if r.news && !r.lease.unsettled.full() && len(r.lease.stored.Settled) < settledAhead {
		r.news = false
		return true, false
	}
	return false, false
}

// again sets a flag after a read that failed.
func (r *readLoop) again(flag *bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	*flag = true
}

// add takes in a page of the partition.
func (r *readLoop) add(page fdblayer.PartitionPage) {
	l := r.lease
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, ev := range page.Events {
		if !r.group.options.Filter.Matches(ev) {
			continue
		}
		if _, done := slices.BinarySearchFunc(l.stored.Settled, ev.Position, fdbevents.Position.Compare); done {
			continue
		}
		failed := 0
		if i, ok := findAttempt(l.stored.Attempts, ev.Position); ok {
			failed = l.stored.Attempts[i].Failed
		}
		d := newDelivery(l, ev, failed)
		l.unsettled.add(d)
		l.enqueue(d)
	}
	r.through = page.Through
	r.news = r.news || !page.Tail
}

// findAttempt searches attempts, which are in the order of positions, for a position.
func findAttempt(attempts []layout.GroupAttempt, at fdbevents.Position) (int, bool) {
	return slices.BinarySearchFunc(attempts, at, func(a layout.GroupAttempt, at fdbevents.Position) int { return a.At.Compare(at) })
}
