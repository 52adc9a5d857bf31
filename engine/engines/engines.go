// Package engines opens an engine by its URL:
//
//	file:DIR                        the embedded engine, its data in directory DIR
//	mem:                            the embedded engine in memory, gone when closed
//	fdb:CLUSTERFILE?prefix=NAME     FoundationDB, keys under the tuple ("NAME")
//
// Without CLUSTERFILE, FoundationDB's default cluster file is used; without
// prefix, the name is "fdbevents". FoundationDB needs the build tag fdb.
package engines

import (
	"context"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
)

const forms = "want file:DIR, mem: or fdb:CLUSTERFILE?prefix=NAME"

// defaultPrefix names the keys of a store on FoundationDB.
const defaultPrefix = "fdbevents"

// Open opens the engine that a URL names, and creates the database if necessary.
func Open(ctx context.Context, databaseURL string) (engine.Engine, error) {
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	switch scheme {
	case "file":
		dir, err := directory(rest)
		if err != nil {
			return nil, fmt.Errorf("database %q: %w", databaseURL, err)
		}
		// A nil *Engine must not become a non-nil engine.Engine.
		e, err := pebbleengine.Open(ctx, dir)
		if err != nil {
			return nil, fmt.Errorf("database %q: %w", databaseURL, err)
		}
		return e, nil
	case "mem":
		if rest != "" {
			return nil, fmt.Errorf("database %q: mem: allows nothing after the colon", databaseURL)
		}
		e, err := pebbleengine.OpenMemory()
		if err != nil {
			return nil, fmt.Errorf("database %q: %w", databaseURL, err)
		}
		return e, nil
	case "fdb":
		clusterFile, prefix, err := cluster(rest)
		if err != nil {
			return nil, fmt.Errorf("database %q: %w", databaseURL, err)
		}
		e, err := openFoundationDB(ctx, clusterFile, prefix)
		if err != nil {
			return nil, fmt.Errorf("database %q: %w", databaseURL, err)
		}
		return e, nil
	}
	return nil, fmt.Errorf("database %q: unknown kind; %s", databaseURL, forms)
}

// Directory returns the directory of a file: URL. ok is false for other URLs, and
// for URLs that Open refuses.
func Directory(databaseURL string) (dir string, ok bool) {
	rest, ok := strings.CutPrefix(databaseURL, "file:")
	if !ok {
		return "", false
	}
	dir, err := directory(rest)
	return dir, err == nil
}

// directory parses what follows "file:". The form with three slashes is common
// and means the same; the form with two would name a host.
func directory(rest string) (string, error) {
	if rest == "" {
		return "", fmt.Errorf("no directory given; write file:DIR")
	}
	if strings.HasPrefix(rest, "//") && !strings.HasPrefix(rest, "///") {
		return "", fmt.Errorf("two slashes are followed by a host, but files have none; write file:DIR, with DIR relative or absolute")
	}
	return filepath.Clean(rest), nil
}

// cluster parses what follows "fdb:".
func cluster(rest string) (clusterFile, prefix string, err error) {
	clusterFile, query, _ := strings.Cut(rest, "?")
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", "", fmt.Errorf("after the question mark: %w", err)
	}
	prefix = defaultPrefix
	for name, given := range values {
		if name != "prefix" {
			return "", "", fmt.Errorf("unknown parameter %q; the only one is prefix", name)
		}
		if len(given) != 1 || given[0] == "" {
			return "", "", fmt.Errorf("prefix must be a single name, not empty")
		}
		prefix = given[0]
	}
	return clusterFile, prefix, nil
}
