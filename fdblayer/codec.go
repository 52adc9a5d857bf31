package fdblayer

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"
)

// Every stored value is encoded and decoded in this file, those of consumer
// groups in codec_group.go. Values that no stamp
// goes into are msgpack arrays that begin with a format number; those that get
// one begin with the 12 bytes of a position.

const (
	// formatStore is the layout of keys and values as a whole. Format 1 had the
	// tag index in partitions, and was never released.
	formatStore = 2
	// formatRecord is a record in one value, formatChunked one that goes on in
	// further chunks, formatErased one whose data and metadata were erased.
	formatRecord   = 1
	formatChunked  = 2
	formatErased   = 3
	formatHead     = 1
	formatProgress = 1
	// formatPlace is a position that a reader keeps.
	formatPlace      = 1
	formatProjection = 1

	// chunkSize is the most bytes of a record in one value. An engine's limit is
	// 100,000, and FoundationDB is happiest below it.
	chunkSize = 90_000
	// defaultInlineLimit is the largest record that is also kept in its stream
	// entry, in bytes.
	defaultInlineLimit = 1 << 10
	recordFields       = 11
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encoder writes msgpack into a growing buffer that it can be told to forget. It
// is not safe for concurrent use.
type encoder struct {
	buf bytes.Buffer
	enc *msgpack.Encoder
}

func newEncoder() *encoder {
	e := new(encoder)
	e.enc = msgpack.NewEncoder(&e.buf)
	e.enc.UseCompactInts(true)
	return e
}

// record encodes an event:
//
//	[1, id, stream, revision, type, content type, tags, created, data, metadata, crc]
//
// created is nanoseconds since 1970; crc is the CRC-32C of all bytes before the
// last five, which are its own fixed-width encoding. The result is valid until
// the next call. Writes into a bytes.Buffer do not fail, so neither does this.
func (e *encoder) record(stream string, revision int64, ev *NewEvent) []byte {
	return e.recordAs(formatRecord, stream, revision, ev)
}

// erased encodes what stays of an erased event.
func (e *encoder) erased(ev *Event) []byte {
	return e.recordAs(formatErased, ev.Stream, ev.Revision, &NewEvent{
		ID: ev.ID, Type: ev.Type, ContentType: ev.ContentType, Tags: ev.Tags, Created: ev.Created,
	})
}

func (e *encoder) recordAs(format int64, stream string, revision int64, ev *NewEvent) []byte {
	e.buf.Reset()
	enc := e.enc
	_ = enc.EncodeArrayLen(recordFields)
	_ = enc.EncodeInt(format)
	_ = enc.EncodeBytes(ev.ID[:])
	_ = enc.EncodeString(stream)
	_ = enc.EncodeInt(revision)
	_ = enc.EncodeString(ev.Type)
	_ = enc.EncodeString(ev.ContentType)
	_ = enc.EncodeArrayLen(len(ev.Tags))
	for _, tag := range ev.Tags {
		_ = enc.EncodeString(tag)
	}
	_ = enc.EncodeInt(ev.Created.UnixNano())
	_ = enc.EncodeBytes(ev.Data)
	_ = enc.EncodeBytes(ev.Metadata)
	return e.checksum()
}

// checksum ends what is in the buffer with its own CRC-32C.
func (e *encoder) checksum() []byte {
	_ = e.enc.EncodeUint32(crc32.Checksum(e.buf.Bytes(), castagnoli))
	return e.buf.Bytes()
}

// recordOverhead bounds what a record needs besides its strings and bodies.
const recordOverhead = 80

// recordBound is at least the size of a record, and less than recordOverhead
// above it but for its tags.
func recordBound(stream string, ev *NewEvent) int {
	n := len(stream) + len(ev.Type) + len(ev.ContentType) + len(ev.Data) + len(ev.Metadata) + recordOverhead
	for _, tag := range ev.Tags {
		n += len(tag) + 3 // a string of up to 256 bytes has a header of up to 3
	}
	return n
}

// chunkHeader begins the slot of a record that does not fit into one value: an
// array of format and total size, followed by the record's first bytes.
func (e *encoder) chunkHeader(total int) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(2)
	_ = e.enc.EncodeInt(formatChunked)
	_ = e.enc.EncodeInt(int64(total))
	return bytes.Clone(e.buf.Bytes())
}

