package archive

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
	"github.com/klauspost/compress/zstd"
)

// Options select what is exported. The zero value exports everything.
type Options struct {
	// Filter selects events by at most one stream prefix, which selects whole streams,
	// and by a query. A query leaves out events that readers of the streams do not see,
	// and the settings of the streams.
	Filter fdbevents.Filter
	// Progress, if not nil, is called after each block of events with the number of
	// events exported so far and an estimate of their total, 0 if unknown.
	Progress func(done, total int64)
}

func (o *Options) validate() error {
	f := &o.Filter
	if f.Stream != "" || len(f.StreamPrefixes) > 1 || len(f.TypePrefixes) > 0 {
		return &fdbevents.InvalidError{What: "archive filter", Value: fmt.Sprintf("%+v", *f), Reason: "an archive selects by at most one stream prefix and a query"}
	}
	return f.Validate()
}

// Summary describes a finished archive.
type Summary struct {
	Header
	// Events counts the events, Streams the streams with settings, Blocks the blocks that
	// hold them. Bytes is the size of the archive.
	Events, Streams, Blocks, Bytes int64
	// Kept counts the events that an earlier, interrupted export had written.
	Kept int64
}

const (
	// blockBytes is the approximate size of a block before compression.
	blockBytes = 1 << 20
	// slack is what an event nearly always needs at most beyond its data and metadata.
	slack = 1 << 10
)

// Export writes an archive of a store to w, up to the last event in the store when it
// begins. Others may append meanwhile. Export holds about one block in memory. After an
// error, what it has written to w is an incomplete archive, and Import says so.
func Export(ctx context.Context, store *fdblayer.Store, w io.Writer, o Options) (Summary, error) {
	buffered := bufio.NewWriterSize(w, 256<<10)
	x, err := newExporter(ctx, store, o)
	if err == nil {
		x.frames = frameWriter{w: buffered}
		if err = x.frames.begin(); err == nil {
			err = x.frames.write(kindHeader, x.enc.header(&x.header))
		}
		if err == nil {
			err = x.run(ctx)
		}
		if err == nil {
			err = buffered.Flush()
		}
	}
	if err != nil {
		return Summary{}, fmt.Errorf("exporting: %w", err)
	}
	return x.summary(), nil
}

// exporter is an export under way.
type exporter struct {
	store  *fdblayer.Store
	o      Options
	header Header
	frames frameWriter
	zstd   *zstd.Encoder
	// enc encodes frames. body gathers the next block, pending its ends and count.
	enc, body *encoder
	pending   block
	packed    []byte

	written footer
	// last is the position of the last event written; the export resumes after it.
	last fdbevents.Position
	kept int64
	// total is an estimate of the number of events, 0 if unknown.
	total int64
}

func newPacker() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false)) // frames have checksums
}

func newExporter(ctx context.Context, store *fdblayer.Store, o Options) (*exporter, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	pack, err := newPacker()
	if err != nil {
		return nil, err
	}
	x := &exporter{store: store, o: o, zstd: pack, enc: newEncoder(), body: newEncoder()}
	x.header = Header{
		ID: uuid.New(), Store: store.Stats().StoreID, Created: time.Now().UTC(),
		Filter: o.Filter,
	}
	for ev, err := range store.ReadAll(ctx, fdbevents.End, fdblayer.ReadOptions{Backward: true, Limit: 1}) {
		if err != nil {
			return nil, err
		}
		x.header.End = ev.Position
	}
	return x, nil
}

func (x *exporter) summary() Summary {
	return Summary{
		Header: x.header, Events: x.written.events, Streams: x.written.streams, Blocks: x.written.blocks,
		Bytes: x.frames.offset, Kept: x.kept,
	}
}

// run writes everything after the header that is not yet written.
func (x *exporter) run(ctx context.Context) error {
	if x.o.Progress != nil && x.header.whole() {
		for info, err := range x.store.Streams(ctx, x.header.prefix()) {
			if err != nil {
				return err
			}
			x.total += info.LastRevision + 1
		}
	}
	if err := x.events(ctx); err != nil {
		return err
	}
	if x.header.whole() {
		if err := x.settings(ctx); err != nil {
			return err
		}
	}
	return x.frames.write(kindFooter, x.enc.footer(x.written))
}

