package fdblayer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

func TestAppendGivesRevisionsAndRisingPositions(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		first := storetest.MustAppend(t, s, "order-1", fdbevents.NoStream, storetest.Event("placed"), storetest.Event("paid"))
		second := storetest.MustAppend(t, s, "order-1", 1, storetest.Event("shipped"))
		if first.FirstRevision != 0 || first.LastRevision != 1 || second.FirstRevision != 2 || second.LastRevision != 2 {
			t.Errorf("got revisions %d-%d and %d-%d, want 0-1 and 2-2", first.FirstRevision, first.LastRevision, second.FirstRevision, second.LastRevision)
		}
		if !first.Position.Before(second.Position) {
			t.Errorf("got position %s, want one before %s", first.Position, second.Position)
		}
		events := storetest.Collect(t, s.ReadStream(t.Context(), "order-1", 0, fdblayer.ReadOptions{}))
		if len(events) != 3 || events[1].Position != first.Position || events[2].Position != second.Position {
			t.Errorf("got %v, want 3 events at the positions that their appends returned", events)
		}
	})
}

func TestAppendStoresEveryField(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		want := fdbevents.EventData{
			ID: uuid.New(), Type: "täglich ☀", ContentType: "text/plain", Tags: []string{"a", "käse:1"},
			Created: time.Date(2001, 2, 3, 4, 5, 6, 789, time.UTC), Data: []byte{0, 255, 0}, Metadata: []byte("{}"),
		}
		result := storetest.MustAppend(t, s, "käse/1", fdbevents.Any, want)
		for name, events := range map[string][]fdbevents.Event{
			"stream": storetest.Collect(t, s.ReadStream(t.Context(), "käse/1", 0, fdblayer.ReadOptions{})),
			"log":    storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{})),
		} {
			if len(events) != 1 {
				t.Fatalf("%s: got %d events, want 1", name, len(events))
			}
			got := events[0]
			if got.Stream != "käse/1" || got.Revision != 0 || got.Position != result.Position || got.ID != want.ID || got.Type != want.Type ||
				got.ContentType != want.ContentType || !slices.Equal(got.Tags, want.Tags) || !got.Created.Equal(want.Created) ||
				!bytes.Equal(got.Data, want.Data) || !bytes.Equal(got.Metadata, want.Metadata) {
				t.Errorf("%s: got %+v, want every field as appended", name, got)
			}
		}
		before := time.Now()
		storetest.MustAppend(t, s, "defaults", fdbevents.Any, fdbevents.EventData{Type: "bare"})
		got := storetest.Collect(t, s.ReadStream(t.Context(), "defaults", 0, fdblayer.ReadOptions{}))[0]
		if got.ID == uuid.Nil || got.ContentType != "application/octet-stream" || got.Created.Before(before.Add(-time.Second)) || got.Created.After(time.Now().Add(time.Second)) {
			t.Errorf("defaults: got %+v, want an id, application/octet-stream and the present time", got)
		}
	})
}

func TestExpectedRevision(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		storetest.MustAppend(t, s, "two", fdbevents.Any, storetest.Event("a"), storetest.Event("b"))
		for _, c := range []struct {
			stream   string
			expected fdbevents.ExpectedRevision
			message  string
		}{
			{"none", 0, `wrong expected revision of stream "none": expected 0, but it has no events`},
			{"none", fdbevents.StreamExists, `wrong expected revision of stream "none": expected exists, but it has no events`},
			{"two", fdbevents.NoStream, `wrong expected revision of stream "two": expected none, but its last revision is 1`},
			{"two", 0, `wrong expected revision of stream "two": expected 0, but its last revision is 1`},
			{"two", 2, `wrong expected revision of stream "two": expected 2, but its last revision is 1`},
		} {
			_, err := s.Append(t.Context(), c.stream, c.expected, storetest.Event("c"))
			var wrong *fdbevents.WrongExpectedRevisionError
			if !errors.As(err, &wrong) || err.Error() != c.message {
				t.Errorf("append to %s expecting %s: got %v, want %q", c.stream, c.expected, err, c.message)
			}
		}
		storetest.MustAppend(t, s, "two", fdbevents.StreamExists, storetest.Event("c"))
		storetest.MustAppend(t, s, "two", 2, storetest.Event("d"))
		storetest.MustAppend(t, s, "none", fdbevents.NoStream, storetest.Event("a"))
	})
}

