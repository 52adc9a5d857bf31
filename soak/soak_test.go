package main

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// seedVariable in the environment repeats a run, except for its timing.
const seedVariable = "FDBEVENTS_SOAK_SEED"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) != "" {
		os.Exit(beChild())
	}
	os.Exit(runTests(m))
}

func soakSeed(t *testing.T) uint64 {
	given := os.Getenv(seedVariable)
	if given == "" {
		return 1 + rand.Uint64N(1e9)
	}
	seed, err := strconv.ParseUint(given, 10, 64)
	if err != nil {
		t.Fatalf("%s: %v", seedVariable, err)
	}
	return seed
}

// TestSoak is a soak of some seconds on each engine.
func TestSoak(t *testing.T) {
	if testing.Short() {
		t.Skip("skipped: it takes half a minute")
	}
	t.Run("mem", func(t *testing.T) { testSoak(t, "mem:", 3*time.Second) })
	t.Run("file", func(t *testing.T) { testSoak(t, "file:"+filepath.Join(t.TempDir(), "store"), 6*time.Second) })
	t.Run("fdb", func(t *testing.T) { testSoak(t, fdbURL(t), 8*time.Second) })
}

func testSoak(t *testing.T, url string, length time.Duration) {
	o := options{
		// Appends are limited because judging takes time, too, and more of it under the
		// race detector.
		url: url, seed: soakSeed(t), time: length, appends: 30_000, faults: true, restart: 600 * time.Millisecond,
		crowd: 32, child: url != "mem:", progress: t.Output(),
	}
	r, err := soak(t.Context(), o)
	var text strings.Builder
	if r != nil {
		if wrong := r.print(&text); err == nil {
			err = wrong
		}
	}
	if err != nil {
		t.Errorf("%v\n%sto repeat it: %s=%d", err, text.String(), seedVariable, o.seed)
	} else {
		t.Log("\n" + text.String())
	}
	if r != nil && r.child != nil && r.child.kills == 0 {
		t.Error("nothing was killed")
	}
}
