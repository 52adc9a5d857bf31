package fdblayer_test

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// same compares events by stream, revision, type and the length of their data. The
// caller does not know their positions, ids and times.
func same(t *testing.T, what string, got, want []fdbevents.Event) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d events, want %d", what, len(got), len(want))
		return
	}
	for i := range got {
		if got[i].Stream != want[i].Stream || got[i].Revision != want[i].Revision || got[i].Type != want[i].Type || len(got[i].Data) != len(want[i].Data) {
			t.Errorf("%s: event %d: got %s@%d %s, want %s@%d %s", what, i, got[i].Stream, got[i].Revision, got[i].Type, want[i].Stream, want[i].Revision, want[i].Type)
			return
		}
	}
}

func choose(events []fdbevents.Event, f func(fdbevents.Event) bool) (out []fdbevents.Event) {
	for _, ev := range events {
		if f(ev) {
			out = append(out, ev)
		}
	}
	return out
}

func reversed(events []fdbevents.Event) []fdbevents.Event {
	out := slices.Clone(events)
	slices.Reverse(out)
	return out
}

func TestReadAll(t *testing.T) {
	for _, partitions := range []int{0, 1, 3} {
		storetest.EachStore(t, fdblayer.Options{Partitions: partitions}, func(t *testing.T, s *fdblayer.Store) {
			ctx := t.Context()
			want := storetest.Fill(t, s, 600)
			all := storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}))
			same(t, "forward", all, want)
			for i := range all[1:] {
				if !all[i].Position.Before(all[i+1].Position) {
					t.Fatalf("position %s is followed by %s, want a later one", all[i].Position, all[i+1].Position)
				}
			}
			same(t, "backward", storetest.Collect(t, s.ReadAll(ctx, fdbevents.End, fdblayer.ReadOptions{Backward: true})), reversed(want))
			for _, i := range []int{0, 1, 299, 598, 599} {
				same(t, fmt.Sprint("forward from ", i), storetest.Collect(t, s.ReadAll(ctx, all[i].Position, fdblayer.ReadOptions{})), want[i:])
				same(t, fmt.Sprint("backward from ", i), storetest.Collect(t, s.ReadAll(ctx, all[i].Position, fdblayer.ReadOptions{Backward: true})), reversed(want[:i+1]))
				same(t, fmt.Sprint("limit from ", i), storetest.Collect(t, s.ReadAll(ctx, all[i].Position, fdblayer.ReadOptions{Limit: 5})), want[i:min(i+5, len(want))])
				same(t, fmt.Sprint("backward limit from ", i), storetest.Collect(t, s.ReadAll(ctx, all[i].Position, fdblayer.ReadOptions{Limit: 5, Backward: true})), reversed(want[max(0, i-4):i+1]))
			}
			prefix := func(ev fdbevents.Event) bool { return ev.Stream == "s7" }
			same(t, "prefix", storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.InStreams("s7")})), choose(want, prefix))
			same(t, "prefix, limit", storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.InStreams("s7"), Limit: 9})), choose(want, prefix)[:9])
			query := fdbevents.Query{Items: []fdbevents.QueryItem{{Types: []string{"type0", "type1"}, Tags: []string{"tag0", "tag2"}}, {Tags: []string{"tag1"}, Types: []string{"type2"}}}}
			same(t, "query", storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: query}})), choose(want, func(ev fdbevents.Event) bool {
				has := func(tag string) bool { return slices.Contains(ev.Tags, tag) }
				return ev.Type != "type2" && has("tag0") && has("tag2") || ev.Type == "type2" && has("tag1")
			}))
		})
	}
}

func TestReadStream(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		want := choose(storetest.Fill(t, s, 800), func(ev fdbevents.Event) bool { return ev.Stream == "s3" })
		n := int64(len(want))
		same(t, "forward", storetest.Collect(t, s.ReadStream(ctx, "s3", fdbevents.StreamStart, fdblayer.ReadOptions{})), want)
		same(t, "backward", storetest.Collect(t, s.ReadStream(ctx, "s3", fdbevents.StreamEnd, fdblayer.ReadOptions{Backward: true})), reversed(want))
		for _, i := range []int64{0, 1, n / 2, n - 1} {
			same(t, fmt.Sprint("forward from ", i), storetest.Collect(t, s.ReadStream(ctx, "s3", i, fdblayer.ReadOptions{})), want[i:])
			same(t, fmt.Sprint("backward from ", i), storetest.Collect(t, s.ReadStream(ctx, "s3", i, fdblayer.ReadOptions{Backward: true})), reversed(want[:i+1]))
			same(t, fmt.Sprint("limit from ", i), storetest.Collect(t, s.ReadStream(ctx, "s3", i, fdblayer.ReadOptions{Limit: 3})), want[i:min(i+3, n)])
		}
		same(t, "past the end", storetest.Collect(t, s.ReadStream(ctx, "s3", n, fdblayer.ReadOptions{})), nil)
		same(t, "before the start", storetest.Collect(t, s.ReadStream(ctx, "s3", -1, fdblayer.ReadOptions{Backward: true})), nil)
	})
}

