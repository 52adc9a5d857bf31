package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// queries use every kind of access: one tag, the better of two tags, no tag.
var queries = []fdbevents.Query{
	storetest.Query(fdbevents.QueryItem{Tags: []string{"tag0"}}),
	storetest.Query(fdbevents.QueryItem{Tags: []string{"tag0", "tag1"}}),
	storetest.Query(fdbevents.QueryItem{Tags: []string{"tag0", "rare"}}),
	storetest.Query(fdbevents.QueryItem{Tags: []string{"nobody has this"}}),
	storetest.Query(fdbevents.QueryItem{Tags: []string{"tag0"}}, fdbevents.QueryItem{Tags: []string{"tag1"}}),
	storetest.Query(fdbevents.QueryItem{Tags: []string{"tag2"}, Types: []string{"type1"}}),
	storetest.Query(fdbevents.QueryItem{Types: []string{"type1"}}),
	storetest.Query(fdbevents.QueryItem{Types: []string{"type0", "type2"}}),
	storetest.Query(fdbevents.QueryItem{Types: []string{"type0"}}, fdbevents.QueryItem{Tags: []string{"rare"}}),
	{},
}

// TestQueriesReadWhatTheySelect compares queries, with and without indexes, with a
// filter over the whole log.
func TestQueriesReadWhatTheySelect(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{Partitions: 3}, func(t *testing.T, s *fdblayer.Store) {
		storetest.Fill(t, s, 500)
		storetest.MustAppend(t, s, "big-1", fdbevents.Any, fdbevents.EventData{Type: "type1", Tags: []string{"tag2", "rare"}, Data: make([]byte, 300_000)})
		storetest.Fill(t, s, 500)
		storetest.MustAppend(t, s, "s-2-3", fdbevents.Any, storetest.Tagged("type0", "tag0", "rare"), storetest.Tagged("type1", "rare"))
		compareQueries(t, s)
		for _, index := range []string{fdbevents.IndexType, fdbevents.IndexCategory} {
			if err := s.CreateIndex(t.Context(), index, nil); err != nil {
				t.Fatal(err)
			}
			storetest.MustAppend(t, s, "s-after", fdbevents.Any, storetest.Tagged("type0"), storetest.Tagged("type1", "rare"))
			compareQueries(t, s)
		}
	})
}

func compareQueries(t *testing.T, s *fdblayer.Store) {
	t.Helper()
	all := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
	middle := all[len(all)/3].Position
	for i, q := range queries {
		for _, prefix := range []string{"", "s-", "big-1", "s"} {
			o := fdblayer.ReadOptions{Filter: fdbevents.InStreams(prefix)}
			o.Filter.Query = q
			want := choose(all, func(ev fdbevents.Event) bool {
				return strings.HasPrefix(ev.Stream, prefix) && q.Matches(ev.Type, ev.Tags)
			})
			what := fmt.Sprintf("query %d, prefix %q", i, prefix)
			same(t, what, storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, o)), want)
			fromMiddle := choose(want, func(ev fdbevents.Event) bool { return !ev.Position.Before(middle) })
			same(t, what+" from the middle", storetest.Collect(t, s.ReadAll(t.Context(), middle, o)), fromMiddle)
			o.Limit = 3
			same(t, what+" limited", storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, o)), want[:min(3, len(want))])
			o.Backward = true
			slices.Reverse(want)
			same(t, what+" backward, limited", storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.End, o)), want[:min(3, len(want))])
			o.Limit = 0
			same(t, what+" backward", storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.End, o)), want)
			same(t, what+" backward from the middle", storetest.Collect(t, s.ReadAll(t.Context(), middle, o)), choose(want, func(ev fdbevents.Event) bool { return !middle.Before(ev.Position) }))
			if t.Failed() {
				t.FailNow()
			}
		}
	}
}

// countingEngine counts the values that readers get.
type countingEngine struct {
	engine.Engine
	mu     sync.Mutex
	values int
}

func (c *countingEngine) Begin(ctx context.Context) engine.Transaction {
	return &countingTransaction{Transaction: c.Engine.Begin(ctx), counts: c}
}

type countingTransaction struct {
	engine.Transaction
	counts *countingEngine
}

