package check

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// groups verifies that the keys of consumer groups can be decoded, that each group has
// settings, and one lease and one progress per partition, and that the events of its
// parked messages are in the log.
func (c *checker) groups(ctx context.Context) error {
	for name := ""; ; {
		next, err := c.groupAfter(ctx, name)
		if err != nil || next == "" {
			return err
		}
		name = next
		if err := c.groupStates(ctx, name); err != nil {
			return err
		}
		if err := c.scan(ctx, c.keys.Group(name), func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error {
			return c.groupKeys(r, name, kvs, f)
		}); err != nil {
			return err
		}
	}
}

// groupAfter returns the name of the group after name, or "" after the last.
func (c *checker) groupAfter(ctx context.Context, name string) (next string, err error) {
	err = c.door.View(ctx, func(r fdblayer.Reader) error {
		first, _, _, err := c.keys.NextGroup(r, name)
		next = first.Name
		return err
	})
	return next, err
}

// groupStates verifies in one transaction that a group has each key as often as it should.
func (c *checker) groupStates(ctx context.Context, name string) error {
	var f findings
	err := c.door.View(ctx, func(r fdblayer.Reader) error {
		f = findings{}
		config := r.Get(c.keys.GroupConfig(name))
		leases := r.GetRange(c.keys.GroupLeases(name), engine.RangeOptions{})
		progress := r.GetRange(c.keys.GroupProgresses(name), engine.RangeOptions{})
		any := r.GetRange(c.keys.Group(name), engine.RangeOptions{Limit: 1})
		value, err := config.Get()
		if err != nil {
			return err
		}
		l, err := leases.Get()
		if err != nil {
			return err
		}
		p, err := progress.Get()
		if err != nil {
			return err
		}
		left, err := any.Get()
		switch n := c.door.Partitions(); {
		case err != nil || len(left.KeyValues) == 0: // deleted meanwhile
		case value == nil:
			f.problem("consumer group %q has no settings", name)
		case len(l.KeyValues) != n || len(p.KeyValues) != n:
			f.problem("consumer group %q has %d leases and %d progress records for %d partitions", name, len(l.KeyValues), len(p.KeyValues), n)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.add(ctx, f)
}

// groupKeys verifies some keys of a group one by one.
func (c *checker) groupKeys(r engine.Reader, name string, kvs []engine.KeyValue, f *findings) error {
	slots := make([]engine.Future[[]byte], len(kvs))
	what := make([]string, len(kvs))
	for i, kv := range kvs {
		key, err := c.keys.ParseGroup(kv.Key)
		if err != nil {
			f.problem("consumer group %q: %v", name, err)
			continue
		}
		switch key.Kind {
		case layout.GroupConfigKind:
			what[i] = "settings"
			_, err = layout.DecodeGroupConfig(kv.Value)
		case layout.GroupBellKind:
		case layout.GroupMemberKind:
			what[i] = fmt.Sprint("member ", key.Member)
			_, err = layout.DecodeGroupCount(kv.Value)
		case layout.GroupLeaseKind:
			what[i] = fmt.Sprint("lease of partition ", key.Partition)
			_, err = layout.DecodeGroupLease(kv.Value)
		case layout.GroupProgressKind:
			what[i] = fmt.Sprint("progress of partition ", key.Partition)
			_, err = layout.DecodeGroupProgress(kv.Value)
		case layout.GroupParkedKind:
			what[i] = fmt.Sprintf("parked message at position %s", key.At)
			_, err = layout.DecodeGroupParked(kv.Value)
			slots[i] = r.Get(c.keys.Slot(nil, key.Partition, key.At))
		case layout.GroupReplayKind:
			what[i] = fmt.Sprintf("message at position %s, awaiting replay", key.At)
			_, err = layout.DecodeGroupCount(kv.Value)
			slots[i] = r.Get(c.keys.Slot(nil, key.Partition, key.At))
		default:
			f.problem("consumer group %q has a key of unknown kind %d", name, key.Kind)
		}
		if err != nil {
			f.problem("consumer group %q, %s: %v", name, what[i], err)
		}
	}
	for i, slot := range slots {
		if slot == nil {
			continue
		}
		value, err := slot.Get()
		if err != nil {
			return err
		}
		if value == nil {
			f.problem("consumer group %q, %s: that position is not in the log", name, what[i])
		}
	}
	return nil
}
