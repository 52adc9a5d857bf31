package fdblayer

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents/engine"
)

// pointer is where an event is in the log.
type pointer struct {
	at        Position
	partition int
}

// entry is what a stream holds of one event: where it is in the log, how large
// its record is, and the record itself when it is small, otherwise nil.
type entry struct {
	partition int
	at        Position
	size      int
	record    []byte
}

func appendEntry(dst []byte, e entry) []byte {
	dst = appendEntryPlace(appendPositionBytes(dst, e.at), e.partition, e.size)
	return append(dst, e.record...)
}

// appendStampedEntry encodes e without its position.
func appendStampedEntry(dst []byte, index int, e entry) []byte {
	dst = appendEntryPlace(beginStamped(dst, index), e.partition, e.size)
	return endStamped(append(dst, e.record...))
}

// stampedEntryAround is appendStampedEntry for an entry that has the record: it puts
// the rest around it, in the record's own memory when the capacity suffices. It also
// returns where the record is then, because the log's slot can share it.
func stampedEntryAround(encoded []byte, index, partition int) (operand, moved []byte) {
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

func decodeEntry(src []byte) (e entry, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return e, err
	}
	p, n := binary.Uvarint(rest)
	if n <= 0 || p >= MaxPartitions {
		return e, corrupt(errors.New("stream entry without a partition"))
	}
	rest = rest[n:]
	size, n := binary.Uvarint(rest)
	if n <= 0 || size > engine.MaxTransactionSize {
		return e, corrupt(errors.New("stream entry without a size"))
	}
	e = entry{partition: int(p), at: at, size: int(size)}
	if rest = rest[n:]; len(rest) == 0 {
		return e, nil
	}
	if len(rest) != e.size {
		return entry{}, corrupt(fmt.Errorf("stream entry with %d bytes of a record of %d", len(rest), e.size))
	}
	e.record = rest
	return e, nil
}

// idEntry is where an event id is: revision in its stream and position.
type idEntry struct {
	revision int64
	at       Position
}

func appendIDEntry(dst []byte, e idEntry) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, e.at), uint64(e.revision))
}

func appendStampedIDEntry(dst []byte, index int, revision int64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, index), uint64(revision)))
}

func decodeIDEntry(src []byte) (e idEntry, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return e, err
	}
	rev, n := binary.Uvarint(rest)
	if n != len(rest) || n <= 0 {
		return e, corrupt(errors.New("event id entry without a revision"))
	}
	return idEntry{revision: int64(rev), at: at}, nil
}

// appendTagEntry encodes the value of a tag's index entry: the event's partition.
func appendTagEntry(dst []byte, partition int) []byte {
	return binary.AppendUvarint(dst, uint64(partition))
}

func decodeTagEntry(src []byte) (partition int, err error) {
	p, n := binary.Uvarint(src)
	if n != len(src) || n <= 0 || p >= MaxPartitions {
		return 0, corrupt(errors.New("tag entry without a partition"))
	}
	return int(p), nil
}