func (t *countingTransaction) Snapshot() engine.Reader {
	return &countingReader{Reader: t.Transaction.Snapshot(), counts: t.counts}
}

type countingReader struct {
	engine.Reader
	counts *countingEngine
}

func (r *countingReader) Get(key []byte) engine.Future[[]byte] {
	r.counts.add(1)
	return r.Reader.Get(key)
}

func (r *countingReader) GetRange(rg engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return &countedPage{Future: r.Reader.GetRange(rg, o), counts: r.counts, once: new(sync.Once)}
}

type countedPage struct {
	engine.Future[engine.Page]
	counts *countingEngine
	once   *sync.Once
}

func (p *countedPage) Get() (engine.Page, error) {
	page, err := p.Future.Get()
	p.once.Do(func() { p.counts.add(len(page.KeyValues)) })
	return page, err
}

func (c *countingEngine) add(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.values += n
}

// TestTagQueryReadsLittle counts what a query reads from a log in which few events
// match: an index entry and a record for each, and no more when another of its tags is
// common.
func TestTagQueryReadsLittle(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		e := &countingEngine{Engine: inner}
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		const events, each = 20_000, 1000
		batch := make([]fdbevents.EventData, 0, each)
		for i := range events {
			ev := storetest.Tagged("e", "common")
			if i%each == 7 {
				ev.Tags = append(ev.Tags, "rare")
			}
			if batch = append(batch, ev); len(batch) == each {
				storetest.MustAppend(t, s, fmt.Sprint("s", i/each), fdbevents.Any, batch...)
				batch = batch[:0]
			}
		}
		for what, c := range map[string]struct {
			item fdbevents.QueryItem
			most int
		}{
			"one tag":  {fdbevents.QueryItem{Tags: []string{"rare"}}, 2*events/each + 10},
			"two tags": {fdbevents.QueryItem{Tags: []string{"common", "rare"}}, 2*events/each + 2*32 + 10},
		} {
			e.mu.Lock()
			e.values = 0
			e.mu.Unlock()
			got := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: storetest.Query(c.item)}}))
			e.mu.Lock()
			values := e.values
			e.mu.Unlock()
			if len(got) != events/each || values > c.most {
				t.Errorf("%s: got %d events from %d values read, want %d from at most %d", what, len(got), values, events/each, c.most)
			}
		}
	})
}

// TestCreateIndexWhileWriting builds and drops an index while others write and read, all
// in two processes.
func TestCreateIndexWhileWriting(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers, appends = 4, 60
		old := 0
		for i := range 50 {
			events := make([]fdbevents.EventData, 40)
			for j := range events {
				events[j] = storetest.Event(fmt.Sprint("type", j%4))
			}
			storetest.MustAppend(t, a, fmt.Sprintf("old%d-x", i%5), fdbevents.Any, events...)
			old += len(events)
		}
		q := storetest.Query(fdbevents.QueryItem{Types: []string{"type1"}})
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range appends {
					if _, err := []*fdblayer.Store{a, b}[w%2].Append(t.Context(), fmt.Sprintf("new%d-x", w), fdbevents.Any, storetest.Event(fmt.Sprint("type", i%4))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		written := make(chan struct{})
		readers := sync.WaitGroup{}
		readers.Go(func() {
			for last := 0; ; {
				n := 0
				for ev, err := range b.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: q}}) {
					if err != nil || ev.Type != "type1" {
						t.Error(ev.Type, err)
						return
					}
					n++
				}
				if n < last || n < old/4 {
					t.Errorf("got %d events in a read after one of %d, want as many or more, and at least %d", n, last, old/4)
				}
				last = n
				select {
				case <-written:
					return
				default:
				}
			}
		})
		var done, total int64
		for range 3 {
			if err := a.CreateIndex(t.Context(), fdbevents.IndexType, func(d, t int64) { done, total = d, t }); err != nil {
				t.Fatal(err)
			}
			if done != total || total == 0 {
				t.Errorf("got last progress %d of %d, want it complete", done, total)
			}
			if err := b.DropIndex(t.Context(), fdbevents.IndexType); err != nil {
				t.Fatal(err)
			}
		}
		if err := b.CreateIndex(t.Context(), fdbevents.IndexType, nil); err != nil {
			t.Fatal(err)
		}
		wg.Wait()
		close(written)
		readers.Wait()
		for _, s := range []*fdblayer.Store{a, b} {
			if got := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: q}})); len(got) != (old+writers*appends)/4 {
				t.Errorf("got %d events, want %d", len(got), (old+writers*appends)/4)
			}
		}
		// The check after each test verifies that the index is complete.
		if got, err := a.Indexes(t.Context()); err != nil || len(got) != 1 || !got[0].Ready || got[0].Name != "type" {
			t.Errorf("got %+v, %v, want the index type, ready", got, err)
		}
	})
}