func TestConcurrentExactAppendsHaveOneWinnerEach(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers, rounds = 8, 10
		for revision := range int64(rounds) {
			expected := fdbevents.ExpectedRevision(revision - 1)
			if revision == 0 {
				expected = fdbevents.NoStream
			}
			errs := make([]error, writers)
			var wg sync.WaitGroup
			for w := range writers {
				s := []*fdblayer.Store{a, b}[w%2]
				wg.Go(func() { _, errs[w] = s.Append(t.Context(), "contended", expected, storetest.Event("x")) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				var wrong *fdbevents.WrongExpectedRevisionError
				if err == nil {
					won++
				} else if !errors.As(err, &wrong) || wrong.Actual != revision {
					t.Fatalf("revision %[1]d: got %[2]v, want a WrongExpectedRevisionError with Actual %[1]d", revision, err)
				}
			}
			if won != 1 {
				t.Fatalf("revision %d: got %d successful appends, want 1", revision, won)
			}
		}
	})
}

func TestConcurrentAppendsToOneStreamAreDense(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers, each = 16, 20
		var mu sync.Mutex
		got := make(map[int64]fdbevents.Position)
		var wg sync.WaitGroup
		for w := range writers {
			s := []*fdblayer.Store{a, b}[w%2]
			wg.Go(func() {
				for range each {
					r, err := s.Append(t.Context(), "hot", fdbevents.Any, storetest.Event("x"), storetest.Event("y"))
					if err != nil {
						t.Error(err)
						return
					}
					mu.Lock()
					got[r.LastRevision] = r.Position
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		events := storetest.Collect(t, a.ReadStream(t.Context(), "hot", 0, fdblayer.ReadOptions{}))
		if len(events) != 2*writers*each {
			t.Fatalf("got %d events, want %d", len(events), 2*writers*each)
		}
		for i, ev := range events {
			if ev.Revision != int64(i) {
				t.Fatalf("event %[1]d: got revision %[2]d, want %[1]d", i, ev.Revision)
			}
			if at, ok := got[ev.Revision]; ok && at != ev.Position {
				t.Fatalf("revision %d: got position %s, want %s as its append returned", i, ev.Position, at)
			}
		}
	})
}

func TestAppendManyIsAtomic(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		results, err := s.AppendMany(t.Context(),
			fdbevents.StreamAppend{Stream: "from", Expected: fdbevents.NoStream, Events: []fdbevents.EventData{storetest.Event("debited")}},
			fdbevents.StreamAppend{Stream: "to", Expected: fdbevents.NoStream, Events: []fdbevents.EventData{storetest.Event("credited"), storetest.Event("notified")}},
			fdbevents.StreamAppend{Stream: "from", Expected: 0, Events: []fdbevents.EventData{storetest.Event("closed")}},
		)
		if err != nil {
			t.Fatal(err)
		}
		if results[2].FirstRevision != 1 || !results[0].Position.Before(results[1].Position) || !results[1].Position.Before(results[2].Position) {
			t.Errorf("got results %+v, want rising positions, and revision 1 in the last", results)
		}
		_, err = s.AppendMany(t.Context(),
			fdbevents.StreamAppend{Stream: "from", Expected: fdbevents.Any, Events: []fdbevents.EventData{storetest.Event("lost")}},
			fdbevents.StreamAppend{Stream: "to", Expected: 7, Events: []fdbevents.EventData{storetest.Event("lost")}},
		)
		var wrong *fdbevents.WrongExpectedRevisionError
		if !errors.As(err, &wrong) || wrong.Stream != "to" {
			t.Errorf("got %v, want a WrongExpectedRevisionError of stream to", err)
		}
		if events := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{})); len(events) != 4 {
			t.Errorf("got %d events, want 4", len(events))
		}
	})
}

