package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/fdbevents/fdbevents/fdblayer"
)

// ImportOptions configure Import and Verify. The zero value is ready to use.
type ImportOptions struct {
	// Progress, if not nil, is called after each block with the number of events and of
	// bytes of the archive processed so far.
	Progress func(events, bytes int64)
}

// Imported is the result of Import.
type Imported struct {
	// Header is the header of the archive.
	Header
	// Events counts the events of the archive that are now in the store, Repeats those
	// among them that were there before. Streams counts the streams that got settings.
	Events, Repeats, Streams int64
	// Renumbered counts the streams in which an event got a new revision. It does not
	// count beyond 100,000.
	Renumbered int64
}

const mostRenumbered = 100_000

// Import appends the events of an archive to a store, in their order, with their ids,
// times, tags and contents, and then gives the streams their settings. It skips events
// that are already in the store, so an interrupted import can simply be run again. Each
// block is verified before any of it is appended; at the end, the counts must match the
// archive's footer.
//
// If the archive holds whole streams, events keep their revisions. An event that does not
// fit the store is a *fdblayer.RestoreConflictError, which names stream and revision. The
// events of an archive with a query get new revisions.
//
// Errors: ErrNotArchive; ErrFormat, ErrTorn and ErrDamaged within a *BlockError; the
// errors of fdblayer.Store.Restore. After an error, the store has all earlier blocks, and
// perhaps the beginning of the block that failed.
func Import(ctx context.Context, store *fdblayer.Store, r io.Reader, o ImportOptions) (Imported, error) {
	in, err := newReader(r)
	if err != nil {
		return Imported{}, fmt.Errorf("importing: %w; nothing was imported", err)
	}
	defer in.close()
	im := importer{store: store, in: in, o: o, done: Imported{Header: in.header}}
	if err := im.run(ctx); err != nil {
		return im.done, fmt.Errorf("importing: %w; %d events before it are in the store", err, im.done.Events)
	}
	return im.done, nil
}

type importer struct {
	store *fdblayer.Store
	in    *reader
	o     ImportOptions
	done  Imported
	// renumbered holds hashes of stream names, which take less room than the names.
	renumbered map[uint64]struct{}
	seed       maphash.Seed
}

func (im *importer) run(ctx context.Context) error {
	im.seed = maphash.MakeSeed()
	im.renumbered = make(map[uint64]struct{})
	for {
		c, err := im.in.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := im.block(ctx, c); err != nil {
			return im.in.frames.wrong(err)
		}
		if im.o.Progress != nil {
			im.o.Progress(im.in.seen.events, im.in.frames.offset)
		}
	}
}

func (im *importer) block(ctx context.Context, c content) error {
	if c.streams != nil {
		if err := im.store.RestoreStreams(ctx, c.streams); err != nil {
			return err
		}
		im.done.Streams += int64(len(c.streams))
		return nil
	}
	result, err := im.store.Restore(ctx, c.events, fdblayer.RestoreOptions{Renumber: !im.in.header.whole()})
	im.done.Events += result.Events
	im.done.Repeats += result.Repeats
	for stream := range result.Renumbered {
		if len(im.renumbered) < mostRenumbered {
			im.renumbered[maphash.String(im.seed, stream)] = struct{}{}
		}
	}
	im.done.Renumbered = int64(len(im.renumbered))
	return err
}
