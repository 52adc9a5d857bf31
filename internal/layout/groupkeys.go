package layout

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// These are the kinds of a group's keys: the tuple element after the group's name.
const (
	GroupConfigKind   = 0 // (9, name, 0)                      → GroupConfig
	GroupBellKind     = 1 // (9, name, 1)                      → a number that changes
	GroupMemberKind   = 2 // (9, name, 2, member)              → heartbeat counter
	GroupLeaseKind    = 3 // (9, name, 3, partition)           → GroupLease
	GroupProgressKind = 4 // (9, name, 4, partition)           → GroupProgress
	GroupParkedKind   = 5 // (9, name, 5, partition, position) → GroupParked
	GroupReplayKind   = 6 // (9, name, 6, partition, position) → failures since it was replayed
)

// Groups returns the range of the keys of all consumer groups, or, if after is not
// empty, of the groups whose names follow after.
func (k Keys) Groups(after string) engine.Range {
	all := prefixRange(k.subspace(nil, spaceGroup))
	if after != "" {
		all.Begin = k.Group(after).End
	}
	return all
}

// Group returns the range of all keys of one group.
func (k Keys) Group(name string) engine.Range {
	return prefixRange(tuple.AppendString(k.subspace(nil, spaceGroup), name))
}

func (k Keys) groupKind(name string, kind int64) []byte {
	return tuple.AppendInt(tuple.AppendString(k.subspace(nil, spaceGroup), name), kind)
}

// GroupConfig returns the key of a group's settings.
func (k Keys) GroupConfig(name string) []byte { return k.groupKind(name, GroupConfigKind) }

// GroupBell returns the key of a group's bell. Its value changes when members should
// look at the group again.
func (k Keys) GroupBell(name string) []byte { return k.groupKind(name, GroupBellKind) }

// GroupMember returns the key of a member's heartbeat counter.
func (k Keys) GroupMember(name string, member uuid.UUID) []byte {
	return tuple.AppendUUID(k.groupKind(name, GroupMemberKind), member)
}

// GroupMembers returns the range of a group's members.
func (k Keys) GroupMembers(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupMemberKind))
}

// GroupLease returns the key of the lease of partition p.
func (k Keys) GroupLease(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, GroupLeaseKind), int64(p))
}

// GroupLeases returns the range of the leases of all partitions.
func (k Keys) GroupLeases(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupLeaseKind))
}

// GroupProgress returns the key of a group's progress in partition p.
func (k Keys) GroupProgress(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, GroupProgressKind), int64(p))
}

// GroupProgresses returns the range of a group's progress in all partitions.
func (k Keys) GroupProgresses(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupProgressKind))
}

// GroupParked returns the key of the parked event of partition p at a position.
func (k Keys) GroupParked(name string, p int, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, GroupParkedKind), int64(p)), at)
}

// GroupParkedAll returns the range of the parked events of all partitions.
func (k Keys) GroupParkedAll(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupParkedKind))
}

// GroupParkedIn returns the range of the parked events of one partition.
func (k Keys) GroupParkedIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, GroupParkedKind), int64(p)))
}

// GroupReplay returns the key of the event of partition p at a position that is to be
// replayed.
func (k Keys) GroupReplay(name string, p int, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, GroupReplayKind), int64(p)), at)
}

// GroupReplays returns the range of the events to be replayed in all partitions.
func (k Keys) GroupReplays(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupReplayKind))
}

// GroupReplaysIn returns the range of the events to be replayed in one partition.
func (k Keys) GroupReplaysIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, GroupReplayKind), int64(p)))
}

// GroupKey holds the elements of a consumer group's key. Kind decides which of Member,
// Partition and At the key has.
type GroupKey struct {
	Name      string
	Kind      int64
	Member    uuid.UUID
	Partition int
	At        fdbevents.Position
}

// ParseGroup parses a key of a consumer group.
func (k Keys) ParseGroup(key []byte) (g GroupKey, err error) {
	name, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	g.Name = name
	if err == nil {
		g.Kind, rest, err = tuple.ReadInt(rest)
	}
	if err == nil && g.Kind == GroupMemberKind {
		var raw tuple.UUID
		raw, rest, err = tuple.ReadUUID(rest)
		g.Member = uuid.UUID(raw)
	}
	if err == nil && g.Kind >= GroupLeaseKind && g.Kind <= GroupReplayKind {
		var p int64
		p, rest, err = tuple.ReadInt(rest)
		g.Partition = int(p)
	}
	if err == nil && (g.Kind == GroupParkedKind || g.Kind == GroupReplayKind) {
		g.At, rest, err = readPosition(rest)
	}
	return g, endKey(key, rest, err)
}

// NextGroup reads the first key and value of the first group after a name: its settings,
// unless the group is damaged. ok is false after the last group.
func (k Keys) NextGroup(r engine.Reader, after string) (first GroupKey, value []byte, ok bool, err error) {
	page, err := r.GetRange(k.Groups(after), engine.RangeOptions{Limit: 1}).Get()
	if err != nil || len(page.KeyValues) == 0 {
		return first, nil, false, err
	}
	kv := page.KeyValues[0]
	first, err = k.ParseGroup(kv.Key)
	return first, kv.Value, err == nil, err
}
