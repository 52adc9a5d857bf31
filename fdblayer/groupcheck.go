package fdblayer

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents/engine"
)

// groups verifies that what consumer groups keep can be read, that a group has
// settings and one lease and one progress for each partition, and that its parked
// messages are in the log.
func (c *checker) groups(ctx context.Context) error {
	s := c.store
	for name := ""; ; {
		next, err := s.groupAfter(ctx, name)
		if err != nil || next == "" {
			return err
		}
		name = next
		if err := c.groupStates(ctx, name); err != nil {
			return err
		}
		if err := c.scan(ctx, s.keys.group(name), func(r engine.Reader, kvs []engine.KeyValue, f *findings) error {
			return c.groupKeys(r, name, kvs, f)
		}); err != nil {
			return err
		}
	}
}

// groupAfter is the name of the group after another, or "".
func (s *Store) groupAfter(ctx context.Context, name string) (next string, err error) {
	err = s.view(ctx, func(r reader) error {
		next = ""
		page, err := r.GetRange(s.keys.groups(name), engine.RangeOptions{Limit: 1}).Get()
		if err != nil || len(page.KeyValues) == 0 {
			return err
		}
		key, err := s.keys.parseGroup(page.KeyValues[0].Key)
		next = key.name
		return err
	})
	return next, err
}

// groupStates looks at how many of its keys a group has, at one moment.
func (c *checker) groupStates(ctx context.Context, name string) error {
	s := c.store
	var f findings
	err := s.view(ctx, func(r reader) error {
		f = findings{}
		config := r.Get(s.keys.groupConfig(name))
		leases := r.GetRange(s.keys.groupLeases(name), engine.RangeOptions{})
		progress := r.GetRange(s.keys.groupProgresses(name), engine.RangeOptions{})
		any := r.GetRange(s.keys.group(name), engine.RangeOptions{Limit: 1})
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
		switch n := s.header.partitions; {
		case err != nil || len(left.KeyValues) == 0: // it was deleted meanwhile
		case value == nil:
			f.problem("consumer group %q has no settings", name)
		case len(l.KeyValues) != n || len(p.KeyValues) != n:
			f.problem("consumer group %q has %d leases and %d progresses of %d partitions", name, len(l.KeyValues), len(p.KeyValues), n)
		}
		return err
	})
	if err != nil {
		return err
	}
	return c.add(ctx, f)
}

// groupKeys looks at keys of a group one by one.
func (c *checker) groupKeys(r engine.Reader, name string, kvs []engine.KeyValue, f *findings) error {
	s := c.store
	slots := make([]engine.Future[[]byte], len(kvs))
	what := make([]string, len(kvs))
	for i, kv := range kvs {
		key, err := s.keys.parseGroup(kv.Key)
		if err != nil {
			f.problem("consumer group %q: %v", name, err)
			continue
		}
		switch key.kind {
		case groupConfigKind:
			what[i] = "settings"
			_, err = decodeGroupConfig(kv.Value)
		case groupBellKind:
		case groupMemberKind:
			what[i] = fmt.Sprint("member ", key.member)
			_, err = decodeGroupCount(kv.Value)
		case groupLeaseKind:
			what[i] = fmt.Sprint("lease of partition ", key.partition)
			_, err = decodeGroupLease(kv.Value)
		case groupProgressKind:
			what[i] = fmt.Sprint("progress of partition ", key.partition)
			_, err = decodeGroupProgress(kv.Value)
		case groupParkedKind:
			what[i] = fmt.Sprintf("message at position %s, parked", key.at)
			_, err = decodeGroupParked(kv.Value)
			slots[i] = r.Get(s.keys.slot(nil, key.partition, key.at))
		case groupReplayKind:
			what[i] = fmt.Sprintf("message at position %s, to be replayed", key.at)
			_, err = decodeGroupCount(kv.Value)
			slots[i] = r.Get(s.keys.slot(nil, key.partition, key.at))
		default:
			f.problem("consumer group %q has a key of unknown kind %d", name, key.kind)
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
			f.problem("consumer group %q, %s: it leads to a place where the log has nothing", name, what[i])
		}
	}
	return nil
}
