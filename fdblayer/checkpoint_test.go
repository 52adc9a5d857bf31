package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestCheckpoints(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		if at, err := s.Checkpoint(ctx, "a"); err != nil || at != fdbevents.Start {
			t.Errorf("absent checkpoint: got %s, %v, want Start", at, err)
		}
		first, second := storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("x")), storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("y"))
		for name, at := range map[string]fdbevents.Position{"b": first.Position, "a": second.Position, "größe": first.Position, "gone": first.Position} {
			if err := s.SetCheckpoint(ctx, name, at); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SetCheckpoint(ctx, "b", second.Position); err != nil {
			t.Fatal(err)
		}
		if err := s.DeleteCheckpoint(ctx, "gone"); err != nil {
			t.Fatal(err)
		}
		if at, err := s.Checkpoint(ctx, "b"); err != nil || at != second.Position {
			t.Errorf("b: got %s, %v, want %s", at, err, second.Position)
		}
		var got []string
		for info, err := range s.Checkpoints(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, fmt.Sprintf("%s=%v", info.Name, info.Position == second.Position))
		}
		if want := []string{"a=true", "b=true", "größe=false"}; !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}

		foreign := fdbevents.Position{}
		if err := foreign.UnmarshalText([]byte("7fffffffffffff0000000000")); err != nil {
			t.Fatal(err)
		}
		var invalid *fdbevents.InvalidError
		for what, err := range map[string]error{
			"foreign position":  s.SetCheckpoint(ctx, "a", foreign),
			"End":               s.SetCheckpoint(ctx, "a", fdbevents.End),
			"no name":           s.SetCheckpoint(ctx, "", first.Position),
			"control character": s.DeleteCheckpoint(ctx, "a\n"),
		} {
			if !errors.As(err, &invalid) {
				t.Errorf("%s: got %v, want an InvalidError", what, err)
			}
		}
		var limit *fdbevents.LimitError
		if _, err := s.Checkpoint(ctx, strings.Repeat("n", fdbevents.MaxName+1)); !errors.As(err, &limit) {
			t.Errorf("got %v, want a LimitError", err)
		}
		for _, err := range s.Subscribe(ctx, foreign, fdblayer.SubscribeOptions{}) {
			want := `position "7fffffffffffff0000000000": is ahead of this store, so it must come from another one; use a position of this store, or start or end`
			if !errors.As(err, &invalid) || err.Error() != want {
				t.Errorf("got %v, want %q", err, want)
			}
		}
	})
}

// TestSubscribeFromKeepsItsPlace checks the stored place after a break, after the
// context ends, and past events that the filter drops.
func TestSubscribeFromKeepsItsPlace(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		o := fdblayer.SubscribeOptions{Filter: fdbevents.InStreams("a"), CheckpointInterval: time.Hour}
		for i := range 5 {
			storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Event(fmt.Sprint(i)))
			storetest.MustAppend(t, s, "b", fdbevents.Any, storetest.Event("other"))
		}
		place := func() fdbevents.Position {
			t.Helper()
			at, err := s.Checkpoint(t.Context(), "reader")
			if err != nil {
				t.Fatal(err)
			}
			return at
		}
		// take consumes events. If broken, it breaks in the event of type last;
		// otherwise it ends the context once no more events are left.
		take := func(last string, broken bool) (got []string) {
			t.Helper()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			o := o
			o.Idle = cancel
			if broken {
				o.Idle = nil
			}
			for ev, err := range s.SubscribeFrom(ctx, "reader", o) {
				if err != nil {
					if !errors.Is(err, context.Canceled) {
						t.Error(err)
					}
					break
				}
				if got = append(got, ev.Type); broken && ev.Type == last {
					break
				}
			}
			return got
		}
		all := storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
		if got := take("2", true); !slices.Equal(got, []string{"0", "1", "2"}) {
			t.Errorf("got %v, want 0, 1 and 2", got)
		}
		if got, want := place(), all[2].Position; got != want {
			t.Errorf("after a break in the third event: got %s, want the position of the second, %s", got, want)
		}
		if got := take("", false); !slices.Equal(got, []string{"2", "3", "4"}) {
			t.Errorf("after the break: got %v, want 2, 3 and 4", got)
		}
		if got, want := place(), all[9].Position; got != want {
			t.Errorf("after the context ended: got %s, want the position of the last event, although the filter drops it, %s", got, want)
		}
		if got := take("", false); len(got) != 0 {
			t.Errorf("with nothing new: got %v, want no events", got)
		}
	})
}

// TestSubscribeFromStoresInTime checks that a subscription stores its place in time
// although no more events come, and although its filter drops the event that came.
func TestSubscribeFromStoresInTime(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		live := make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			o := fdblayer.SubscribeOptions{Filter: fdbevents.InStreams("a"), CheckpointInterval: time.Millisecond, CaughtUp: func() { close(live) }}
			for _, err := range s.SubscribeFrom(ctx, "reader", o) {
				if err != nil {
					ended <- err
				}
			}
		}()
		<-live
		for _, stream := range []string{"a", "b"} {
			want := storetest.MustAppend(t, s, stream, fdbevents.Any, storetest.Event("x")).Position
			await(t, func() bool {
				at, err := s.Checkpoint(t.Context(), "reader")
				if err != nil {
					t.Error(err)
				}
				return at == want
			})
		}
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want context.Canceled", err)
		}
	})
}

// await polls until a condition holds. It is for conditions that no signal announces.
func await(t testing.TB, condition func() bool) {
	t.Helper()
	look := time.NewTicker(2 * time.Millisecond)
	defer look.Stop()
	for deadline := time.After(30 * time.Second); !condition() && !t.Failed(); {
		select {
		case <-look.C:
		case <-deadline:
			t.Fatal("the condition does not hold after 30 s")
		}
	}
}