// decoder reads msgpack out of a byte slice without copying it. It is not safe
// for concurrent use.
type decoder struct {
	src []byte
	r   bytes.Reader
	dec *msgpack.Decoder
	// Neighbours in a log often share these; keeping the last saves the copy.
	lastStream, lastType, lastContentType string
}

func newDecoder() *decoder {
	d := new(decoder)
	d.dec = msgpack.NewDecoder(&d.r)
	return d
}

func (d *decoder) reset(src []byte) {
	d.src = src
	d.r.Reset(src)
	d.dec.ResetReader(&d.r)
}

// offset is where the next read begins.
func (d *decoder) offset() int { return len(d.src) - d.r.Len() }

// bytes returns a part of the source.
func (d *decoder) bytes() ([]byte, error) {
	n, err := d.dec.DecodeBytesLen()
	if err != nil || n <= 0 {
		return nil, err
	}
	at := d.offset()
	if n > len(d.src)-at {
		return nil, io.ErrUnexpectedEOF
	}
	_, err = d.r.Seek(int64(n), io.SeekCurrent)
	return d.src[at : at+n : at+n], err
}

func (d *decoder) text(last *string) (string, error) {
	b, err := d.bytes()
	if err != nil {
		return "", err
	}
	return d.intern(b, last), nil
}

// intern is a string that may be the last one.
func (d *decoder) intern(b []byte, last *string) string {
	if string(b) != *last {
		*last = string(b)
	}
	return *last
}

// record decodes what encoder.record made into ev. Data and Metadata of the
// result share src. The position is not in the record and left as it is.
func (d *decoder) record(src []byte, ev *Event) error {
	if err := checkCRC(src); err != nil {
		return err
	}
	if d.plainRecord(src, ev) {
		return nil
	}
	return d.anyRecord(src, ev)
}

func (d *decoder) anyRecord(src []byte, ev *Event) error {
	*ev = Event{Position: ev.Position} // plainRecord may have begun
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return corrupt(err)
	}
	format, err := d.dec.DecodeInt64()
	switch {
	case err != nil:
		return corrupt(err)
	case format != formatRecord && format != formatErased || n != recordFields:
		return fmt.Errorf("%w: record format %d with %d fields; a newer version wrote it", ErrFormat, format, n)
	}
	ev.Erased = format == formatErased
	if err := d.recordFields(ev); err != nil {
		return corrupt(err)
	}
	return nil
}

func (d *decoder) recordFields(ev *Event) error {
	id, err := d.bytes()
	if err != nil {
		return err
	}
	if len(id) != len(ev.ID) {
		return fmt.Errorf("event id of %d bytes", len(id))
	}
	copy(ev.ID[:], id)
	if ev.Stream, err = d.text(&d.lastStream); err != nil {
		return err
	}
	if ev.Revision, err = d.dec.DecodeInt64(); err != nil {
		return err
	}
	if ev.Type, err = d.text(&d.lastType); err != nil {
		return err
	}
	if ev.ContentType, err = d.text(&d.lastContentType); err != nil {
		return err
	}
	tags, err := d.dec.DecodeArrayLen()
	if err != nil {
		return err
	}
	if tags > MaxTags {
		return fmt.Errorf("%d tags", tags)
	}
	if tags > 0 {
		ev.Tags = make([]string, tags)
		for i := range ev.Tags {
			if ev.Tags[i], err = d.text(new(string)); err != nil {
				return err
			}
		}
	}
	nanos, err := d.dec.DecodeInt64()
	if err != nil {
		return err
	}
	ev.Created = time.Unix(0, nanos).UTC()
	if ev.Data, err = d.bytes(); err != nil {
		return err
	}
	ev.Metadata, err = d.bytes()
	return err
}

