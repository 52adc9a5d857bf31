package archive

import (
	"bufio"
	"fmt"
	"io"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/klauspost/compress/zstd"
)

// reader reads an archive block by block, and verifies each block before it returns it. It
// is not safe for concurrent use.
type reader struct {
	frames frameReader
	dec    *decoder
	zstd   *zstd.Decoder

	header Header
	// seen counts what the blocks so far held.
	seen footer
	// streams is true after the first settings, which no events may follow.
	streams bool
	// lastStream is the last stream of the settings so far.
	lastStream string
}

// content is the content of a block: events, settings, or neither at the end.
type content struct {
	events  []fdbevents.Event
	streams []fdblayer.StreamInfo
}

// newReader reads the header. The caller closes the reader.
func newReader(r io.Reader) (*reader, error) {
	unpack, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxPayload))
	if err != nil {
		return nil, err
	}
	in := &reader{frames: frameReader{r: bufio.NewReaderSize(r, 256<<10)}, dec: newDecoder(), zstd: unpack}
	if err := in.begin(); err != nil {
		in.close()
		return nil, err
	}
	return in, nil
}

func (in *reader) close() { in.zstd.Close() }

func (in *reader) begin() error {
	if err := in.frames.begin(); err != nil {
		return err
	}
	kind, payload, err := in.frames.read()
	if err != nil {
		return err
	}
	if kind != kindHeader {
		return in.frames.wrong(damaged("the first block has kind %q, want a header", kind))
	}
	if in.header, err = in.dec.header(payload); err != nil {
		return in.frames.wrong(err)
	}
	return nil
}

// next reads the next block. At the footer, which must match the blocks before it and end
// the input, err is io.EOF.
func (in *reader) next() (c content, err error) {
	kind, payload, err := in.frames.read()
	if err != nil {
		return c, err
	}
	switch kind {
	case kindEvents, kindStreams:
		c, err = in.block(kind, payload)
	case kindFooter:
		var f footer
		if f, err = in.dec.footer(payload); err == nil && f != in.seen {
			err = damaged("the footer counts %d events and %d streams in %d blocks up to %q, but the archive has %d and %d in %d up to %q",
				f.events, f.streams, f.blocks, f.last, in.seen.events, in.seen.streams, in.seen.blocks, in.seen.last)
		}
		if err == nil {
			if err := in.frames.end(); err != nil {
				return c, err
			}
			return c, io.EOF
		}
	default:
		err = damaged("block of unknown kind %q", kind)
	}
	if err != nil {
		return c, in.frames.wrong(err)
	}
	return c, nil
}

func (in *reader) block(kind byte, payload []byte) (c content, err error) {
	b, err := in.dec.block(payload)
	if err != nil {
		return c, err
	}
	raw, err := in.zstd.DecodeAll(b.packed, make([]byte, 0, min(b.size, 64*int64(len(b.packed))+1024)))
	if err != nil {
		return c, damaged("decompressing: %w", err)
	}
	if int64(len(raw)) != b.size {
		return c, damaged("the block decompresses to %d bytes, but claims %d", len(raw), b.size)
	}
	if kind == kindStreams {
		c.streams, err = in.dec.settings(raw, &b)
	} else {
		c.events, err = in.dec.events(raw, &b)
	}
	switch {
	case err != nil:
		return content{}, err
	case kind == kindStreams && in.streams && b.first <= in.lastStream:
		return content{}, damaged("stream %q is out of order: it follows %q", b.first, in.lastStream)
	case kind == kindEvents && in.streams:
		return content{}, damaged("events follow stream settings")
	case kind == kindEvents && b.first <= in.seen.last:
		return content{}, damaged("position %s is out of order: it follows %s", b.first, in.seen.last)
	}
	in.seen.blocks++
	if kind == kindStreams {
		in.streams, in.lastStream = true, b.last
		in.seen.streams += b.count
	} else {
		in.seen.events += b.count
		in.seen.last = b.last
	}
	return c, nil
}

// Describe reads only the header of an archive. It returns the errors of Import.
func Describe(r io.Reader) (Header, error) {
	in, err := newReader(r)
	if err != nil {
		return Header{}, fmt.Errorf("reading the archive: %w", err)
	}
	in.close()
	return in.header, nil
}
