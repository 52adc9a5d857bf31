//go:build fdb

package fdbengine_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/fdbevents/fdbevents/engine/enginetest"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
)

// TestCompare runs random programs on a model, on FoundationDB and on the
// embedded engine. FDBEVENTS_PROGRAMS is the number of programs. The seeds are
// always the same, and the embedded engine's own test has them too.
func TestCompare(t *testing.T) {
	n := 150
	if more, err := strconv.Atoi(os.Getenv("FDBEVENTS_PROGRAMS")); err == nil {
		n = more
	}
	embedded, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Close()
	enginetest.Compare(t, 1, n, cluster.Open(t), embedded)
}
