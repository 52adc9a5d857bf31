package archive

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/fdbevents/fdbevents/fdblayer"
	"golang.org/x/sys/unix"
)

// PartialSuffix ends the name of a file while it is being written.
const PartialSuffix = ".partial"

// ExportFile exports into a new file. It writes under name + PartialSuffix, syncs, and
// then renames the file. After an interruption, the next call with the same options
// resumes the partial file: it continues after the last complete block, up to the same
// end.
//
// Errors: fs.ErrExist if the file exists, ErrOther if the partial file is of another store
// or selection, ErrBusy if another call is writing it.
func ExportFile(ctx context.Context, store *fdblayer.Store, name string, o Options) (Summary, error) {
	if _, err := os.Lstat(name); err == nil {
		return Summary{}, fmt.Errorf("exporting: %s: %w; remove it or choose another name", name, fs.ErrExist)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return Summary{}, fmt.Errorf("exporting: %w", err)
	}
	partial := name + PartialSuffix
	f, err := os.OpenFile(partial, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return Summary{}, fmt.Errorf("exporting: %w", err)
	}
	x := (*exporter)(nil)
	if err = takeFile(f); err == nil {
		x, err = exportFile(ctx, store, f, o)
	}
	if err == nil {
		err = os.Rename(partial, name) // while we hold the lock
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	if err == nil {
		err = syncFolder(filepath.Dir(name))
	}
	switch {
	case errors.Is(err, ErrOther), errors.Is(err, ErrNotArchive), errors.Is(err, ErrFormat):
		return Summary{}, fmt.Errorf("resuming %s: %w; remove it to start over", partial, err)
	case errors.Is(err, ErrBusy):
		return Summary{}, fmt.Errorf("exporting: %s: %w", partial, err)
	case err != nil:
		return Summary{}, fmt.Errorf("exporting: %w; export again to resume %s", err, partial)
	}
	return x.summary(), nil
}

// takeFile locks a partial file. It fails if another export has just finished and renamed
// the file.
func takeFile(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return ErrBusy
	} else if err != nil {
		return fmt.Errorf("locking %s: %w", f.Name(), err)
	}
	own, err := f.Stat()
	if err != nil {
		return err
	}
	if named, err := os.Stat(f.Name()); err != nil || !os.SameFile(own, named) {
		return ErrBusy
	}
	return nil
}

func exportFile(ctx context.Context, store *fdblayer.Store, f *os.File, o Options) (*exporter, error) {
	x, err := newExporter(ctx, store, o)
	if err != nil {
		return nil, err
	}
	begun, err := x.resume(f)
	if err != nil {
		return nil, err
	}
	at := int64(0)
	if begun {
		at = x.frames.offset
	}
	if err := f.Truncate(at); err != nil {
		return nil, err
	}
	if _, err := f.Seek(at, io.SeekStart); err != nil {
		return nil, err
	}
	buffered := bufio.NewWriterSize(f, 256<<10)
	x.frames.w = buffered
	if !begun {
		if err := x.frames.begin(); err != nil {
			return nil, err
		}
		if err := x.frames.write(kindHeader, x.enc.header(&x.header)); err != nil {
			return nil, err
		}
	}
	err = x.run(ctx)
	// Keep what is complete even after an error.
	if flushing := buffered.Flush(); err == nil {
		err = flushing
	}
	if syncing := f.Sync(); err == nil {
		err = syncing
	}
	return x, err
}

// resume finds out how much of a file to keep: the header, and the blocks of events before
// the first that is torn or damaged. begun is false if there is nothing to keep.
func (x *exporter) resume(f io.Reader) (begun bool, err error) {
	in, err := newReader(f)
	if err != nil {
		if errors.Is(err, ErrTorn) || errors.Is(err, ErrDamaged) || errors.Is(err, io.EOF) {
			return false, nil
		}
		return false, err
	}
	defer in.close()
	h := &in.header
	if h.Store != x.header.Store || h.prefix() != x.header.prefix() || h.Filter.Query.String() != x.header.Filter.Query.String() {
		return false, fmt.Errorf("%w: it is of store %s, query %q, stream prefix %q; this export is of store %s, query %q, stream prefix %q", ErrOther,
			h.Store, h.Filter.Query, h.prefix(), x.header.Store, x.header.Filter.Query, x.header.prefix())
	}
	x.header = *h
	for {
		x.frames.chain, x.written = in.frames.chain, in.seen
		c, err := in.next()
		if errors.Is(err, ErrTorn) || errors.Is(err, ErrDamaged) || errors.Is(err, io.EOF) || c.streams != nil {
			break
		}
		if err != nil {
			return false, err
		}
		x.last = c.events[len(c.events)-1].Position
	}
	x.kept = x.written.events
	return true, nil
}

// syncFolder makes a rename durable.
func syncFolder(name string) error {
	d, err := os.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