// plainRecord decodes a record that is as encoder.record writes nearly all of them:
// current format, no number below zero, no string of 64 KiB. It reads the slice
// directly, at a quarter of what the library needs, which reads from a stream. It
// leaves ev half done and returns false where it meets anything else, which then
// is the library's.
func (d *decoder) plainRecord(src []byte, ev *Event) bool {
	p := plain{src: src}
	if p.array() != recordFields || p.int() != formatRecord {
		return false
	}
	id := p.bytes()
	if len(id) != len(ev.ID) {
		return false
	}
	copy(ev.ID[:], id)
	ev.Stream = d.intern(p.bytes(), &d.lastStream)
	ev.Revision = p.int()
	ev.Type = d.intern(p.bytes(), &d.lastType)
	ev.ContentType = d.intern(p.bytes(), &d.lastContentType)
	if n := p.array(); n > 0 {
		ev.Tags = make([]string, n)
		for i := range ev.Tags {
			ev.Tags[i] = string(p.bytes())
		}
	}
	ev.Created = time.Unix(0, p.int()).UTC()
	ev.Data = p.bytes()
	ev.Metadata = p.bytes()
	return !p.odd && len(src)-p.at == crcSize
}

// plain reads msgpack in its usual encodings. What else it meets, and everything
// after that, it reads as nothing, and sets odd.
type plain struct {
	src []byte
	at  int // where the next read begins
	odd bool
}

// next reads n bytes.
func (p *plain) next(n int) []byte {
	at, end := p.at, p.at+n
	if p.odd || end > len(p.src) {
		p.odd = true
		return make([]byte, n)
	}
	p.at = end
	return p.src[at:end:end]
}

// array reads the length of an array of at most 15.
func (p *plain) array() int {
	c := p.next(1)[0]
	p.odd = p.odd || c&0xf0 != 0x90
	return int(c & 0x0f)
}

// int reads a number of at least zero.
func (p *plain) int() int64 {
	switch c := p.next(1)[0]; {
	case c < 0x80:
		return int64(c)
	case c == 0xcc:
		return int64(p.next(1)[0])
	case c == 0xcd:
		return int64(binary.BigEndian.Uint16(p.next(2)))
	case c == 0xce:
		return int64(binary.BigEndian.Uint32(p.next(4)))
	case c == 0xcf:
		return int64(binary.BigEndian.Uint64(p.next(8)))
	}
	p.odd = true
	return 0
}

// bytes reads a string, or bytes, of less than 64 KiB. Like decoder.bytes it
// returns nil when there are none.
func (p *plain) bytes() []byte {
	n := 0
	switch c := p.next(1)[0]; {
	case c&0xe0 == 0xa0:
		n = int(c & 0x1f)
	case c == 0xc4, c == 0xd9:
		n = int(p.next(1)[0])
	case c == 0xc5, c == 0xda:
		n = int(binary.BigEndian.Uint16(p.next(2)))
	case c == 0xc0: // nil
	default:
		p.odd = true
	}
	if n == 0 {
		return nil
	}
	return p.next(n)
}

// owner tells whose event a slot's value, which may be only the beginning of the
// record, says it is. It does not verify the record; known is false when it cannot
// be told.
func (d *decoder) owner(value []byte) (stream string, revision int64, known bool) {
	_, first, err := d.chunked(value)
	if first == nil {
		first = value
	}
	if err != nil || len(first) == 0 {
		return "", 0, false
	}
	d.reset(first)
	if _, err := d.dec.DecodeArrayLen(); err != nil {
		return "", 0, false
	}
	if format, err := d.dec.DecodeInt64(); err != nil || format != formatRecord && format != formatErased {
		return "", 0, false
	}
	if _, err := d.bytes(); err != nil {
		return "", 0, false
	}
	if stream, err = d.text(&d.lastStream); err != nil {
		return "", 0, false
	}
	revision, err = d.dec.DecodeInt64()
	return stream, revision, err == nil
}

// crcSize is the msgpack uint32 that ends a record.
const crcSize = 5

func checkCRC(src []byte) error {
	if len(src) < crcSize || src[len(src)-crcSize] != 0xce {
		return corrupt(errors.New("no checksum at its end"))
	}
	body, stored := src[:len(src)-crcSize], binary.BigEndian.Uint32(src[len(src)-crcSize+1:])
	if sum := crc32.Checksum(body, castagnoli); sum != stored {
		return corrupt(fmt.Errorf("checksum %08x, stored %08x", sum, stored))
	}
	return nil
}