func TestRepeatReturnsTheFirstResult(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		a, b := storetest.EventWithID("a", "1"), storetest.EventWithID("b", "2")
		first := storetest.MustAppend(t, s, "once", fdbevents.NoStream, a, b)
		for range 50 {
			storetest.MustAppend(t, s, "once", fdbevents.Any, storetest.Event("later"))
		}
		again := storetest.MustAppend(t, s, "once", fdbevents.NoStream, a, b)
		if !again.Repeat || first.Repeat {
			t.Errorf("got repeat %v and %v, want false and true", first.Repeat, again.Repeat)
		}
		again.Repeat = false
		if again != first {
			t.Errorf("the append returned %+v, its repeat %+v", first, again)
		}
		// The same id in another stream is another event.
		if r := storetest.MustAppend(t, s, "other", fdbevents.NoStream, a); r.Repeat {
			t.Error("an append to another stream counts as a repeat")
		}
		if n := len(storetest.Collect(t, s.ReadStream(t.Context(), "once", 0, fdblayer.ReadOptions{}))); n != 52 {
			t.Errorf("got %d events, want 52", n)
		}
	})
}

func TestConcurrentRepeatsStoreOnce(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers = 12
		ev := storetest.EventWithID("a", "1")
		results := make([]fdbevents.AppendResult, writers)
		var wg sync.WaitGroup
		for w := range writers {
			s := []*fdblayer.Store{a, b}[w%2]
			wg.Go(func() {
				var err error
				if results[w], err = s.Append(t.Context(), "once", fdbevents.Any, ev); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		stored := 0
		for _, r := range results {
			if !r.Repeat {
				stored++
			}
			if r.Position != results[0].Position || r.LastRevision != 0 {
				t.Errorf("got %+v, want the same as %+v, at revision 0", r, results[0])
			}
		}
		if stored != 1 {
			t.Errorf("got %d appends that stored the event, want 1", stored)
		}
	})
}

func TestIDConflicts(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		a, b, c, d := storetest.EventWithID("a", "1"), storetest.EventWithID("b", "2"), storetest.EventWithID("c", "3"), storetest.EventWithID("d", "4")
		storetest.MustAppend(t, s, "ids", fdbevents.Any, a, b, c)
		with := func(ev fdbevents.EventData, change func(*fdbevents.EventData)) fdbevents.EventData {
			change(&ev)
			return ev
		}
		for _, test := range []struct {
			events []fdbevents.EventData
			reason string
		}{
			{[]fdbevents.EventData{with(a, func(e *fdbevents.EventData) { e.Data = []byte("x") })}, "with other data"},
			{[]fdbevents.EventData{with(a, func(e *fdbevents.EventData) { e.Metadata = []byte("x") })}, "with other metadata"},
			{[]fdbevents.EventData{with(a, func(e *fdbevents.EventData) { e.Type = "z" })}, `with type "a" instead of "z"`},
			{[]fdbevents.EventData{with(a, func(e *fdbevents.EventData) { e.ContentType = "z" })}, `with content type "application/octet-stream" instead of "z"`},
			{[]fdbevents.EventData{with(a, func(e *fdbevents.EventData) { e.Tags = []string{"z"} })}, `with tags [] instead of ["z"]`},
			{[]fdbevents.EventData{d, a}, "but events before it in this append are not"},
			{[]fdbevents.EventData{a, d}, "but events after it in this append are not"},
			{[]fdbevents.EventData{a, c}, "but not next to the event before it in this append"},
			{[]fdbevents.EventData{b, a}, "but not next to the event before it in this append"},
		} {
			_, err := s.Append(t.Context(), "ids", fdbevents.Any, test.events...)
			var conflict *fdbevents.IDConflictError
			if !errors.As(err, &conflict) || conflict.Reason != test.reason || conflict.Stream != "ids" {
				t.Errorf("got %v, want reason %q", err, test.reason)
			} else if want := fmt.Sprintf("event id %s is already in stream \"ids\" at revision %d, %s; give new events new ids", conflict.ID, conflict.Revision, test.reason); err.Error() != want {
				t.Errorf("got message %q, want %q", err, want)
			}
		}
		_, err := s.Append(t.Context(), "ids", fdbevents.Any, d, d)
		if want := fmt.Sprintf("event id %q: is given twice in one append", d.ID); err == nil || err.Error() != want {
			t.Errorf("got %v, want %q", err, want)
		}
	})
}

