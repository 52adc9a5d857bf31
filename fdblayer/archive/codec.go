package archive

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"
)

const (
	formatArchive  = 1
	headerFields   = 7
	blockFields    = 5
	eventFields    = 11
	settingsFields = 8
	footerFields   = 4
)

// Header says what an archive was made from.
type Header struct {
	// ID identifies the archive, Store the store that was exported.
	ID, Store uuid.UUID
	// Created is when the export began.
	Created time.Time
	// End is the position of the last event in the store at that time.
	End fdbevents.Position
	// Filter selected the events.
	Filter fdbevents.Filter
}

// prefix returns the archive's stream prefix, or "". An archive has at most one.
func (h *Header) prefix() string {
	if len(h.Filter.StreamPrefixes) == 0 {
		return ""
	}
	return h.Filter.StreamPrefixes[0]
}

// whole reports whether the archive holds whole streams.
func (h *Header) whole() bool { return len(h.Filter.Query.Items) == 0 }

// footer ends an archive.
type footer struct {
	events, streams, blocks int64
	// last is the position of the last event, empty if there is no event.
	last string
}

// block is a run of events or of stream settings, as a frame carries it.
type block struct {
	count int64
	// first and last are the positions or the stream names at the ends of the run.
	first, last string
	// size is the size of packed in bytes when decompressed.
	size   int64
	packed []byte
}

// encoder writes msgpack into a buffer. It ignores errors, because writes into a
// bytes.Buffer do not fail.
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

func (e *encoder) array(n int)    { _ = e.enc.EncodeArrayLen(n) }
func (e *encoder) int(n int64)    { _ = e.enc.EncodeInt(n) }
func (e *encoder) text(s string)  { _ = e.enc.EncodeString(s) }
func (e *encoder) bytes(b []byte) { _ = e.enc.EncodeBytes(b) }
func (e *encoder) bool(b bool)    { _ = e.enc.EncodeBool(b) }

func (e *encoder) header(h *Header) []byte {
	e.buf.Reset()
	e.array(headerFields)
	e.int(formatArchive)
	e.bytes(h.ID[:])
	e.bytes(h.Store[:])
	e.int(h.Created.UnixNano())
	e.text(h.End.String())
	e.text(h.Filter.Query.String())
	e.text(h.prefix())
	return e.buf.Bytes()
}

func (e *encoder) footer(f footer) []byte {
	e.buf.Reset()
	e.array(footerFields)
	e.int(f.events)
	e.int(f.streams)
	e.int(f.blocks)
	e.text(f.last)
	return e.buf.Bytes()
}

func (e *encoder) block(b *block) []byte {
	e.buf.Reset()
	e.array(blockFields)
	e.int(b.count)
	e.text(b.first)
	e.text(b.last)
	e.int(b.size)
	e.bytes(b.packed)
	return e.buf.Bytes()
}

// event appends an event to the buffer.
func (e *encoder) event(ev *fdbevents.Event) {
	e.array(eventFields)
	e.text(ev.Position.String())
	e.text(ev.Stream)
	e.int(ev.Revision)
	e.bytes(ev.ID[:])
	e.text(ev.Type)
	e.text(ev.ContentType)
	e.array(len(ev.Tags))
	for _, tag := range ev.Tags {
		e.text(tag)
	}
	e.int(ev.Created.UnixNano())
	e.bytes(ev.Data)
	e.bytes(ev.Metadata)
	e.bool(ev.Erased)
}

// settings appends a stream's settings to the buffer.
func (e *encoder) settings(info *fdblayer.StreamInfo) {
	e.array(settingsFields)
	e.text(info.Stream)
	e.int(info.LastRevision)
	e.int(info.TruncateBefore)
	e.int(int64(info.Retention.MaxAge))
	e.int(info.Retention.MaxCount)
	e.bool(info.Deleted)
	e.bool(info.Tombstoned)
	e.bytes(info.Metadata)
}

// decoder reads msgpack from a byte slice. It keeps the first error, and returns zero
// values from then on.
type decoder struct {
	src []byte
	r   bytes.Reader
	dec *msgpack.Decoder
	err error
	// Neighbouring events often share these strings; keeping the last saves a copy.
	lastStream, lastType, lastContentType string
}

func newDecoder() *decoder {
	d := new(decoder)
	d.dec = msgpack.NewDecoder(&d.r)
	return d
}

func (d *decoder) reset(src []byte) {
	d.src, d.err = src, nil
	d.r.Reset(src)
	d.dec.ResetReader(&d.r)
}

func (d *decoder) fail(err error) {
	if d.err == nil && err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		d.err = damaged("%w", err)
	}
}

func (d *decoder) int() (n int64) {
	if d.err == nil {
		var err error
		n, err = d.dec.DecodeInt64()
		d.fail(err)
	}
	return n
}

func (d *decoder) bool() (b bool) {
	if d.err == nil {
		var err error
		b, err = d.dec.DecodeBool()
		d.fail(err)
	}
	return b
}

// array reads the length of an array that must have n elements or, if n is negative, at
// most -n.
func (d *decoder) array(n int) int {
	if d.err != nil {
		return 0
	}
	got, err := d.dec.DecodeArrayLen()
	if err == nil && got != n && (n >= 0 || got < 0 || got > -n) {
		err = fmt.Errorf("array of %d elements", got)
	}
	d.fail(err)
	if d.err != nil {
		return 0
	}
	return got
}

