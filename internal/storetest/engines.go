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

// EngineT is engine.Engine.
type EngineT = engine.Engine

// EachEngine runs a test on every engine of this build, each of them empty, and on engines
// that fail now and then, one for each of FaultSeeds. The tests run in parallel.
func EachEngine(t *testing.T, test func(t *testing.T, e engine.Engine)) {
	EachHealthyEngine(t, test)
	for _, seed := range FaultSeeds(t) {
		t.Run(fmt.Sprint("faults/seed=", seed), func(t *testing.T) {
			t.Parallel()
			test(t, faultengine.New(OpenMemory(t), faultengine.Options{Seed: seed, Rate: faultengine.Hidden()}))
		})
	}
}

// EachHealthyEngine is EachEngine without failing engines, for tests that inject their own
// faults, count, or need to know for certain what became of a message. For groups under
// faults, see fdblayer/groups/flaky_test.go.
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

// FaultSeeds returns the seeds of the failing engines: those in FDBEVENTS_FAULT_SEEDS, for
// example "1,2,3", to repeat a failure, and otherwise a random one.
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

// OpenMemory opens an engine in memory that is closed when the test ends.
func OpenMemory(t testing.TB) engine.Engine {
	e := OpenOwnMemory(t)
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Errorf("closing engine: %v", err)
		}
	})
	return e
}

// OpenOwnMemory opens an engine in memory that the test must close.
func OpenOwnMemory(t testing.TB) engine.Engine {
	t.Helper()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// EachStore runs a test on a new store in every engine of EachEngine, and checks the store
// afterwards.
func EachStore(t *testing.T, o fdblayer.Options, test func(t *testing.T, s *fdblayer.Store)) {
	EachEngine(t, func(t *testing.T, e engine.Engine) { test(t, OpenStore(t, e, o)) })
}

// EachHealthyStore is EachStore with the engines of EachHealthyEngine.
func EachHealthyStore(t *testing.T, o fdblayer.Options, test func(t *testing.T, s *fdblayer.Store)) {
	EachHealthyEngine(t, func(t *testing.T, e engine.Engine) { test(t, OpenStore(t, e, o)) })
}

// OpenStore opens a store that is checked and closed when the test ends.
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

// CheckStore checks a store. The test fails, and continues, if there is a problem.
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

// Event returns a small event of a type.
func Event(typ string) fdbevents.EventData {
	return fdbevents.EventData{Type: typ, Data: []byte(`{"type":"` + typ + `"}`)}
}

// EventWithID is Event with an id derived from a name.
func EventWithID(typ, name string) fdbevents.EventData {
	ev := Event(typ)
	ev.ID = uuid.NewSHA1(uuid.NameSpaceOID, []byte(name))
	return ev
}

// MustAppend appends events to a stream.
func MustAppend(t testing.TB, s *fdblayer.Store, stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) fdbevents.AppendResult {
	t.Helper()
	result, err := s.Append(t.Context(), stream, expected, events...)
	if err != nil {
		t.Fatalf("append to %s: %v", stream, err)
	}
	return result
}

// Collect returns the events that a read yields.
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
