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

// TestExactlyOnceWhateverFails has writers on an engine with every fault, commits
// that time out and land later among them: of these the store cannot tell the
// outcome, so the writers repeat them with the same ids until it can.
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
				// Few large batches may go without the rarest of faults: until it comes.
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
							t.Errorf("%s: %v", name, err)
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
				t.Errorf("%s is at revision %d, its writer was told %d", ev.Type, ev.Revision, want)
			}
		}
		if len(seen) != len(revisions) || len(seen) < writers*rounds {
			t.Errorf("%d events, want %d", len(seen), len(revisions))
		}
		if unknown == 0 || e.Count(faultengine.TimedOutLate) == 0 {
			t.Errorf("%d outcomes were unknown, %d commits were late", unknown, e.Count(faultengine.TimedOutLate))
		}
	})
}
