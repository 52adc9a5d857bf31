package fdblayer_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

func TestOneEvent(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		storetest.Fill(t, s, 40)
		large := storetest.Event("large")
		large.Data = []byte(strings.Repeat("x", 300_000))
		storetest.MustAppend(t, s, "large", fdbevents.Any, large)
		for _, want := range storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{})) {
			byRevision, err := s.Event(ctx, want.Stream, want.Revision)
			if err != nil || !reflect.DeepEqual(byRevision, want) {
				t.Fatalf("event %d of %s: got error %v or another event", want.Revision, want.Stream, err)
			}
			at, err := s.EventAt(ctx, want.Position)
			if err != nil || !reflect.DeepEqual(at, want) {
				t.Fatalf("event at %s: got error %v or another event", want.Position, err)
			}
			byID, err := s.EventsByID(ctx, want.ID)
			if err != nil || !slices.ContainsFunc(byID, func(ev fdbevents.Event) bool { return reflect.DeepEqual(ev, want) }) {
				t.Fatalf("events with id %s: got error %v or other events", want.ID, err)
			}
		}
	})
}

func TestOneEventIsNotThere(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		same := storetest.EventWithID("e", "same")
		storetest.MustAppend(t, s, "a", fdbevents.Any, same, storetest.Event("e"))
		storetest.MustAppend(t, s, "b", fdbevents.Any, same)
		if events, err := s.EventsByID(ctx, same.ID); err != nil || len(events) != 2 || events[0].Stream != "a" || events[1].Stream != "b" {
			t.Errorf("got %+v, %v, want the events of both streams", events, err)
		}
		first, err := s.Event(ctx, "a", 0)
		storetest.OK(t, err)
		storetest.OK(t, s.Truncate(ctx, "a", 1))
		for name, get := range map[string]func() error{
			"truncated event":   func() error { _, err := s.Event(ctx, "a", 0); return err },
			"next revision":     func() error { _, err := s.Event(ctx, "a", 2); return err },
			"negative revision": func() error { _, err := s.Event(ctx, "a", -1); return err },
			"unknown stream":    func() error { _, err := s.Event(ctx, "nowhere", 0); return err },
			"unknown id":        func() error { _, err := s.EventsByID(ctx, uuid.New()); return err },
			"before an event":   func() error { _, err := s.EventAt(ctx, first.Position.Prev()); return err },
			"Start":             func() error { _, err := s.EventAt(ctx, fdbevents.Start); return err },
			"End":               func() error { _, err := s.EventAt(ctx, fdbevents.End); return err },
		} {
			if err := get(); fdbevents.KindOf(err) != fdbevents.NotFound {
				t.Errorf("%s: got %v, want kind NotFound", name, err)
			}
		}
		if _, err := s.EventAt(ctx, first.Position); err != nil {
			t.Errorf("an event that only its stream hides: got %v, want the event", err)
		}
		if _, err := s.EventAt(ctx, fdbevents.End.Prev()); fdbevents.KindOf(err) != fdbevents.Invalid {
			t.Errorf("a position ahead of the store: got %v, want kind Invalid", err)
		}
		_, err = s.Scavenge(ctx, fdblayer.ScavengeOptions{})
		storetest.OK(t, err)
		if _, err := s.EventAt(ctx, first.Position); fdbevents.KindOf(err) != fdbevents.NotFound {
			t.Errorf("a scavenged event: got %v, want kind NotFound", err)
		}
		if events, err := s.EventsByID(ctx, same.ID); err != nil || len(events) != 1 {
			t.Errorf("got %+v, %v, want only the event that is left", events, err)
		}
		storetest.OK(t, s.Tombstone(ctx, "b", fdbevents.Any))
		if _, err := s.Event(ctx, "b", 0); fdbevents.KindOf(err) != fdbevents.Gone {
			t.Errorf("an event of a tombstoned stream: got %v, want kind Gone", err)
		}
	})
}

func TestTail(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		before := storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("before"))
		tail, err := s.Tail(t.Context())
		storetest.OK(t, err)
		after := storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("after"))
		if tail.Before(before.Position) || !tail.Before(after.Position) {
			t.Errorf("got tail %s, want %s or later, but before %s", tail, before.Position, after.Position)
		}
	})
}
