package layout

import (
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
	"github.com/vmihailenco/msgpack/v5"
)

// Values without a stamp are msgpack arrays that begin with a format number. Values
// with a stamp begin with the 12 bytes of a position; see stamped.go.

// formatStore is the format number of the keys and values as a whole. Format 1 split
// the tag index by partition and was never released.
const formatStore = 2

// valueWriter appends msgpack to dst. Appending does not fail, so its methods ignore
// the library's errors.
type valueWriter struct {
	dst []byte
	enc *msgpack.Encoder
}

var writers = sync.Pool{New: func() any {
	w := new(valueWriter)
	w.enc = msgpack.NewEncoder(w)
	return w
}}

// beginValue begins an array of the given number of fields, which includes the format
// number. The caller writes the other fields and calls end.
func beginValue(dst []byte, format int64, fields int) *valueWriter {
	if dst == nil {
		// Most values fit into 64 bytes and need not grow byte by byte.
		dst = make([]byte, 0, 64)
	}
	w := writers.Get().(*valueWriter)
	w.dst = dst
	w.array(fields)
	w.int(format)
	return w
}

// end returns what was written and gives the writer back to the pool.
func (w *valueWriter) end() []byte {
	dst := w.dst
	w.dst = nil
	writers.Put(w)
	return dst
}

// Write implements [io.Writer] for the library.
func (w *valueWriter) Write(b []byte) (int, error) {
	w.dst = append(w.dst, b...)
	return len(b), nil
}

// WriteByte implements [io.ByteWriter] for the library.
func (w *valueWriter) WriteByte(c byte) error {
	w.dst = append(w.dst, c)
	return nil
}

// The methods below write the short forms themselves. An append encodes a dozen fields
// per event, and going through the library's interface costs twice as much.

func (w *valueWriter) array(n int) {
	if n < 16 {
		w.dst = append(w.dst, 0x90|byte(n))
		return
	}
	_ = w.enc.EncodeArrayLen(n)
}

func (w *valueWriter) int(n int64) {
	if 0 <= n && n < 128 {
		w.dst = append(w.dst, byte(n))
		return
	}
	_ = w.enc.EncodeInt(n)
}

func (w *valueWriter) bool(b bool) { _ = w.enc.EncodeBool(b) }

func (w *valueWriter) text(text string) {
	if len(text) < 32 {
		w.dst = append(append(w.dst, 0xa0|byte(len(text))), text...)
		return
	}
	_ = w.enc.EncodeString(text)
}

func (w *valueWriter) bytes(b []byte) {
	switch {
	case b == nil:
		_ = w.enc.EncodeNil()
	case len(b) < 256:
		w.dst = append(append(w.dst, 0xc4, byte(len(b))), b...)
	default:
		_ = w.enc.EncodeBytesLen(len(b))
		w.dst = append(w.dst, b...)
	}
}

func (w *valueWriter) position(at fdbevents.Position) {
	b := at.Bytes()
	w.bytes(b[:])
}

func (w *valueWriter) texts(texts []string) {
	w.array(len(texts))
	for _, text := range texts {
		w.text(text)
	}
}

// valueReader reads msgpack from src without copying it. After the first error, which
// end returns, it reads only zeros.
type valueReader struct {
	src  []byte
	rest bytes.Reader
	dec  *msgpack.Decoder
	err  error
}

var readers = sync.Pool{New: func() any {
	r := new(valueReader)
	r.dec = msgpack.NewDecoder(&r.rest)
	return r
}}

func newValueReader(src []byte) *valueReader {
	r := readers.Get().(*valueReader)
	r.src = src
	r.rest.Reset(src)
	return r
}

// readValue begins to read a value that was begun by beginValue. The caller reads the
// other fields and calls end. what names the value in errors.
func readValue(src []byte, what string, format int64, fields int) *valueReader {
	r := newValueReader(src)
	if gotFormat, n := r.preamble(); gotFormat != format || n != fields {
		r.unknown(what, gotFormat, n)
	}
	return r
}

// preamble reads what begins every value: the length of the array and the format
// number.
func (r *valueReader) preamble() (format int64, fields int) {
	fields = r.array()
	return r.int(), fields
}

// unknown refuses a format that this version does not know.
func (r *valueReader) unknown(what string, format int64, fields int) {
	r.refuse(fmt.Errorf("%w: %s format %d with %d fields; a newer fdbevents wrote it", fdbevents.ErrFormat, what, format, fields))
}

// fail refuses the value as corrupt.
func (r *valueReader) fail(err error) { r.refuse(corrupt(err)) }

func (r *valueReader) refuse(err error) {
	if r.err == nil {
		r.err = err
	}
}

// end returns the first error and gives the reader back to the pool. Unread bytes are
// an error.
func (r *valueReader) end() error {
	if n := r.rest.Len(); n > 0 {
		r.fail(fmt.Errorf("%d bytes after the end of the value", n))
	}
	err := r.err
	r.release()
	return err
}

// release gives the reader back to the pool, without src, which the pool must not keep
// alive.
func (r *valueReader) release() {
	r.src, r.err = nil, nil
	r.rest.Reset(nil)
	readers.Put(r)
}

// offset returns where in src the next read begins.
func (r *valueReader) offset() int { return len(r.src) - r.rest.Len() }

// array reads the length of an array; -1 for nil.
func (r *valueReader) array() int { return read(r, (*msgpack.Decoder).DecodeArrayLen) }

func (r *valueReader) int() int64 { return read(r, (*msgpack.Decoder).DecodeInt64) }
func (r *valueReader) bool() bool { return read(r, (*msgpack.Decoder).DecodeBool) }

func read[T any](r *valueReader, decode func(*msgpack.Decoder) (T, error)) (value T) {
	if r.err != nil {
		return value
	}
	value, err := decode(r.dec)
	if err != nil {
		r.fail(err)
	}
	return value
}

// count reads the length of an array whose elements have at least one byte each.
func (r *valueReader) count() int {
	n := r.array()
	if n < 0 || n > r.rest.Len() {
		r.fail(fmt.Errorf("array of %d elements in %d bytes", n, r.rest.Len()))
		return 0
	}
	return n
}

// bytes returns a part of src, or nil if it is empty.
func (r *valueReader) bytes() []byte {
	n := read(r, (*msgpack.Decoder).DecodeBytesLen)
	if n <= 0 {
		return nil
	}
	at := r.offset()
	if n > len(r.src)-at {
		r.fail(io.ErrUnexpectedEOF)
		return nil
	}
	_, _ = r.rest.Seek(int64(n), io.SeekCurrent) // does not fail within src
	return r.src[at : at+n : at+n]
}

func (r *valueReader) text() string { return string(r.bytes()) }

func (r *valueReader) texts() (texts []string) {
	for n := r.count(); n > 0 && r.err == nil; n-- {
		texts = append(texts, r.text())
	}
	return texts
}

// fixed reads a byte string of exactly len(dst) bytes into dst.
func (r *valueReader) fixed(dst []byte, what string) {
	b := r.bytes()
	if len(b) != len(dst) {
		r.fail(fmt.Errorf("%s of %d bytes", what, len(b)))
		return
	}
	copy(dst, b)
}

func (r *valueReader) uuid() (id uuid.UUID) {
	r.fixed(id[:], "uuid")
	return id
}

func (r *valueReader) position() (at fdbevents.Position) {
	var b [positionSize]byte
	r.fixed(b[:], "position")
	return fdbevents.PositionFromBytes(b)
}

func corrupt(err error) error { return fmt.Errorf("%w: %w", fdbevents.ErrCorrupt, err) }
