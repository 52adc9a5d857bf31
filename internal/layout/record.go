package layout

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
)

const (
	// formatRecord is a record in a single value, formatChunked one that continues in
	// further chunks, formatErased one whose data and metadata were erased.
	formatRecord  = 1
	formatChunked = 2
	formatErased  = 3
	recordFields  = 11

	// ChunkSize is the most bytes of a record that one value holds. The engine's limit
	// is 100,000, and FoundationDB works best below it.
	ChunkSize = 90_000
	// DefaultInlineLimit is the default for the largest record, in bytes, that is also
	// kept in its stream entry.
	DefaultInlineLimit = 1 << 10
)

// Record is what the log stores about an event. The event's position is in the key.
type Record struct {
	Stream   string
	Revision int64
	// Erased is true if data and metadata were erased; Event then has neither.
	Erased bool
	Event  *fdbevents.EventData
}

// AppendRecord appends the encoding of r to dst:
//
//	[1, id, stream, revision, type, content type, tags, created, data, metadata, crc]
//
// created is in nanoseconds since 1970. crc is the CRC-32C of all bytes before the last
// five, which are the crc itself in a fixed-width encoding. An erased record has format
// 3.
func AppendRecord(dst []byte, r Record) []byte {
	format := int64(formatRecord)
	if r.Erased {
		format = formatErased
	}
	begin, ev := len(dst), r.Event
	w := beginValue(dst, format, recordFields)
	w.bytes(ev.ID[:])
	w.text(r.Stream)
	w.int(r.Revision)
	w.text(ev.Type)
	w.text(ev.ContentType)
	w.texts(ev.Tags)
	w.int(ev.Created.UnixNano())
	w.bytes(ev.Data)
	w.bytes(ev.Metadata)
	return appendChecksum(w.end(), begin)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// uint32Code is the first byte of a 32-bit msgpack number; crcSize is the size of one.
const (
	uint32Code = 0xce
	crcSize    = 5
)

// appendChecksum ends a record with its CRC-32C. begin is where in dst the record
// begins.
func appendChecksum(dst []byte, begin int) []byte {
	sum := crc32.Checksum(dst[begin:], castagnoli)
	return binary.BigEndian.AppendUint32(append(dst, uint32Code), sum)
}

// cutChecksum verifies the checksum and returns the bytes that precede it.
func cutChecksum(src []byte) ([]byte, error) {
	end := len(src) - crcSize
	if end < 0 || src[end] != uint32Code {
		return nil, corrupt(errors.New("no checksum at its end"))
	}
	stored := binary.BigEndian.Uint32(src[end+1:])
	if sum := crc32.Checksum(src[:end], castagnoli); sum != stored {
		return nil, corrupt(fmt.Errorf("checksum %08x, stored %08x", sum, stored))
	}
	return src[:end:end], nil
}

// RecordOverhead is an upper bound, in bytes, on what a record needs in addition to its
// strings and bodies.
const RecordOverhead = 80

// RecordBound returns an upper bound on the size of a record in bytes. Apart from its
// tags, the record is less than RecordOverhead smaller.
func RecordBound(stream string, ev *fdbevents.EventData) int {
	n := len(stream) + len(ev.Type) + len(ev.ContentType) + len(ev.Data) + len(ev.Metadata) + RecordOverhead
	for _, tag := range ev.Tags {
		n += len(tag) + 3 // a string of up to 256 bytes has a header of up to 3
	}
	return n
}

// SplitRecord splits an encoded record that does not fit into one value. The first part
// is the value of its slot, the others are its further chunks, which share encoded.
func SplitRecord(encoded []byte) [][]byte {
	slot := appendChunkHeader(nil, len(encoded))
	n := ChunkSize - len(slot)
	parts := [][]byte{append(slot, encoded[:n]...)}
	return slices.AppendSeq(parts, slices.Chunk(encoded[n:], ChunkSize))
}

// appendChunkHeader begins the slot of a record that does not fit into one value: an
// array of the format and the total size. The record's first bytes follow it.
func appendChunkHeader(dst []byte, total int) []byte {
	w := beginValue(dst, formatChunked, 2)
	w.int(int64(total))
	return w.end()
}

// IsChunked reports whether a slot's value begins with a chunk header, the only msgpack
// array of 2 elements.
func IsChunked(src []byte) bool { return len(src) > 0 && src[0] == 0x90|2 }

// DecodeChunkHeader decodes the chunk header of a slot. It returns the record's total
// size and its first bytes, which follow the header and share src.
func DecodeChunkHeader(src []byte) (total int, first []byte, err error) {
	r := readValue(src, "slot", formatChunked, 2)
	defer r.release()
	size := r.int()
	if size <= 0 || size > engine.MaxTransactionSize {
		r.fail(fmt.Errorf("chunked record of %d bytes", size))
	}
	if r.err != nil {
		return 0, nil, r.err
	}
	return int(size), src[r.offset():], nil
}

// RecordDecoder decodes records. Neighbours in the log often have the same stream, type
// and content type, so it keeps the last of each to save a copy. The zero value is
// ready to use. A RecordDecoder is not safe for concurrent use.
type RecordDecoder struct {
	lastStream, lastType, lastContentType string
}

// intern returns b as a string, which is *last if they are equal.
func intern(b []byte, last *string) string {
	if string(b) != *last {
		*last = string(b)
	}
	return *last
}

// Event decodes a record into ev from the slot at position at and its further chunks,
// in order. ok is false if the slot is empty because the event was scavenged. Data and
// Metadata of ev may share the chunks' memory.
func (d *RecordDecoder) Event(at fdbevents.Position, chunks []engine.KeyValue, ev *fdbevents.Event) (ok bool, err error) {
	encoded := chunks[0].Value
	if len(encoded) == 0 {
		return false, nil
	}
	if IsChunked(encoded) {
		encoded, err = joinRecord(chunks)
	}
	if err == nil {
		err = d.Record(encoded, ev)
	}
	if err != nil {
		return false, fmt.Errorf("event at position %s: %w", at, err)
	}
	ev.Position = at
	return true, nil
}

// joinRecord reverses SplitRecord.
func joinRecord(parts []engine.KeyValue) ([]byte, error) {
	total, first, err := DecodeChunkHeader(parts[0].Value)
	if err != nil {
		return nil, err
	}
	encoded := append(make([]byte, 0, total), first...)
	for _, kv := range parts[1:] {
		encoded = append(encoded, kv.Value...)
	}
	if len(encoded) != total {
		return nil, corrupt(fmt.Errorf("chunks of %d bytes in total, want %d", len(encoded), total))
	}
	return encoded, nil
}

// Record decodes into ev what AppendRecord encoded. Data and Metadata of ev share src.
// A record does not hold its position, so Record leaves ev.Position as it is.
func (d *RecordDecoder) Record(src []byte, ev *fdbevents.Event) error {
	body, err := cutChecksum(src)
	if err != nil || d.plainRecord(body, ev) {
		return err
	}
	return d.anyRecord(body, ev)
}

// anyRecord decodes any record, without its checksum, with the library.
func (d *RecordDecoder) anyRecord(body []byte, ev *fdbevents.Event) error {
	*ev = fdbevents.Event{Position: ev.Position} // plainRecord may have begun
	r := newValueReader(body)
	format, n := r.preamble()
	if format != formatRecord && format != formatErased || n != recordFields {
		r.unknown("record", format, n)
	}
	ev.Erased = format == formatErased
	r.fixed(ev.ID[:], "event id")
	ev.Stream = intern(r.bytes(), &d.lastStream)
	ev.Revision = r.int()
	ev.Type = intern(r.bytes(), &d.lastType)
	ev.ContentType = intern(r.bytes(), &d.lastContentType)
	if ev.Tags = r.texts(); len(ev.Tags) > fdbevents.MaxTags {
		r.fail(fmt.Errorf("%d tags", len(ev.Tags)))
	}
	ev.Created = time.Unix(0, r.int()).UTC()
	ev.Data = r.bytes()
	ev.Metadata = r.bytes()
	return r.end()
}

// plainRecord decodes a record, without its checksum, if it is like nearly all records
// that AppendRecord encodes: not erased, no negative number, no string of 64 KiB. It
// reads the slice directly, which takes a quarter of the library's time. When it meets
// anything else it returns false and leaves ev half filled; anyRecord then decodes the
// record.
func (d *RecordDecoder) plainRecord(body []byte, ev *fdbevents.Event) bool {
	p := plain{src: body}
	if p.array() != recordFields || p.int() != formatRecord {
		return false
	}
	id := p.bytes()
	if len(id) != len(ev.ID) {
		return false
	}
	copy(ev.ID[:], id)
	ev.Stream = intern(p.bytes(), &d.lastStream)
	ev.Revision = p.int()
	ev.Type = intern(p.bytes(), &d.lastType)
	ev.ContentType = intern(p.bytes(), &d.lastContentType)
	if n := p.array(); n > 0 {
		ev.Tags = make([]string, n)
		for i := range ev.Tags {
			ev.Tags[i] = string(p.bytes())
		}
	}
	ev.Created = time.Unix(0, p.int()).UTC()
	ev.Data = p.bytes()
	ev.Metadata = p.bytes()
	return !p.odd && p.at == len(body)
}

// Owner returns the stream and revision of the event that a slot's value claims to
// hold. value may be only the beginning of the record; Owner does not verify it. known
// is false if the value does not say.
func (d *RecordDecoder) Owner(value []byte) (stream string, revision int64, known bool) {
	if IsChunked(value) {
		_, first, err := DecodeChunkHeader(value)
		if err != nil {
			return "", 0, false
		}
		value = first
	}
	r := newValueReader(value)
	defer r.release()
	format, _ := r.preamble()
	r.bytes() // the id
	stream = intern(r.bytes(), &d.lastStream)
	revision = r.int()
	return stream, revision, r.err == nil && (format == formatRecord || format == formatErased)
}
