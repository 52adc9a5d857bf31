package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

// pointer is where an event is in the log.
type Pointer struct {
	At        fdbevents.Position
	Partition int
}

// entry is what a stream holds of one event: where it is in the log, how large
// its record is, and the record itself when it is small, otherwise nil.
type Entry struct {
	Partition int
	At        fdbevents.Position
	Size      int
	Record    []byte
}

func AppendEntry(dst []byte, e Entry) []byte {
	dst = appendEntryPlace(appendPositionBytes(dst, e.At), e.Partition, e.Size)
	return append(dst, e.Record...)
}

// appendStampedEntry encodes e without its position.
func AppendStampedEntry(dst []byte, index int, e Entry) []byte {
	dst = appendEntryPlace(beginStamped(dst, index), e.Partition, e.Size)
	return endStamped(append(dst, e.Record...))
}

// stampedEntryAround is appendStampedEntry for an entry that has the record: it puts
// the rest around it, in the record's own memory when the capacity suffices. It also
// returns where the record is then, because the log's slot can share it.
func StampedEntryAround(encoded []byte, index, partition int) (operand, moved []byte) {
	var room [positionSize + 2*binary.MaxVarintLen64]byte
	before := appendEntryPlace(beginStamped(room[:0], index), partition, len(encoded))
	operand = endStamped(slices.Insert(encoded, 0, before...))
	end := len(operand) - stampOffsetSize
	return operand, operand[end-len(encoded) : end : end]
}

// appendEntryPlace encodes what is between an entry's position and its record.
func appendEntryPlace(dst []byte, partition, size int) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(dst, uint64(partition)), uint64(size))
}

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
		return Entry{}, corrupt(fmt.Errorf("stream entry with %d bytes of a record of %d", len(rest), e.Size))
	}
	e.Record = rest
	return e, nil
}

// idEntry is where an event id is: revision in its stream and position.
type IDEntry struct {
	Revision int64
	At       fdbevents.Position
}

func AppendIDEntry(dst []byte, e IDEntry) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, e.At), uint64(e.Revision))
}

func AppendStampedIDEntry(dst []byte, index int, revision int64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, index), uint64(revision)))
}

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

// appendTagEntry encodes the value of a tag's index entry: the event's partition.
func AppendTagEntry(dst []byte, partition int) []byte {
	return binary.AppendUvarint(dst, uint64(partition))
}

func DecodeTagEntry(src []byte) (partition int, err error) {
	p, n := binary.Uvarint(src)
	if n != len(src) || n <= 0 || p >= fdbevents.MaxPartitions {
		return 0, corrupt(errors.New("tag entry without a partition"))
	}
	return int(p), nil
}
