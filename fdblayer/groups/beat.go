package groups

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// observation is what a member saw of another: its counter, and since when it has
// not moved, by the observer's own clock.
type observation struct {
	counter int64
	since   time.Time
}

// groupView is what a heartbeat's transaction saw and did.
type groupView struct {
	config layout.GroupConfig
	// evicted is true when the member's own key is gone.
	evicted bool
	// counters are the live members', the own one included.
	counters map[uuid.UUID]int64
	// leases are those after the transaction, took the progress of those taken
	// by it.
	leases []layout.GroupLease
	took   map[int]layout.GroupProgress
	// surplus is how many leases are to be given up.
	surplus int
	// replays is true when there is something to be replayed.
	replays bool
}

// beat writes a heartbeat, and in the same transaction looks at the group: it
// removes members that are silent, and takes partitions that nobody has. The
// watch is on the group's bell. It is called by one goroutine at a time.
func (m *Member) beat(ctx context.Context) (engine.Watch, error) {
	v, began, bell, err := m.viewGroup(ctx)
	if err == nil && v.evicted {
		// Others took over. What they did not take is free.
		m.mu.Lock()
		for _, l := range m.leases {
			m.drop(l)
		}
		m.id, m.joined, m.counter = uuid.New(), false, 0
		m.mu.Unlock()
		bell.Cancel()
		v, began, bell, err = m.viewGroup(ctx)
	}
	if err != nil {
		return nil, err
	}
	m.joined = true
	now := time.Now()
	for id, counter := range v.counters {
		if seen, ok := m.observed[id]; !ok || seen.counter != counter {
			m.observed[id] = observation{counter, now}
		}
	}
	for id := range m.observed {
		if _, ok := v.counters[id]; !ok {
			delete(m.observed, id)
		}
	}
	m.apply(v, began)
	return bell, nil
}

// viewGroup is the heartbeat's transaction. It may run twice: a partition that is
// the member's own, but is not held, is taken like a free one.
func (m *Member) viewGroup(ctx context.Context) (v groupView, began time.Time, bell engine.Watch, err error) {
	k, name := m.group.keys, m.group.name
	m.mu.Lock()
	held := make(map[int]bool, len(m.leases))
	for p := range m.leases {
		held[p] = true
	}
	m.mu.Unlock()
	began = time.Now()
	m.counter++
	err = m.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		v = groupView{took: make(map[int]layout.GroupProgress)}
		r := tr.Snapshot()
		own := tr.Get(k.GroupMember(name, m.id))
		members := r.GetRange(k.GroupMembers(name), engine.RangeOptions{})
		replays := r.GetRange(k.GroupReplays(name), engine.RangeOptions{Limit: 1})
		var err error
		// A change of the settings, deletion above all, must not be overwritten.
		if v.config, err = m.group.config(tr); err != nil {
			return err
		}
		if v.leases, err = m.group.readLeases(r); err != nil {
			return err
		}
		there, err := own.Get()
		if err != nil {
			return err
		}
		bell = tr.Watch(k.GroupBell(name))
		if v.evicted = m.joined && there == nil; v.evicted {
			return nil
		}
		silent, err := m.liveMembers(tr, &v, members, began)
		if err != nil {
			return err
		}
		tr.Set(k.GroupMember(name, m.id), layout.AppendGroupCount(nil, m.counter))
		if err := m.takeFree(tr, &v, held); err != nil {
			return err
		}
		if there == nil || silent {
			m.group.ring(tr)
		}
		page, err := replays.Get()
		v.replays = len(page.KeyValues) > 0
		return err
	})
	return v, began, bell, err
}

