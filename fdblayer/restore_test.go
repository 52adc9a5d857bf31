package fdblayer_test

import (
	"bytes"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

// restorable returns an event as another store may have had it.
func restorable(stream string, revision int64, size int) fdbevents.Event {
	return fdbevents.Event{
		Stream: stream, Revision: revision, ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, stream, revision)),
		Type: "x", ContentType: "text/plain", Tags: []string{"red"}, Created: time.Unix(1_700_000_000, 5).UTC(),
		Data: bytes.Repeat([]byte("d"), size), Metadata: []byte("m"),
	}
}

func TestRestore(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		var events []fdbevents.Event
		for i := range int64(300) {
			events = append(events, restorable("a", i, 20), restorable("b", 5+i, 2000))
		}
		events[3].Erased, events[3].Data, events[3].Metadata = true, nil, nil
		events = append(events, restorable("large", 0, fdbevents.MaxEventSize-1))
		for i, repeats := range []int64{0, 601} {
			got, err := s.Restore(ctx, events, fdblayer.RestoreOptions{})
			if err != nil || got.Events != 601 || got.Repeats != repeats || len(got.Renumbered) > 0 {
				t.Fatalf("restore %d: got %+v, %v, want 601 events, all or none of them repeats", i, got, err)
			}
		}
		stored := storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}))
		if len(stored) != len(events) {
			t.Fatalf("got %d events, want 601", len(stored))
		}
		for i, ev := range stored {
			ev.Position = fdbevents.Start
			if fmt.Sprint(ev) != fmt.Sprint(events[i]) {
				t.Fatalf("event %d: got %v, want %v", i, ev, events[i])
			}
		}
		if info, err := s.Stream(ctx, "b"); err != nil || info.TruncateBefore != 5 || info.LastRevision != 304 {
			t.Errorf("got %+v, %v, want revisions 5 to 304", info, err)
		}
		// A new event follows the restored ones, and a restored event is a repeat.
		if got := storetest.MustAppend(t, s, "a", 299, storetest.Event("next")); got.FirstRevision != 300 {
			t.Errorf("got %+v, want revision 300", got)
		}
		ev := events[0]
		again := fdbevents.EventData{ID: ev.ID, Type: ev.Type, ContentType: ev.ContentType, Tags: ev.Tags, Data: ev.Data, Metadata: ev.Metadata}
		if got := storetest.MustAppend(t, s, "a", fdbevents.Any, again); !got.Repeat {
			t.Errorf("got %+v, want a repeat", got)
		}
	})
}

func TestRestoreRefuses(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Event("x"), storetest.Event("x"))
		for _, revision := range []int64{0, 1, 3} {
			got, err := s.Restore(ctx, []fdbevents.Event{restorable("b", 0, 1), restorable("a", revision, 1)}, fdblayer.RestoreOptions{})
			var conflict *fdblayer.RestoreConflictError
			if !errors.As(err, &conflict) || conflict.Stream != "a" || conflict.Revision != revision || got.Events != 0 {
				t.Errorf("revision %d: got %+v, %v, want a RestoreConflictError and no events", revision, got, err)
			}
		}
		got, err := s.Restore(ctx, []fdbevents.Event{restorable("a", 7, 1), restorable("a", 9, 1), restorable("c", 0, 1)}, fdblayer.RestoreOptions{Renumber: true})
		if err != nil || got.Events != 3 || len(got.Renumbered) != 1 || !got.Renumbered["a"] {
			t.Errorf("got %+v, %v, want 3 events, and only stream a renumbered", got, err)
		}
		for what, change := range map[string]func(ev *fdbevents.Event){
			"no id":             func(ev *fdbevents.Event) { ev.ID = uuid.Nil },
			"negative revision": func(ev *fdbevents.Event) { ev.Revision = -1 },
			"no content type":   func(ev *fdbevents.Event) { ev.ContentType = "" },
			"no time":           func(ev *fdbevents.Event) { ev.Created = time.Time{} },
			"erased with data":  func(ev *fdbevents.Event) { ev.Erased = true },
			"virtual stream":    func(ev *fdbevents.Event) { ev.Stream = "$x" },
			"same tag twice":    func(ev *fdbevents.Event) { ev.Tags = []string{"t", "t"} },
		} {
			ev := restorable("d", 0, 1)
			change(&ev)
			var invalid *fdbevents.InvalidError
			if _, err := s.Restore(ctx, []fdbevents.Event{ev}, fdblayer.RestoreOptions{}); !errors.As(err, &invalid) {
				t.Errorf("%s: got %v, want an InvalidError", what, err)
			}
		}
		twice := restorable("d", 0, 1)
		if _, err := s.Restore(ctx, []fdbevents.Event{twice, twice}, fdblayer.RestoreOptions{}); err == nil {
			t.Error("an event given twice: got no error, want one")
		}
	})
}

func TestRestoreStreams(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Event("x"), storetest.Event("x"))
		storetest.MustAppend(t, s, "gone", fdbevents.Any, storetest.Event("x"))
		storetest.MustAppend(t, s, "went on", fdbevents.Any, storetest.Event("x"), storetest.Event("x"))
		storetest.MustAppend(t, s, "dead", fdbevents.Any, storetest.Event("x"))
		infos := []fdblayer.StreamInfo{
			{Stream: "a", LastRevision: 5, TruncateBefore: 1, Retention: fdblayer.Retention{MaxAge: time.Hour * 1e4, MaxCount: 7}, Metadata: []byte("m")},
			{Stream: "dead", LastRevision: 0, TruncateBefore: 1, Tombstoned: true},
			{Stream: "gone", LastRevision: 0, TruncateBefore: 1, Deleted: true},
			{Stream: "scavenged", LastRevision: 3, TruncateBefore: 4},
			{Stream: "went on", LastRevision: 0, TruncateBefore: 1, Deleted: true},
		}
		for range 2 {
			if err := s.RestoreStreams(ctx, infos); err != nil {
				t.Fatal(err)
			}
			i := 0
			for got, err := range s.Streams(ctx, "") {
				if err != nil {
					t.Fatal(err)
				}
				want := infos[i]
				switch want.Stream {
				case "a":
					want.LastRevision = 1
				case "went on":
					want.LastRevision, want.Deleted = 1, false
				}
				if fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("got %+v, want %+v", got, want)
				}
				i++
			}
		}
		var conflict *fdblayer.RestoreConflictError
		if err := s.RestoreStreams(ctx, []fdblayer.StreamInfo{{Stream: "went on", LastRevision: 0, TruncateBefore: 1, Tombstoned: true}}); !errors.As(err, &conflict) {
			t.Errorf("got %v, want a RestoreConflictError", err)
		}
		for _, info := range []fdblayer.StreamInfo{{Stream: "a", LastRevision: -2}, {Stream: "a", TruncateBefore: 2}, {Stream: "$a"}, {Stream: "a", Retention: fdblayer.Retention{MaxCount: -1}}} {
			if err := s.RestoreStreams(ctx, []fdblayer.StreamInfo{info}); err == nil {
				t.Errorf("%+v: got no error, want one", info)
			}
		}
	})
}
