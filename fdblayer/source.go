package fdblayer

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// source is a run of keys that lead to events in the order of their positions: the
// index entries of tag, or, if tag is empty, a partition of the log.
type source struct {
	tag       string
	partition int
}

// keys returns the range of the source's keys with from <= position <= to.
func (src source) keys(k *layout.Keys, from, to fdbevents.Position) engine.Range {
	if src.tag != "" {
		return k.Tagged(src.tag, from, to)
	}
	return k.Log(src.partition, from, to)
}

func (src source) String() string {
	if src.tag != "" {
		return fmt.Sprintf("the index of tag %q", src.tag)
	}
	return fmt.Sprintf("partition %d of the log", src.partition)
}

// pointer parses one of the source's keys. ok is false for a further chunk of the
// preceding event.
func (src source) pointer(k *layout.Keys, kv engine.KeyValue) (to layout.Pointer, ok bool, err error) {
	if src.tag == "" {
		at, chunk, err := k.ParseSlot(src.partition, kv.Key)
		return layout.Pointer{At: at, Partition: src.partition}, chunk == 0, err
	}
	if _, to.At, err = k.ParseTag(kv.Key); err != nil {
		return to, false, err
	}
	to.Partition, err = layout.DecodeTagEntry(kv.Value)
	return to, err == nil, layout.KeyError(kv.Key, err)
}

// partitions returns the sources of the whole log.
func (s *Store) partitions() []source {
	all := make([]source, s.header.Partitions)
	for p := range all {
		all[p].partition = p
	}
	return all
}

// access is one way to find what a query item selects: every event that it selects is
// in one of the sources. exact is true if the sources hold no other events.
type access struct {
	sources []source
	exact   bool
}

// accesses returns the ways to find, without reading the log, what an item of a
// filter's query selects among the events that the filter's other parts select.
func accesses(item *fdbevents.QueryItem, f *fdbevents.Filter, indexes *indexSet) []access {
	var all []access
	query := !f.BeyondQuery() // only the item selects
	for _, tag := range item.Tags {
		all = append(all, access{[]source{{tag: tag}}, query && len(item.Types) == 0 && len(item.Tags) == 1})
	}
	if len(item.Types) > 0 && indexes.ready(fdbevents.IndexType) {
		a := access{exact: query && len(item.Tags) == 0}
		for _, t := range item.Types {
			a.sources = append(a.sources, source{tag: layout.TypeTag(t)})
		}
		all = append(all, a)
	}
	if sources := categories(f); len(sources) > 0 && indexes.ready(fdbevents.IndexCategory) {
		all = append(all, access{sources: sources})
	}
	return all
}

// categories returns the sources of the categories of a filter's streams. There are
// none if the filter also selects streams without a category.
func categories(f *fdbevents.Filter) (all []source) {
	names := f.StreamPrefixes
	if f.Stream != "" {
		names = []string{f.Stream}
	}
	for _, name := range names {
		category, _, ok := strings.Cut(name, "-")
		if !ok {
			return nil
		}
		if src := (source{tag: layout.CategoryTag(category)}); !slices.Contains(all, src) {
			all = append(all, src)
		}
	}
	return all
}

// probeKeys is how many index entries of each tag are examined to find the most
// selective one.
const probeKeys = 32

// probe compares the ways to find what an item selects.
type probe struct {
	accesses []access
	pages    [][]engine.Future[engine.Page]
}

// newProbe starts reading, unless there is only one way.
func (s *Store) newProbe(r engine.Reader, accesses []access, from, to fdbevents.Position, backward bool) *probe {
	p := &probe{accesses: accesses}
	if len(accesses) < 2 {
		return p
	}
	p.pages = make([][]engine.Future[engine.Page], len(accesses))
	for i, a := range accesses {
		for _, src := range a.sources {
			p.pages[i] = append(p.pages[i], r.GetRange(src.keys(&s.keys, from, to), engine.RangeOptions{Limit: probeKeys, Reverse: backward}))
		}
	}
	return p
}

// best returns the access with the fewest entries. If none of them was read to its end,
// the first entries of each decide, by how many there are per stretch of the log.
func (p *probe) best(s *Store) (access, error) {
	if len(p.accesses) == 1 {
		return p.accesses[0], nil
	}
	best, bestCost := 0, 0.0
	for i, pages := range p.pages {
		cost := 0.0
		for j, f := range pages {
			page, err := f.Get()
			if err != nil {
				return access{}, fmt.Errorf("reading %s: %w", p.accesses[i].sources[j], err)
			}
			c, err := p.cost(s, p.accesses[i].sources[j], page)
			if err != nil {
				return access{}, err
			}
			cost += c
		}
		if i == 0 || cost < bestCost {
			best, bestCost = i, cost
		}
	}
	return p.accesses[best], nil
}