// liveMembers reads the members, and removes those that were silent for too long
// at the time that the heartbeat began.
func (m *Member) liveMembers(tr engine.Transaction, v *groupView, members engine.Future[engine.Page], began time.Time) (silent bool, err error) {
	k := m.group.keys
	page, err := members.Get()
	if err != nil {
		return false, err
	}
	v.counters = map[uuid.UUID]int64{m.id: m.counter}
	for _, kv := range page.KeyValues {
		g, err := k.ParseGroup(kv.Key)
		if err != nil {
			return false, err
		}
		counter, err := layout.DecodeGroupCount(kv.Value)
		if err != nil {
			return false, fmt.Errorf("heartbeat of member %s: %w", g.Member, err)
		}
		if g.Member == m.id {
			continue
		}
		seen, ok := m.observed[g.Member]
		if ok && seen.counter == counter && began.Sub(seen.since) >= m.config.LeaseTime {
			// If it writes its heartbeat in this very moment, it lives.
			tr.AddReadConflict(engine.KeyRange(kv.Key))
			tr.Clear(kv.Key)
			silent = true
			continue
		}
		v.counters[g.Member] = counter
	}
	return silent, nil
}

// takeFree takes partitions that no live member has, up to the member's share.
func (m *Member) takeFree(tr engine.Transaction, v *groupView, held map[int]bool) error {
	k, name := m.group.keys, m.group.name
	members := make([]uuid.UUID, 0, len(v.counters))
	for id := range v.counters {
		members = append(members, id)
	}
	share := shares(v.leases, members)[m.id]
	owned := 0
	for _, l := range v.leases {
		if l.Owner == m.id {
			owned++
		}
	}
	n := len(v.leases)
	for i := range n {
		p := (int(m.id[0]) + i) % n // members that look at the same time begin at different ones
		_, lives := v.counters[v.leases[p].Owner]
		switch own := v.leases[p].Owner == m.id; {
		case own && !held[p]:
		case !lives && owned < share:
			owned++
		default:
			continue
		}
		// Both conflict with a settlement or a taking by somebody else.
		tr.AddReadConflict(engine.KeyRange(k.GroupLease(name, p)))
		value, err := tr.Get(k.GroupProgress(name, p)).Get()
		if err != nil {
			return err
		}
		if v.took[p], err = layout.DecodeGroupProgress(value); err != nil {
			return fmt.Errorf("progress of partition %d: %w", p, err)
		}
		v.leases[p] = layout.GroupLease{Owner: m.id, Epoch: v.leases[p].Epoch + 1}
		tr.Set(k.GroupLease(name, p), layout.AppendGroupLease(nil, v.leases[p]))
	}
	v.surplus = owned - share
	return nil
}

// shares is how many partitions each member shall have: as many as any other, or
// one more. Those who have most get these, so that as few as possible move. All
// members who see the same come to the same result.
func shares(leases []layout.GroupLease, members []uuid.UUID) map[uuid.UUID]int {
	owned := make(map[uuid.UUID]int)
	for _, l := range leases {
		owned[l.Owner]++
	}
	sorted := slices.Clone(members)
	slices.SortFunc(sorted, func(a, b uuid.UUID) int {
		return cmp.Or(cmp.Compare(owned[b], owned[a]), slices.Compare(a[:], b[:]))
	})
	out := make(map[uuid.UUID]int, len(sorted))
	for i, id := range sorted {
		out[id] = len(leases) / len(sorted)
		if i < len(leases)%len(sorted) {
			out[id]++
		}
	}
	return out
}

// apply makes the member's leases what the heartbeat found.
func (m *Member) apply(v groupView, began time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.beatAt = began
	m.paused = v.config.Paused
	for p, l := range m.leases {
		if stored := v.leases[p]; stored.Owner != m.id || stored.Epoch != l.epoch {
			m.drop(l)
		}
	}
	for p, progress := range v.took {
		m.start(p, v.leases[p].Epoch, progress)
	}
	m.drain(v.surplus)
	for _, l := range m.leases {
		if v.replays {
			l.replayDue = true
			signal(l.wake)
		}
	}
	signal(m.available)
}

// drain makes n leases stop delivering, so that they can be given up: those that
// do already, then those with the fewest messages to wait for. The caller holds
// mu.
func (m *Member) drain(n int) {
	leases := make([]*lease, 0, len(m.leases))
	for _, l := range m.leases {
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
			signal(m.settle)
		}
	}
}

// flush has the settler write checkpoints that moved over events which the group
// does not select.
func (m *Member) flush() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.leases {
		if l.stored.Checkpoint.Before(l.checkpoint(nil)) {
			l.behind = true
			signal(m.settle)
		}
	}
}
