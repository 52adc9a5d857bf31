// Package enginetest is the conformance suite of package engine: the promises of
// every engine, written down as tests. FoundationDB is the reference. Where it
// leaves freedom (a watch that fires without cause, a page that runs past its
// byte bound), so do the tests.
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
	// Open opens an engine. The keys under its prefix (all keys if it is empty)
	// belong to the test alone; none exist yet. The suite closes the engine before
	// the cleanups that Open registers with t run.
	Open func(t *testing.T) Instance

	// MaxWatches is the largest number of watches that the engine keeps. If it is
	// not 0, a test arms one more.
	MaxWatches int

	// Seed makes the randomized tests repeatable; 0 chooses a random one. A
	// failing test prints its seed.
	Seed uint64
}

// Instance is an open engine and the ways to restart or crash it.
type Instance struct {
	Engine engine.Engine

	// Reopen opens the same data again, after Engine was closed. If it is nil, the
	// tests of restarts are skipped.
	Reopen func(t *testing.T) engine.Engine

	// Crash opens the data as a power cut at this moment would leave it: without
	// anything not yet durable. It is called while Engine is in use; Engine may
	// fail from then on, and is closed later. If Crash is nil, the tests of
	// crashes are skipped.
	Crash func(t *testing.T) engine.Engine
}

// area has the tests of one part of the interface.
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
		{"limits", limitCases()}, // first, because it has the slowest test
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

// Run tests an engine. Tests run in parallel, each on its own engine.
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
