package fdblayer

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
)

func openMemory(t *testing.T) engine.Engine {
	t.Helper()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// openStore opens a store that is closed when the test ends. The store is not checked,
// because these tests damage it.
func openStore(t *testing.T, e engine.Engine, o Options) *Store {
	t.Helper()
	s, err := Open(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}