// isChunked reports whether a slot's value begins with a chunk header, which is
// the only msgpack array of 2.
func (d *decoder) isChunked(src []byte) bool { return len(src) > 0 && src[0] == 0x90|2 }

// chunked tells whether a slot's value is only the beginning of a record, and
// then the record's size and first bytes.
func (d *decoder) chunked(src []byte) (total int, first []byte, err error) {
	if !d.isChunked(src) {
		return 0, nil, nil
	}
	d.reset(src)
	var format, size int64
	if _, err = d.dec.DecodeArrayLen(); err == nil {
		if format, err = d.dec.DecodeInt64(); err == nil {
			size, err = d.dec.DecodeInt64()
		}
	}
	switch {
	case err != nil:
		return 0, nil, corrupt(err)
	case format != formatChunked:
		return 0, nil, fmt.Errorf("%w: slot format %d; a newer version wrote it", ErrFormat, format)
	case size <= 0 || size > engine.MaxTransactionSize:
		return 0, nil, corrupt(fmt.Errorf("chunked record of %d bytes", size))
	}
	return int(size), src[d.offset():], nil
}

// head is what is known of a stream without reading its events.
type head struct {
	// next is the revision that the next event gets; 0 when there was never one.
	next int64
	// truncateBefore is the first revision that readers see.
	truncateBefore int64
	// maxAge and maxCount bound what readers see; 0 is no bound.
	maxAge   time.Duration
	maxCount int64
	state    streamState
	metadata []byte
}

// exists reports whether the stream has been created and not been deleted since.
func (h head) exists() bool { return h.next > 0 && h.state == stateOpen }

// meets reports whether the expectation about the stream is right. A deleted stream
// does not exist, but its last revision can still be named.
func (h head) meets(e ExpectedRevision) bool {
	switch e {
	case Any:
		return true
	case StreamExists:
		return h.exists()
	case NoStream:
		return !h.exists()
	}
	return int64(e) == h.next-1
}

// first is the first revision that readers see, but for those hidden by their age.
func (h head) first() int64 {
	if h.maxCount > 0 {
		return max(h.truncateBefore, h.next-h.maxCount)
	}
	return h.truncateBefore
}

type streamState int64

const (
	stateOpen streamState = iota
	// stateTombstoned is for ever, stateDeleted until the next append.
	stateTombstoned
	stateDeleted
)

func (e *encoder) head(h head) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(7)
	_ = e.enc.EncodeInt(formatHead)
	_ = e.enc.EncodeInt(h.next)
	_ = e.enc.EncodeInt(h.truncateBefore)
	_ = e.enc.EncodeInt(int64(h.maxAge))
	_ = e.enc.EncodeInt(h.maxCount)
	_ = e.enc.EncodeInt(int64(h.state))
	_ = e.enc.EncodeBytes(h.metadata)
	return e.buf.Bytes()
}

// head decodes a head; an absent one (nil) is a stream without events.
func (d *decoder) head(src []byte) (h head, err error) {
	if src == nil {
		return h, nil
	}
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return h, corrupt(err)
	}
	var format, age, state int64
	for _, field := range []*int64{&format, &h.next, &h.truncateBefore, &age, &h.maxCount, &state} {
		if *field, err = d.dec.DecodeInt64(); err != nil {
			return h, corrupt(err)
		}
		if format != formatHead || n != 7 {
			return h, fmt.Errorf("%w: stream head format %d with %d fields; a newer version wrote it", ErrFormat, format, n)
		}
	}
	h.maxAge, h.state = time.Duration(age), streamState(state)
	h.metadata, err = d.bytes()
	if err != nil {
		return h, corrupt(err)
	}
	return h, nil
}

// systemIndex says that appends write a system index, and when it is ready that
// readers may use it, because the events before it was created are in it, too.
//
// A system index is a set of tags that no event can be given: they begin with a
// control character.
type systemIndex struct {
	name  string
	ready bool
}

