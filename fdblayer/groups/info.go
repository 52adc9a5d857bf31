package groups

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// Info is the state of a consumer group.
type Info struct {
	Name string
	// Options are the settings that the group was created with, defaults filled in.
	Options Options
	Paused  bool
	// Members are the ids of the members that live, and of those that died and were not
	// removed by another member yet, which happens after a LeaseTime.
	Members []uuid.UUID
	// Partitions has one element for each partition of the log.
	Partitions []Partition
}

// Partition is the state of a consumer group in one partition of the log.
type Partition struct {
	// Owner is the id of the member that holds the lease, the zero UUID when no member
	// does.
	Owner uuid.UUID
	// Epoch rises whenever the partition changes hands.
	Epoch int64
	// Checkpoint is the position up to which every selected event is settled.
	Checkpoint fdbevents.Position
	// Ahead is how many events after the checkpoint are settled.
	Ahead int
	// Retrying is how many events after the checkpoint have failed and will be
	// delivered again.
	Retrying int
	// Lag is how many selected events are not settled. Counting stops after 10,000
	// events, selected or not; with a query that selects few, N may then be 0.
	Lag Count
	// Parked is how many messages are parked.
	Parked Count
	// Replaying is how many messages that were parked are to be delivered again.
	Replaying Count
}

// Count is a number that is counted up to a bound.
type Count struct {
	N int64
	// More is true when there may be more than N.
	More bool
}

// String returns the number, with a plus sign when there may be more.
func (c Count) String() string {
	if c.More {
		return fmt.Sprintf("%d+", c.N)
	}
	return fmt.Sprint(c.N)
}

// Plus returns the sum of two counts.
func (c Count) Plus(d Count) Count { return Count{c.N + d.N, c.More || d.More} }

// Lag returns the sum over all partitions.
func (i *Info) Lag() (c Count) {
	for _, p := range i.Partitions {
		c = c.Plus(p.Lag)
	}
	return c
}

// Parked returns the number of parked messages in all partitions.
func (i *Info) Parked() (c Count) {
	for _, p := range i.Partitions {
		c = c.Plus(p.Parked)
	}
	return c
}

// maxCount bounds what Info counts in a partition, and the events that it reads there
// for the lag.
const maxCount = 10_000

// List yields all consumer groups in the order of their names, each as Info returns
// it. After an error the iterator ends.
func List(ctx context.Context, s *fdblayer.Store) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		for name := ""; ; {
			next, err := nextGroup(ctx, s.Door(), name)
			if err != nil {
				yield(Info{}, fmt.Errorf("listing consumer groups: %w", err))
				return
			}
			if next == nil {
				return
			}
			name = next.name
			info, err := next.Info(ctx)
			if errors.Is(err, fdbevents.ErrGroupDeleted) {
				continue // deleted meanwhile
			}
			if !yield(info, err) || err != nil {
				return
			}
		}
	}
}

// nextGroup returns the first group after a name, nil after the last one.
func nextGroup(ctx context.Context, d fdblayer.Door, name string) (g *Group, err error) {
	k := d.Keys()
	err = d.View(ctx, func(r fdblayer.Reader) error {
		g = nil
		key, value, ok, err := k.NextGroup(r, name)
		if err != nil || !ok {
			return err
		}
		if key.Kind != layout.GroupConfigKind {
			return fmt.Errorf("consumer group %q: %w: it has no settings", key.Name, fdbevents.ErrCorrupt)
		}
		c, err := layout.DecodeGroupConfig(value)
		if err != nil {
			return fmt.Errorf("consumer group %q: %w", key.Name, err)
		}
		g = &Group{door: d, keys: k, name: key.Name, incarnation: c.Incarnation, options: optionsOf(c)}
		return nil
	})
	return g, err
}

// Info returns the state of the group. Leases, checkpoints and parked messages are
// those of one moment; the lag is counted afterwards, by reading the events that are
// not settled.
//
// Errors: ErrGroupDeleted, ErrClosed.
func (g *Group) Info(ctx context.Context) (Info, error) {
	info := Info{Name: g.name, Options: g.options}
	var progress []layout.GroupProgress
	err := g.read(ctx, "looking at", func(r fdblayer.Reader, c layout.GroupConfig) (err error) {
		info.Paused = c.Paused
		progress, err = g.readInfo(r, &info)
		return err
	})
	if err != nil {
		return info, err
	}
	for p := range info.Partitions {
		if info.Partitions[p].Lag, err = g.lag(ctx, p, progress[p]); err != nil {
			return info, fmt.Errorf("counting the lag of consumer group %q: %w", g.name, err)
		}
	}
	return info, nil
}

// readInfo fills in all of info that can be read at one moment, and returns the
// progress of each partition.
func (g *Group) readInfo(r engine.Reader, info *Info) ([]layout.GroupProgress, error) {
	k := g.keys
	n := g.door.Partitions()
	members := r.GetRange(k.GroupMembers(g.name), engine.RangeOptions{})
	values := make([]engine.Future[[]byte], n)
	parked := make([]engine.Future[engine.Page], n)
	replays := make([]engine.Future[engine.Page], n)
	for p := range n {
		values[p] = r.Get(k.GroupProgress(g.name, p))
		parked[p] = r.GetRange(k.GroupParkedIn(g.name, p), engine.RangeOptions{Limit: maxCount})
		replays[p] = r.GetRange(k.GroupReplaysIn(g.name, p), engine.RangeOptions{Limit: maxCount})
	}
	leases, err := g.readLeases(r)
	if err != nil {
		return nil, err
	}
	info.Members = nil
	page, err := members.Get()
	if err != nil {
		return nil, err
	}
	for _, kv := range page.KeyValues {
		key, err := k.ParseGroup(kv.Key)
		if err != nil {
			return nil, err
		}
		info.Members = append(info.Members, key.Member)
	}
	progress := make([]layout.GroupProgress, n)
	info.Partitions = make([]Partition, n)
	for p := range n {
		value, err := values[p].Get()
		if err != nil {
			return nil, err
		}
		if progress[p], err = layout.DecodeGroupProgress(value); err != nil {
			return nil, fmt.Errorf("progress of partition %d: %w", p, err)
		}
		out := &info.Partitions[p]
		out.Owner, out.Epoch = leases[p].Owner, leases[p].Epoch
		out.Checkpoint = progress[p].Checkpoint
		out.Ahead, out.Retrying = len(progress[p].Settled), len(progress[p].Attempts)
		for _, c := range []struct {
			count *Count
			keys  engine.Future[engine.Page]
		}{{&out.Parked, parked[p]}, {&out.Replaying, replays[p]}} {
			page, err := c.keys.Get()
			if err != nil {
				return nil, err
			}
			*c.count = Count{int64(len(page.KeyValues)), page.More}
		}
	}
	return progress, nil
}

// lag counts the selected events of a partition that are not settled.
func (g *Group) lag(ctx context.Context, p int, progress layout.GroupProgress) (lag Count, err error) {
	o := &g.options
	seen := 0
	pages := g.door.Partition(p, progress.Checkpoint, o.Filter)
	for {
		page, err := pages.Next(ctx)
		if err != nil {
			return lag, err
		}
		for _, ev := range page.Events {
			if seen++; seen > maxCount {
				lag.More = true
				return lag, nil
			}
			if !o.Filter.Matches(ev) {
				continue
			}
			if _, settled := slices.BinarySearchFunc(progress.Settled, ev.Position, fdbevents.Position.Compare); !settled {
				lag.N++
			}
		}
		if page.Tail {
			return lag, nil
		}
	}
}
