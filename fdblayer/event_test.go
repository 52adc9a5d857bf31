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
				t.Fatalf("event %d of %s: %v", want.Revision, want.Stream, err)
			}
			at, err := s.EventAt(ctx, want.Position)
			if err != nil || !reflect.DeepEqual(at, want) {
				t.Fatalf("event at %s: %v", want.Position, err)
			}
			byID, err := s.EventsByID(ctx, want.ID)
			if err != nil || !slices.ContainsFunc(byID, func(ev fdbevents.Event) bool { return reflect.DeepEqual(ev, want) }) {
				t.Fatalf("events with id %s: %v", want.ID, err)
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
			t.Errorf("got %+v, %v", events, err)
		}
		first, err := s.Event(ctx, "a", 0)
		storetest.OK(t, err)
		storetest.OK(t, s.Truncate(ctx, "a", 1))
		for name, get := range map[string]func() error{
			"truncated":       func() error { _, err := s.Event(ctx, "a", 0); return err },
			"revision":        func() error { _, err := s.Event(ctx, "a", 2); return err },
			"before any":      func() error { _, err := s.Event(ctx, "a", -1); return err },
			"stream":          func() error { _, err := s.Event(ctx, "nowhere", 0); return err },
			"id":              func() error { _, err := s.EventsByID(ctx, uuid.New()); return err },
			"between":         func() error { _, err := s.EventAt(ctx, first.Position.Prev()); return err },
			"before the log":  func() error { _, err := s.EventAt(ctx, fdbevents.Start); return err },
			"behind the tail": func() error { _, err := s.EventAt(ctx, fdbevents.End); return err },
		} {
			if err := get(); fdbevents.KindOf(err) != fdbevents.NotFound {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := s.EventAt(ctx, first.Position); err != nil {
			t.Errorf("the log has what its stream hides: %v", err)
		}
		if _, err := s.EventAt(ctx, fdbevents.End.Prev()); fdbevents.KindOf(err) != fdbevents.Invalid {
			t.Errorf("a position ahead of the store: %v", err)
		}
		_, err = s.Scavenge(ctx, fdblayer.ScavengeOptions{})
		storetest.OK(t, err)
		if _, err := s.EventAt(ctx, first.Position); fdbevents.KindOf(err) != fdbevents.NotFound {
			t.Errorf("a scavenged event: %v", err)
		}
		if events, err := s.EventsByID(ctx, same.ID); err != nil || len(events) != 1 {
			t.Errorf("got %+v, %v", events, err)
		}
		storetest.OK(t, s.Tombstone(ctx, "b", fdbevents.Any))
		if _, err := s.Event(ctx, "b", 0); fdbevents.KindOf(err) != fdbevents.Gone {
			t.Errorf("of a tombstoned stream: %v", err)
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
			t.Errorf("the tail is %s, between %s and %s", tail, before.Position, after.Position)
		}
	})
}