// header describes a store. All but its indexes is written once.
type header struct {
	id          uuid.UUID
	partitions  int
	inlineLimit int
	indexes     []systemIndex
}

func (e *encoder) header(h header) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(5)
	_ = e.enc.EncodeInt(formatStore)
	_ = e.enc.EncodeBytes(h.id[:])
	_ = e.enc.EncodeInt(int64(h.partitions))
	_ = e.enc.EncodeInt(int64(h.inlineLimit))
	_ = e.enc.EncodeArrayLen(len(h.indexes))
	for _, index := range h.indexes {
		_ = e.enc.EncodeArrayLen(2)
		_ = e.enc.EncodeString(index.name)
		_ = e.enc.EncodeBool(index.ready)
	}
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) header(src []byte) (h header, err error) {
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return h, corrupt(err)
	}
	format, err := d.dec.DecodeInt64()
	if err != nil {
		return h, corrupt(err)
	}
	if format < formatStore {
		return h, fmt.Errorf("%w %d: this build knows format %d; read the events with the fdbevents that made it, and append them to a new store", ErrFormat, format, formatStore)
	}
	if format != formatStore || n != 5 {
		return h, fmt.Errorf("%w %d: this build knows format %d; use a newer fdbevents", ErrFormat, format, formatStore)
	}
	id, err := d.bytes()
	if err != nil {
		return h, corrupt(err)
	}
	copy(h.id[:], id)
	if h.partitions, err = d.dec.DecodeInt(); err != nil {
		return h, corrupt(err)
	}
	if h.inlineLimit, err = d.dec.DecodeInt(); err != nil {
		return h, corrupt(err)
	}
	count, err := d.dec.DecodeArrayLen()
	if err != nil {
		return h, corrupt(err)
	}
	for range count {
		var index systemIndex
		if _, err := d.dec.DecodeArrayLen(); err != nil {
			return h, corrupt(err)
		}
		if index.name, err = d.text(new(string)); err != nil {
			return h, corrupt(err)
		}
		if index.ready, err = d.dec.DecodeBool(); err != nil {
			return h, corrupt(err)
		}
		h.indexes = append(h.indexes, index)
	}
	if h.partitions < 1 || h.partitions > MaxPartitions || h.inlineLimit < 0 {
		return h, corrupt(fmt.Errorf("header with %d partitions, inline limit %d", h.partitions, h.inlineLimit))
	}
	return h, nil
}

// progress is how far some long work has come: a name or other bytes.
func (e *encoder) progress(at []byte) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(2)
	_ = e.enc.EncodeInt(formatProgress)
	_ = e.enc.EncodeBytes(at)
	return bytes.Clone(e.buf.Bytes())
}

// progress decodes what encoder.progress made; an absent one (nil) is the
// beginning, nil. The result shares src.
func (d *decoder) progress(src []byte) (at []byte, err error) {
	if src == nil {
		return nil, nil
	}
	d.reset(src)
	var n int
	var format int64
	if n, err = d.dec.DecodeArrayLen(); err == nil {
		if format, err = d.dec.DecodeInt64(); err == nil {
			if n != 2 || format != formatProgress {
				return nil, fmt.Errorf("%w: progress format %d with %d fields; a newer version wrote it", ErrFormat, format, n)
			}
			at, err = d.bytes()
		}
	}
	if err != nil {
		return nil, corrupt(err)
	}
	return at, nil
}

// place encodes a position that a reader keeps: [1, position].
func (e *encoder) place(at Position) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(2)
	_ = e.enc.EncodeInt(formatPlace)
	_ = e.enc.EncodeBytes(at.stamp[:])
	return bytes.Clone(e.buf.Bytes())
}

// place decodes a position that a reader keeps; an absent one (nil) is Start.
func (d *decoder) place(src []byte) (at Position, err error) {
	if src == nil {
		return Start, nil
	}
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return at, corrupt(err)
	}
	format, err := d.dec.DecodeInt64()
	if err != nil {
		return at, corrupt(err)
	}
	if format != formatPlace || n != 2 {
		return at, fmt.Errorf("%w: position format %d with %d fields; a newer version wrote it", ErrFormat, format, n)
	}
	stamp, err := d.bytes()
	if err == nil && (len(stamp) != positionSize || d.r.Len() > 0) {
		err = fmt.Errorf("position of %d bytes, and %d more", len(stamp), d.r.Len())
	}
	if err != nil {
		return at, corrupt(err)
	}
	copy(at.stamp[:], stamp)
	return at, nil
}

