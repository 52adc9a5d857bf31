package check

import (
	"context"
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

const (
	// maxProblems bounds the problems, and the repairs, that a report describes.
	maxProblems = 100
	// pageBytes and pageKeys bound the keys that one transaction inspects, not counting
	// what their values lead to.
	pageBytes = 512 << 10
	pageKeys  = 2048
)

// checker is a run under way. It inspects each page of keys in one transaction, together
// with what the values lead to, and so sees concurrent writes whole or not at all.
type checker struct {
	door     fdblayer.Door
	keys     layout.Keys
	progress func(done, total int64)
	repair   bool
	// unreported is true while a later step will report what this one cannot repair.
	unreported  bool
	sample      Sample
	report      Report
	done, total int64
	// previous is the stream entry inspected last.
	previous entryPosition
}

// entryPosition is a stream entry and the position it leads to.
type entryPosition struct {
	stream   string
	revision int64
	at       fdbevents.Position
}

// findings are the results of one page. They count once its transaction has succeeded.
type findings struct {
	problems []finding
	// events, streams, ids and tags are added to the counts of the report, expected to
	// the number of keys that the whole check will inspect.
	events, streams, ids, tags, expected int64
	previous                             entryPosition
}

// finding is one problem.
type finding struct {
	problem string
	// repair repairs it, or is nil if that is impossible.
	repair repair
}

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, finding{problem: fmt.Sprintf(format, args...)})
}

// repairable adds a problem that r may be able to repair.
func (f *findings) repairable(r repair, format string, args ...any) {
	f.problems = append(f.problems, finding{fmt.Sprintf(format, args...), r})
}

// scan inspects all keys of a range, page by page. It calls inspect again for a page
// whose transaction failed.
func (c *checker) scan(ctx context.Context, r engine.Range, inspect func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error) error {
	for {
		var p engine.Page
		var f findings
		err := c.door.View(ctx, func(at fdblayer.Reader) (err error) {
			f = findings{previous: c.previous}
			if p, err = at.GetRange(r, engine.RangeOptions{Bytes: pageBytes, Limit: pageKeys}).Get(); err != nil {
				return err
			}
			return inspect(at, p.KeyValues, &f)
		})
		if err != nil {
			return err
		}
		c.previous = f.previous
		if err := c.add(ctx, f); err != nil {
			return err
		}
		c.done += int64(len(p.KeyValues))
		if c.progress != nil {
			c.progress(c.done, max(c.total, c.done))
		}
		if !p.More {
			return nil
		}
		r.Begin = layout.After(p.KeyValues[len(p.KeyValues)-1].Key)
	}
}

// add adds findings to the report, and repairs them if asked to.
func (c *checker) add(ctx context.Context, f findings) error {
	c.report.Events += f.events
	c.report.Streams += f.streams
	c.report.IDs += f.ids
	c.report.Tags += f.tags
	c.total += f.expected
	problems := f.problems
	if c.repair {
		var err error
		if problems, err = c.repairAll(ctx, problems); err != nil {
			return fmt.Errorf("repairing: %w", err)
		}
	}
	if c.unreported {
		return nil
	}
	for _, p := range problems {
		if c.report.More = len(c.report.Problems) == maxProblems; c.report.More {
			break
		}
		c.report.Problems = append(c.report.Problems, p.problem)
	}
	return nil
}

// head reads a stream's head.
func (c *checker) head(r engine.Reader, stream string) (h layout.Head, err error) {
	value, err := r.Get(c.keys.Head(nil, stream)).Get()
	if err != nil {
		return h, fmt.Errorf("reading head of stream %q: %w", stream, err)
	}
	if h, err = layout.DecodeHead(value); err != nil {
		err = fmt.Errorf("head of stream %q: %w", stream, err)
	}
	return h, err
}

// systemIndexes reads the list of the store's system indexes.
func (c *checker) systemIndexes(r engine.Reader) ([]layout.SystemIndex, error) {
	value, err := r.Get(c.keys.Header()).Get()
	if err != nil {
		return nil, fmt.Errorf("reading the store's header: %w", err)
	}
	if value == nil {
		return nil, fmt.Errorf("%w: the store's header is missing", fdbevents.ErrCorrupt)
	}
	h, err := layout.DecodeHeader(value)
	return h.Indexes, err
}