// TestCreateIndexGoesOn interrupts a build again and again. It must go on each time.
func TestCreateIndexGoesOn(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{Partitions: 4}, func(t *testing.T, s *fdblayer.Store) {
		storetest.Fill(t, s, 300)
		interruptions := 0
		for {
			ctx, cancel := context.WithCancel(t.Context())
			err := s.CreateIndex(ctx, fdbevents.IndexCategory, func(done, total int64) { cancel() })
			cancel()
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) || !strings.HasSuffix(err.Error(), "; create it again to resume") {
				t.Fatal(err)
			}
			interruptions++
			if got, err := s.Indexes(t.Context()); err != nil || len(got) != 1 || got[0].Ready {
				t.Fatalf("got %+v, %v, want one index that is not ready", got, err)
			}
			if interruptions > 3 {
				// The work left is the same each time: let the build finish.
				if err := s.CreateIndex(t.Context(), fdbevents.IndexCategory, nil); err != nil {
					t.Fatal(err)
				}
				break
			}
		}
		if interruptions == 0 {
			t.Error("the build was never interrupted")
		}
		err := s.CreateIndex(t.Context(), "colour", nil)
		if err == nil || err.Error() != `index "colour": want type or category` {
			t.Errorf("unknown index: got %v", err)
		}
	})
}

// TestIndexDroppedAndCreatedWhileBuilt checks that a builder that began before the drop
// does not pass off what it built until then as part of the new index.
func TestIndexDroppedAndCreatedWhileBuilt(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{Partitions: 3}, func(t *testing.T, s *fdblayer.Store) {
		storetest.Fill(t, s, 200)
		steps := 0
		again, stop := context.WithCancel(t.Context())
		if err := s.CreateIndex(t.Context(), fdbevents.IndexType, func(done, total int64) {
			if steps++; steps != 2 {
				return
			}
			storetest.OK(t, s.DropIndex(t.Context(), fdbevents.IndexType))
			stop() // this build gets no further than announcing the index
			if err := s.CreateIndex(again, fdbevents.IndexType, nil); err == nil {
				t.Error("a cancelled build succeeded")
			}
			another, end := context.WithCancel(t.Context())
			defer end()
			if err := s.CreateIndex(another, fdbevents.IndexType, func(done, total int64) { end() }); err == nil {
				t.Error("a build that was cancelled at its first step succeeded")
			}
		}); err != nil {
			t.Fatal(err)
		}
		compareQueries(t, s)
		// The check after each test verifies that the index is complete.
		if got, err := s.Indexes(t.Context()); err != nil || len(got) != 1 || !got[0].Ready {
			t.Errorf("got %+v, %v, want one index, ready", got, err)
		}
	})
}

func TestForeignPositions(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Tagged("e", "x"))
		foreign, err := fdbevents.ParsePosition("7f0000000000000000000000")
		if err != nil {
			t.Fatal(err)
		}
		check := func(what string, err error) {
			t.Helper()
			var invalid *fdbevents.InvalidError
			if !errors.As(err, &invalid) || invalid.What != "position" || !strings.Contains(err.Error(), `position "7f0000000000000000000000": is ahead of this store`) {
				t.Errorf("%s: got %v, want the position refused as ahead of the store", what, err)
			}
		}
		for _, err := range s.ReadAll(t.Context(), foreign, fdblayer.ReadOptions{}) {
			check("reading", err)
		}
		for _, err := range s.Subscribe(t.Context(), foreign, fdblayer.SubscribeOptions{}) {
			check("subscribing", err)
			break
		}
		_, err = s.AppendIf(t.Context(), fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{"x"}}), After: foreign}, storetest.AppendTo("s", storetest.Event("e")))
		check("appending", err)
	})
}
