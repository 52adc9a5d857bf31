package fdblayer

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// Subspaces of the store, the first tuple element of every key. CONTRIBUTING.md
// has a picture of them.
const (
	spaceHeader     = 0  // (0)                          → header
	spaceHead       = 1  // (1, stream)                  → head
	spaceEntry      = 2  // (2, stream, revision)        → entry
	spaceLog        = 3  // (3, partition, stamp[, k])   → record, or its k-th further chunk
	spaceID         = 4  // (4, event id, stream)        → idEntry
	spaceTag        = 5  // (5, partition, tag, stamp)   → empty
	spaceDoorbell   = 6  // (6, partition)               → stamp
	spaceMark       = 7  // (7, process, marker)         → mark
	spaceCheckpoint = 8  // (8, name)                    → position
	spaceGroup      = 9  // (9, group, …)                → consumer groups
	spaceData       = 10 // (10, name, …)                → the application's own keys
)

// keys builds and parses every key of a store. Nothing else does.
type keys struct {
	// prefix is put before every key; see engine.Engine.Prefix.
	prefix []byte
}

// arena hands out the keys and values of one transaction from few allocations.
// What it has handed out is never moved or reused.
type arena struct{ free []byte }

// reserve makes room for n bytes without a further allocation.
func (a *arena) reserve(n int) {
	if cap(a.free) < n {
		a.free = make([]byte, 0, max(n, 4<<10))
	}
}

// cut takes what was appended to a.free since the last cut.
func (a *arena) cut(b []byte) []byte {
	out := b[:len(b):len(b)]
	a.free = b[len(b):]
	return out
}

func (k keys) subspace(dst []byte, space int64) []byte {
	return tuple.AppendInt(append(dst, k.prefix...), space)
}

func (k keys) header() []byte { return k.subspace(nil, spaceHeader) }

func (k keys) head(dst []byte, stream string) []byte {
	return tuple.AppendString(k.subspace(dst, spaceHead), stream)
}

// heads is the range of the heads of all streams whose name begins with prefix.
func (k keys) heads(prefix string) engine.Range {
	return k.namesWithPrefix(spaceHead, prefix)
}

func (k keys) parseHead(key []byte) (stream string, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.prefix)+subspaceSize:])
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return stream, wrapKey(key, err)
}

func (k keys) entry(dst []byte, stream string, revision int64) []byte {
	dst = tuple.AppendString(k.subspace(dst, spaceEntry), stream)
	return tuple.AppendInt(dst, revision)
}

// entries is the range of a stream's entries with from <= revision <= to.
func (k keys) entries(stream string, from, to int64) engine.Range {
	return engine.Range{
		Begin: k.entry(nil, stream, from),
		End:   append(k.entry(nil, stream, to), 0),
	}
}

// allEntries is the range of the entries of all streams.
func (k keys) allEntries() engine.Range { return prefixRange(k.subspace(nil, spaceEntry)) }

func (k keys) parseEntry(key []byte) (stream string, revision int64, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.prefix)+subspaceSize:])
	if err == nil {
		revision, rest, err = tuple.ReadInt(rest)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return stream, revision, wrapKey(key, err)
}

// log is the range of partition p's slots, chunks included, with
// from <= position <= to.
func (k keys) log(p int, from, to Position) engine.Range {
	return engine.Range{
		Begin: k.slot(nil, p, from),
		End:   append(k.slot(nil, p, to), 0xff),
	}
}

func (k keys) partition(dst []byte, space int64, p int) []byte {
	return tuple.AppendInt(k.subspace(dst, space), int64(p))
}

func (k keys) slot(dst []byte, p int, at Position) []byte {
	return appendPosition(k.partition(dst, spaceLog, p), at)
}

// record is the range of one record: its slot and its further chunks.
func (k keys) record(p int, at Position) engine.Range {
	slot := k.slot(nil, p, at)
	return engine.Range{Begin: slot, End: append(bytes.Clone(slot), 0xff)}
}

// stampedSlot is the operand of a versionstamped key: the slot, or for
// chunk > 0 the further chunk, of the event with the given index.
func (k keys) stampedSlot(dst []byte, p, index, chunk int) []byte {
	start := len(dst)
	dst = k.partition(dst, spaceLog, p)
	dst, at := appendUnstamped(dst, index)
	if chunk > 0 {
		dst = tuple.AppendInt(dst, int64(chunk))
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(at-start))
}

// slotSize is the size of a slot's key in partition p; the keys of its further
// chunks begin with it and go on.
func (k keys) slotSize(p int) int { return k.partitionSize(p) + 13 }