func (x *exporter) events(ctx context.Context) error {
	var seen *visibility
	if !x.header.whole() {
		seen = &visibility{store: x.store, now: x.header.Created}
	}
	o := fdblayer.ReadOptions{Filter: x.header.Filter}
	for ev, err := range x.store.ReadAll(ctx, x.last, o) {
		if err != nil {
			return err
		}
		if x.header.End.Before(ev.Position) {
			break
		}
		if !x.last.Before(ev.Position) {
			continue
		}
		if seen != nil {
			if ok, err := seen.has(ctx, &ev); err != nil || !ok {
				if err != nil {
					return err
				}
				continue
			}
		}
		if err := x.room(kindEvents, len(ev.Data)+len(ev.Metadata)+slack); err != nil {
			return err
		}
		x.body.event(&ev)
		x.put(ev.Position.String())
		x.last = ev.Position
	}
	return x.flush(kindEvents)
}

// settings writes the settings of every stream that has any.
func (x *exporter) settings(ctx context.Context) error {
	for info, err := range x.store.Streams(ctx, x.header.prefix()) {
		if err != nil {
			return err
		}
		if info.TruncateBefore == 0 && info.Retention == (fdblayer.Retention{}) && !info.Deleted && !info.Tombstoned && len(info.Metadata) == 0 {
			continue
		}
		if err := x.room(kindStreams, len(info.Metadata)+slack); err != nil {
			return err
		}
		x.body.settings(&info)
		x.put(info.Stream)
	}
	return x.flush(kindStreams)
}

// room flushes the block if size more bytes would make it too large.
func (x *exporter) room(kind byte, size int) error {
	if x.pending.count > 0 && x.body.buf.Len()+size > blockBytes {
		return x.flush(kind)
	}
	return nil
}

// put counts an item that was added to the block.
func (x *exporter) put(name string) {
	if x.pending.count == 0 {
		x.pending.first = name
	}
	x.pending.last = name
	x.pending.count++
}

func (x *exporter) flush(kind byte) error {
	b := x.pending
	if b.count == 0 {
		return nil
	}
	raw := x.body.buf.Bytes()
	x.packed = x.zstd.EncodeAll(raw, x.packed[:0])
	b.size, b.packed = int64(len(raw)), x.packed
	if err := x.frames.write(kind, x.enc.block(&b)); err != nil {
		return err
	}
	x.body.buf.Reset()
	x.pending = block{}
	x.written.blocks++
	if kind == kindStreams {
		x.written.streams += b.count
		return nil
	}
	x.written.events += b.count
	x.written.last = b.last
	if x.o.Progress != nil {
		total := x.total
		if total > 0 {
			total = max(total, x.written.events)
		}
		x.o.Progress(x.written.events, total)
	}
	return nil
}

// visibility decides which events are visible to readers of their streams.
type visibility struct {
	store *fdblayer.Store
	// now is the time at which ages are measured.
	now time.Time
	// known caches up to knownStreams streams.
	known map[string]fdblayer.StreamInfo
}

const knownStreams = 10_000

func (v *visibility) has(ctx context.Context, ev *fdbevents.Event) (bool, error) {
	info, ok := v.known[ev.Stream]
	if !ok {
		var err error
		if info, err = v.store.Stream(ctx, ev.Stream); err != nil {
			return false, err
		}
		if v.known == nil || len(v.known) >= knownStreams {
			v.known = make(map[string]fdblayer.StreamInfo)
		}
		info.Metadata = nil
		v.known[ev.Stream] = info
	}
	first := info.TruncateBefore
	if n := info.Retention.MaxCount; n > 0 {
		first = max(first, info.LastRevision+1-n)
	}
	age := info.Retention.MaxAge
	return ev.Revision >= first && (age == 0 || !ev.Created.Before(v.now.Add(-age))), nil
}
