package faultengine_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/enginetest"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
)

func open(t *testing.T, o faultengine.Options) *faultengine.Engine {
	t.Helper()
	inner, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	return faultengine.New(inner, o)
}

// TestWithoutFaults: without faults the engine is as good as the wrapped one.
func TestWithoutFaults(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{Open: func(t *testing.T) enginetest.Instance {
		return enginetest.Instance{Engine: open(t, faultengine.Options{})}
	}})
}

// TestEveryFaultHappens: every fault happens, and a counter is incremented as
// often as the rules for retrying say: once for each success, and at most once
// for each commit that timed out.
func TestEveryFaultHappens(t *testing.T) {
	rates := make(map[faultengine.Fault]int)
	for f, rate := range faultengine.All() {
		rates[f] = max(rate, 30)
	}
	e := open(t, faultengine.Options{Seed: 1, Rate: rates})
	defer e.Close()
	const workers, rounds = 8, 150
	var mu sync.Mutex
	sure, unsure := int64(0), int64(0)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			own := fmt.Appendf(nil, "own-%d", w)
			for i := range rounds {
				number := binary.BigEndian.AppendUint64(nil, uint64(i+1))
				err := engine.Run(t.Context(), e, func(tr engine.Transaction, prior error) error {
					// The worker's own key shows whether the last attempt committed.
					done, err := tr.Get(own).Get()
					if err != nil || string(done) == string(number) {
						return err
					}
					tr.Set(own, number)
					tr.Atomic(engine.OpAdd, []byte("counter"), binary.LittleEndian.AppendUint64(nil, 1))
					return nil
				})
				watch(t, e)
				mu.Lock()
				switch {
				case err == nil:
					sure++
				case errors.Is(err, engine.ErrTimedOut):
					unsure++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	e.Quiet(true)
	var n int64
	if err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		value, err := tr.Get([]byte("counter")).Get()
		n = int64(binary.LittleEndian.Uint64(value))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n < sure || n > sure+unsure {
		t.Errorf("counted %d, but %d are certain and %d more are possible", n, sure, unsure)
	}
	for f := range rates {
		if e.Count(f) == 0 {
			t.Errorf("fault %q did not happen in %d rounds", f, workers*rounds)
		}
	}
	if !strings.HasSuffix(e.String(), "with faults of seed 1") {
		t.Errorf("its name is %q", e)
	}
}

// watch waits for a watch that ends at once, in one way or another.
func watch(t *testing.T, e engine.Engine) {
	ctx, cancel := context.WithCancel(t.Context())
	var w engine.Watch
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		w = tr.Watch([]byte("counter"))
		return nil
	}); err == nil {
		cancel() // only a fault can end the watch earlier
		_ = w.Wait(ctx)
		w.Cancel()
	}
	cancel()
}

// TestSameSeedSameFaults: the same seed gives the same faults if the calls come
// in the same order.
func TestSameSeedSameFaults(t *testing.T) {
	run := func(seed uint64) (all []string) {
		e := open(t, faultengine.Options{Seed: seed, Rate: faultengine.All()})
		defer e.Close()
		for i := range 200 {
			tr := e.Begin(t.Context())
			_, err := tr.Get([]byte("k")).Get()
			tr.Set([]byte("k"), fmt.Append(nil, i))
			all = append(all, fmt.Sprint(err, tr.Commit()))
			tr.Cancel()
		}
		return all
	}
	if a, b := fmt.Sprint(run(7)), fmt.Sprint(run(7)); a != b {
		t.Errorf("two runs with one seed differ:\n%s\n%s", a, b)
	}
	if a, b := fmt.Sprint(run(7)), fmt.Sprint(run(8)); a == b {
		t.Error("two seeds give the same faults")
	}
}
