package groups

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// heartbeat is what one heartbeat's transaction saw and did.
type heartbeat struct {
	// member is the id that it was written under.
	member uuid.UUID
	// began is when the heartbeat began, by the member's clock. The lease time counts
	// from here, since others may see the heartbeat at any time after.
	began  time.Time
	config layout.GroupConfig
	// evicted is true when the member had joined and its key is gone. Then the
	// transaction did nothing, and the fields below are not complete.
	evicted bool
	// counters are the heartbeat counters of the live members, the member's own
	// included.
	counters map[uuid.UUID]int64
	// leases are the leases of all partitions after the transaction.
	leases []layout.GroupLease
	// took has the progress of each partition that the transaction took.
	took map[int]layout.GroupProgress
	// surplus is how many leases the member has to give up; it may be negative.
	surplus int
	// replays is true when the group has messages to replay.
	replays bool
}

// write commits a heartbeat. In the same transaction it looks at the group, removes
// members that are silent, and takes partitions that nobody holds. The watch is on the
// group's bell.
//
// The transaction may run again after an attempt that was committed: it takes a
// partition that is the member's own but not held like a free one.
func (h *heartbeatLoop) write(ctx context.Context) (hb heartbeat, bell engine.Watch, err error) {
	k, name := h.group.keys, h.group.name
	held := h.leases.partitions()
	began := time.Now()
	h.counter++
	err = h.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		hb = heartbeat{member: h.id, began: began, took: make(map[int]layout.GroupProgress)}
		r := tr.Snapshot()
		own := tr.Get(k.GroupMember(name, h.id))
		members := r.GetRange(k.GroupMembers(name), engine.RangeOptions{})
		replays := r.GetRange(k.GroupReplays(name), engine.RangeOptions{Limit: 1})
		var err error
		// This read conflicts, so that the heartbeat cannot overwrite a change of the
		// settings, above all a deletion.
		if hb.config, err = h.group.config(tr); err != nil {
			return err
		}
		if hb.leases, err = h.group.readLeases(r); err != nil {
			return err
		}
		there, err := own.Get()
		if err != nil {
			return err
		}
		bell = tr.Watch(k.GroupBell(name))
		if hb.evicted = h.joined && there == nil; hb.evicted {
			return nil
		}
		silent, err := h.removeSilent(tr, &hb, members)
		if err != nil {
			return err
		}
		tr.Set(k.GroupMember(name, h.id), layout.AppendGroupCount(nil, h.counter))
		if err := h.takeFree(tr, &hb, held); err != nil {
			return err
		}
		if there == nil || silent {
			h.group.ring(tr)
		}
		page, err := replays.Get()
		hb.replays = len(page.KeyValues) > 0
		return err
	})
	return hb, bell, err
}

// removeSilent reads the members into hb.counters, and removes those that had been
// silent for a LeaseTime when the heartbeat began. It reports whether there were any.
func (h *heartbeatLoop) removeSilent(tr engine.Transaction, hb *heartbeat, members engine.Future[engine.Page]) (silent bool, err error) {
	k := h.group.keys
	page, err := members.Get()
	if err != nil {
		return false, err
	}
	hb.counters = map[uuid.UUID]int64{h.id: h.counter}
	for _, kv := range page.KeyValues {
		g, err := k.ParseGroup(kv.Key)
		if err != nil {
			return false, err
		}
		counter, err := layout.DecodeGroupCount(kv.Value)
		if err != nil {
			return false, fmt.Errorf("heartbeat of member %s: %w", g.Member, err)
		}
		if g.Member == h.id {
			continue
		}
		seen, ok := h.observed[g.Member]
		if ok && seen.counter == counter && hb.began.Sub(seen.since) >= h.config.LeaseTime {
			// The read conflict spares a member that writes its heartbeat meanwhile.
			tr.AddReadConflict(engine.KeyRange(kv.Key))
			tr.Clear(kv.Key)
			silent = true
			continue
		}
		hb.counters[g.Member] = counter
	}
	return silent, nil
}

// takeFree takes partitions that no live member has, up to the member's share, and
// those that are the member's own but not held.
func (h *heartbeatLoop) takeFree(tr engine.Transaction, hb *heartbeat, held map[int]bool) error {
	k, name := h.group.keys, h.group.name
	members := make([]uuid.UUID, 0, len(hb.counters))
	for id := range hb.counters {
		members = append(members, id)
	}
	share := shares(hb.leases, members)[h.id]
	owned := 0
	for _, l := range hb.leases {
		if l.Owner == h.id {
			owned++
		}
	}
	n := len(hb.leases)
	for i := range n {
		// Members that look at the same time begin at different partitions, so that
		// they seldom conflict.
		p := (int(h.id[0]) + i) % n
		_, lives := hb.counters[hb.leases[p].Owner]
		switch own := hb.leases[p].Owner == h.id; {
		case own && !held[p]:
		case !lives && owned < share:
			owned++
		default:
			continue
		}
		// Both reads conflict with a settlement, and with another member's taking.
		tr.AddReadConflict(engine.KeyRange(k.GroupLease(name, p)))
		value, err := tr.Get(k.GroupProgress(name, p)).Get()
		if err != nil {
			return err
		}
		if hb.took[p], err = layout.DecodeGroupProgress(value); err != nil {
			return fmt.Errorf("progress of partition %d: %w", p, err)
		}
		hb.leases[p] = layout.GroupLease{Owner: h.id, Epoch: hb.leases[p].Epoch + 1}
		tr.Set(k.GroupLease(name, p), layout.AppendGroupLease(nil, hb.leases[p]))
	}
	hb.surplus = owned - share
	return nil
}

// leave removes the member's key. Its leases have been given up, or are free because
// their owner is not a member any more. After an error the other members remove the
// key, when it has not moved for a LeaseTime.
func (h *heartbeatLoop) leave(ctx context.Context) error {
	k, name := h.group.keys, h.group.name
	err := h.door.Update(ctx, func(tr engine.Transaction, _ error) error {
		// A deleted group must leave no keys, not even the bell.
		if _, err := h.group.config(tr); err != nil {
			return err
		}
		tr.Clear(k.GroupMember(name, h.id))
		h.group.ring(tr)
		return nil
	})
	if errors.Is(err, fdbevents.ErrGroupDeleted) {
		err = nil
	}
	return err
}