func TestReadErrors(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		for _, c := range []struct {
			what    string
			events  func(func(fdbevents.Event, error) bool)
			message string
		}{
			{"absent stream", s.ReadStream(ctx, "absent", 0, fdblayer.ReadOptions{}), `stream "absent" not found`},
			{"empty name", s.ReadStream(ctx, "", 0, fdblayer.ReadOptions{}), `stream name "": must not be empty`},
			{"negative limit", s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Limit: -1}), `read limit "-1": want 0 for no limit, or more`},
			{"empty tag", s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{""}}}}}}), `tag in query "": must not be empty`},
		} {
			n := 0
			for _, err := range c.events {
				if n++; err == nil || err.Error() != c.message {
					t.Errorf("%s: got %v, want %q", c.what, err, c.message)
				}
			}
			if n != 1 {
				t.Errorf("%s: got %d results, want one error", c.what, n)
			}
		}
		for _, err := range s.ReadStream(ctx, "absent", 0, fdblayer.ReadOptions{}) {
			if !errors.Is(err, fdbevents.ErrStreamNotFound) {
				t.Errorf("read: got %v, want ErrStreamNotFound", err)
			}
		}
		if _, err := s.Stream(ctx, "absent"); !errors.Is(err, fdbevents.ErrStreamNotFound) {
			t.Errorf("stream: got %v, want ErrStreamNotFound", err)
		}
	})
}

// TestReadersDuringWritesAgree reads the log again and again while it grows. Each read
// must be a prefix of the final log.
func TestReadersDuringWritesAgree(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		stop := make(chan struct{})
		var writers, readers sync.WaitGroup
		for w := range 8 {
			s := []*fdblayer.Store{a, b}[w%2]
			writers.Go(func() {
				for i := range 60 {
					if _, err := s.Append(t.Context(), fmt.Sprint("s", (w+i)%16), fdbevents.Any, storetest.Event("x"), storetest.Event("y")); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var mu sync.Mutex
		var reads [][]fdbevents.Event
		for range 2 {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					var got []fdbevents.Event
					for ev, err := range a.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}) {
						if err != nil {
							t.Error(err)
							return
						}
						got = append(got, ev)
					}
					mu.Lock()
					reads = append(reads, got)
					mu.Unlock()
				}
			})
		}
		writers.Wait()
		close(stop)
		readers.Wait()
		all := storetest.Collect(t, b.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
		if len(all) != 8*60*2 {
			t.Fatalf("got %d events, want %d", len(all), 8*60*2)
		}
		for _, got := range reads {
			for i, ev := range got {
				if i >= len(all) || ev.Position != all[i].Position {
					t.Fatalf("a read of %d events differs from the log at event %d", len(got), i)
				}
			}
		}
	})
}

func TestStreams(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		for i := range 30 {
			storetest.MustAppend(t, s, fmt.Sprintf("order-%02d", i), fdbevents.Any, slices.Repeat([]fdbevents.EventData{storetest.Event("e")}, i+1)...)
		}
		storetest.MustAppend(t, s, "ordé", fdbevents.Any, storetest.Event("e"))
		storetest.MustAppend(t, s, "order", fdbevents.Any, storetest.Event("e"))
		if err := s.SetStreamMetadata(ctx, "order-03", []byte("owner: x")); err != nil {
			t.Fatal(err)
		}
		i := 0
		for info, err := range s.Streams(ctx, "order-") {
			if err != nil {
				t.Fatal(err)
			}
			if want := fmt.Sprintf("order-%02d", i); info.Stream != want || info.LastRevision != int64(i) {
				t.Errorf("got %+v, want %s", info, want)
			}
			i++
		}
		if i != 30 {
			t.Errorf("got %d streams, want 30", i)
		}
		info, err := s.Stream(ctx, "order-03")
		if err != nil || string(info.Metadata) != "owner: x" || info.LastRevision != 3 {
			t.Errorf("got %+v, %v, want last revision 3 and the metadata", info, err)
		}
		storetest.MustAppend(t, s, "order-03", 3, storetest.Event("e"))
		if info, err = s.Stream(ctx, "order-03"); err != nil || string(info.Metadata) != "owner: x" {
			t.Errorf("after an append: got %+v, %v, want the same metadata", info, err)
		}
		err = s.SetStreamMetadata(ctx, "order-03", make([]byte, fdbevents.MaxStreamMetadata+1))
		if err == nil || err.Error() != "stream metadata: 65537 bytes, limit 65536" {
			t.Errorf("large metadata: got %v", err)
		}
		// Metadata may come before the first event.
		if err := s.SetStreamMetadata(ctx, "new", []byte("m")); err != nil {
			t.Fatal(err)
		}
		storetest.MustAppend(t, s, "new", fdbevents.NoStream, storetest.Event("e"))
	})
}

// TestFewEventsBehindManyHidden: the limit of a read is not the size of its pages where
// events are hidden or scavenged.
func TestFewEventsBehindManyHidden(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		const hidden = 3000
		old := make([]fdbevents.EventData, hidden)
		for i := range old {
			old[i] = fdbevents.EventData{Type: "old", Created: time.Now().Add(-time.Hour)}
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, old...)
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("new"))
		storetest.OK(t, s.SetRetention(t.Context(), "s", fdblayer.Retention{MaxAge: time.Minute}))
		readOne := func(what string, events iter.Seq2[fdbevents.Event, error]) {
			t.Helper()
			before := s.Stats().Pages
			if got := storetest.Collect(t, events); len(got) != 1 || got[0].Type != "new" {
				t.Errorf("%s: got %d events, want the new one", what, len(got))
			}
			if pages := s.Stats().Pages - before; pages > 10 {
				t.Errorf("%s: one event behind %d hidden ones took %d pages", what, hidden, pages)
			}
		}
		one := fdblayer.ReadOptions{Limit: 1}
		readOne("stream", s.ReadStream(t.Context(), "s", fdbevents.StreamStart, one))
		_, err := s.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
		storetest.OK(t, err)
		readOne("scavenged stream", s.ReadStream(t.Context(), "s", fdbevents.StreamStart, one))
		readOne("log", s.ReadAll(t.Context(), fdbevents.Start, one))
	})
}
