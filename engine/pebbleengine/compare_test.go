package pebbleengine

import (
	"os"
	"strconv"
	"testing"

	"github.com/fdbevents/fdbevents/engine/enginetest"
)

// TestCompare runs random programs on a model, on the engine and through the
// socket. FDBEVENTS_PROGRAMS is the number of programs; the seeds are always the
// same.
func TestCompare(t *testing.T) {
	n := 300
	if more, err := strconv.Atoi(os.Getenv("FDBEVENTS_PROGRAMS")); err == nil {
		n = more
	}
	dir := t.TempDir()
	memory, holding := openMemory(t), open(t, dir)
	attached := open(t, dir)
	enginetest.Compare(t, 1, n, memory, attached)
	for _, e := range []*Engine{memory, attached, holding} {
		closeEngine(t, e)
	}
}
