package fdblayer

import (
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// The kinds of a consumer group's keys, the element after its name.
const (
	groupConfigKind   = 0 // (9, name, 0)                      → groupConfig
	groupBellKind     = 1 // (9, name, 1)                      → a number that changes
	groupMemberKind   = 2 // (9, name, 2, member)              → heartbeat counter
	groupLeaseKind    = 3 // (9, name, 3, partition)           → groupLease
	groupProgressKind = 4 // (9, name, 4, partition)           → groupProgress
	groupParkedKind   = 5 // (9, name, 5, partition, position) → groupParked
	groupReplayKind   = 6 // (9, name, 6, partition, position) → how often it failed again
)

// groups is the range of the keys of all consumer groups, or of those that come
// after the group with a name.
func (k keys) groups(after string) engine.Range {
	all := prefixRange(k.subspace(nil, spaceGroup))
	if after != "" {
		all.Begin = k.group(after).End
	}
	return all
}

// group is the range of all keys of one group.
func (k keys) group(name string) engine.Range {
	return prefixRange(tuple.AppendString(k.subspace(nil, spaceGroup), name))
}

func (k keys) groupKind(name string, kind int64) []byte {
	return tuple.AppendInt(tuple.AppendString(k.subspace(nil, spaceGroup), name), kind)
}

func (k keys) groupConfig(name string) []byte { return k.groupKind(name, groupConfigKind) }
func (k keys) groupBell(name string) []byte   { return k.groupKind(name, groupBellKind) }

func (k keys) groupMember(name string, member uuid.UUID) []byte {
	return tuple.AppendUUID(k.groupKind(name, groupMemberKind), member)
}

// groupMembers is the range of a group's members.
func (k keys) groupMembers(name string) engine.Range {
	return prefixRange(k.groupKind(name, groupMemberKind))
}

func (k keys) groupLease(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, groupLeaseKind), int64(p))
}

// groupLeases is the range of the leases of all partitions.
func (k keys) groupLeases(name string) engine.Range {
	return prefixRange(k.groupKind(name, groupLeaseKind))
}

func (k keys) groupProgress(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, groupProgressKind), int64(p))
}

// groupProgresses is the range of the progresses of all partitions.
func (k keys) groupProgresses(name string) engine.Range {
	return prefixRange(k.groupKind(name, groupProgressKind))
}

func (k keys) groupParked(name string, p int, at Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, groupParkedKind), int64(p)), at)
}

// groupParkedAll is the range of what is parked in all partitions.
func (k keys) groupParkedAll(name string) engine.Range {
	return prefixRange(k.groupKind(name, groupParkedKind))
}

// groupParkedIn is the range of what is parked in one partition.
func (k keys) groupParkedIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, groupParkedKind), int64(p)))
}

func (k keys) groupReplay(name string, p int, at Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, groupReplayKind), int64(p)), at)
}

// groupReplays is the range of what is to be replayed in all partitions.
func (k keys) groupReplays(name string) engine.Range {
	return prefixRange(k.groupKind(name, groupReplayKind))
}

// groupReplaysIn is the range of what is to be replayed in one partition.
func (k keys) groupReplaysIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, groupReplayKind), int64(p)))
}

// groupKey is what the key of a consumer group says; which of the last three
// fields do depends on the kind.
type groupKey struct {
	name      string
	kind      int64
	member    uuid.UUID
	partition int
	at        Position
}

func (k keys) parseGroup(key []byte) (g groupKey, err error) {
	name, rest, err := tuple.ReadString(key[len(k.prefix)+subspaceSize:])
	g.name = name
	if err == nil {
		g.kind, rest, err = tuple.ReadInt(rest)
	}
	if err == nil && g.kind == groupMemberKind {
		var raw tuple.UUID
		raw, rest, err = tuple.ReadUUID(rest)
		g.member = uuid.UUID(raw)
	}
	if err == nil && g.kind >= groupLeaseKind && g.kind <= groupReplayKind {
		var p int64
		p, rest, err = tuple.ReadInt(rest)
		g.partition = int(p)
	}
	if err == nil && (g.kind == groupParkedKind || g.kind == groupReplayKind) {
		g.at, rest, err = readPosition(rest)
	}
	return g, endKey(key, rest, err)
}
