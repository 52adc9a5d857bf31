package storetest

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/google/uuid"
)

type EngineT = engine.Engine

// eachEngine runs a test on every engine of this build, each with an empty store,
// and on one that fails now and then.
func EachEngine(t *testing.T, test func(t *testing.T, e engine.Engine)) {
	EachHealthyEngine(t, test)
	for _, seed := range FaultSeeds(t) {
		t.Run(fmt.Sprint("faults/seed=", seed), func(t *testing.T) {
			t.Parallel()
			test(t, faultengine.New(OpenMemory(t), faultengine.Options{Seed: seed, Rate: faultengine.Hidden()}))
		})
	}
}

// eachHealthyEngine is eachEngine for tests that bring their own faults, count, or
// want to know for sure what became of a message: groupflaky_test.go is for groups
// under faults.
func EachHealthyEngine(t *testing.T, test func(t *testing.T, e engine.Engine)) {
	t.Run("mem", func(t *testing.T) {
		t.Parallel()
		test(t, OpenMemory(t))
	})
	t.Run("fdb", func(t *testing.T) {
		t.Parallel()
		test(t, openFDB(t))
	})
}

// faultSeeds are those of the engines that fail: given in the environment, as
// "1,2,3", to repeat what failed, and otherwise one at random.
func FaultSeeds(t testing.TB) (seeds []uint64) {
	given := os.Getenv("FDBEVENTS_FAULT_SEEDS")
	if given == "" {
		return []uint64{rand.Uint64N(1e6)}
	}
	for _, text := range strings.Split(given, ",") {
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("FDBEVENTS_FAULT_SEEDS: %v", err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

func OpenMemory(t testing.TB) engine.Engine {
	e := OpenOwnMemory(t)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing engine: %v", err)
		}
	})
	return e
}

// openOwnMemory opens an engine that the test closes.
func OpenOwnMemory(t testing.TB) engine.Engine {
	t.Helper()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// eachStore runs a test on a new store in every engine, and checks the store
// afterwards.
func EachStore(t *testing.T, o fdblayer.Options, test func(t *testing.T, s *fdblayer.Store)) {
	EachEngine(t, func(t *testing.T, e engine.Engine) { test(t, OpenStore(t, e, o)) })
}

// eachHealthyStore is eachStore for such tests.
func EachHealthyStore(t *testing.T, o fdblayer.Options, test func(t *testing.T, s *fdblayer.Store)) {
	EachHealthyEngine(t, func(t *testing.T, e engine.Engine) { test(t, OpenStore(t, e, o)) })
}

// openStore opens a store that is checked and closed when the test ends.
func OpenStore(t testing.TB, e engine.Engine, o fdblayer.Options) *fdblayer.Store {
	t.Helper()
	s, err := fdblayer.Open(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		CheckStore(t, s)
		if err := s.Close(); err != nil {
			t.Errorf("closing store: %v", err)
		}
	})
	return s
}

func CheckStore(t testing.TB, s *fdblayer.Store) check.Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	report, err := check.Run(ctx, s, check.Options{})
	if err != nil {
		t.Errorf("check: %v", err)
	}
	for _, problem := range report.Problems {
		t.Errorf("check: %s", problem)
	}
	return report
}

// event is a small event of a type.
func Event(typ string) fdbevents.EventData {
	return fdbevents.EventData{Type: typ, Data: []byte(`{"type":"` + typ + `"}`)}
}

// eventWithID is event with an ID that a name stands for.
func EventWithID(typ, name string) fdbevents.EventData {
	ev := Event(typ)
	ev.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(name))
	return ev
}

func MustAppend(t testing.TB, s *fdblayer.Store, stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) fdbevents.AppendResult {
	t.Helper()
	result, err := s.Append(t.Context(), stream, expected, events...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return result
}

// collect gathers what a read yields.
func Collect(t testing.TB, events func(func(fdbevents.Event, error) bool)) []fdbevents.Event {
	t.Helper()
	var out []fdbevents.Event
	for ev, err := range events {
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, ev)
	}
	return out
}
