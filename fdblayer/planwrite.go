package fdblayer

import (
	"slices"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// empty reports whether write would write nothing.
func (p *plan) empty() bool {
	return len(p.events) == 0 && !slices.ContainsFunc(p.order, func(st *plannedStream) bool { return st.changed })
}

// write turns the plan into mutations and returns their number. After it, this
// transaction can no longer read what the store keeps.
//
// Keys of one kind are written one after another: an engine that keeps its keys sorted,
// as the embedded one does, finds the place of the next key faster if it is near.
func (p *plan) write() (mutations int) {
	k := &p.store.keys
	var a layout.Arena
	a.Reserve(p.writeSize(), 0)
	for _, st := range p.order {
		if st.changed {
			p.tr.Set(a.Cut(k.Head(a.Free, st.name)), a.Cut(layout.AppendHead(a.Free, st.head)))
			mutations++
		}
	}
	for i := range p.events {
		p.writeEntry(&a, i)
	}
	for i := range p.events {
		mutations += p.writeRecord(&a, i)
	}
	for i := range p.events {
		ev := &p.events[i]
		p.tr.Atomic(engine.OpVersionstampedValue,
			a.Cut(k.ID(a.Free, ev.event.ID, ev.stream.name)),
			a.Cut(layout.AppendStampedIDEntry(a.Free, i, ev.revision)))
	}
	mutations += 2*len(p.events) + p.writeTags(&a) + p.ringDoorbells(&a)
	return mutations
}

// writeEntry writes the stream entry of event i, and leaves the encoded event in its
// record for writeRecord.
func (p *plan) writeEntry(a *layout.Arena, i int) {
	k, ev := &p.store.keys, &p.events[i]
	part := ev.stream.partition
	encoded := layout.AppendRecord(a.Free, layout.Record{Stream: ev.stream.name, Revision: ev.revision, Erased: ev.erased, Event: ev.event})
	var operand []byte
	if ev.pointerOnly || len(encoded) > p.store.header.InlineLimit {
		ev.record = a.Cut(encoded)
		operand = a.Cut(layout.AppendStampedEntry(a.Free, i, layout.Entry{Partition: part, Size: len(encoded)}))
	} else {
		operand, ev.record = layout.StampedEntryAround(encoded, i, part)
		operand = a.Cut(operand)
	}
	p.tr.Atomic(engine.OpVersionstampedValue, a.Cut(k.Entry(a.Free, ev.stream.name, ev.revision)), operand)
}

// writeRecord writes the log slot of event i and its further chunks, and returns the
// number of mutations.
func (p *plan) writeRecord(a *layout.Arena, i int) int {
	k, part, encoded := &p.store.keys, p.events[i].stream.partition, p.events[i].record
	if len(encoded) <= layout.ChunkSize {
		p.tr.Atomic(engine.OpVersionstampedKey, a.Cut(k.StampedSlot(a.Free, part, i, 0)), encoded)
		return 1
	}
	parts := layout.SplitRecord(encoded)
	for chunk, value := range parts {
		p.tr.Atomic(engine.OpVersionstampedKey, k.StampedSlot(nil, part, i, chunk), value)
	}
	return len(parts)
}

// writeTags writes the index entries of all events and returns the number of mutations.
func (p *plan) writeTags(a *layout.Arena) (mutations int) {
	var tags []string
	for i := range p.events {
		ev := &p.events[i]
		tags = p.indexes.tags(append(tags[:0], ev.event.Tags...), ev.stream.name, ev.event.Type)
		for _, tag := range tags {
			p.tr.Atomic(engine.OpVersionstampedKey, a.Cut(p.store.keys.StampedTag(a.Free, tag, i)), a.Cut(layout.AppendTagEntry(a.Free, ev.stream.partition)))
		}
		mutations += len(tags)
	}
	return mutations
}

// ringDoorbells writes the doorbells of the partitions that get events and returns the
// number of mutations.
func (p *plan) ringDoorbells(a *layout.Arena) (mutations int) {
	rung := make([]bool, p.store.header.Partitions)
	for i := range p.events {
		rung[p.events[i].stream.partition] = true
	}
	for part, ring := range rung {
		if ring {
			p.tr.Atomic(engine.OpVersionstampedValue, a.Cut(p.store.keys.Doorbell(a.Free, part)), a.Cut(layout.AppendStampedDoorbell(a.Free)))
			mutations++
		}
	}
	return mutations
}

// writeSize estimates the bytes that write needs for keys and records.
func (p *plan) writeSize() int {
	// Apart from names and contents, each key has fewer bytes than key, each value
	// fewer than value.
	const key, value = 24, 24
	prefix := len(p.store.keys.Prefix)
	n := min(p.store.header.Partitions, len(p.events)) * (prefix + key + value)
	for _, st := range p.order {
		n += prefix + key + len(st.name) + 2*value + len(st.head.Metadata)
	}
	for i := range p.events {
		ev := &p.events[i]
		n += layout.RecordBound(ev.stream.name, ev.event) + 3*(prefix+key+value) + 2*len(ev.stream.name)
		for _, tag := range ev.event.Tags {
			n += prefix + key + value + len(tag)
		}
		n += len(p.indexes.all) * (prefix + key + value + len(ev.stream.name) + len(ev.event.Type))
	}
	return n
}
