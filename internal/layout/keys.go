package layout

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// Subspaces of the store, the first tuple element of every key. CONTRIBUTING.md
// has a picture of them.
const (
	spaceHeader     = 0  // (0[, what, …])               → header, progress of long work
	spaceHead       = 1  // (1, stream)                  → head
	spaceEntry      = 2  // (2, stream, revision)        → entry
	spaceLog        = 3  // (3, partition, stamp[, k])   → record, or its k-th further chunk
	spaceID         = 4  // (4, event id, stream)        → idEntry
	spaceTag        = 5  // (5, tag, stamp)              → partition
	spaceDoorbell   = 6  // (6, partition)               → stamp
	spaceMark       = 7  // (7, process, marker)         → mark
	spaceCheckpoint = 8  // (8, name)                    → position
	spaceGroup      = 9  // (9, group, …)                → consumer groups
	spaceData       = 10 // (10, name, …)                → the application's own keys
	spaceProjection = 11 // (11, name[, generation[, …]]) → projection, position, view
)

// keys builds and parses every key of a store. Nothing else does.
type Keys struct {
	// prefix is put before every key; see engine.Engine.Prefix.
	Prefix []byte
}

// arena hands out the keys and values of one transaction from few allocations.
// What it has handed out is never moved or reused.
type Arena struct{ Free []byte }

// reserve makes room for n bytes. What it allocates for them, if it has to, has at
// least block bytes.
func (a *Arena) Reserve(n, block int) {
	if cap(a.Free) < n {
		a.Free = make([]byte, 0, max(n, block))
	}
}

// cut takes what was appended to a.free since the last cut.
func (a *Arena) Cut(b []byte) []byte {
	out := b[:len(b):len(b)]
	a.Free = b[len(b):]
	return out
}

func (k Keys) subspace(dst []byte, space int64) []byte {
	return tuple.AppendInt(append(dst, k.Prefix...), space)
}

func (k Keys) Header() []byte { return k.subspace(nil, spaceHeader) }

// indexed is how far partition p has been gone through for a system index that
// is being built.
func (k Keys) Indexed(index string, p int) []byte {
	dst := tuple.AppendString(tuple.AppendString(k.Header(), "index"), index)
	return tuple.AppendInt(dst, int64(p))
}

// allIndexed is the range of indexed over all partitions.
func (k Keys) AllIndexed(index string) engine.Range {
	return prefixRange(tuple.AppendString(tuple.AppendString(k.Header(), "index"), index))
}

// scavenged is where an interrupted scavenge goes on.
func (k Keys) Scavenged() []byte { return tuple.AppendString(k.Header(), "scavenge") }

func (k Keys) Head(dst []byte, stream string) []byte {
	return tuple.AppendString(k.subspace(dst, spaceHead), stream)
}

// heads is the range of the heads of all streams whose name begins with prefix.
func (k Keys) Heads(prefix string) engine.Range {
	return k.namesWithPrefix(spaceHead, prefix)
}

func (k Keys) ParseHead(key []byte) (stream string, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	return stream, endKey(key, rest, err)
}

func (k Keys) Entry(dst []byte, stream string, revision int64) []byte {
	dst = tuple.AppendString(k.subspace(dst, spaceEntry), stream)
	return tuple.AppendInt(dst, revision)
}

// entries is the range of a stream's entries with from <= revision <= to.
func (k Keys) Entries(stream string, from, to int64) engine.Range {
	return engine.Range{
		Begin: k.Entry(nil, stream, from),
		End:   append(k.Entry(nil, stream, to), 0),
	}
}

// allEntries is the range of the entries of all streams.
func (k Keys) AllEntries() engine.Range { return prefixRange(k.subspace(nil, spaceEntry)) }

func (k Keys) ParseEntry(key []byte) (stream string, revision int64, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		revision, rest, err = tuple.ReadInt(rest)
	}
	return stream, revision, endKey(key, rest, err)
}

// log is the range of partition p's slots, chunks included, with
// from <= position <= to.
func (k Keys) Log(p int, from, to fdbevents.Position) engine.Range {
	return engine.Range{
		Begin: k.Slot(nil, p, from),
		End:   append(k.Slot(nil, p, to), 0xff),
	}
}

func (k Keys) partition(dst []byte, space int64, p int) []byte {
	return tuple.AppendInt(k.subspace(dst, space), int64(p))
}

func (k Keys) Slot(dst []byte, p int, at fdbevents.Position) []byte {
	return appendPosition(k.partition(dst, spaceLog, p), at)
}

