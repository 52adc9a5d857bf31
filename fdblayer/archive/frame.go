package archive

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

const (
	magic = "\x89FDBEVENT\r\n\x1a"
	// frameHead is the size of kind, length and checksum.
	frameHead = 9
	// maxPayload bounds a frame. The largest event takes about 8.1 MiB.
	maxPayload = 32 << 20

	kindHeader  = 'H'
	kindEvents  = 'E'
	kindStreams = 'S'
	kindFooter  = 'F'
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// chain is the running checksum of a file, and where it ends.
type chain struct {
	sum    uint32
	offset int64
	// frames counts the frames so far.
	frames int64
}

func newChain() chain {
	return chain{sum: crc32.Checksum([]byte(magic), castagnoli), offset: int64(len(magic))}
}

// next returns the chain after one more frame; head is the frame's kind and length.
func (c chain) next(head, payload []byte) chain {
	return chain{
		sum:    crc32.Update(crc32.Update(c.sum, castagnoli, head), castagnoli, payload),
		offset: c.offset + frameHead + int64(len(payload)),
		frames: c.frames + 1,
	}
}

type frameWriter struct {
	w io.Writer
	chain
}

// begin writes the magic number.
func (w *frameWriter) begin() error {
	w.chain = newChain()
	_, err := io.WriteString(w.w, magic)
	return err
}

func (w *frameWriter) write(kind byte, payload []byte) error {
	if len(payload) > maxPayload {
		return fmt.Errorf("block of %d bytes, limit %d", len(payload), maxPayload)
	}
	var head [frameHead]byte
	head[0] = kind
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload)))
	next := w.next(head[:5], payload)
	binary.BigEndian.PutUint32(head[5:], next.sum)
	if _, err := w.w.Write(head[:]); err != nil {
		return err
	}
	if _, err := w.w.Write(payload); err != nil {
		return err
	}
	w.chain = next
	return nil
}

// frameReader reads frames and verifies their checksums.
type frameReader struct {
	r io.Reader
	chain
	// before is the chain before the frame read last.
	before chain
	buf    bytes.Buffer
}

// begin reads the magic number.
func (r *frameReader) begin() error {
	got := make([]byte, len(magic))
	n, err := io.ReadFull(r.r, got)
	short := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	switch {
	case err != nil && !short:
		return err
	case short && string(got[:n]) == magic[:n]:
		return fmt.Errorf("%w: it has only %d bytes", ErrTorn, n)
	case string(got[:n]) != magic:
		return fmt.Errorf("%w: it begins with %q", ErrNotArchive, got[:n])
	}
	r.chain = newChain()
	return nil
}

// read reads the next frame. payload is valid until the next call. Errors name the block,
// except those of the input itself.
func (r *frameReader) read() (kind byte, payload []byte, err error) {
	r.before = r.chain
	var head [frameHead]byte
	n, err := io.ReadFull(r.r, head[:])
	switch {
	case errors.Is(err, io.EOF):
		return 0, nil, r.wrong(fmt.Errorf("%w: it ends without a footer", ErrTorn))
	case errors.Is(err, io.ErrUnexpectedEOF):
		return 0, nil, r.wrong(fmt.Errorf("%w: it ends %d bytes into a block", ErrTorn, n))
	case err != nil:
		return 0, nil, err
	}
	length := int64(binary.BigEndian.Uint32(head[1:]))
	if length > maxPayload {
		return 0, nil, r.wrong(damaged("length of %d bytes, limit %d", length, maxPayload))
	}
	r.buf.Reset()
	// Do not allocate a buffer of that length first, because the length may be wrong.
	if got, err := io.CopyN(&r.buf, r.r, length); errors.Is(err, io.EOF) {
		return 0, nil, r.wrong(fmt.Errorf("%w: only %d of %d bytes are there", ErrTorn, got, length))
	} else if err != nil {
		return 0, nil, err
	}
	next := r.next(head[:5], r.buf.Bytes())
	if stored := binary.BigEndian.Uint32(head[5:]); stored != next.sum {
		return 0, nil, r.wrong(damaged("checksum %08x, stored %08x", next.sum, stored))
	}
	r.chain = next
	return head[0], r.buf.Bytes(), nil
}

// end fails unless the input ends here.
func (r *frameReader) end() error {
	r.before = r.chain
	switch n, err := io.ReadFull(r.r, make([]byte, 1)); {
	case n > 0:
		return r.wrong(damaged("bytes follow the footer"))
	case !errors.Is(err, io.EOF):
		return err
	}
	return nil
}

// wrong returns err with the place of the frame read last.
func (r *frameReader) wrong(err error) error {
	return &BlockError{Block: r.before.frames, Offset: r.before.offset, Err: err}
}
