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

// The subspaces of a store: the first tuple element of every key. docs/keys.md has a
// picture of them.
const (
	spaceHeader     = 0  // (0[, what, …])               → header; places of long work
	spaceHead       = 1  // (1, stream)                  → Head
	spaceEntry      = 2  // (2, stream, revision)        → Entry
	spaceLog        = 3  // (3, partition, stamp[, k])   → record, or its k-th further chunk
	spaceID         = 4  // (4, event id, stream)        → IDEntry
	spaceTag        = 5  // (5, tag, stamp)              → partition
	spaceDoorbell   = 6  // (6, partition)               → stamp
	spaceMark       = 7  // (7, process, marker)         → Mark
	spaceCheckpoint = 8  // (8, name)                    → position
	spaceGroup      = 9  // (9, group, …)                → consumer groups
	spaceData       = 10 // (10, name, …)                → the application's own keys
	spaceProjection = 11 // (11, name[, generation[, …]]) → projection, position, view
)

// Keys builds and parses the keys of a store. Methods that take dst append the key to
// it, like append; the others return a new slice. The Parse methods take a key of their
// own subspace, under the same Prefix; their errors name the key.
type Keys struct {
	// Prefix begins every key; see engine.Engine.Prefix. Keys never modifies it.
	Prefix []byte
}

// Arena allocates the keys and values of one transaction in few blocks. The caller
// appends to Free and passes the result to Cut. The slices that Cut returned are never
// moved or reused. An Arena is not safe for concurrent use.
type Arena struct{ Free []byte }

// Reserve makes room for n bytes in Free. If it has to allocate, it allocates at least
// block bytes.
func (a *Arena) Reserve(n, block int) {
	if cap(a.Free) < n {
		a.Free = make([]byte, 0, max(n, block))
	}
}

// Cut returns b, which the caller made by appending to a.Free, and moves a.Free behind
// it. If b did not fit into Free, Free goes on in the memory that append allocated.
func (a *Arena) Cut(b []byte) []byte {
	out := b[:len(b):len(b)]
	a.Free = b[len(b):]
	return out
}

func (k Keys) subspace(dst []byte, space int64) []byte {
	return tuple.AppendInt(append(dst, k.Prefix...), space)
}

// Header returns the key of the store's header.
func (k Keys) Header() []byte { return k.subspace(nil, spaceHeader) }

// Indexed returns the key of the place in partition p that the builder of a system
// index has reached.
func (k Keys) Indexed(index string, p int) []byte {
	dst := tuple.AppendString(tuple.AppendString(k.Header(), "index"), index)
	return tuple.AppendInt(dst, int64(p))
}

// AllIndexed returns the range of the Indexed keys of all partitions.
func (k Keys) AllIndexed(index string) engine.Range {
	return prefixRange(tuple.AppendString(tuple.AppendString(k.Header(), "index"), index))
}

// Scavenged returns the key of the place where an interrupted scavenge resumes.
func (k Keys) Scavenged() []byte { return tuple.AppendString(k.Header(), "scavenge") }

// Head returns the key of a stream's head.
func (k Keys) Head(dst []byte, stream string) []byte {
	return tuple.AppendString(k.subspace(dst, spaceHead), stream)
}

// Heads returns the range of the heads of all streams whose name begins with prefix.
func (k Keys) Heads(prefix string) engine.Range {
	return k.namesWithPrefix(spaceHead, prefix)
}

// ParseHead parses the key of a head.
func (k Keys) ParseHead(key []byte) (stream string, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	return stream, endKey(key, rest, err)
}

// Entry returns the key of a stream's entry for a revision.
func (k Keys) Entry(dst []byte, stream string, revision int64) []byte {
	dst = tuple.AppendString(k.subspace(dst, spaceEntry), stream)
	return tuple.AppendInt(dst, revision)
}

// Entries returns the range of a stream's entries with from <= revision <= to.
func (k Keys) Entries(stream string, from, to int64) engine.Range {
	return engine.Range{
		Begin: k.Entry(nil, stream, from),
		End:   append(k.Entry(nil, stream, to), 0),
	}
}

// AllEntries returns the range of the entries of all streams.
func (k Keys) AllEntries() engine.Range { return prefixRange(k.subspace(nil, spaceEntry)) }

// ParseEntry parses the key of a stream entry.
func (k Keys) ParseEntry(key []byte) (stream string, revision int64, err error) {
	stream, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		revision, rest, err = tuple.ReadInt(rest)
	}
	return stream, revision, endKey(key, rest, err)
}

// Log returns the range of the slots of partition p, further chunks included, with from
// <= position <= to.
func (k Keys) Log(p int, from, to fdbevents.Position) engine.Range {
	return engine.Range{
		Begin: k.Slot(nil, p, from),
		End:   append(k.Slot(nil, p, to), 0xff),
	}
}

