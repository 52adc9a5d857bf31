package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"

	"github.com/fdbevents/fdbevents/fdblayer"
)

// ImportOptions are for Import and Verify. The zero value is good.
type ImportOptions struct {
	// Progress, when not nil, is called after each block with how many events have
	// been gone through, and how many bytes of the archive.
	Progress func(events, bytes int64)
}

// Imported is what an Import did.
type Imported struct {
	// Header is the archive's.
	Header
	// Events are in the store; Repeats of them had been before. Streams had
	// settings.
	Events, Repeats, Streams int64
	// Renumbered counts streams of which an event has another revision than it had.
	// It does not count beyond 100,000.
	Renumbered int64
}

const mostRenumbered = 100_000

// Import appends the events of an archive to a store, in their order, with their
// ids, times, tags and contents, and then gives the streams their settings. What is
// in the store already is passed over, so that an interrupted import is simply run
// again. Each block is verified before anything of it is appended; at the end,
// there must be as many as the archive says.
//
// Revisions stay where the archive has whole streams: of one that does not fit to
// what the store has, a *fdblayer.RestoreConflictError names stream and revision.
// The events of an archive of a query get new ones.
//
// Errors: ErrNotArchive; ErrFormat, ErrTorn and ErrDamaged within a *BlockError;
// those of fdblayer.Store.Restore. After an error, what the blocks before had is in
// the store, and of the block that failed perhaps the beginning.
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
	// renumbered are hashes of stream names: the names would take more room.
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