func TestLargeEventsAreChunked(t *testing.T) {
	for _, o := range []fdblayer.Options{{}, {Partitions: 1, InlineLimit: -1}} {
		storetest.EachStore(t, o, func(t *testing.T, s *fdblayer.Store) {
			rng := rand.New(rand.NewPCG(1, 2))
			var want [][]byte
			for _, size := range []int{0, 1, 900, 1024, 1100, 89_000, 90_000, 90_001, 180_000, 300_000, 5, 2 << 20, 8 << 20, 7} {
				data := make([]byte, size)
				for i := range data {
					data[i] = byte(rng.Uint32())
				}
				want = append(want, data)
				storetest.MustAppend(t, s, fmt.Sprintf("large-%d", len(want)%3), fdbevents.Any, fdbevents.EventData{Type: "large", Data: data})
			}
			check := func(name string, events []fdbevents.Event) {
				if len(events) != len(want) {
					t.Fatalf("%s: got %d events, want %d", name, len(events), len(want))
				}
				for i, ev := range events {
					if !bytes.Equal(ev.Data, want[i]) {
						t.Errorf("%s: event %d has wrong data: got %d bytes, want %d", name, i, len(ev.Data), len(want[i]))
					}
				}
			}
			check("forward", storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{})))
			backward := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.End, fdblayer.ReadOptions{Backward: true}))
			slices.Reverse(backward)
			check("backward", backward)
			n := 0
			for i := range 3 {
				n += len(storetest.Collect(t, s.ReadStream(t.Context(), fmt.Sprintf("large-%d", i), 0, fdblayer.ReadOptions{})))
			}
			if n != len(want) {
				t.Errorf("got %d events in all streams, want %d", n, len(want))
			}
		})
	}
}

