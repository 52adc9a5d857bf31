package fdblayer

import (
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// evaluate fails with a ConditionError when an event matches c, in the store or
// in the plan. What it reads in the store it reads serializably, so that the
// commit fails when a matching event arrives before it.
func (p *plan) evaluate(c *Condition) error {
	scans := make([]*conditionScan, 0, len(c.Query.Items))
	for i := range c.Query.Items {
		scans = append(scans, p.scan(&c.Query.Items[i], c.After))
	}
	offending := End
	for _, scan := range scans {
		at, err := scan.first()
		if err != nil {
			return fmt.Errorf("evaluating append condition: %w", err)
		}
		if at.Before(offending) {
			offending = at
		}
	}
	if offending != End {
		return &ConditionError{Position: offending}
	}
	for i := range p.events {
		if ev := p.events[i].event; c.Query.Matches(ev.Type, ev.Tags) {
			return &plannedConditionError{index: i}
		}
	}
	return nil
}

// conditionScan looks for the first event after a position that one query item
// matches: in the index of the item's first tag, or when it has none in the log
// itself. Each partition is a range of its own.
type conditionScan struct {
	plan   *plan
	item   *QueryItem
	ranges []engine.Range
	pages  []engine.Future[engine.Page]
	o      engine.RangeOptions
}

func (p *plan) scan(item *QueryItem, after Position) *conditionScan {
	c := &conditionScan{plan: p, item: item, o: engine.RangeOptions{Limit: 256, Bytes: 1 << 20}}
	if item.tagOnly() {
		c.o.Limit = 1
	}
	k := &p.store.keys
	for part := range p.store.header.partitions {
		r := k.log(part, after.next(), End)
		if len(item.Tags) > 0 {
			r = k.tagged(part, item.Tags[0], after.next(), End)
		}
		c.ranges = append(c.ranges, r)
		c.pages = append(c.pages, p.tr.GetRange(r, c.o))
	}
	return c
}

// first is the position of the first match, End if there is none.
func (c *conditionScan) first() (Position, error) {
	first := End
	for part := range c.ranges {
		at, err := c.firstIn(part)
		if err != nil {
			return End, err
		}
		if at.Before(first) {
			first = at
		}
	}
	return first, nil
}

func (c *conditionScan) firstIn(part int) (Position, error) {
	for {
		page, err := c.pages[part].Get()
		if err != nil {
			return End, err
		}
		at, err := c.match(part, page)
		if err != nil || at != End || !page.More {
			return at, err
		}
		last := page.KeyValues[len(page.KeyValues)-1].Key
		c.ranges[part].Begin = append(last[:len(last):len(last)], 0)
		c.pages[part] = c.plan.tr.GetRange(c.ranges[part], c.o)
	}
}

// match finds the first match among the index entries or slots of a page.
func (c *conditionScan) match(part int, page engine.Page) (Position, error) {
	s := c.plan.store
	type candidate struct {
		at     Position
		record engine.Future[engine.Page]
	}
	var candidates []candidate
	for _, kv := range page.KeyValues {
		var at Position
		var chunk int64
		var err error
		if len(c.item.Tags) > 0 {
			_, at, err = s.keys.parseTag(part, kv.Key)
		} else {
			at, chunk, err = s.keys.parseSlot(part, kv.Key)
		}
		if err != nil {
			return End, err
		}
		if chunk > 0 {
			continue
		}
		if c.item.tagOnly() {
			return at, nil
		}
		// A scan of the log has small records at hand, but reading them all the
		// same way is simpler, and such a condition is slow in any case.
		candidates = append(candidates, candidate{at, s.getRecord(c.plan.tr.Snapshot(), part, at)})
	}
	d := s.decoder()
	defer s.release(d)
	for _, cand := range candidates {
		var ev Event
		ok, err := s.awaitRecord(d, part, cand.at, cand.record, &ev)
		if err != nil {
			return End, err
		}
		if ok && c.item.matches(ev.Type, ev.Tags) {
			return cand.at, nil
		}
	}
	return End, nil
}