// cost rises with the number of a source's entries. A source with more entries than
// were examined costs more than any source without.
func (p *probe) cost(s *Store, src source, page engine.Page) (float64, error) {
	kvs := page.KeyValues
	if !page.More || len(kvs) < 2 {
		return float64(len(kvs)), nil
	}
	first, _, err := src.pointer(&s.keys, kvs[0])
	if err != nil {
		return 0, err
	}
	last, _, err := src.pointer(&s.keys, kvs[len(kvs)-1])
	if err != nil {
		return 0, err
	}
	stretch := last.At.Version() - first.At.Version()
	return 1e6 * (1 + probeKeys/(1+float64(max(stretch, -stretch)))), nil
}

// taken holds the events that a page of a source leads to.
type taken struct {
	events []fdbevents.Event
	// scavenged counts the entries whose event was scavenged.
	scavenged int
	// through is the position up to which events were taken from the source. more is
	// true if the source goes on.
	through fdbevents.Position
	more    bool
}

// room returns the place for one more event.
func (t *taken) room() *fdbevents.Event {
	t.events = append(t.events, fdbevents.Event{})
	return &t.events[len(t.events)-1]
}

// scavengedLast takes back the last place: its event was scavenged.
func (t *taken) scavengedLast() {
	t.events = t.events[:len(t.events)-1]
	t.scavenged++
}

// take reads the events that a page of the source leads to. only, if not negative, is
// the one partition whose events are taken. take stops early once the records of an
// index together exceed most bytes.
func (src source) take(s *Store, r engine.Reader, got engine.Page, only, most int, backward bool) (taken, error) {
	if src.tag == "" {
		return src.takeSlots(s, r, got, backward)
	}
	return src.takePointers(s, r, got, only, most)
}

// takeSlots decodes the slots of a page of the log.
func (src source) takeSlots(s *Store, r engine.Reader, got engine.Page, backward bool) (t taken, err error) {
	kvs := got.KeyValues
	t = taken{events: make([]fdbevents.Event, 0, len(kvs)), more: got.More}
	var d layout.RecordDecoder
	slot := s.keys.SlotSize(src.partition)
	for len(kvs) > 0 {
		to, _, err := src.pointer(&s.keys, kvs[0])
		if err != nil {
			return t, err
		}
		n := 1
		for n < len(kvs) && bytes.Equal(kvs[n].Key[:slot], kvs[0].Key[:slot]) {
			n++
		}
		chunks := kvs[:n]
		kvs, t.through = kvs[n:], to.At
		if backward {
			slices.Reverse(chunks)
		}
		ev := t.room()
		var ok bool
		if got.More && len(kvs) == 0 && (len(chunks[0].Key) > slot || layout.IsChunked(chunks[0].Value)) {
			// The page may have been cut within the record.
			ok, err = s.keys.AwaitRecord(&d, r, to, s.keys.GetRecord(r, to), ev)
		} else {
			ok, err = d.Event(to.At, chunks, ev)
		}
		if err != nil {
			return t, err
		}
		if !ok {
			t.scavengedLast()
		}
	}
	return t, nil
}

// recordsAtOnce is how many records are fetched in parallel.
const recordsAtOnce = 64

// takePointers fetches the records that index entries point to.
func (src source) takePointers(s *Store, r engine.Reader, got engine.Page, only, most int) (t taken, err error) {
	t = taken{events: make([]fdbevents.Event, 0, len(got.KeyValues)), more: got.More}
	var d layout.RecordDecoder
	pointers := make([]layout.Pointer, 0, recordsAtOnce)
	records := make([]engine.Future[[]byte], 0, recordsAtOnce)
	size := 0
	for i, kv := range got.KeyValues {
		to, _, err := src.pointer(&s.keys, kv)
		if err != nil {
			return t, err
		}
		t.through = to.At
		if only < 0 || only == to.Partition {
			pointers, records = append(pointers, to), append(records, s.keys.GetRecord(r, to))
		}
		last := i == len(got.KeyValues)-1
		if len(records) < recordsAtOnce && !last {
			continue
		}
		for j, to := range pointers {
			ev := t.room()
			ok, err := s.keys.AwaitRecord(&d, r, to, records[j], ev)
			if err != nil {
				return t, fmt.Errorf("%s: %w", src, err)
			}
			if !ok {
				t.scavengedLast()
			}
			size += len(ev.Data) + len(ev.Metadata)
		}
		if size > most && !last {
			t.more = true
			return t, nil
		}
		pointers, records = pointers[:0], records[:0]
	}
	return t, nil
}
