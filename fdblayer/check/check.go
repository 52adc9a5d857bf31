package check

import (
	"context"
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// Options configure Run. The zero value checks the whole store and repairs nothing.
type Options struct {
	// Progress, if not nil, is called from time to time, on the goroutine of Run, with
	// the number of keys inspected so far and an estimate of their total.
	Progress func(done, total int64)
	// Repair rebuilds what can be rebuilt from the log; see Run. It excludes Sample.
	Repair bool
	// Sample, if not zero, limits the check to a part of the store.
	Sample Sample
}

// Report is the result of Run.
type Report struct {
	// Events counts the events in the log, Streams the streams that have events, IDs
	// and Tags the entries of the indexes. With Sample, Events counts the events
	// checked, and IDs and Tags are 0.
	Events, Streams, IDs, Tags int64
	// Problems describes the first hundred problems, one sentence each. Problems that
	// were repaired are not among them.
	Problems []string
	// More is true if there were more problems than Problems holds.
	More bool
	// Mended counts the problems that were repaired. Repairs describes the first
	// hundred: the problem, and what was done about it.
	Mended  int64
	Repairs []string
	// Seed is the seed of the sample, 0 without one.
	Seed uint64
}

// OK reports whether no problem is left.
func (r Report) OK() bool { return len(r.Problems) == 0 }

// Run reads the whole store and verifies every index against the log: each record's
// checksum and partition, its place in its stream, its event id and its tags, and, the
// other way round, that each of these leads to the record; that revisions have no gaps
// and rise with positions; that heads and doorbells are right; and that what
// checkpoints, projections and consumer groups keep can be decoded and leads to places
// in this log. Other processes may write meanwhile.
//
// With Sample, Run verifies only events chosen at random: that each is where its stream
// says, and that all its indexes lead to it. It also verifies the doorbells and what
// readers keep. Surplus index entries are found only by a full check.
//
// With Repair, Run rebuilds what follows from the records of the log: stream entries and
// the copies in them, entries of ids, tags and system indexes, the next revisions of
// heads, and doorbells. It removes index entries that lead to another event. It never
// touches records, nor anything that may be the last trace of a lost event. Each repair
// is decided anew in the transaction that makes it.
//
// The error is non-nil if the options are invalid or the store could not be read, in
// which case the report is incomplete. Anything wrong with what was read is in the
// report.
func Run(ctx context.Context, s *fdblayer.Store, o Options) (Report, error) {
	if err := o.validate(); err != nil {
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

func (o *Options) validate() error {
	if err := o.Sample.validate(); err != nil {
		return err
	}
	if o.Repair && o.Sample.set() {
		return &fdbevents.InvalidError{What: "sample", Value: o.Sample.String(), Reason: "a repair covers the whole store; choose one of the two"}
	}
	return nil
}

// step is one part of a check.
type step struct {
	what string
	run  func(context.Context) error
}

func (c *checker) steps() []step {
	heads, log := step{"stream heads", c.heads}, step{"the log", c.log}
	readers := []step{{"doorbells", c.doorbells}, {"checkpoints", c.checkpoints}, {"projections", c.projections}, {"consumer groups", c.groups}}
	entries, others := step{"stream entries", c.entries}, []step{{"event ids", c.ids}, {"tags", c.tags}}
	switch {
	case c.sample.set():
		return append([]step{{"events chosen at random", c.sampled}}, readers...)
	case c.repair:
		// The log repairs entries, and entries repair heads. Stray entries make their
		// neighbours look wrong, so remove them before judging the neighbours.
		strays := step{"stream entries", func(ctx context.Context) error {
			c.unreported = true
			defer func() { c.unreported, c.previous = false, entryPosition{} }()
			return c.entries(ctx)
		}}
		return slices.Concat([]step{log, strays, entries, heads}, others, readers)
	}
	return slices.Concat([]step{heads, log, entries}, others, readers)
}
