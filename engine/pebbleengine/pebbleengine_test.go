package pebbleengine

import (
	"errors"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/enginetest"
)

func TestMemory(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{
		MaxWatches: MaxWatches,
		Open: func(t *testing.T) enginetest.Instance {
			return enginetest.Instance{Engine: openMemory(t)}
		},
	})
}

func TestDirectory(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{
		MaxWatches: MaxWatches,
		Open: func(t *testing.T) enginetest.Instance {
			dir := t.TempDir()
			return enginetest.Instance{
				Engine: open(t, dir),
				Reopen: func(t *testing.T) engine.Engine { return open(t, dir) },
			}
		},
	})
}

// TestCrashable runs the suite on a file system that, when it crashes, forgets
// everything not synced.
func TestCrashable(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{
		MaxWatches: MaxWatches,
		Open: func(t *testing.T) enginetest.Instance {
			fs := vfs.NewCrashableMem()
			return enginetest.Instance{
				Engine: openDisk(t, fs),
				Reopen: func(t *testing.T) engine.Engine { return openDisk(t, fs) },
				Crash: func(t *testing.T) engine.Engine {
					return openDisk(t, fs.CrashClone(vfs.CrashCloneCfg{}))
				},
			}
		},
	})
}

// TestAttached runs the suite through the socket.
func TestAttached(t *testing.T) {
	enginetest.Run(t, enginetest.Harness{
		MaxWatches: MaxWatches,
		Open: func(t *testing.T) enginetest.Instance {
			dir := t.TempDir()
			holder := open(t, dir)
			t.Cleanup(func() {
				if err := holder.Close(); err != nil {
					t.Error(err)
				}
			})
			attached := open(t, dir)
			if _, ok := (*attached.now.Load()).(*link); !ok {
				t.Fatal("the second engine on a directory is not attached")
			}
			return enginetest.Instance{
				Engine: attached,
				Reopen: func(t *testing.T) engine.Engine { return open(t, dir) },
			}
		},
	})
}

// TestEmptyKey is about a key that Pebble has reasons to treat differently.
func TestEmptyKey(t *testing.T) {
	e := openMemory(t)
	defer e.Close()
	read := func() string {
		tr := e.Begin(t.Context())
		defer tr.Cancel()
		value, err := tr.Get(nil).Get()
		page, errRange := tr.GetRange(engine.Range{End: []byte("a")}, engine.RangeOptions{Reverse: true}).Get()
		if err := errors.Join(err, errRange); err != nil {
			t.Fatal(err)
		}
		if (value != nil) != (len(page.KeyValues) == 1) {
			t.Errorf("get returns %q, range %q", value, page.KeyValues)
		}
		return string(value)
	}
	write := func(f func(tr engine.Transaction)) {
		tr := e.Begin(t.Context())
		f(tr)
		if err := tr.Commit(); err != nil {
			t.Fatal(err)
		}
	}
	for range 2 {
		if got := read(); got != "" {
			t.Errorf("the absent empty key is %q", got)
		}
		write(func(tr engine.Transaction) { tr.Set(nil, []byte("value")) })
		if got := read(); got != "value" {
			t.Errorf("the empty key is %q", got)
		}
		write(func(tr engine.Transaction) { tr.ClearRange(engine.Range{End: []byte("a")}) })
	}
}

func openMemory(t testing.TB) *Engine {
	t.Helper()
	e, err := OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func openDisk(t testing.TB, fs vfs.FS) *Engine {
	t.Helper()
	e, err := openFS(fs, true, memTableSize)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func open(t testing.TB, dir string) *Engine {
	t.Helper()
	e, err := Open(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	return e
}