// record is the range of one record: its slot and its further chunks.
func (k Keys) Record(p int, at fdbevents.Position) engine.Range {
	slot := k.Slot(nil, p, at)
	return engine.Range{Begin: slot, End: append(bytes.Clone(slot), 0xff)}
}

// stampedSlot is the operand of a versionstamped key: the slot, or for
// chunk > 0 the further chunk, of the event with the given index.
func (k Keys) StampedSlot(dst []byte, p, index, chunk int) []byte {
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
func (k Keys) SlotSize(p int) int { return k.partitionSize(p) + 13 }

// parseSlot reads a key of partition p's log. chunk is 0 for the slot itself.
func (k Keys) ParseSlot(p int, key []byte) (at fdbevents.Position, chunk int64, err error) {
	at, rest, err := readPosition(key[k.partitionSize(p):])
	if err == nil && len(rest) > 0 {
		chunk, rest, err = tuple.ReadInt(rest)
	}
	return at, chunk, endKey(key, rest, err)
}

func (k Keys) ID(dst []byte, id uuid.UUID, stream string) []byte {
	dst = tuple.AppendUUID(k.subspace(dst, spaceID), id)
	return tuple.AppendString(dst, stream)
}

// streamsOfID is the range of an event id's entries, one for each stream that has
// it.
func (k Keys) StreamsOfID(id uuid.UUID) engine.Range {
	return prefixRange(tuple.AppendUUID(k.subspace(nil, spaceID), id))
}

// ids is the range of all event ids.
func (k Keys) IDs() engine.Range { return prefixRange(k.subspace(nil, spaceID)) }

func (k Keys) ParseID(key []byte) (id uuid.UUID, stream string, err error) {
	raw, rest, err := tuple.ReadUUID(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		stream, rest, err = tuple.ReadString(rest)
	}
	return uuid.UUID(raw), stream, endKey(key, rest, err)
}

func (k Keys) Tag(dst []byte, tag string, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendString(k.subspace(dst, spaceTag), tag), at)
}

// tagged is the range of the index entries for tag with from <= position <= to.
func (k Keys) Tagged(tag string, from, to fdbevents.Position) engine.Range {
	var a Arena
	a.Reserve(2*(len(k.Prefix)+len(tag)+20), 0)
	return engine.Range{
		Begin: a.Cut(k.Tag(a.Free, tag, from)),
		End:   a.Cut(append(k.Tag(a.Free, tag, to), 0)),
	}
}

// allTagged is the range of the index entries for all tags that begin with
// prefix.
func (k Keys) AllTagged(prefix string) engine.Range { return k.namesWithPrefix(spaceTag, prefix) }

// stampedTag is the operand of a versionstamped key: the index entry for tag of
// the event with the given index.
func (k Keys) StampedTag(dst []byte, tag string, index int) []byte {
	start := len(dst)
	dst = tuple.AppendString(k.subspace(dst, spaceTag), tag)
	dst, at := appendUnstamped(dst, index)
	return binary.LittleEndian.AppendUint32(dst, uint32(at-start))
}

func (k Keys) ParseTag(key []byte) (tag string, at fdbevents.Position, err error) {
	tag, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		at, rest, err = readPosition(rest)
	}
	return tag, at, endKey(key, rest, err)
}

func (k Keys) Doorbell(dst []byte, p int) []byte { return k.partition(dst, spaceDoorbell, p) }

// doorbells is the range of the doorbells of all partitions.
func (k Keys) Doorbells() engine.Range { return prefixRange(k.subspace(nil, spaceDoorbell)) }

func (k Keys) Marker(process uuid.UUID, n int) []byte {
	return tuple.AppendInt(tuple.AppendUUID(k.subspace(nil, spaceMark), process), int64(n))
}

// marks is the range of the marks of one process, or of all when process is the
// zero UUID.
func (k Keys) Marks(process uuid.UUID) engine.Range {
	key := k.subspace(nil, spaceMark)
	if process != uuid.Nil {
		key = tuple.AppendUUID(key, process)
	}
	return prefixRange(key)
}

// data is the range of the application's keys under name; each begins with the
// range's begin, and goes on with the application's bytes. The last byte keeps
// these from continuing the name.
func (k Keys) Data(name string) engine.Range {
	begin := append(tuple.AppendString(k.subspace(nil, spaceData), name), 1)
	end := bytes.Clone(begin)
	end[len(end)-1] = 2
	return engine.Range{Begin: begin, End: end}
}

