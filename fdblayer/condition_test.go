package fdblayer_test

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents/fdblayer"
)

func query(items ...fdblayer.QueryItem) fdblayer.Query { return fdblayer.Query{Items: items} }

func tagged(typ string, tags ...string) fdblayer.NewEvent {
	ev := event(typ)
	ev.Tags = tags
	return ev
}

func to(stream string, events ...fdblayer.NewEvent) fdblayer.StreamAppend {
	return fdblayer.StreamAppend{Stream: stream, Expected: fdblayer.Any, Events: events}
}

func TestAppendIf(t *testing.T) {
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		first := mustAppend(t, s, "a", fdblayer.Any, tagged("reserved", "seat:1", "show:9"))
		second := mustAppend(t, s, "b", fdblayer.Any, tagged("released", "seat:1"))
		third := mustAppend(t, s, "c", fdblayer.Any, tagged("reserved", "seat:2", "show:9"))
		for _, c := range []struct {
			what  string
			query fdblayer.Query
			after fdblayer.Position
			fails fdblayer.Position // Start when the append succeeds
		}{
			{"one tag", query(fdblayer.QueryItem{Tags: []string{"seat:1"}}), fdblayer.Start, first.Position},
			{"one tag, after the first", query(fdblayer.QueryItem{Tags: []string{"seat:1"}}), first.Position, second.Position},
			{"one tag, after the last", query(fdblayer.QueryItem{Tags: []string{"seat:1"}}), second.Position, fdblayer.Start},
			{"unknown tag", query(fdblayer.QueryItem{Tags: []string{"seat:3"}}), fdblayer.Start, fdblayer.Start},
			{"two tags", query(fdblayer.QueryItem{Tags: []string{"seat:2", "show:9"}}), fdblayer.Start, third.Position},
			{"two tags, never together", query(fdblayer.QueryItem{Tags: []string{"seat:1", "seat:2"}}), fdblayer.Start, fdblayer.Start},
			{"tag and type", query(fdblayer.QueryItem{Tags: []string{"seat:1"}, Types: []string{"released"}}), fdblayer.Start, second.Position},
			{"tag and other type", query(fdblayer.QueryItem{Tags: []string{"seat:2"}, Types: []string{"released"}}), fdblayer.Start, fdblayer.Start},
			{"type only", query(fdblayer.QueryItem{Types: []string{"released"}}), fdblayer.Start, second.Position},
			{"type only, none", query(fdblayer.QueryItem{Types: []string{"cancelled"}}), fdblayer.Start, fdblayer.Start},
			{"either item, the first offends", query(fdblayer.QueryItem{Tags: []string{"seat:2"}}, fdblayer.QueryItem{Types: []string{"released"}}), fdblayer.Start, second.Position},
			{"any event", query(fdblayer.QueryItem{}), second.Position, third.Position},
		} {
			_, err := s.AppendIf(ctx, fdblayer.Condition{Query: c.query, After: c.after}, to("decisions", event("made")))
			var failed *fdblayer.ConditionError
			switch {
			case c.fails == fdblayer.Start && err != nil:
				t.Errorf("%s: %v", c.what, err)
			case c.fails != fdblayer.Start && (!errors.As(err, &failed) || failed.Position != c.fails):
				t.Errorf("%s: got %v, want a failure at %s", c.what, err, c.fails)
			case failed != nil && err.Error() != fmt.Sprintf("append condition failed: the event at position %s matches the query; read from there and decide again", c.fails):
				t.Errorf("%s: message %q", c.what, err)
			}
		}
		_, err := s.AppendIf(ctx, fdblayer.Condition{}, to("decisions", event("made")))
		if err == nil || err.Error() != `append condition "": its query has no items and would select every event; name types or tags` {
			t.Errorf("got %v", err)
		}
		_, err = s.AppendIf(ctx, fdblayer.Condition{Query: query(fdblayer.QueryItem{}), After: fdblayer.End}, to("decisions", event("made")))
		if err == nil || err.Error() != `append condition "after End": no event can come after End, so that nothing would be ruled out; give the position of the last event that was seen, or Start` {
			t.Errorf("got %v", err)
		}
	})
}

// TestConditionsAreSerializable lets many writers claim the same few names, each
// only if nobody has: exactly one may win each name, in one process or in two.
func TestConditionsAreSerializable(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		const names, claims = 12, 10
		var mu sync.Mutex
		winners := make(map[int]int)
		var wg sync.WaitGroup
		for claim := range claims {
			s := []*fdblayer.Store{a, b}[claim%2]
			wg.Go(func() {
				for name := range names {
					tag := fmt.Sprint("name:", name)
					// Each claim goes to a stream of its own: only the condition
					// stands between them.
					_, err := s.AppendIf(t.Context(), fdblayer.Condition{Query: query(fdblayer.QueryItem{Tags: []string{tag}})},
						to(fmt.Sprintf("claim-%d-%d", claim, name), tagged("claimed", tag)))
					var failed *fdblayer.ConditionError
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
				t.Errorf("name %d has %d winners", name, winners[name])
			}
		}
	})
}

func TestRepeatOfAConditionalAppend(t *testing.T) {
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ev := eventWithID("claimed", "1")
		ev.Tags = []string{"name:x"}
		condition := fdblayer.Condition{Query: query(fdblayer.QueryItem{Tags: []string{"name:x"}})}
		first, err := s.AppendIf(t.Context(), condition, to("claims", ev))
		if err != nil {
			t.Fatal(err)
		}
		again, err := s.AppendIf(t.Context(), condition, to("claims", ev))
		if err != nil || !again[0].Repeat || again[0].Position != first[0].Position {
			t.Errorf("got %+v, %v; want the first result %+v", again, err, first)
		}
	})
}
