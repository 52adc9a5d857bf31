package fdblayer_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestExactlyOnceWhateverFails runs writers on an engine with every fault, including
// commits that time out and land later. The store cannot know the outcome of these,
// so the writers repeat them with the same ids until it does.
func TestExactlyOnceWhateverFails(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, inner storetest.EngineT) {
		seed := rand.Uint64N(1e6)
		if given := storetest.FaultSeeds(t); len(given) > 0 {
			seed = given[0]
		}
		t.Logf("seed %d", seed)
		e := faultengine.New(inner, faultengine.Options{Seed: seed, Rate: faultengine.All()})
		e.Quiet(true)
		s := storetest.OpenStore(t, e, fdblayer.Options{})
		e.Quiet(false)
		const writers, rounds = 8, 60
		var mu sync.Mutex
		revisions := make(map[string]int64)
		unknown := 0
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				// A few large batches may not meet the rarest fault: go on until it comes.
				for i := 0; i < rounds || i < 50*rounds && e.Count(faultengine.TimedOutLate) == 0; i++ {
					stream, name := fmt.Sprint("s", (w+i)%3), fmt.Sprintf("%d-%d", w, i)
					ev := storetest.EventWithID(name, name)
					ev.Tags = []string{"claim:" + name}
					condition := fdbevents.Condition{Query: storetest.Query(fdbevents.QueryItem{Tags: ev.Tags})}
					var results []fdbevents.AppendResult
					for {
						var err error
						if i%2 == 0 {
							results, err = s.AppendMany(t.Context(), storetest.AppendTo(stream, ev), storetest.AppendTo("own-"+stream, ev))
						} else {
							results, err = s.AppendIf(t.Context(), condition, storetest.AppendTo(stream, ev))
						}
						if err == nil {
							break
						}
						switch {
						case errors.Is(err, fdbevents.ErrOutcomeUnknown):
							mu.Lock()
							unknown++
							mu.Unlock()
						case errors.Is(err, engine.ErrTimedOut):
							// It timed out before it had anything to write.
						default:
							t.Errorf("%s: got %v, want success, an unknown outcome or a timeout", name, err)
							return
						}
					}
					mu.Lock()
					revisions[stream+name] = results[0].LastRevision
					mu.Unlock()
				}
			})
		}
		wg.Wait()
		e.Quiet(true)
		seen := make(map[string]bool)
		for ev, err := range s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.InStreams("s")}) {
			if err != nil {
				t.Fatal(err)
			}
			if seen[ev.Type] {
				t.Errorf("%s is stored twice", ev.Type)
			}
			seen[ev.Type] = true
			if want, ok := revisions[ev.Stream+ev.Type]; !ok || want != ev.Revision {
				t.Errorf("%s: got revision %d, want %d as its append returned", ev.Type, ev.Revision, want)
			}
		}
		if len(seen) != len(revisions) || len(seen) < writers*rounds {
			t.Errorf("got %d events, want %d", len(seen), len(revisions))
		}
		if unknown == 0 || e.Count(faultengine.TimedOutLate) == 0 {
			t.Errorf("got %d unknown outcomes and %d late commits, want some of both", unknown, e.Count(faultengine.TimedOutLate))
		}
	})
}