func (k Keys) partition(dst []byte, space int64, p int) []byte {
	return tuple.AppendInt(k.subspace(dst, space), int64(p))
}

// Slot returns the key of the log slot of partition p at a position.
func (k Keys) Slot(dst []byte, p int, at fdbevents.Position) []byte {
	return appendPosition(k.partition(dst, spaceLog, p), at)
}

// Record returns the range of one record: its slot and its further chunks.
func (k Keys) Record(p int, at fdbevents.Position) engine.Range {
	slot := k.Slot(nil, p, at)
	return engine.Range{Begin: slot, End: append(bytes.Clone(slot), 0xff)}
}

// StampedSlot appends the operand of a versionstamped key: the slot of the event with
// the given index in its transaction, or, for chunk > 0, its chunk-th further chunk.
func (k Keys) StampedSlot(dst []byte, p, index, chunk int) []byte {
	start := len(dst)
	dst = k.partition(dst, spaceLog, p)
	dst, at := appendUnstamped(dst, index)
	if chunk > 0 {
		dst = tuple.AppendInt(dst, int64(chunk))
	}
	return binary.LittleEndian.AppendUint32(dst, uint32(at-start))
}

// SlotSize returns the size in bytes of the key of a slot of partition p. The keys of
// the slot's further chunks begin with the slot's key.
func (k Keys) SlotSize(p int) int { return k.partitionSize(p) + 13 }

// ParseSlot parses a key of the log of partition p. chunk is 0 for the slot itself.
func (k Keys) ParseSlot(p int, key []byte) (at fdbevents.Position, chunk int64, err error) {
	at, rest, err := readPosition(key[k.partitionSize(p):])
	if err == nil && len(rest) > 0 {
		chunk, rest, err = tuple.ReadInt(rest)
	}
	return at, chunk, endKey(key, rest, err)
}

// ID returns the key of the entry of an event id in a stream.
func (k Keys) ID(dst []byte, id uuid.UUID, stream string) []byte {
	dst = tuple.AppendUUID(k.subspace(dst, spaceID), id)
	return tuple.AppendString(dst, stream)
}

// StreamsOfID returns the range of the entries of an event id, one for each stream that
// has it.
func (k Keys) StreamsOfID(id uuid.UUID) engine.Range {
	return prefixRange(tuple.AppendUUID(k.subspace(nil, spaceID), id))
}

// IDs returns the range of the entries of all event ids.
func (k Keys) IDs() engine.Range { return prefixRange(k.subspace(nil, spaceID)) }

// ParseID parses the key of an event id's entry.
func (k Keys) ParseID(key []byte) (id uuid.UUID, stream string, err error) {
	raw, rest, err := tuple.ReadUUID(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		stream, rest, err = tuple.ReadString(rest)
	}
	return uuid.UUID(raw), stream, endKey(key, rest, err)
}

// Tag returns the key of a tag's index entry for the event at a position.
func (k Keys) Tag(dst []byte, tag string, at fdbevents.Position) []byte {
	return appendPosition(tuple.AppendString(k.subspace(dst, spaceTag), tag), at)
}

// Tagged returns the range of the index entries of tag with from <= position <= to.
func (k Keys) Tagged(tag string, from, to fdbevents.Position) engine.Range {
	var a Arena
	a.Reserve(2*(len(k.Prefix)+len(tag)+20), 0)
	return engine.Range{
		Begin: a.Cut(k.Tag(a.Free, tag, from)),
		End:   a.Cut(append(k.Tag(a.Free, tag, to), 0)),
	}
}

// AllTagged returns the range of the index entries of all tags that begin with prefix.
func (k Keys) AllTagged(prefix string) engine.Range { return k.namesWithPrefix(spaceTag, prefix) }

// StampedTag appends the operand of a versionstamped key: the index entry of tag for
// the event with the given index in its transaction.
func (k Keys) StampedTag(dst []byte, tag string, index int) []byte {
	start := len(dst)
	dst = tuple.AppendString(k.subspace(dst, spaceTag), tag)
	dst, at := appendUnstamped(dst, index)
	return binary.LittleEndian.AppendUint32(dst, uint32(at-start))
}

// ParseTag parses the key of a tag's index entry.
func (k Keys) ParseTag(key []byte) (tag string, at fdbevents.Position, err error) {
	tag, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	if err == nil {
		at, rest, err = readPosition(rest)
	}
	return tag, at, endKey(key, rest, err)
}

// Doorbell returns the key of the doorbell of partition p.
func (k Keys) Doorbell(dst []byte, p int) []byte { return k.partition(dst, spaceDoorbell, p) }

// Doorbells returns the range of the doorbells of all partitions.
func (k Keys) Doorbells() engine.Range { return prefixRange(k.subspace(nil, spaceDoorbell)) }

// Marker returns the key of the mark that the n-th marker of a process writes.
func (k Keys) Marker(process uuid.UUID, n int) []byte {
	return tuple.AppendInt(tuple.AppendUUID(k.subspace(nil, spaceMark), process), int64(n))
}

