package fdblayer

import (
	"fmt"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"golang.org/x/sync/errgroup"
)

// logCursor reads the log of all streams, or what a filter selects from it. It merges
// sources by position: either the partitions of the log, or index entries of tags,
// chosen so that every event of the query has at least one of the tags.
//
// A source is known up to some position: the last event read if a limit cut its page,
// otherwise the read version, at which every earlier commit is visible. A page hands
// out only events that no source can still precede; the rest wait in the cursor for the
// next page. The order is therefore total and gap-free, although a page reads only the
// sources that it needs.
//
// read leaves the cursor as it is and returns a changed copy.
type logCursor struct {
	store    *Store
	backward bool
	// filter is used only to choose sources. Pages may still hold events that it does
	// not select.
	filter fdbevents.Filter
	// only, if not negative, is the one partition whose events are wanted.
	only int

	// Every event before at, in the order of reading, has been handed out; start means
	// that the event at this very position has not.
	at    fdbevents.Position
	start bool
	// branches has one branch per source; nil until the sources have been chosen.
	branches []branch
	// system is true if a source is a system index, which can be dropped.
	system bool
	// exact is true if the sources hold no events but those selected.
	exact bool
	// limit bounds the keys of a page: the number of events that the reader wants, and
	// more after a page of scavenged ones; 0 is no bound. bytes is the approximate limit
	// on the size of a page.
	limit, bytes int
	// entries bounds the index entries of a page. It grows from page to page.
	entries int
	// bulk is true after a page that did not reach the tail. Sources are then read and
	// decoded in parallel.
	bulk bool
}

// branch is a place in one source. The comments describe forward reads; backward reads
// mirror them.
type branch struct {
	source
	// waiting are events that have been read but not handed out yet, in order. later
	// are the events after them, read before waiting ran out. last is how many events
	// the last read returned.
	waiting, later []fdbevents.Event
	last           int
	// known is the position up to which the source has been read.
	known fdbevents.Position
	// scavenged counts the scavenged events passed over in this read.
	scavenged int
	// start is true before the first read, which includes the event at known itself.
	start bool
	// done is true for a backward read that has reached the beginning.
	done bool
}

// low reports whether to read on: always if nothing is waiting, because then nothing
// beyond known can be handed out, and in bulk already if little is waiting. Otherwise
// the sources would run out one by one, and each page would read only one of them.
func (l *branch) low(bulk bool) bool {
	return len(l.waiting) == 0 || bulk && len(l.later) == 0 && 2*len(l.waiting) < l.last
}

// put adds events that were read after the waiting ones.
func (l *branch) put(events []fdbevents.Event) {
	l.last = len(events)
	if len(l.waiting) == 0 {
		l.waiting = events
	} else {
		l.later = events
	}
}

// pop removes and returns the first waiting event.
func (l *branch) pop() *fdbevents.Event {
	ev := &l.waiting[0]
	if l.waiting = l.waiting[1:]; len(l.waiting) == 0 {
		l.waiting, l.later = l.later, nil
	}
	return ev
}

// firstEntries bounds the index entries of the first page, mostEntries those of any page.
const (
	firstEntries = 16
	mostEntries  = 1024
)

// newLogCursor returns a cursor that begins with the event at from.
func (s *Store) newLogCursor(from fdbevents.Position, o ReadOptions) *logCursor {
	c := &logCursor{
		store: s, backward: o.Backward, filter: o.Filter, only: -1,
		at: from, start: true, limit: o.Limit, bytes: pageBytes, entries: firstEntries,
	}
	if o.Filter.Stream != "" {
		c.only = s.partitionOf(o.Filter.Stream)
	}
	return c
}

// newLogCursorAfter returns a cursor that begins with the first event after a position.
func (s *Store) newLogCursorAfter(after fdbevents.Position, o ReadOptions) *logCursor {
	c := s.newLogCursor(after, o)
	c.start = false
	return c
}

