package layout

import (
	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// The kinds of a consumer group's keys, the element after its name.
const (
	GroupConfigKind   = 0 // (9, name, 0)                      → groupConfig
	GroupBellKind     = 1 // (9, name, 1)                      → a number that changes
	GroupMemberKind   = 2 // (9, name, 2, member)              → heartbeat counter
	GroupLeaseKind    = 3 // (9, name, 3, partition)           → groupLease
	GroupProgressKind = 4 // (9, name, 4, partition)           → groupProgress
	GroupParkedKind   = 5 // (9, name, 5, partition, position) → groupParked
	GroupReplayKind   = 6 // (9, name, 6, partition, position) → how often it failed again
)

// groups is the range of the keys of all consumer groups, or of those that come
// after the group with a name.
func (k Keys) Groups(after string) engine.Range {
	all := prefixRange(k.subspace(nil, spaceGroup))
	if after != "" {
		all.Begin = k.Group(after).End
	}
	return all
}

// group is the range of all keys of one group.
func (k Keys) Group(name string) engine.Range {
	return prefixRange(tuple.AppendString(k.subspace(nil, spaceGroup), name))
}

func (k Keys) groupKind(name string, kind int64) []byte {
	return tuple.AppendInt(tuple.AppendString(k.subspace(nil, spaceGroup), name), kind)
}

func (k Keys) GroupConfig(name string) []byte { return k.groupKind(name, GroupConfigKind) }
func (k Keys) GroupBell(name string) []byte   { return k.groupKind(name, GroupBellKind) }

func (k Keys) GroupMember(name string, member uuid.UUID) []byte {
	return tuple.AppendUUID(k.groupKind(name, GroupMemberKind), member)
}

// groupMembers is the range of a group's members.
func (k Keys) GroupMembers(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupMemberKind))
}

func (k Keys) GroupLease(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, GroupLeaseKind), int64(p))
}

// groupLeases is the range of the leases of all partitions.
func (k Keys) GroupLeases(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupLeaseKind))
}

func (k Keys) GroupProgress(name string, p int) []byte {
	return tuple.AppendInt(k.groupKind(name, GroupProgressKind), int64(p))
}

// groupProgresses is the range of the progresses of all partitions.
func (k Keys) GroupProgresses(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupProgressKind))
}

func (k Keys) GroupParked(name string, p int, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, GroupParkedKind), int64(p)), at)
}

// groupParkedAll is the range of what is parked in all partitions.
func (k Keys) GroupParkedAll(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupParkedKind))
}

// groupParkedIn is the range of what is parked in one partition.
func (k Keys) GroupParkedIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, GroupParkedKind), int64(p)))
}

func (k Keys) GroupReplay(name string, p int, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendInt(k.groupKind(name, GroupReplayKind), int64(p)), at)
}

// groupReplays is the range of what is to be replayed in all partitions.
func (k Keys) GroupReplays(name string) engine.Range {
	return prefixRange(k.groupKind(name, GroupReplayKind))
}

// groupReplaysIn is the range of what is to be replayed in one partition.
func (k Keys) GroupReplaysIn(name string, p int) engine.Range {
	return prefixRange(tuple.AppendInt(k.groupKind(name, GroupReplayKind), int64(p)))
}

// groupKey is what the key of a consumer group says; which of the last three
// fields do depends on the kind.
type GroupKey struct {
	Name      string
	Kind      int64
	Member    uuid.UUID
	Partition int
	At        fdbevents.Position
}

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