// Marks returns the range of the marks of one process, or of all processes if process
// is the zero UUID.
func (k Keys) Marks(process uuid.UUID) engine.Range {
	key := k.subspace(nil, spaceMark)
	if process != uuid.Nil {
		key = tuple.AppendUUID(key, process)
	}
	return prefixRange(key)
}

// Data returns the range of the application's keys under name. Each key begins with the
// Begin of the range and continues with the application's bytes. The last byte of Begin
// keeps these bytes from continuing the name.
func (k Keys) Data(name string) engine.Range {
	begin := append(tuple.AppendString(k.subspace(nil, spaceData), name), 1)
	end := bytes.Clone(begin)
	end[len(end)-1] = 2
	return engine.Range{Begin: begin, End: end}
}

// Checkpoint returns the key of a checkpoint.
func (k Keys) Checkpoint(name string) []byte {
	return tuple.AppendString(k.subspace(nil, spaceCheckpoint), name)
}

// Checkpoints returns the range of all checkpoints.
func (k Keys) Checkpoints() engine.Range { return prefixRange(k.subspace(nil, spaceCheckpoint)) }

// ParseCheckpoint parses the key of a checkpoint.
func (k Keys) ParseCheckpoint(key []byte) (name string, err error) {
	name, rest, err := tuple.ReadString(key[len(k.Prefix)+subspaceSize:])
	return name, endKey(key, rest, err)
}

// Projection returns the key of a projection.
func (k Keys) Projection(name string) []byte {
	return tuple.AppendString(k.subspace(nil, spaceProjection), name)
}

// Projections returns the range of all projections, with their generations and views.
func (k Keys) Projections() engine.Range { return prefixRange(k.subspace(nil, spaceProjection)) }

// WholeProjection returns the range of all keys of one projection.
func (k Keys) WholeProjection(name string) engine.Range { return prefixRange(k.Projection(name)) }

// Generation returns the key of the position that generation g of a projection has
// reached.
func (k Keys) Generation(name string, g int64) []byte {
	return tuple.AppendInt(k.Projection(name), g)
}

// WholeGeneration returns the range of a generation's position and view.
func (k Keys) WholeGeneration(name string, g int64) engine.Range {
	return prefixRange(k.Generation(name, g))
}

// View returns the range of the keys that generation g of a projection has written.
// They are built like the keys of Data.
func (k Keys) View(name string, g int64) engine.Range {
	begin := append(k.Generation(name, g), 1)
	end := bytes.Clone(begin)
	end[len(end)-1] = 2
	return engine.Range{Begin: begin, End: end}
}

// ParseProjection parses a key of a projection. g is NoGeneration in the key of the
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

// partitionSize returns the size of the part of a key of partition p that precedes the
// stamp: prefix, subspace and partition number. The encoded 0 is shorter than other
// numbers.
func (k Keys) partitionSize(p int) int {
	n := len(k.Prefix) + subspaceSize + 1
	for ; p > 0; p >>= 8 {
		n++
	}
	return n
}

// namesWithPrefix returns the range of (space, name) for all names that begin with
// prefix: the encoded prefix without its terminator, and everything that begins with
// it.
func (k Keys) namesWithPrefix(space int64, prefix string) engine.Range {
	begin := tuple.AppendString(k.subspace(nil, space), prefix)
	return prefixRange(begin[:len(begin)-1])
}

// prefixRange returns the range of every key that begins with prefix. No key of a store
// begins with 0xFF, and neither does a tuple element, so prefix+FF is after all of
// them.
func prefixRange(prefix []byte) engine.Range {
	n := len(prefix)
	end := append(bytes.Clone(prefix), 0xff)
	return engine.Range{Begin: end[:n:n], End: end}
}

// After returns the smallest key after key. It does not share the memory of key.
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

// appendUnstamped appends an incomplete versionstamp and returns the offset of its
// first 10 bytes, which the engine fills in.
func appendUnstamped(dst []byte, index int) ([]byte, int) {
	at := len(dst) + 1 // after the type code
	v := tuple.Versionstamp{UserVersion: uint16(index)}
	return tuple.AppendVersionstamp(dst, v), at
}

var errTrailing = fmt.Errorf("%w: bytes after the last element of the key", fdbevents.ErrCorrupt)

// endKey refuses a key with bytes after its last element.
func endKey(key, rest []byte, err error) error {
	if err == nil && len(rest) > 0 {
		err = errTrailing
	}
	return KeyError(key, err)
}

// KeyError adds the key to err, if there is an error.
func KeyError(key []byte, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("key %x: %w", key, err)
}

// HashStream returns the FNV-1a hash of a stream's name. It is part of the format: the
// partition of a stream is its hash modulo the number of partitions.
func HashStream(stream string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(stream) {
		h = (h ^ uint64(stream[i])) * 1099511628211
	}
	return h
}
