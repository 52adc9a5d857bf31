package groups

import (
	"context"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// lease is a partition while a member holds it. The fields from stored on are
// guarded by the member's mu.
//
// Its feed reads the partition into the window. Of each stream, one event at a
// time is ready, delivered, or waits for a retry; the others stand in line, so
// that the order within a stream holds whatever happens to an event.
type lease struct {
	member    *Member
	partition int
	// owner is the id under which the member took it.
	owner uuid.UUID
	epoch int64
	// wake has room for one signal: the feed has something to do.
	wake chan struct{}
	// cancel ends the feed.
	cancel context.CancelFunc

	// stored is the progress as it is in the store.
	stored layout.GroupProgress
	// read is the position up to which the feed has read.
	read fdbevents.Position
	// window are the selected events up to read that are not settled, in order;
	// size is their bytes.
	window []*delivery
	size   int
	// replays are the parked events that are delivered again.
	replays map[fdbevents.Position]*delivery
	// replayed are those settled while the feed reads what is to be replayed, and
	// may find them yet.
	replayed map[fdbevents.Position]bool
	// lines are the events of each stream that are not settled, in the order of
	// delivery.
	lines map[string][]*delivery
	ready []*delivery
	// out counts the messages that were delivered and are not settled.
	out int
	// news means that the partition may have more events, replayDue that it may
	// have more to be replayed, and replayMore that not all of it was read.
	news, replayDue, replayMore bool
	// behind means that the stored checkpoint can be moved.
	behind bool
	// draining leases deliver nothing more and are given up when nothing is out;
	// releasing ones are just being given up, lost ones are not the member's.
	draining, releasing, lost bool
}

// delivery is an event on its way, over all its attempts.
type delivery struct {
	lease    *lease
	event    *fdbevents.Event
	replayed bool
	// failed counts the attempts that failed.
	failed int
	// message is what the consumer holds, nil when there is none.
	message *Message
	// due is when the message times out or the retry is due; timer is the place
	// among the member's timers, -1 when it has none.
	due   time.Time
	timer int
}

const (
	// windowEvents, windowBytes and windowSettled bound what a lease reads ahead,
	// but for the page that exceeds them: events that are not settled, and those
	// that are but stand behind one that is not.
	windowEvents  = 256
	windowBytes   = 1 << 20
	windowSettled = 1024
	// replayPage is how many events are replayed at a time.
	replayPage = 64
)

// start begins to hold a partition. The caller holds mu.
func (m *Member) start(p int, epoch int64, progress layout.GroupProgress) {
	if old := m.leases[p]; old != nil {
		m.drop(old)
	}
	ctx, cancel := context.WithCancel(m.ctx)
	l := &lease{
		member: m, partition: p, owner: m.id, epoch: epoch, wake: make(chan struct{}, 1), cancel: cancel,
		stored: progress, read: progress.Checkpoint, news: true, replayDue: true,
		replays: make(map[fdbevents.Position]*delivery), lines: make(map[string][]*delivery),
	}
	m.leases[p] = l
	m.feeds.Go(func() { l.feed(ctx) })
}

// drop forgets a lease. What was delivered from it can no longer be settled. The
// caller holds mu.
func (m *Member) drop(l *lease) {
	if l.lost {
		return
	}
	l.lost = true
	l.cancel()
	for _, d := range l.window {
		m.clearTimer(d)
	}
	for _, d := range l.replays {
		m.clearTimer(d)
	}
	if m.leases[l.partition] == l {
		delete(m.leases, l.partition)
	}
	signal(m.look)
}

// feed reads the partition until ctx ends.
func (l *lease) feed(ctx context.Context) {
	m := l.member
	pages := m.door.Partition(l.partition, l.read, m.group.options.Filter)
	for ctx.Err() == nil {
		var err error
		switch read, replay := l.work(); {
		case replay:
			if err = l.readReplays(ctx); err != nil {
				l.again(&l.replayDue)
			}
		case read:
			var page fdblayer.PartitionPage
			if page, err = pages.Next(ctx); err == nil {
				l.add(page)
			} else {
				l.again(&l.news)
			}
		default:
			select {
			case <-l.wake:
			case <-ctx.Done():
			}
		}
		if err == nil || ctx.Err() != nil {
			continue
		}
		if m.fatal(err) {
			m.stop(err)
			return
		}
		m.door.Trouble("reading for consumer group "+m.group.name, err)
		select {
		case <-time.After(pauseAfterFailure):
		case <-ctx.Done():
		}
	}
}

// work says what the feed has to do, and takes that off the list.
func (l *lease) work() (read, replay bool) {
	l.member.mu.Lock()
	defer l.member.mu.Unlock()
	if l.replayDue {
		l.replayDue = false
		l.replayed = make(map[fdbevents.Position]bool)
		return false, true
	}
	if l.news && len(l.window) < windowEvents && l.size < windowBytes && len(l.stored.Settled) < windowSettled {
		l.news = false
		return true, false
	}
	return false, false
}

// again puts something back on the list.
func (l *lease) again(flag *bool) {
	l.member.mu.Lock()
	defer l.member.mu.Unlock()
	*flag = true
}

// add takes in a page of the partition.
func (l *lease) add(p fdblayer.PartitionPage) {
	m := l.member
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, ev := range p.Events {
		if !m.group.options.Filter.Matches(ev) {
			continue
		}
		if _, done := slices.BinarySearchFunc(l.stored.Settled, ev.Position, fdbevents.Position.Compare); done {
			continue
		}
		d := &delivery{lease: l, event: ev, timer: -1}
		if i, ok := findAttempt(l.stored.Attempts, ev.Position); ok {
			d.failed = l.stored.Attempts[i].Failed
		}
		l.window = append(l.window, d)
		l.size += eventSize(ev)
		l.enqueue(d)
	}
	l.read = p.Through
	l.news = l.news || !p.Tail
}

func findAttempt(attempts []layout.GroupAttempt, at fdbevents.Position) (int, bool) {
	return slices.BinarySearchFunc(attempts, at, func(a layout.GroupAttempt, at fdbevents.Position) int { return a.At.Compare(at) })
}

// eventSize is about the memory that an event takes.
func eventSize(ev *fdbevents.Event) int {
	return layout.RecordOverhead + len(ev.Stream) + len(ev.Type) + len(ev.Data) + len(ev.Metadata)
}

// readReplays reads what is to be replayed, as much as there is room for.
func (l *lease) readReplays(ctx context.Context) error {
	m := l.member
	k := m.group.keys
	type replay struct {
		at     fdbevents.Position
		failed int64
		event  fdbevents.Event
		there  bool
	}
	var found []replay
	var more bool
	err := m.door.View(ctx, func(r fdblayer.Reader) error {
		found = found[:0]
		got, err := r.GetRange(k.GroupReplaysIn(m.group.name, l.partition), engine.RangeOptions{Limit: replayPage}).Get()
		if err != nil {
			return err
		}
		more = got.More
		var d layout.RecordDecoder
		records := make([]engine.Future[[]byte], len(got.KeyValues))
		for i, kv := range got.KeyValues {
			g, err := k.ParseGroup(kv.Key)
			if err != nil {
				return err
			}
			failed, err := layout.DecodeGroupCount(kv.Value)
			if err != nil {
				return err
			}
			found = append(found, replay{at: g.At, failed: failed})
			records[i] = k.GetRecord(r, layout.Pointer{At: g.At, Partition: l.partition})
		}
		for i := range found {
			if found[i].there, err = k.AwaitRecord(&d, r, layout.Pointer{At: found[i].at, Partition: l.partition}, records[i], &found[i].event); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l.replayMore = more
	for i := range found {
		x := &found[i]
		if l.replayed[x.at] {
			l.replayDue = true // or it was parked and replayed once more
			continue
		}
		if l.replays[x.at] != nil {
			continue
		}
		x.event.Position = x.at
		d := &delivery{lease: l, event: &x.event, replayed: true, failed: int(x.failed), timer: -1}
		l.replays[x.at] = d
		if x.there {
			l.enqueue(d)
			continue
		}
		// Erased meanwhile: nobody can work on it any more. Its stream is not
		// known, so it stands in no line.
		m.submit(&settlement{delivery: d, how: settleAck})
	}
	return nil
}

// enqueue puts an event at the end of its stream's line. The caller holds mu.
func (l *lease) enqueue(d *delivery) {
	stream := d.event.Stream
	l.lines[stream] = append(l.lines[stream], d)
	if len(l.lines[stream]) == 1 {
		l.makeReady(d)
	}
}

// makeReady lets an event be delivered. The caller holds mu.
func (l *lease) makeReady(d *delivery) {
	l.ready = append(l.ready, d)
	signal(l.member.available)
}

// settled removes an event from all but the store, and lets the next one of its
// stream be delivered. The caller holds mu.
func (l *lease) settled(d *delivery) {
	if d.replayed {
		delete(l.replays, d.event.Position)
		l.replayed[d.event.Position] = true
		l.replayDue = l.replayDue || l.replayMore && len(l.replays) < replayPage/2
	} else if i, ok := slices.BinarySearchFunc(l.window, d.event.Position, func(d *delivery, at fdbevents.Position) int {
		return d.event.Position.Compare(at)
	}); ok {
		l.window = slices.Delete(l.window, i, i+1)
		l.size -= eventSize(d.event)
	}
	stream := d.event.Stream
	if line := l.lines[stream]; len(line) > 0 && line[0] == d {
		if l.lines[stream] = line[1:]; len(line) > 1 {
			l.makeReady(line[1])
		} else {
			delete(l.lines, stream)
		}
	}
	signal(l.wake) // there is room
}

// checkpoint is the position up to which everything selected is settled, when
// those of done are, too. The caller holds mu.
func (l *lease) checkpoint(done map[*delivery]bool) fdbevents.Position {
	at := l.read
	for _, d := range l.window {
		if !done[d] {
			at = d.event.Position.Prev()
			break
		}
	}
	if at.Before(l.stored.Checkpoint) {
		return l.stored.Checkpoint
	}
	return at
}