func TestLimits(t *testing.T) {
	big := func(n int) []byte { return make([]byte, n) }
	many := func(n int) []fdbevents.EventData {
		events := make([]fdbevents.EventData, n)
		for i := range events {
			events[i] = storetest.Event("e")
		}
		return events
	}
	tags := func(n int) []string {
		out := make([]string, n)
		for i := range out {
			out[i] = fmt.Sprint("tag", i)
		}
		return out
	}
	one := func(ev fdbevents.EventData) []fdbevents.EventData { return []fdbevents.EventData{ev} }
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		for _, c := range []struct {
			stream  string
			events  []fdbevents.EventData
			message string // "" means success
		}{
			{"s", one(fdbevents.EventData{Type: "e", Data: big(fdbevents.MaxEventSize - 1), Metadata: big(1)}), ""},
			{"s", one(fdbevents.EventData{Type: "e", Data: big(fdbevents.MaxEventSize), Metadata: big(1)}),
				`event 1 of 1 for stream "s": event data and metadata: 8388609 bytes, limit 8388608`},
			{"s", []fdbevents.EventData{{Type: "e", Data: big(5 << 20)}, {Type: "e", Data: big(4 << 20)}},
				"data and metadata of an append: 9437184 bytes, limit 8388608"},
			{"many", many(fdbevents.MaxAppendEvents), ""},
			{"many", many(fdbevents.MaxAppendEvents + 1), "events of an append: 4097 events, limit 4096"},
			{strings.Repeat("n", 1024), many(1), ""},
			{strings.Repeat("n", 1025), many(1), "stream name: 1025 bytes, limit 1024"},
			{strings.Repeat("n", 1024), many(4000), "append with its stream names and tags, as stored: "},
			{"", many(1), `stream name "": must not be empty`},
			{"a\x00b", many(1), `stream name "a\x00b": must not have control characters (found U+0000)`},
			{"a\u0085b", many(1), `stream name "a\u0085b": must not have control characters (found U+0085)`},
			{"a\xffb", many(1), `stream name "a\xffb": must be valid UTF-8`},
			{"$all", many(1), `stream name "$all": names that begin with $ are reserved for virtual streams`},
			{"s", nil, `stream "s": append has no events`},
			{"s", one(fdbevents.EventData{}), `event 1 of 1 for stream "s": event type "": must not be empty`},
			{"s", one(fdbevents.EventData{Type: strings.Repeat("t", 1025)}), `event 1 of 1 for stream "s": event type: 1025 bytes, limit 1024`},
			{"s", one(fdbevents.EventData{Type: "e", ContentType: "\n"}), `event 1 of 1 for stream "s": content type "\n": must not have control characters (found U+000A)`},
			{"s", one(fdbevents.EventData{Type: "e", Tags: tags(64)}), ""},
			{"s", one(fdbevents.EventData{Type: "e", Tags: tags(65)}), `event 1 of 1 for stream "s": tags of an event: 65 tags, limit 64`},
			{"s", one(fdbevents.EventData{Type: "e", Tags: []string{strings.Repeat("t", 256)}}), ""},
			{"s", one(fdbevents.EventData{Type: "e", Tags: []string{strings.Repeat("t", 257)}}), `event 1 of 1 for stream "s": tag: 257 bytes, limit 256`},
			{"s", one(fdbevents.EventData{Type: "e", Tags: []string{""}}), `event 1 of 1 for stream "s": tag "": must not be empty`},
			{"s", one(fdbevents.EventData{Type: "e", Tags: []string{"a", "a"}}), `event 1 of 1 for stream "s": tag "a": is given twice on one event`},
			{"s", append(many(1), fdbevents.EventData{Type: "e", Created: time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC)}),
				`event 2 of 2 for stream "s": created "3000-01-01 00:00:00 +0000 UTC": must lie in the years 1678 to 2261`},
		} {
			_, err := s.Append(t.Context(), c.stream, fdbevents.Any, c.events...)
			switch {
			case c.message == "" && err != nil:
				t.Errorf("%.20s: got %v, want success", c.stream, err)
			case c.message != "" && (err == nil || !strings.HasPrefix(err.Error(), c.message)):
				t.Errorf("%.20s: got %v, want %q", c.stream, err, c.message)
			}
		}
		_, err := s.Append(t.Context(), "s", -3, storetest.Event("e"))
		if err == nil || err.Error() != `expected revision "-3": want 0 or more, or Any, NoStream, StreamExists` {
			t.Errorf("expected revision -3: got %v", err)
		}
		if _, err := s.AppendMany(t.Context()); !errors.Is(err, fdbevents.ErrNoEvents) {
			t.Errorf("got %v, want ErrNoEvents", err)
		}
		// The limits apply to all streams of an append together.
		_, err = s.AppendMany(t.Context(),
			fdbevents.StreamAppend{Stream: "a", Expected: fdbevents.Any, Events: many(4000)},
			fdbevents.StreamAppend{Stream: "b", Expected: fdbevents.Any, Events: many(100)})
		if err == nil || err.Error() != "events of an append: 4100 events, limit 4096" {
			t.Errorf("two streams: got %v", err)
		}
	})
}

