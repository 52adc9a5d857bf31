package groups

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// leaseSet is the leases that a member believes it holds, and what its consumers are
// handed from them. The fields from held on are guarded by mu.
type leaseSet struct {
	*membership
	// settles has the timers of what is delivered.
	settles *settleLoop
	// reading counts the read loops. Only the goroutine that writes heartbeats adds to
	// it, and it waits only after its last heartbeat.
	reading sync.WaitGroup

	// held has at most one lease for each partition, none of them lost. The heartbeat
	// adds leases; the heartbeat and the settle loop drop them.
	held map[int]*lease
	// turn is the partition that delivers next, so that all get a turn.
	turn int
	// paused is what the last heartbeat saw.
	paused bool
	// beatAt is when the last heartbeat that was committed began.
	beatAt time.Time
}

func newLeaseSet(shared *membership) *leaseSet {
	s := &leaseSet{membership: shared, held: make(map[int]*lease)}
	s.settles = &settleLoop{membership: shared, leases: s}
	return s
}

// partitions returns the partitions of the leases held.
func (s *leaseSet) partitions() map[int]bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[int]bool, len(s.held))
	for p := range s.held {
		out[p] = true
	}
	return out
}

// apply makes the leases what a heartbeat found and took.
func (s *leaseSet) apply(hb heartbeat) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.beatAt = hb.began
	s.paused = hb.config.Paused
	for p, l := range s.held {
		if stored := hb.leases[p]; stored.Owner != hb.member || stored.Epoch != l.epoch {
			s.drop(l)
		}
	}
	for p, progress := range hb.took {
		s.start(p, hb.member, hb.leases[p].Epoch, progress)
	}
	s.drain(hb.surplus)
	if hb.replays {
		for _, l := range s.held {
			l.reads.replayDue = true
			l.reads.wake.send()
		}
	}
	s.available.send()
}

// start begins to hold a partition. The caller holds mu.
func (s *leaseSet) start(p int, owner uuid.UUID, epoch int64, progress layout.GroupProgress) {
	if old := s.held[p]; old != nil {
		s.drop(old)
	}
	ctx, cancel := context.WithCancel(s.ctx)
	l := &lease{
		membership: s.membership, partition: p, owner: owner, epoch: epoch, stored: progress,
		unsettled: unsettled{replays: make(map[fdbevents.Position]*delivery), lines: make(map[string][]*delivery)},
	}
	l.reads = &readLoop{
		membership: s.membership, lease: l, settles: s.settles, wake: newSignal(), cancel: cancel,
		through: progress.Checkpoint, news: true, replayDue: true,
	}
	s.held[p] = l
	s.reading.Go(func() { l.reads.run(ctx) })
}

// drop forgets a lease. Messages delivered from it can no longer be settled. The
// caller holds mu.
func (s *leaseSet) drop(l *lease) {
	if l.lost {
		return
	}
	l.lost = true
	l.reads.cancel()
	for _, d := range l.unsettled.events {
		s.settles.timers.clear(d)
	}
	for _, d := range l.unsettled.replays {
		s.settles.timers.clear(d)
	}
	if s.held[l.partition] == l {
		delete(s.held, l.partition)
	}
	s.wakeHeartbeat.send()
}

// drain makes n leases stop delivering, so that they can be given up: first those that
// drain already, then those that wait for the fewest messages. The caller holds mu.
func (s *leaseSet) drain(n int) {
	leases := make([]*lease, 0, len(s.held))
	for _, l := range s.held {
		leases = append(leases, l)
	}
	rank := func(l *lease) int {
		if l.draining {
			return -1
		}
		return l.out
	}
	slices.SortFunc(leases, func(a, b *lease) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a.partition, b.partition))
	})
	for i, l := range leases {
		l.draining = i < n || l.releasing
		if l.draining && l.out == 0 {
			s.wakeSettle.send()
		}
	}
}

// saveCheckpoints makes the settle loop write checkpoints that moved over events that
// the group does not select: no settlement would write them.
func (s *leaseSet) saveCheckpoints() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.held {
		if l.stored.Checkpoint.Before(l.checkpoint(nil)) {
			l.behind = true
			s.wakeSettle.send()
		}
	}
}

// wake wakes the read loops of the partitions that events were appended to.
func (s *leaseSet) wake(events []*fdbevents.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ev := range events {
		if l := s.held[s.door.PartitionOf(ev.Stream)]; l != nil {
			l.reads.news = true
			l.reads.wake.send()
		}
	}
}

// wakeAll wakes the read loops of all partitions.
func (s *leaseSet) wakeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.held {
		l.reads.news = true
		l.reads.wake.send()
	}
}

// deliver returns a message that is ready, or nil.
func (s *leaseSet) deliver() *Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	// A member that has not written a heartbeat for a LeaseTime may have lost its
	// leases, and would deliver what others deliver, too.
	if s.paused || time.Since(s.beatAt) >= s.config.LeaseTime {
		return nil
	}
	n := s.door.Partitions()
	for range n {
		l := s.held[s.turn]
		s.turn = (s.turn + 1) % n
		if l == nil || l.draining || len(l.unsettled.ready) == 0 {
			continue
		}
		d := l.unsettled.ready[0]
		l.unsettled.ready = l.unsettled.ready[1:]
		l.out++
		d.message = &Message{
			Event: *d.event, Attempt: d.failed + 1, Replayed: d.replayed,
			Partition: l.partition, Epoch: l.epoch, delivery: d, settles: s.settles,
		}
		s.settles.setTimer(d, time.Now().Add(s.config.MessageTimeout))
		s.available.send() // another message may be ready, for another consumer
		return d.message
	}
	return nil
}