// bytes returns a part of the source, nil if it is empty.
func (d *decoder) bytes() []byte {
	if d.err != nil {
		return nil
	}
	n, err := d.dec.DecodeBytesLen()
	at := len(d.src) - d.r.Len()
	if err == nil && n > d.r.Len() {
		err = io.ErrUnexpectedEOF
	}
	if err == nil && n > 0 {
		_, err = d.r.Seek(int64(n), io.SeekCurrent)
	}
	if d.fail(err); d.err != nil || n <= 0 {
		return nil
	}
	return d.src[at : at+n : at+n]
}

func (d *decoder) text() string { return string(d.bytes()) }

// shared reads a text that is likely the same as the last.
func (d *decoder) shared(last *string) string {
	if b := d.bytes(); string(b) != *last {
		*last = string(b)
	}
	return *last
}

func (d *decoder) id() (id uuid.UUID) {
	b := d.bytes()
	if d.err == nil && len(b) != len(id) {
		d.fail(fmt.Errorf("id of %d bytes", len(b)))
	}
	copy(id[:], b)
	return id
}

func (d *decoder) position() fdbevents.Position {
	p, err := fdbevents.ParsePosition(string(d.bytes()))
	d.fail(err)
	return p
}

// done returns the first error, or an error if bytes are left.
func (d *decoder) done() error {
	if d.err == nil && d.r.Len() > 0 {
		d.fail(fmt.Errorf("%d surplus bytes", d.r.Len()))
	}
	return d.err
}

func (d *decoder) header(src []byte) (h Header, err error) {
	d.reset(src)
	n := d.array(-1 << 16)
	if format := d.int(); d.err == nil && format != formatArchive {
		return h, fmt.Errorf("%w %d: this build knows format %d; use a newer fdbevents", ErrFormat, format, formatArchive)
	}
	if d.err == nil && n != headerFields {
		d.fail(fmt.Errorf("header with %d fields", n))
	}
	h.ID, h.Store = d.id(), d.id()
	h.Created = time.Unix(0, d.int()).UTC()
	h.End = d.position()
	if text := d.text(); text != "" && d.err == nil {
		h.Filter.Query, err = fdbevents.ParseQuery(text)
		d.fail(err)
	}
	if prefix := d.text(); prefix != "" {
		h.Filter.StreamPrefixes = []string{prefix}
	}
	return h, d.done()
}

func (d *decoder) footer(src []byte) (f footer, err error) {
	d.reset(src)
	d.array(footerFields)
	f.events, f.streams, f.blocks, f.last = d.int(), d.int(), d.int(), d.text()
	return f, d.done()
}

func (d *decoder) block(src []byte) (b block, err error) {
	d.reset(src)
	d.array(blockFields)
	b.count, b.first, b.last, b.size, b.packed = d.int(), d.text(), d.text(), d.int(), d.bytes()
	if d.err == nil && (b.count < 1 || b.size < 1 || b.size > maxPayload) {
		d.fail(fmt.Errorf("block of %d events in %d bytes", b.count, b.size))
	}
	return b, d.done()
}

// events decodes a block of events, whose data and metadata share raw.
func (d *decoder) events(raw []byte, b *block) (all []fdbevents.Event, err error) {
	d.reset(raw)
	for d.err == nil && d.r.Len() > 0 {
		var ev fdbevents.Event
		d.event(&ev)
		if n := len(all); n > 0 && !all[n-1].Position.Before(ev.Position) {
			d.fail(fmt.Errorf("position %s is out of order: it follows %s", ev.Position, all[n-1].Position))
		}
		all = append(all, ev)
	}
	if err := d.done(); err != nil {
		return nil, err
	}
	first, last := all[0].Position.String(), all[len(all)-1].Position.String()
	if int64(len(all)) != b.count || first != b.first || last != b.last {
		return nil, damaged("the block has %d events from %s to %s, but claims %d from %s to %s", len(all), first, last, b.count, b.first, b.last)
	}
	return all, nil
}

func (d *decoder) event(ev *fdbevents.Event) {
	d.array(eventFields)
	ev.Position = d.position()
	ev.Stream = d.shared(&d.lastStream)
	ev.Revision = d.int()
	ev.ID = d.id()
	ev.Type = d.shared(&d.lastType)
	ev.ContentType = d.shared(&d.lastContentType)
	if n := d.array(-fdbevents.MaxTags); n > 0 {
		ev.Tags = make([]string, n)
		for i := range ev.Tags {
			ev.Tags[i] = d.text()
		}
	}
	ev.Created = time.Unix(0, d.int()).UTC()
	ev.Data, ev.Metadata, ev.Erased = d.bytes(), d.bytes(), d.bool()
}

// settings decodes a block of stream settings, whose metadata shares raw.
func (d *decoder) settings(raw []byte, b *block) (all []fdblayer.StreamInfo, err error) {
	d.reset(raw)
	for d.err == nil && d.r.Len() > 0 {
		d.array(settingsFields)
		info := fdblayer.StreamInfo{Stream: d.text(), LastRevision: d.int(), TruncateBefore: d.int()}
		info.Retention = fdblayer.Retention{MaxAge: time.Duration(d.int()), MaxCount: d.int()}
		info.Deleted, info.Tombstoned, info.Metadata = d.bool(), d.bool(), d.bytes()
		all = append(all, info)
	}
	if err := d.done(); err != nil {
		return nil, err
	}
	if first, last := all[0].Stream, all[len(all)-1].Stream; int64(len(all)) != b.count || first != b.first || last != b.last {
		return nil, damaged("the block has %d streams from %q to %q, but claims %d from %q to %q", len(all), first, last, b.count, b.first, b.last)
	}
	return all, nil
}