// parseSlot reads a key of partition p's log. chunk is 0 for the slot itself.
func (k keys) parseSlot(p int, key []byte) (at Position, chunk int64, err error) {
	at, rest, err := readPosition(key[k.partitionSize(p):])
	if err == nil && len(rest) > 0 {
		chunk, rest, err = tuple.ReadInt(rest)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return at, chunk, wrapKey(key, err)
}

func (k keys) id(dst []byte, id uuid.UUID, stream string) []byte {
	dst = tuple.AppendUUID(k.subspace(dst, spaceID), id)
	return tuple.AppendString(dst, stream)
}

// ids is the range of all event ids.
func (k keys) ids() engine.Range { return prefixRange(k.subspace(nil, spaceID)) }

func (k keys) parseID(key []byte) (id uuid.UUID, stream string, err error) {
	raw, rest, err := tuple.ReadUUID(key[len(k.prefix)+subspaceSize:])
	if err == nil {
		stream, rest, err = tuple.ReadString(rest)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return uuid.UUID(raw), stream, wrapKey(key, err)
}

func (k keys) tag(dst []byte, p int, tag string, at Position) []byte {
	return appendPosition(tuple.AppendString(k.partition(dst, spaceTag, p), tag), at)
}

// tagged is the range of partition p's index entries for tag with
// from <= position <= to.
func (k keys) tagged(p int, tag string, from, to Position) engine.Range {
	return engine.Range{
		Begin: k.tag(nil, p, tag, from),
		End:   append(k.tag(nil, p, tag, to), 0),
	}
}

// allTagged is the range of all of partition p's index entries.
func (k keys) allTagged(p int) engine.Range { return prefixRange(k.partition(nil, spaceTag, p)) }

// stampedTag is the operand of a versionstamped key: the index entry for tag of
// the event with the given index.
func (k keys) stampedTag(dst []byte, p int, tag string, index int) []byte {
	start := len(dst)
	dst = tuple.AppendString(k.partition(dst, spaceTag, p), tag)
	dst, at := appendUnstamped(dst, index)
	return binary.LittleEndian.AppendUint32(dst, uint32(at-start))
}

func (k keys) parseTag(p int, key []byte) (tag string, at Position, err error) {
	tag, rest, err := tuple.ReadString(key[k.partitionSize(p):])
	if err == nil {
		at, rest, err = readPosition(rest)
	}
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return tag, at, wrapKey(key, err)
}

func (k keys) doorbell(dst []byte, p int) []byte { return k.partition(dst, spaceDoorbell, p) }

func (k keys) marker(process uuid.UUID, n int) []byte {
	return tuple.AppendInt(tuple.AppendUUID(k.subspace(nil, spaceMark), process), int64(n))
}

// marks is the range of the marks of one process, or of all when process is the
// zero UUID.
func (k keys) marks(process uuid.UUID) engine.Range {
	key := k.subspace(nil, spaceMark)
	if process != uuid.Nil {
		key = tuple.AppendUUID(key, process)
	}
	return prefixRange(key)
}

// data is the range of the application's keys under name; each begins with the
// range's begin, and goes on with the application's bytes. The last byte keeps
// these from continuing the name.
func (k keys) data(name string) engine.Range {
	begin := append(tuple.AppendString(k.subspace(nil, spaceData), name), 1)
	end := bytes.Clone(begin)
	end[len(end)-1] = 2
	return engine.Range{Begin: begin, End: end}
}

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
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return g, wrapKey(key, err)
}

// subspaceSize is the encoded size of a subspace number above 0.
const subspaceSize = 2

// partitionSize is the size of what comes before the stamp or tag in a key of
// partition p: prefix, subspace and the partition number, 0 being shorter.
func (k keys) partitionSize(p int) int {
	n := len(k.prefix) + subspaceSize + 1
	for ; p > 0; p >>= 8 {
		n++
	}
	return n
}

// namesWithPrefix is the range of (space, name) for all names that begin with
// prefix: the encoded name without its terminator, and whatever follows.
func (k keys) namesWithPrefix(space int64, prefix string) engine.Range {
	begin := tuple.AppendString(k.subspace(nil, space), prefix)
	return prefixRange(begin[:len(begin)-1])
}

// prefixRange is every key that begins with prefix. Keys of a store never begin
// with 0xFF, and a tuple element does not either, so that prefix+FF is an end.
func prefixRange(prefix []byte) engine.Range {
	n := len(prefix)
	end := append(bytes.Clone(prefix), 0xff)
	return engine.Range{Begin: end[:n:n], End: end}
}

func appendPosition(dst []byte, at Position) []byte {
	return tuple.AppendVersionstamp(dst, toVersionstamp(at))
}

func toVersionstamp(at Position) (v tuple.Versionstamp) {
	copy(v.TransactionVersion[:], at.stamp[:10])
	v.UserVersion = binary.BigEndian.Uint16(at.stamp[10:])
	return v
}

func readPosition(b []byte) (Position, []byte, error) {
	v, rest, err := tuple.ReadVersionstamp(b)
	if err != nil {
		return Position{}, nil, err
	}
	return newPosition(v.TransactionVersion, int(v.UserVersion)), rest, nil
}

// appendUnstamped appends an incomplete versionstamp and tells where its 10
// bytes are.
func appendUnstamped(dst []byte, index int) ([]byte, int) {
	at := len(dst) + 1 // after the type code
	v := tuple.Versionstamp{UserVersion: uint16(index)}
	return tuple.AppendVersionstamp(dst, v), at
}

var errTrailing = fmt.Errorf("%w: more bytes than the key has elements", ErrCorrupt)

func wrapKey(key []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("key %x: %w", key, err)
}
