package fdblayer_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestAppendIf(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		first := storetest.MustAppend(t, s, "a", fdbevents.Any, storetest.Tagged("reserved", "seat:1", "show:9"))
		second := storetest.MustAppend(t, s, "b", fdbevents.Any, storetest.Tagged("released", "seat:1"))
		third := storetest.MustAppend(t, s, "c", fdbevents.Any, storetest.Tagged("reserved", "seat:2", "show:9"))
		for _, c := range []struct {
			what  string
			query fdbevents.Query
			after fdbevents.Position
			fails fdbevents.Position // Start means that the append succeeds
		}{
			{"one tag", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:1"}}), fdbevents.Start, first.Position},
			{"one tag, after the first", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:1"}}), first.Position, second.Position},
			{"one tag, after the last", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:1"}}), second.Position, fdbevents.Start},
			{"unknown tag", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:3"}}), fdbevents.Start, fdbevents.Start},
			{"two tags", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:2", "show:9"}}), fdbevents.Start, third.Position},
			{"two tags, never on one event", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:1", "seat:2"}}), fdbevents.Start, fdbevents.Start},
			{"tag and type", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:1"}, Types: []string{"released"}}), fdbevents.Start, second.Position},
			{"tag and another type", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:2"}, Types: []string{"released"}}), fdbevents.Start, fdbevents.Start},
			{"type only", storetest.Query(fdbevents.QueryItem{Types: []string{"released"}}), fdbevents.Start, second.Position},
			{"type only, no such event", storetest.Query(fdbevents.QueryItem{Types: []string{"cancelled"}}), fdbevents.Start, fdbevents.Start},
			{"two items, failed by the earliest match", storetest.Query(fdbevents.QueryItem{Tags: []string{"seat:2"}}, fdbevents.QueryItem{Types: []string{"released"}}), fdbevents.Start, second.Position},
			{"any event", storetest.Query(fdbevents.QueryItem{}), second.Position, third.Position},
		} {
			_, err := s.AppendIf(ctx, fdbevents.Condition{Query: c.query, After: c.after}, storetest.AppendTo("decisions", storetest.Event("made")))
			var failed *fdbevents.ConditionError
			switch {
			case c.fails == fdbevents.Start && err != nil:
				t.Errorf("%s: got %v, want success", c.what, err)
			case c.fails != fdbevents.Start && (!errors.As(err, &failed) || failed.Position != c.fails):
				t.Errorf("%s: got %v, want a failure at %s", c.what, err, c.fails)
			case failed != nil && err.Error() != fmt.Sprintf("append condition failed: the event at position %s matches the query; read from there and decide again", c.fails):
				t.Errorf("%s: got message %q, want one with the position and advice", c.what, err)
			}
		}
		_, err := s.AppendIf(ctx, fdbevents.Condition{}, storetest.AppendTo("decisions", storetest.Event("made")))
		if err == nil || err.Error() != `append condition "": its query has no items and would select every event; name types or tags` {
			t.Errorf("empty query: got %v", err)
		}
		_, err = s.AppendIf(ctx, fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{}), After: fdbevents.End}, storetest.AppendTo("decisions", storetest.Event("made")))
		if err == nil || err.Error() != `append condition "after End": no event can come after End, so the condition would rule out nothing; give the position of the last event seen, or Start` {
			t.Errorf("after End: got %v", err)
		}
	})
}

// TestConditionsAreSerializable has many writers claim the same few names, each on
// condition that nobody has claimed the name: exactly one may win each name, in one
// process or in two.
func TestConditionsAreSerializable(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const names, claims = 12, 10
		var mu sync.Mutex
		winners := make(map[int]int)
		var wg sync.WaitGroup
		for claim := range claims {
			s := []*fdblayer.Store{a, b}[claim%2]
			wg.Go(func() {
				for name := range names {
					tag := fmt.Sprint("name:", name)
					// Each claim has its own stream, so that only the condition
					// keeps two from winning.
					_, err := s.AppendIf(t.Context(), fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{tag}})},
						storetest.AppendTo(fmt.Sprintf("claim-%d-%d", claim, name), storetest.Tagged("claimed", tag)))
					var failed *fdbevents.ConditionError
					if err == nil {
						mu.Lock()
						winners[name]++
						mu.Unlock()
					} else if !errors.As(err, &failed) {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		for name := range names {
			if winners[name] != 1 {
				t.Errorf("name %d: got %d winners, want 1", name, winners[name])
			}
		}
	})
}

func TestRepeatOfAConditionalAppend(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ev := storetest.EventWithID("claimed", "1")
		ev.Tags = []string{"name:x"}
		condition := fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{"name:x"}})}
		first, err := s.AppendIf(t.Context(), condition, storetest.AppendTo("claims", ev))
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.AppendIf(t.Context(), condition, storetest.AppendTo("claims", ev))
		if err != nil || !again[0].Repeat || again[0].Position != first[0].Position {
			t.Errorf("got %+v, %v, want the first result %+v", again, err, first)
		}
	})
}