func (k Keys) Checkpoint(name string) []byte {
	return tuple.AppendString(k.subspace(nil, spaceCheckpoint), name)
}

// checkpoints is the range of all checkpoints.
func (k Keys) Checkpoints() engine.Range { return prefixRange(k.subspace(nil, spaceCheckpoint)) }

func (k Keys) ParseCheckpoint(key []byte) (name string, err error) {
	name, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	return name, endKey(key, rest, err)
}

func (k Keys) Projection(name string) []byte {
	return tuple.AppendString(k.subspace(nil, spaceProjection), name)
}

// projections is the range of all projections, with their generations and views.
func (k Keys) Projections() engine.Range { return prefixRange(k.subspace(nil, spaceProjection)) }

// wholeProjection is the range of everything of one projection.
func (k Keys) WholeProjection(name string) engine.Range { return prefixRange(k.Projection(name)) }

// generation is where a generation of a projection has come to.
func (k Keys) Generation(name string, g int64) []byte {
	return tuple.AppendInt(k.Projection(name), g)
}

// wholeGeneration is the range of a generation's position and view.
func (k Keys) WholeGeneration(name string, g int64) engine.Range {
	return prefixRange(k.Generation(name, g))
}

// view is the range of the keys that a generation of a projection has written, see
// data.
func (k Keys) View(name string, g int64) engine.Range {
	begin := append(k.Generation(name, g), 1)
	end := bytes.Clone(begin)
	end[len(end)-1] = 2
	return engine.Range{Begin: begin, End: end}
}

// parseProjection reads a key of the projections. g is none in the key of the
// projection itself; view is true for a key of the generation's view.
func (k Keys) ParseProjection(key []byte) (name string, g int64, view bool, err error) {
	g = NoGeneration
	name, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	if err == nil && len(rest) > 0 {
		g, rest, err = tuple.ReadInt(rest)
	}
	view = len(rest) > 0
	if err == nil && view && rest[0] != 1 {
		err = errTrailing
	}
	return name, g, view, KeyError(key, err)
}

// subspaceSize is the encoded size of a subspace number above 0.
const subspaceSize = 2

// partitionSize is the size of what comes before the stamp or tag in a key of
// partition p: prefix, subspace and the partition number, 0 being shorter.
func (k Keys) partitionSize(p int) int {
	n := len(k.Prefix) + subspaceSize + 1
	for ; p > 0; p >>= 8 {
		n++
	}
	return n
}

// namesWithPrefix is the range of (space, name) for all names that begin with
// prefix: the encoded name without its terminator, and whatever follows.
func (k Keys) namesWithPrefix(space int64, prefix string) engine.Range {
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

// After is the smallest key after key.
func After(key []byte) []byte { return append(key[:len(key):len(key)], 0) }

func appendPosition(dst []byte, at fdbevents.Position) []byte {
	return tuple.AppendVersionstamp(dst, toVersionstamp(at))
}

func toVersionstamp(at fdbevents.Position) (v tuple.Versionstamp) {
	b := at.Bytes()
	copy(v.TransactionVersion[:], b[:])
	v.UserVersion = binary.BigEndian.Uint16(b[len(v.TransactionVersion):])
	return v
}

func readPosition(b []byte) (fdbevents.Position, []byte, error) {
	v, rest, err := tuple.ReadVersionstamp(b)
	if err != nil {
		return fdbevents.Position{}, nil, err
	}
	return NewPosition(v.TransactionVersion, int(v.UserVersion)), rest, nil
}

// appendUnstamped appends an incomplete versionstamp and tells where its 10
// bytes are.
func appendUnstamped(dst []byte, index int) ([]byte, int) {
	at := len(dst) + 1 // after the type code
	v := tuple.Versionstamp{UserVersion: uint16(index)}
	return tuple.AppendVersionstamp(dst, v), at
}

var errTrailing = fmt.Errorf("%w: more bytes than the key has elements", fdbevents.ErrCorrupt)

// endKey refuses a key with something after its last element.
func endKey(key, rest []byte, err error) error {
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return KeyError(key, err)
}

func KeyError(key []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("key %x: %w", key, err)
}

// hashStream is FNV-1a, which is part of the format: a stream's partition is its hash
// modulo the number of partitions.
func HashStream(stream string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(stream) {
		h = (h ^ uint64(stream[i])) * 1099511628211
	}
	return h
}
