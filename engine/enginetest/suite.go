// Package enginetest is the conformance suite of package engine: what every
// engine promises, written down as tests. FoundationDB is the reference; where
// it leaves freedom (a watch that fires without cause, a page that runs past
// its byte bound), the tests leave it too.
//
// An engine's own test calls [Run] with a [Harness] that opens it:
//
//	func TestConformance(t *testing.T) {
//		enginetest.Run(t, enginetest.Harness{Open: func(t *testing.T) enginetest.Instance {
//			return enginetest.Instance{Engine: open(t)}
//		}})
//	}
package enginetest

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

// Harness says how to open the engine under test.
type Harness struct {
	// Open opens an engine. The keys under its prefix, all keys when that is
	// empty, are the test's alone and hold nothing. The suite closes the engine
	// before the cleanups that Open registers with t run.
	Open func(t *testing.T) Instance

	// MaxWatches is how many watches the engine keeps at most. When it is not 0,
	// a test takes one more.
	MaxWatches int

	// Seed makes the randomized tests repeatable; 0 chooses one. A test that
	// fails prints its seed.
	Seed uint64
}

// Instance is an open engine and what can be done to it from outside.
type Instance struct {
	Engine engine.Engine

	// Reopen opens the same data once more, after Engine was closed. When it is
	// nil, the tests of what a restart keeps are skipped.
	Reopen func(t *testing.T) engine.Engine

	// Crash opens the data as a power cut at this moment would leave it: without
	// what was not yet durable. It is called while Engine is in use; Engine may
	// fail from then on, and is closed later. When it is nil, the tests of what
	// survives a crash are skipped.
	Crash func(t *testing.T) engine.Engine
}

// area is the tests of one part of the interface.
type area struct {
	name  string
	cases []testCase
}

// testCase is one test. Its name is the promise.
type testCase struct {
	name string
	run  func(f *fixture)
}

// areas lists the whole suite.
func areas() []area {
	return []area{
		{"limits", limitCases()}, // has the slowest test: first
		{"reads", readCases()},
		{"versions", versionCases()},
		{"writes", writeCases()},
		{"conflicts", conflictCases()},
		{"atomics", atomicCases()},
		{"stamps", stampCases()},
		{"watches", watchCases()},
		{"contexts", contextCases()},
		{"lifecycle", lifecycleCases()},
		{"retry", retryCases()},
		{"model", modelCases()},
	}
}

// Run tests an engine. Tests run in parallel with one another, each on an engine
// of its own.
func Run(t *testing.T, h Harness) {
	for _, a := range areas() {
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			for _, c := range a.cases {
				t.Run(c.name, func(t *testing.T) {
					t.Parallel()
					c.run(newFixture(t, h))
				})
			}
		})
	}
}