// partitionPageBytes bounds a page of one partition. It is smaller than other pages,
// because one consumer reads several partitions and their pages wait in memory.
const partitionPageBytes = 64 << 10

// newPartitionCursor is newLogCursorAfter for the events of one partition.
func (s *Store) newPartitionCursor(partition int, after fdbevents.Position, o ReadOptions) *logCursor {
	c := s.newLogCursorAfter(after, o)
	c.only, c.bytes = partition, partitionPageBytes
	return c
}

func (c *logCursor) read(r Reader) (page, cursor, error) {
	next := *c
	next.branches = slices.Clone(c.branches)
	version, err := r.ReadVersion().Get()
	if err != nil {
		return page{}, nil, err
	}
	if err := next.choose(r, version); err != nil {
		return page{}, nil, err
	}
	if err := next.fill(r, version); err != nil {
		return page{}, nil, err
	}
	out := page{events: next.merge()}
	for i := range next.branches {
		out.scavenged += next.branches[i].scavenged
		next.branches[i].scavenged = 0
	}
	seen := layout.LastOfVersion(version)
	behind := func(l branch) bool { return l.known != seen }
	if c.backward {
		behind = func(l branch) bool { return !l.done || len(l.waiting) > 0 }
	}
	out.through = next.at
	if out.tail = !slices.ContainsFunc(next.branches, behind); out.tail {
		out.through = seen
	}
	next.bulk = !out.tail
	if len(out.events) == 0 {
		next.limit = grown(c.limit)
	}
	next.entries = min(4*next.entries, mostEntries)
	return out, &next, nil
}

// choose chooses the sources the first time, and again if one of them is a system index
// that has been dropped.
func (c *logCursor) choose(r engine.Reader, version int64) error {
	if c.branches != nil && !c.system {
		return nil
	}
	if c.branches == nil {
		if err := refuseAhead(c.at, version); err != nil {
			return err
		}
	}
	indexes := c.store.indexes.Load()
	if c.system || c.mayUseSystemIndexes() {
		var err error
		if indexes, err = c.store.readIndexes(r); err != nil {
			return err
		}
	}
	ready := func(l branch) bool { return indexes.serves(l.source) }
	if c.branches != nil && !slices.ContainsFunc(c.branches, func(l branch) bool { return !ready(l) }) {
		return nil
	}
	sources, exact, err := c.sources(r, indexes)
	if err != nil {
		return err
	}
	c.branches, c.system, c.exact = make([]branch, len(sources)), false, exact
	for i, src := range sources {
		c.branches[i] = branch{source: src, known: c.at, start: c.start}
		c.system = c.system || layout.IsSystemTag(src.tag)
	}
	return nil
}

func (c *logCursor) mayUseSystemIndexes() bool {
	return c.filter.BeyondQuery() || slices.ContainsFunc(c.filter.Query.Items, func(it fdbevents.QueryItem) bool { return len(it.Types) > 0 })
}

// sources returns the fewest sources that hold everything the filter selects. exact is
// true if they hold nothing else.
func (c *logCursor) sources(r engine.Reader, indexes *indexSet) (all []source, exact bool, err error) {
	s := c.store
	log := s.partitions()
	if c.only >= 0 {
		log = log[c.only : c.only+1]
	}
	items := c.filter.Query.Items
	if len(items) == 0 {
		items = []fdbevents.QueryItem{{}}
	}
	from, to := c.at, fdbevents.End
	if c.backward {
		from, to = fdbevents.Start, c.at
	}
	probes := make([]*probe, len(items))
	for i := range items {
		ways := accesses(&items[i], &c.filter, indexes)
		if len(ways) == 0 {
			return log, c.filter.All(), nil
		}
		probes[i] = s.newProbe(r, ways, from, to, c.backward)
	}
	exact = c.only < 0
	for _, p := range probes {
		best, err := p.best(s)
		if err != nil {
			return nil, false, err
		}
		exact = exact && best.exact
		for _, src := range best.sources {
			if !slices.Contains(all, src) {
				all = append(all, src)
			}
		}
	}
	return all, exact, nil
}

