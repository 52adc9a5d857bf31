package fdblayer_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestReadersUnderLoadMissNothing has readers at the very end of the log while many
// writers append there: some follow the log, and some read to its end again and again,
// each time from where they stopped.
func TestReadersUnderLoadMissNothing(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const writers, each = 8, 60
		var readers, writing sync.WaitGroup
		got := make([][]fdbevents.Position, 6)
		for i := range got {
			s := []*fdblayer.Store{a, b}[i%2]
			readers.Go(func() {
				at, ended := fdbevents.Start, false
				take := func(ev fdbevents.Event, err error) bool {
					if err != nil {
						t.Error(err)
						return false
					}
					got[i] = append(got[i], ev.Position)
					at = ev.Position
					ended = ev.Type == "end"
					return !ended
				}
				if i < 2 {
					s.Subscribe(t.Context(), at, fdblayer.SubscribeOptions{})(take)
					return
				}
				for !ended && !t.Failed() {
					// A subscription that is given up after 17 events ends with its place
					// inside what was read, as a reader with a checkpoint does.
					if i < 4 {
						n := len(got[i])
						s.Subscribe(t.Context(), at, fdblayer.SubscribeOptions{})(func(ev fdbevents.Event, err error) bool {
							return take(ev, err) && len(got[i]) < n+17
						})
						continue
					}
					first := true
					for ev, err := range s.ReadAll(t.Context(), at, fdblayer.ReadOptions{}) {
						if first && ev.Position == at {
							first = false // delivered by the read before
							continue
						}
						if !take(ev, err) {
							break
						}
					}
				}
			})
		}
		for w := range writers {
			writing.Go(func() {
				for i := range each {
					if _, err := []*fdblayer.Store{a, b}[w%2].Append(t.Context(), fmt.Sprint("s", w), fdbevents.Any, storetest.Event(fmt.Sprint(i))); err != nil {
						t.Error(err)
					}
				}
			})
		}
		writing.Wait()
		for range 5 { // a reader that misses one ends with the next
			storetest.MustAppend(t, a, "end", fdbevents.Any, storetest.Event("end"))
		}
		all := storetest.Collect(t, a.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}))
		readers.Wait()
		for i := range got {
			if len(got[i]) < writers*each {
				t.Errorf("reader %d: got %d events, want at least %d", i, len(got[i]), writers*each)
			}
			for j, at := range got[i] {
				if at != all[j].Position {
					t.Fatalf("reader %d, event %d: got position %s, want %s as in the log", i, j, at, all[j].Position)
				}
			}
		}
	})
}
