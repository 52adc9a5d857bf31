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

// access is what a command means to do with a store that is not there.
type access int

const (
	// mayCreate makes a new store.
	mayCreate access = iota
	// mustExist is for commands that only read: a mistyped directory is an
	// error, not a new and empty store.
	mustExist
)

// withStore opens the store that --db names, for the time of use.
func (p *program) withStore(c *cli.Context, a access, use func(store *fdblayer.Store) error) (err error) {
	url := c.String("db")
	if a == mustExist {
		if err := exists(url); err != nil {
			return err
		}
	}
	e, err := engines.Open(c.Context, url)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	store, err := fdblayer.Open(c.Context, e, fdblayer.Options{})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return use(store)
}

// exists fails when a file: URL names a directory without a store. Other engines
// cannot tell, or begin empty in any case.
func exists(url string) error {
	dir, ok := engines.Directory(url)
	if !ok {
		return nil
	}
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no store in %s: the directory does not exist; "+
			"name another one with --db or FDBEVENTS_DB, or create a store with: fdbevents append", dir)
	case err != nil:
		return fmt.Errorf("looking for a store in %s: %w", dir, err)
	case len(entries) == 0:
		return fmt.Errorf("there is no store in %s: the directory is empty; "+
			"name another one with --db or FDBEVENTS_DB, or create a store with: fdbevents append", dir)
	}
	return nil
}
