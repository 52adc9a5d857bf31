package engines_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
)

func TestOpenFile(t *testing.T) {
	absolute := filepath.Join(t.TempDir(), "a", "b")
	t.Chdir(t.TempDir())
	for _, tt := range []struct{ url, dir string }{
		{"file:" + absolute, absolute},
		{"file://" + absolute + "3", absolute + "3"},
		{"file:data", "data"},
		{"file:./with space", "with space"},
	} {
		t.Run(tt.url, func(t *testing.T) {
			setAndClose(t, tt.url)
			if _, err := os.Stat(tt.dir); err != nil {
				t.Error(err)
			}
			if dir, ok := engines.Directory(tt.url); !ok || dir != tt.dir {
				t.Errorf("Directory is %q, %t, want %q", dir, ok, tt.dir)
			}
			if got := get(t, tt.url); got != "v" {
				t.Errorf("after reopening the key is %q", got)
			}
		})
	}
}

func TestOpenMemory(t *testing.T) {
	setAndClose(t, "mem:")
	if got := get(t, "mem:"); got != "" {
		t.Errorf("a second mem: has the key, with value %q", got)
	}
	if dir, ok := engines.Directory("mem:"); ok {
		t.Errorf("mem: has a directory: %q", dir)
	}
}

func TestOpenRefuses(t *testing.T) {
	for _, tt := range []struct{ url, message string }{
		{"", `database "": unknown kind; want file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME`},
		{"./data", `database "./data": unknown kind; want file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME`},
		{"http://localhost", `database "http://localhost": unknown kind; want file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME`},
		{"file:", `database "file:": no directory given; write file:DIR`},
		{"file://data", `database "file://data": two slashes are followed by a host, but files have none; write file:DIR, with DIR relative or absolute`},
		{"mem:x", `database "mem:x": mem: allows nothing after the colon`},
		{"fdb:?prefix=", `database "fdb:?prefix=": prefix must be a single name, not empty`},
		{"fdb:?prefix=a&prefix=b", `database "fdb:?prefix=a&prefix=b": prefix must be a single name, not empty`},
		{"fdb:c?other=1", `database "fdb:c?other=1": unknown parameter "other"; the only one is prefix`},
		{"fdb:c?prefix=%zz", `database "fdb:c?prefix=%zz": after the question mark: invalid URL escape "%zz"`},
	} {
		e, err := engines.Open(context.Background(), tt.url)
		if err == nil || err.Error() != tt.message {
			t.Errorf("%q: got %v, want %s", tt.url, err, tt.message)
		}
		if e != nil {
			t.Errorf("%q: got an engine along with the error", tt.url)
		}
		if dir, ok := engines.Directory(tt.url); ok {
			t.Errorf("%q: has a directory: %q", tt.url, dir)
		}
	}
}

func setAndClose(t *testing.T, url string) {
	t.Helper()
	e, err := engines.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	err = engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		tr.Set([]byte("k"), []byte("v"))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, url string) (value string) {
	t.Helper()
	e, err := engines.Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	err = engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
		got, err := tr.Get([]byte("k")).Get()
		value = string(got)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func TestOpenStore(t *testing.T) {
	url := "file:" + t.TempDir()
	for range 2 { // Close gives the directory back
		store, err := engines.OpenStore(t.Context(), url, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := engines.OpenStore(t.Context(), url, fdblayer.Options{Partitions: 3}); fdbevents.KindOf(err) != fdbevents.Invalid {
		t.Errorf("other partitions: %v", err)
	}
	if _, err := engines.OpenStore(t.Context(), "nope:", fdblayer.Options{}); err == nil {
		t.Error("an unknown kind of database was opened")
	}
	// The engine of a store that was refused is closed, too.
	store, err := engines.OpenStore(t.Context(), url, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
}
