package systems

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"

	"github.com/fdbevents/fdbevents/tuple"
)

// The limits write what an append of fdbevents writes: for each event a stream entry
// with the record, a log slot with the record, and the event id; and the stream's
// head. Keys have the same form, values the same size. The limits read nothing, check
// nothing and keep no order.

const (
	bareHead  = 1
	bareEntry = 2
	bareSlot  = 3
	bareID    = 4
	// barePartitions is the number of partitions of the log.
	barePartitions = 8
	// recordExtra is the bytes of a record in addition to the data: stream, type, id,
	// time and checksum, as fdbevents stores them.
	recordExtra = 87
	// entryExtra is the bytes before the record in a stream entry: a stamp, the
	// partition and a length.
	entryExtra = 15
	// headSize and idSize are the sizes in bytes of the values of a head and an id.
	headSize = 8
	idSize   = 13
)

// bareKeys builds keys under a prefix.
type bareKeys struct{ prefix []byte }

func (k bareKeys) head(stream string) []byte {
	return tuple.AppendString(k.space(bareHead), stream)
}

// space returns the prefix of the keys of a kind, with room for the rest of a key.
func (k bareKeys) space(kind int64) []byte {
	return tuple.AppendInt(append(make([]byte, 0, len(k.prefix)+80), k.prefix...), kind)
}

// entry returns the key of a stream's entry, entries the prefix of all of them.
func (k bareKeys) entry(stream string, revision int64) []byte {
	return tuple.AppendInt(k.entries(stream), revision)
}

func (k bareKeys) entries(stream string) []byte {
	return tuple.AppendString(k.space(bareEntry), stream)
}

// log returns the prefix of a partition's slots.
func (k bareKeys) log(partition int) []byte {
	return tuple.AppendInt(k.space(bareSlot), int64(partition))
}

// barePartition returns the partition of a stream, which holds all its events.
func barePartition(stream string) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(stream)) // never fails
	return int(h.Sum32() % barePartitions)
}

// stampMark is the tuple encoding's type code of a versionstamp, which has 12 bytes.
const stampMark = 0x33

func (k bareKeys) slot(partition int, number uint64) []byte {
	key := append(k.log(partition), stampMark, 0, 0)
	return append(binary.BigEndian.AppendUint64(key, number), 0, 0)
}

// idMark is the tuple encoding's type code of a UUID, which has 16 bytes.
const idMark = 0x30

func (k bareKeys) id(number uint64, stream string) []byte {
	key := append(k.space(bareID), idMark)
	// The factor is odd, so that no two keys are alike. It scatters them like random ids.
	key = binary.BigEndian.AppendUint64(key, number*0x9e3779b97f4a7c15)
	return tuple.AppendString(binary.BigEndian.AppendUint64(key, number), stream)
}

// end returns the end of the range of keys that begin with prefix.
func end(prefix []byte) []byte { return append(append([]byte(nil), prefix...), 0xff) }

// bareRecord returns a record of the size that fdbevents makes of the data.
func bareRecord(data []byte) []byte {
	return append(make([]byte, recordExtra, recordExtra+len(data)), data...)
}

// bareEntryValue returns the value of a stream entry with its record.
func bareEntryValue(record []byte) []byte {
	return append(make([]byte, entryExtra, entryExtra+len(record)), record...)
}

func entryData(value []byte) ([]byte, error) {
	if len(value) < entryExtra {
		return nil, fmt.Errorf("a stream entry has only %d bytes", len(value))
	}
	return recordData(value[entryExtra:])
}

func recordData(record []byte) ([]byte, error) {
	if len(record) < recordExtra {
		return nil, fmt.Errorf("a record has only %d bytes", len(record))
	}
	return record[recordExtra:], nil
}
