package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// conditionScan looks for the first event after a position that one query item matches:
// in the index of a tag, or in the log itself if no index serves the item.
//
// It reads serializably, so the commit fails if a matching event arrives first: that
// event has the tag, so it is written into the very index that was scanned. One index
// is therefore enough, and appends that touch other tags do not conflict.
type conditionScan struct {
	plan  *plan
	item  *fdbevents.QueryItem
	after fdbevents.Position
	// probe chooses among several indexes; nil when the choice is made.
	probe *probe
	access
	// ranges hold what is left to read of each source, pages the reads under way.
	ranges []engine.Range
	pages  []engine.Future[engine.Page]
	// o applies to each of these reads.
	o engine.RangeOptions
}

// scan starts the reads of a condition that evaluate will need.
func (p *plan) scan(c *fdbevents.Condition) []*conditionScan {
	scans := make([]*conditionScan, len(c.Query.Items))
	for i := range scans {
		scan := &conditionScan{plan: p, item: &c.Query.Items[i], after: c.After, o: engine.RangeOptions{Limit: 256, Bytes: 1 << 20}}
		scans[i] = scan
		switch ways := accesses(scan.item, new(fdbevents.Filter), p.indexes); len(ways) {
		case 0:
			scan.start(access{sources: p.store.partitions()})
		case 1:
			scan.start(ways[0])
		default:
			scan.probe = p.store.newProbe(p.tr.Snapshot(), ways, c.After.Next(), fdbevents.End, false)
		}
	}
	return scans
}

// start starts reading the sources of a.
func (c *conditionScan) start(a access) {
	c.access = a
	if a.exact {
		c.o.Limit = 1
	}
	for _, src := range a.sources {
		r := src.keys(&c.plan.store.keys, c.after.Next(), fdbevents.End)
		c.ranges = append(c.ranges, r)
		c.pages = append(c.pages, c.plan.tr.GetRange(r, c.o))
	}
}

// evaluate fails with a ConditionError if an event in the store matches c, and with a
// plannedConditionError if an event of the plan does.
func (p *plan) evaluate(c *fdbevents.Condition, scans []*conditionScan) error {
	if err := p.evaluateStored(c, scans); err != nil {
		return err
	}
	for i := range p.events {
		if ev := p.events[i].event; c.Query.Matches(ev.Type, ev.Tags) {
			return &plannedConditionError{index: i}
		}
	}
	return nil
}

func (p *plan) evaluateStored(c *fdbevents.Condition, scans []*conditionScan) error {
	if err := p.confirm(); err != nil {
		return err
	}
	if err := checkPosition(p.tr, c.After); err != nil {
		return err
	}
	offending := fdbevents.End
	for _, scan := range scans {
		at, err := scan.first()
		if err != nil {
			return fmt.Errorf("evaluating append condition: %w", err)
		}
		if at.Before(offending) {
			offending = at
		}
	}
	if offending != fdbevents.End {
		return &fdbevents.ConditionError{Position: offending}
	}
	return nil
}

// first returns the position of the first match, or End if there is none.
func (c *conditionScan) first() (fdbevents.Position, error) {
	if c.probe != nil {
		best, err := c.probe.best(c.plan.store)
		if err != nil {
			return fdbevents.End, err
		}
		c.probe = nil
		c.start(best)
	}
	first := fdbevents.End
	for i := range c.ranges {
		at, err := c.firstIn(i)
		if err != nil {
			return fdbevents.End, fmt.Errorf("reading %s: %w", c.sources[i], err)
		}
		if at.Before(first) {
			first = at
		}
	}
	return first, nil
}

// firstIn is first for one source.
func (c *conditionScan) firstIn(i int) (fdbevents.Position, error) {
	for {
		page, err := c.pages[i].Get()
		if err != nil {
			return fdbevents.End, err
		}
		at, err := c.match(c.sources[i], page)
		if err != nil || at != fdbevents.End || !page.More {
			return at, err
		}
		c.ranges[i].Begin = layout.After(page.KeyValues[len(page.KeyValues)-1].Key)
		c.pages[i] = c.plan.tr.GetRange(c.ranges[i], c.o)
	}
}

// match returns the position of the first match among the keys of a page, or End.
func (c *conditionScan) match(src source, page engine.Page) (fdbevents.Position, error) {
	s := c.plan.store
	r := c.plan.tr.Snapshot()
	type candidate struct {
		layout.Pointer
		record engine.Future[[]byte]
	}
	var candidates []candidate
	for _, kv := range page.KeyValues {
		to, ok, err := src.pointer(&s.keys, kv)
		if err != nil {
			return fdbevents.End, err
		}
		if !ok {
			continue
		}
		if c.exact {
			return to.At, nil
		}
		// A scan of the log has the small records at hand. Reading all of them the same
		// way is simpler, and a condition without an index is slow anyway.
		candidates = append(candidates, candidate{to, s.keys.GetRecord(r, to)})
	}
	var d layout.RecordDecoder
	for _, cand := range candidates {
		var ev fdbevents.Event
		ok, err := s.keys.AwaitRecord(&d, r, cand.Pointer, cand.record, &ev)
		if err != nil {
			return fdbevents.End, err
		}
		if ok && c.item.Matches(ev.Type, ev.Tags) {
			return cand.At, nil
		}
	}
	return fdbevents.End, nil
}