// TestLargestAppendsFit checks that an append within the store's own limits is within
// the engine's, whatever makes it large.
func TestLargestAppendsFit(t *testing.T) {
	many := func(n int, ev fdbevents.EventData) []fdbevents.EventData {
		events := make([]fdbevents.EventData, n)
		for i := range events {
			events[i] = ev
			events[i].ID = uuid.New()
		}
		return events
	}
	longTags := make([]string, fdbevents.MaxTags)
	for i := range longTags {
		longTags[i] = fmt.Sprintf("%0256d", i)
	}
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		for what, attempt := range map[string]func(n int) (string, []fdbevents.EventData){
			"events with a long stream name": func(n int) (string, []fdbevents.EventData) {
				return strings.Repeat("n", 1024), many(n, fdbevents.EventData{Type: "e"})
			},
			"events of 2,000 bytes": func(n int) (string, []fdbevents.EventData) {
				return "small", many(n, fdbevents.EventData{Type: "e", Data: make([]byte, 2000)})
			},
			"events just small enough to be copied": func(n int) (string, []fdbevents.EventData) {
				return "copied", many(n, fdbevents.EventData{Type: "e", Data: make([]byte, 940)})
			},
			"events with short tags": func(n int) (string, []fdbevents.EventData) {
				return "tags", many(n, fdbevents.EventData{Type: "e", Tags: strings.Split("abcdefghijklmnopqrstuvwxyz", "")})
			},
			"events with long tags": func(n int) (string, []fdbevents.EventData) {
				return "tags", many(n, fdbevents.EventData{Type: "e", Tags: longTags})
			},
		} {
			var limit *fdbevents.LimitError
			n := fdbevents.MaxAppendEvents
			for {
				stream, events := attempt(n)
				_, err := s.Append(t.Context(), stream, fdbevents.Any, events...)
				if err == nil {
					break
				}
				if !errors.As(err, &limit) {
					t.Fatalf("%d %s: got %v, want success or a LimitError", n, what, err)
				}
				n -= max(1, n/50)
			}
			t.Logf("%d %s fit", n, what)
			if n < fdbevents.MaxAppendEvents && strings.Contains(what, "copied") {
				t.Errorf("only %d %s fit, want MaxAppendEvents", n, what)
			}
		}
	})
}

func TestAppendAsyncKeepsOrder(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		var pending []*fdblayer.PendingAppend
		for i := range 500 {
			p, err := s.AppendAsync(t.Context(), fmt.Sprint("s", i%7), fdbevents.Any, storetest.Event(fmt.Sprint(i)))
			if err != nil {
				t.Fatal(err)
			}
			pending = append(pending, p)
		}
		for i, p := range pending {
			r, err := p.Wait()
			if err != nil {
				t.Fatal(err)
			}
			if r.LastRevision != int64(i/7) {
				t.Fatalf("append %d: got revision %d, want %d", i, r.LastRevision, i/7)
			}
		}
	})
}

func TestAppendUnderEndedContext(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := s.Append(ctx, "s", fdbevents.Any, storetest.Event("e")); !errors.Is(err, context.Canceled) || errors.Is(err, fdbevents.ErrOutcomeUnknown) {
			t.Errorf("append: got %v, want context.Canceled and a known outcome", err)
		}
		for _, err := range s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("read: got %v, want context.Canceled", err)
			}
		}
	})
}

func TestClosedStore(t *testing.T) {
	storetest.EachEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e"))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		_, appended := s.Append(t.Context(), "s", fdbevents.Any, storetest.Event("e"))
		_, transacted := s.Transact(t.Context(), func(*fdblayer.Tx) error { return nil })
		var subscribed error
		for _, subscribed = range s.Subscribe(t.Context(), fdbevents.Start, fdblayer.SubscribeOptions{}) {
		}
		for _, err := range []error{appended, transacted, subscribed, s.Close()} {
			if !errors.Is(err, fdbevents.ErrClosed) || !strings.Contains(err.Error(), "store is closed") {
				t.Errorf("got %v, want ErrClosed", err)
			}
		}
	})
}