// projection says which generations of a projection there are.
type projection struct {
	// current is the one that readers see, building the one that is to replace it,
	// or none.
	current, building int64
}

const none = -1

func (e *encoder) projection(p projection) []byte {
	e.buf.Reset()
	_ = e.enc.EncodeArrayLen(3)
	_ = e.enc.EncodeInt(formatProjection)
	_ = e.enc.EncodeInt(p.current)
	_ = e.enc.EncodeInt(p.building)
	return bytes.Clone(e.buf.Bytes())
}

func (d *decoder) projection(src []byte) (p projection, err error) {
	d.reset(src)
	n, err := d.dec.DecodeArrayLen()
	if err != nil {
		return p, corrupt(err)
	}
	var format int64
	for _, field := range []*int64{&format, &p.current, &p.building} {
		if *field, err = d.dec.DecodeInt64(); err != nil {
			return p, corrupt(err)
		}
		if format != formatProjection || n != 3 {
			return p, fmt.Errorf("%w: projection format %d with %d fields; a newer version wrote it", ErrFormat, format, n)
		}
	}
	if p.current < 0 || p.building < none || p.building != none && p.building <= p.current || d.r.Len() > 0 {
		return p, corrupt(fmt.Errorf("projection at generation %d, with %d being built", p.current, p.building))
	}
	return p, nil
}

// The values below are operands of versionstamped values: 12 bytes of position,
// the first 10 of which the engine fills in, then what follows, then the offset
// of the stamp, which is 0 and cut off again.

const positionSize = 12

// beginStamped begins such an operand, for the event with the given index in its
// transaction. The caller appends what follows the position, and endStamped.
func beginStamped(dst []byte, index int) []byte {
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint16(dst, uint16(index))
}

func endStamped(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// stampOffsetSize is what endStamped appends.
const stampOffsetSize = 4

// splitStamped reads the position that begins a stored value.
func splitStamped(src []byte) (at Position, rest []byte, err error) {
	if len(src) < positionSize {
		return at, nil, corrupt(fmt.Errorf("stamped value of %d bytes", len(src)))
	}
	copy(at.stamp[:], src)
	return at, src[positionSize:], nil
}

// entry is what a stream holds of one event: where it is in the log, how large
// its record is, and the record itself when it is small, otherwise nil.
type entry struct {
	partition int
	at        Position
	size      int
	record    []byte
}

// appendEntry encodes what follows the position in an entry.
func appendEntry(dst []byte, partition, size int, record []byte) []byte {
	dst = binary.AppendUvarint(dst, uint64(partition))
	dst = binary.AppendUvarint(dst, uint64(size))
	return append(dst, record...)
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
	if rest = rest[n:]; len(rest) > 0 {
		e.record = rest
	}
	return e, nil
}

// idEntry is where an event id is: revision in its stream and position.
type idEntry struct {
	revision int64
	at       Position
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

// appendPartition encodes the value of a tag's index entry.
func appendPartition(dst []byte, partition int) []byte {
	return binary.AppendUvarint(dst, uint64(partition))
}

func decodePartition(src []byte) (int, error) {
	p, n := binary.Uvarint(src)
	if n != len(src) || n <= 0 || p >= MaxPartitions {
		return 0, corrupt(errors.New("tag entry without a partition"))
	}
	return int(p), nil
}

// mark is the last transaction that a marker committed.
type mark struct {
	number uint64
	at     Position
}

func decodeMark(src []byte) (m mark, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return m, err
	}
	number, n := binary.Uvarint(rest)
	if n != len(rest) || n <= 0 {
		return m, corrupt(errors.New("mark without a number"))
	}
	return mark{number: number, at: at}, nil
}

func corrupt(err error) error { return fmt.Errorf("%w: %w", ErrCorrupt, err) }
