package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// Pointer says where an event is in the log.
type Pointer struct {
	At        fdbevents.Position
	Partition int
}

// Entry is the value of a stream entry: what a stream stores about one of its events.
type Entry struct {
	Partition int
	At        fdbevents.Position
	// Size is the size of the encoded record in bytes, and Record the encoded record
	// itself if the stream keeps a copy of it, otherwise nil.
	Size   int
	Record []byte
}

// AppendEntry appends the encoding of e to dst.
func AppendEntry(dst []byte, e Entry) []byte {
	dst = appendEntryPlace(appendPositionBytes(dst, e.At), e.Partition, e.Size)
	return append(dst, e.Record...)
}

// AppendStampedEntry appends the operand that stores e as the entry of the event with
// the given index in its transaction. It ignores e.At: the engine fills the position
// in.
func AppendStampedEntry(dst []byte, index int, e Entry) []byte {
	dst = appendEntryPlace(beginStamped(dst, index), e.Partition, e.Size)
	return endStamped(append(dst, e.Record...))
}

// StampedEntryAround makes the operand of AppendStampedEntry for an entry that holds
// its record. It builds the rest of the entry around encoded, in place if the capacity
// of encoded suffices, so encoded must not be used afterwards. moved is the record
// within operand, so that the log slot can share its memory.
func StampedEntryAround(encoded []byte, index, partition int) (operand, moved []byte) {
	var room [positionSize + 2*binary.MaxVarintLen64]byte
	before := appendEntryPlace(beginStamped(room[:0], index), partition, len(encoded))
	operand = endStamped(slices.Insert(encoded, 0, before...))
	end := len(operand) - stampOffsetSize
	return operand, operand[end-len(encoded) : end : end]
}

// appendEntryPlace encodes the fields between an entry's position and its record.
func appendEntryPlace(dst []byte, partition, size int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(partition)), uint64(size))
}

// DecodeEntry decodes the value of a stream entry. e.Record shares src.
func DecodeEntry(src []byte) (e Entry, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return e, err
	}
	p, n := binary.Uvarint(rest)
	if n <= 0 || p >= fdbevents.MaxPartitions {
		return e, corrupt(errors.New("stream entry without a partition"))
	}
	rest = rest[n:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > engine.MaxTransactionSize {
		return e, corrupt(errors.New("stream entry without a size"))
	}
	e = Entry{Partition: int(p), At: at, Size: int(size)}
	if rest = rest[n:]; len(rest) == 0 {
		return e, nil
	}
	if len(rest) != e.Size {
		return Entry{}, corrupt(fmt.Errorf("stream entry with %d bytes of a %d-byte record", len(rest), e.Size))
	}
	e.Record = rest
	return e, nil
}

// IDEntry is the value of an event id's entry: the event's revision in the stream, and
// its position.
type IDEntry struct {
	Revision int64
	At       fdbevents.Position
}

// AppendIDEntry appends the encoding of e to dst.
func AppendIDEntry(dst []byte, e IDEntry) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, e.At), uint64(e.Revision))
}

// AppendStampedIDEntry appends the operand that stores the entry of an event id for the
// event with the given index in its transaction.
func AppendStampedIDEntry(dst []byte, index int, revision int64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, index), uint64(revision)))
}

// DecodeIDEntry decodes the value of an event id's entry.
func DecodeIDEntry(src []byte) (e IDEntry, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return e, err
	}
	rev, n := binary.Uvarint(rest)
	if n != len(rest) || n <= 0 {
		return e, corrupt(errors.New("event id entry without a revision"))
	}
	return IDEntry{Revision: int64(rev), At: at}, nil
}

// AppendTagEntry appends the value of a tag's index entry: the event's partition.
func AppendTagEntry(dst []byte, partition int) []byte {
	return binary.AppendUvarint(dst, uint64(partition))
}

// DecodeTagEntry decodes the value of a tag's index entry.
func DecodeTagEntry(src []byte) (partition int, err error) {
	p, n := binary.Uvarint(src)
	if n != len(src) || n <= 0 || p >= fdbevents.MaxPartitions {
		return 0, corrupt(errors.New("tag entry without a partition"))
	}
	return int(p), nil
}
