package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/urfave/cli/v2"
)

// access says what a command does if the store does not exist.
type access int

const (
	// mayCreate creates the store.
	mayCreate access = iota
	// mustExist fails, so that a mistyped directory does not become a new, empty store.
	mustExist
)

// withStore opens the store that --db names, calls use, and closes the store.
func (p *program) withStore(c *cli.Context, a access, use func(store *fdblayer.Store) error) (err error) {
	url := c.String("db")
	if a == mustExist {
		if err := exists(url); err != nil {
			return err
		}
	}
	store, err := engines.OpenStore(c.Context, url, fdblayer.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return use(store)
}

// exists fails if a file: URL names a directory without a store. Other engines cannot tell,
// or always begin empty.
func exists(url string) error {
	dir, ok := engines.Directory(url)
	if !ok {
		return nil
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("no store in %s: the directory does not exist; "+
			"choose another with --db or FDBEVENTS_DB, or create a store with: fdbevents append", dir)
	case err != nil:
		return fmt.Errorf("looking for a store in %s: %w", dir, err)
	case len(entries) == 0:
		return fmt.Errorf("no store in %s: the directory is empty; "+
			"choose another with --db or FDBEVENTS_DB, or create a store with: fdbevents append", dir)
	}
	return nil
}
