package check

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Sample limits a check to some events, chosen at random. The zero value means all events
// and every index entry.
type Sample struct {
	// Share is the share of the events to check, above 0 and up to 1.
	Share float64
	// Events is the number of events to check. It excludes Share.
	Events int64
	// Seed chooses the events; 0 means a random seed. The same seed chooses the same
	// events as long as the store does not change.
	Seed uint64
}

// set reports whether the check is limited.
func (o Sample) set() bool { return o.Share != 0 || o.Events != 0 }

func (o Sample) validate() error {
	switch {
	case math.IsNaN(o.Share) || o.Share < 0 || o.Share > 1:
		return &fdbevents.InvalidError{What: "sample", Value: o.String(), Reason: "want more than 0 and at most 100 percent"}
	case o.Events < 0:
		return &fdbevents.InvalidError{What: "sample", Value: o.String(), Reason: "want at least 1 event"}
	case o.Events > 0 && o.Share > 0:
		return &fdbevents.InvalidError{What: "sample", Value: o.String(), Reason: "want a share or a number of events, not both"}
	}
	return nil
}

// String returns the share as a percentage, or the number of events.
func (o Sample) String() string {
	if o.Share != 0 {
		return fmt.Sprintf("%g%%", 100*o.Share)
	}
	return fmt.Sprint(o.Events)
}

// sampledAtOnce is how many events one transaction verifies.
const sampledAtOnce = 32

// sampled verifies events chosen at random, each with the same chance. It counts the
// events by the stream heads, which it reads twice; everything else it reads belongs to
// the chosen events.
func (c *checker) sampled(ctx context.Context) error {
	for c.sample.Seed == 0 {
		c.sample.Seed = rand.Uint64()
	}
	c.report.Seed = c.sample.Seed
	var total int64
	if err := c.eachHead(ctx, func(_ string, h layout.Head) error {
		if h.Next > 0 {
			c.report.Streams++
		}
		total += h.Next - h.TruncateBefore
		return nil
	}); err != nil {
		return err
	}
	wanted := c.sample.Events
	if c.sample.Share > 0 {
		wanted = int64(math.Ceil(c.sample.Share * float64(total)))
	}
	if wanted = min(wanted, total); wanted == 0 {
		return nil
	}
	c.total = wanted

	// Divide the events into as many stretches as events are wanted, and choose one event
	// of each. This yields them in order, and without a list.
	random := rand.New(rand.NewPCG(c.sample.Seed, 0))
	stretch := float64(total) / float64(wanted)
	n, chosen := int64(0), int64(-1)
	choose := func() {
		chosen = max(chosen+1, int64((float64(n)+random.Float64())*stretch))
		n++
	}
	choose()
	var base int64
	var names []entryName
	verify := func() error {
		err := c.verifySample(ctx, names)
		names = names[:0]
		return err
	}
	if err := c.eachHead(ctx, func(stream string, h layout.Head) error {
		count := h.Next - h.TruncateBefore
		for ; chosen < base+count && n <= wanted; choose() {
			names = append(names, entryName{stream, h.TruncateBefore + chosen - base})
			if len(names) == sampledAtOnce {
				if err := verify(); err != nil {
					return err
				}
			}
		}
		base += count
		return nil
	}); err != nil {
		return err
	}
	return verify()
}

// eachHead calls do for every head. A head that cannot be decoded is a problem.
func (c *checker) eachHead(ctx context.Context, do func(stream string, h layout.Head) error) error {
	first := c.total == 0 // the second pass does not report problems again
	for kv, err := range c.door.Scan(ctx, c.keys.Heads("")) {
		if err != nil {
			return err
		}
		stream, err := c.keys.ParseHead(kv.Key)
		var h layout.Head
		if err == nil {
			h, err = layout.DecodeHead(kv.Value)
		}
		if err == nil {
			if err := do(stream, h); err != nil {
				return err
			}
			continue
		}
		if first {
			var f findings
			f.problem("head %x: %v", kv.Key, err)
			if err := c.add(ctx, f); err != nil {
				return err
			}
		}
	}
	return nil
}

// verifySample verifies events that are named by stream and revision.
func (c *checker) verifySample(ctx context.Context, names []entryName) error {
	if len(names) == 0 {
		return nil
	}
	var f findings
	err := c.door.View(ctx, func(r fdblayer.Reader) error {
		f = findings{}
		return c.sampleEntries(r, names, &f)
	})
	if err != nil {
		return err
	}
	c.done += int64(len(names))
	if c.progress != nil {
		c.progress(c.done, max(c.total, c.done))
	}
	return c.add(ctx, f)
}

// sampleEntries follows stream entries to their records, and verifies the indexes of the
// records.
func (c *checker) sampleEntries(r engine.Reader, names []entryName, f *findings) error {
	indexes, err := c.systemIndexes(r)
	if err != nil {
		return err
	}
	entries := make([]engine.Future[[]byte], len(names))
	for i, name := range names {
		entries[i] = r.Get(c.keys.Entry(nil, name.stream, name.revision))
	}
	places := make([]layout.Pointer, len(names))
	slots := make([]engine.Future[[]byte], len(names))
	for i, name := range names {
		value, err := entries[i].Get()
		if err != nil {
			return err
		}
		if value == nil {
			// It may have been scavenged since we read the head of its stream.
			if h, err := c.head(r, name.stream); err != nil {
				return err
			} else if name.revision >= h.TruncateBefore {
				f.problem("stream %q has no entry for its revision %d", name.stream, name.revision)
			}
			continue
		}
		e, err := layout.DecodeEntry(value)
		if err != nil {
			f.problem("entry of stream %q, revision %d: %v", name.stream, name.revision, err)
			continue
		}
		places[i] = layout.Pointer{At: e.At, Partition: e.Partition}
		slots[i] = c.keys.GetRecord(r, places[i])
	}
	var d layout.RecordDecoder
	var all []indexed
	for i, name := range names {
		if slots[i] == nil {
			continue
		}
		f.events++
		raw, err := slots[i].Get()
		if err != nil {
			return err
		}
		var ev fdbevents.Event
		ok, err := c.keys.AwaitRecord(&d, r, places[i], slots[i], &ev)
		switch {
		case fdblayer.IsEngineError(err):
			return err
		case err != nil:
			f.problem("stream %q, revision %d: %v", name.stream, name.revision, err)
		case !ok:
			f.problem("stream %q, revision %d: its entry leads to position %s, which was scavenged", name.stream, name.revision, places[i].At)
		case (entryName{ev.Stream, ev.Revision}) != name:
			f.problem("stream %q: its entry for revision %d leads to revision %d of stream %q", name.stream, name.revision, ev.Revision, ev.Stream)
		case c.door.PartitionOf(ev.Stream) != places[i].Partition:
			f.problem("event at position %s: stream %q is in partition %d but belongs in %d", ev.Position, ev.Stream, places[i].Partition, c.door.PartitionOf(ev.Stream))
		default:
			all = append(all, c.readIndexed(r, ev, places[i].Partition, raw, indexes))
		}
	}
	for i := range all {
		if err := all[i].verify(f); err != nil {
			return err
		}
	}
	return nil
}
