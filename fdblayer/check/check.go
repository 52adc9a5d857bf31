package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// CheckOptions are for Store.Check. The zero value is good.
type Options struct {
	// Progress, when not nil, is called now and then with how many keys have been
	// looked at, and how many there are, as far as is known.
	Progress func(done, total int64)
	// Repair mends what can be rebuilt from the log: see Store.Check.
	Repair bool
	// Sample, when it is not zero, looks at a part of the store only.
	Sample Sample
}

// CheckReport is what Store.Check found.
type Report struct {
	// Events is the log's, Streams those with events, IDs and Tags the entries of
	// the indexes.
	Events, Streams, IDs, Tags int64
	// Problems says, one sentence each, what is not as it should be: the first
	// hundred of them. What was mended is not among them.
	Problems []string
	// More is true when there were further problems.
	More bool
	// Mended is how many problems were mended; Repairs says of the first hundred
	// what was wrong, and what was done.
	Mended  int64
	Repairs []string
	// Seed is that of a sample.
	Seed uint64
}

// OK reports whether no problem was found.
func (r Report) OK() bool { return len(r.Problems) == 0 }

const (
	maxProblems = 100
	// checkBytes and checkKeys bound what one transaction looks at, besides what its
	// values lead to.
	checkBytes = 512 << 10
	checkKeys  = 2048
)

// RunCheck reads the whole store and verifies every index against the log: each
// record's checksum and partition, its place in its stream, its event id and its
// tags, and the other way round that each of these leads to the record; that
// revisions have no gaps and rise with positions; that heads and doorbells are
// right; and that what checkpoints, projections and consumer groups keep can be
// read, and leads to places in this log.
// Others may go on writing meanwhile.
//
// With Sample, it looks at some events only, chosen at random: that each is where
// its stream says, and that all its indexes lead to it; and at doorbells and what
// readers keep. What an index has too much it finds only when it looks at all.
//
// With Repair, it mends what the records of the log tell: stream entries and their
// copies, entries of ids, tags and system indexes, heads' next revisions, doorbells;
// and removes index entries that lead to another event. Records are never touched,
// nor what may be the last trace of an event that is lost. Each repair is decided
// anew in the transaction that makes it.
//
// The error is non-nil when the store could not be read; what is wrong with what
// was read is in the report.
func Run(ctx context.Context, s *fdblayer.Store, o Options) (Report, error) {
	if err := o.check(); err != nil {
		return Report{}, err
	}
	c := &checker{door: s.Door(), keys: s.Door().Keys(), progress: o.Progress, repair: o.Repair, sample: o.Sample}
	for _, step := range c.steps() {
		if err := step.run(ctx); err != nil {
			return c.report, fmt.Errorf("checking %s: %w", step.what, err)
		}
	}
	return c.report, nil
}

func (o *Options) check() error {
	if err := o.Sample.check(); err != nil {
		return err
	}
	if o.Repair && o.Sample.set() {
		return &fdbevents.InvalidError{What: "sample", Value: o.Sample.String(), Reason: "a repair looks at everything; ask for one of both"}
	}
	return nil
}

type checkStep struct {
	what string
	run  func(context.Context) error
}

func (c *checker) steps() []checkStep {
	heads, log := checkStep{"stream heads", c.heads}, checkStep{"the log", c.log}
	readers := []checkStep{{"doorbells", c.doorbells}, {"checkpoints", c.checkpoints}, {"projections", c.projections}, {"consumer groups", c.groups}}
	entries, others := checkStep{"stream entries", c.entries}, []checkStep{{"event ids", c.ids}, {"tags", c.tags}}
	switch {
	case c.sample.set():
		return append([]checkStep{{"events chosen at random", c.sampled}}, readers...)
	case c.repair:
		// Entries are mended from the log, and heads from entries. What stray entries
		// have made wrong of their neighbours is to be looked at after these are gone.
		strays := checkStep{"stream entries", func(ctx context.Context) error {
			c.mendOnly = true
			defer func() { c.mendOnly, c.entry = false, checkedEntry{} }()
			return c.entries(ctx)
		}}
		return slices.Concat([]checkStep{log, strays, entries, heads}, others, readers)
	}
	return slices.Concat([]checkStep{heads, log, entries}, others, readers)
}

// checker is a Check under way. Each page of keys is looked at in one
// transaction, together with what its values lead to, so that what others write
// meanwhile is seen whole or not at all.
type checker struct {
	door     fdblayer.Door
	keys     layout.Keys
	progress func(done, total int64)
	repair   bool
	// mendOnly is true when a later step will report what this one cannot mend.
	mendOnly    bool
	sample      Sample
	report      Report
	done, total int64
	// entry is the last stream entry looked at.
	entry checkedEntry
}

type checkedEntry struct {
	stream   string
	revision int64
	at       fdbevents.Position
}

// findings are those of one page; they count when its transaction is through.
type findings struct {
	problems []finding
	// events, streams, ids and tags are added to the report's, expected to the
	// number of keys that the whole check will look at.
	events, streams, ids, tags, expected int64
	entry                                checkedEntry
}

// finding is one problem.
type finding struct {
	problem string
	// mend mends it, or is nil when it cannot be mended.
	mend mend
}

func (f *findings) problem(format string, args ...any) {
	f.problems = append(f.problems, finding{problem: fmt.Sprintf(format, args...)})
}

// mendable is a problem that can perhaps be mended.
func (f *findings) mendable(m mend, format string, args ...any) {
	f.problems = append(f.problems, finding{fmt.Sprintf(format, args...), m})
}

// scan looks at all keys of a range, page by page. look is called again for a
// page whose transaction failed.
func (c *checker) scan(ctx context.Context, r engine.Range, look func(r fdblayer.Reader, kvs []engine.KeyValue, f *findings) error) error {
	for {
		var p engine.Page
		var f findings
		err := c.door.View(ctx, func(at fdblayer.Reader) (err error) {
			f = findings{entry: c.entry}
			if p, err = at.GetRange(r, engine.RangeOptions{Bytes: checkBytes, Limit: checkKeys}).Get(); err != nil {
				return err
			}
			return look(at, p.KeyValues, &f)
		})
		if err != nil {
			return err
		}
		c.entry = f.entry
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

// add counts findings in, and mends them if that is asked for.
func (c *checker) add(ctx context.Context, f findings) error {
	c.report.Events += f.events
	c.report.Streams += f.streams
	c.report.IDs += f.ids
	c.report.Tags += f.tags
	c.total += f.expected
	problems := f.problems
	if c.repair {
		var err error
		if problems, err = c.mend(ctx, problems); err != nil {
			return fmt.Errorf("repairing: %w", err)
		}
	}
	if c.mendOnly {
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

// indexes reads which system indexes there are.
func (c *checker) indexes(r engine.Reader) ([]layout.SystemIndex, error) {
	value, err := r.Get(c.keys.Header()).Get()
	if err != nil {
		return nil, fmt.Errorf("reading the store's header: %w", err)
	}
	if value == nil {
		return nil, fmt.Errorf("%w: the store's header is gone", fdbevents.ErrCorrupt)
	}
	h, err := layout.DecodeHeader(value)
	return h.Indexes, err
}
