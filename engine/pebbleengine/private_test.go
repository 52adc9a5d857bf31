package pebbleengine

import (
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// TestDataIsPrivate opens a database in a directory that everybody may enter, and one
// whose data an earlier build left readable.
func TestDataIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "shared")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	store := filepath.Join(dir, storeName)
	for _, left := range []fs.FileMode{0, 0o755} {
		if left != 0 {
			if err := os.Chmod(store, left); err != nil {
				t.Fatal(err)
			}
		}
		closeEngine(t, open(t, dir))
		info, err := os.Stat(store)
		if err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the store's directory is %v, want 0700: %v", info.Mode(), err)
		}
	}
}