// fill reads a page of each source that needs one. In bulk, the sources are read and
// decoded in parallel.
func (c *logCursor) fill(r engine.Reader, version int64) error {
	o := engine.RangeOptions{Bytes: c.bytes / len(c.branches), Reverse: c.backward}
	if c.exact {
		o.Limit = c.limit
	}
	var bulk errgroup.Group
	futures := make([]engine.Future[engine.Page], len(c.branches))
	for i := range c.branches {
		l := &c.branches[i]
		if l.done || !l.low(c.bulk) {
			continue
		}
		o := o
		if l.tag != "" && (o.Limit == 0 || o.Limit > c.entries) {
			o.Limit = c.entries
		}
		if c.bulk {
			bulk.Go(func() error { return c.finish(r, version, l, r.GetRange(c.remaining(l), o)) })
		} else {
			futures[i] = r.GetRange(c.remaining(l), o)
		}
	}
	for i, f := range futures {
		if f != nil {
			if err := c.finish(r, version, &c.branches[i], f); err != nil {
				return err
			}
		}
	}
	return bulk.Wait()
}

// finish takes the result of a source's range read. If the page ends the source, the
// source is known up to the read version.
func (c *logCursor) finish(r engine.Reader, version int64, l *branch, f engine.Future[engine.Page]) error {
	got, err := f.Get()
	var t taken
	if err == nil {
		t, err = l.take(c.store, r, got, c.only, c.bytes, c.backward)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", l.source, err)
	}
	l.put(t.events)
	l.scavenged, l.start = l.scavenged+t.scavenged, false
	switch {
	case t.more:
		l.known = t.through
	case c.backward:
		l.known, l.done = fdbevents.Start, true
	default:
		l.known = layout.LastOfVersion(version)
	}
	return nil
}

// remaining returns the range that is left to read of a source.
func (c *logCursor) remaining(l *branch) engine.Range {
	k := &c.store.keys
	switch at := l.known; {
	case !c.backward && l.start:
		return l.keys(k, at, fdbevents.End)
	case !c.backward:
		return l.keys(k, at.Next(), fdbevents.End)
	case l.start:
		return l.keys(k, fdbevents.Start, at)
	default:
		return l.keys(k, fdbevents.Start, at.Prev())
	}
}

// merge hands out, in order, the waiting events that no source can still precede. It
// hands out an event of two sources only once.
func (c *logCursor) merge() []*fdbevents.Event {
	total := 0
	bound := c.branches[0].known
	for i := range c.branches {
		l := &c.branches[i]
		total += len(l.waiting) + len(l.later)
		if c.before(l.known, bound) {
			bound = l.known
		}
	}
	c.at, c.start = bound, false
	events := make([]*fdbevents.Event, 0, total)
	for {
		from, until := c.run(bound)
		if from == nil {
			return events
		}
		for len(from.waiting) > 0 && !c.before(until, from.waiting[0].Position) {
			ev := from.pop()
			if n := len(events); n == 0 || events[n-1].Position != ev.Position {
				events = append(events, ev)
			}
		}
	}
}

// run finds the source whose first event is next, unless that is beyond bound, and the
// position up to which the source's events come next. Neighbours often come from the
// same source, as the events of an append do; they then cost one comparison per event
// instead of one per source.
func (c *logCursor) run(bound fdbevents.Position) (from *branch, until fdbevents.Position) {
	first := bound
	until = bound
	for i := range c.branches {
		l := &c.branches[i]
		if len(l.waiting) == 0 {
			continue
		}
		switch at := l.waiting[0].Position; {
		case from == nil && !c.before(bound, at):
			from, first = l, at
		case c.before(at, first):
			from, first, until = l, at, first
		case c.before(at, until):
			until = at
		}
	}
	return from, until
}

// before reports whether a read in this direction reaches p before q.
func (c *logCursor) before(p, q fdbevents.Position) bool {
	if c.backward {
		return q.Before(p)
	}
	return p.Before(q)
}
