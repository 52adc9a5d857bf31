package systems

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
)

// Scratch returns fdbevents in the place of a store at the URL: on the same cluster or
// the same disk, in a new store that is removed when it is closed. The store at the URL
// itself is not touched. The harness must put its directory into dir, or anywhere if
// dir is empty.
func Scratch(databaseURL string) (s harness.System, dir string, err error) {
	s = harness.System{Name: "fdbevents", Kind: harness.Subject, About: "a new store beside " + databaseURL}
	if own, ok := engines.Directory(databaseURL); ok {
		s.Open = func(ctx context.Context, dir string) (harness.Instance, error) { return open(ctx, "file:"+dir, 0) }
		return s, filepath.Dir(own), nil
	}
	scheme, rest, _ := strings.Cut(databaseURL, ":")
	if scheme == "fdb" {
		file, query, _ := strings.Cut(rest, "?")
		values, err := url.ParseQuery(query)
		if err != nil {
			return s, "", fmt.Errorf("database %q: %w", databaseURL, err)
		}
		values.Set("prefix", values.Get("prefix")+"-bench-"+rand.Text())
		databaseURL = "fdb:" + file + "?" + values.Encode()
	}
	s.Open = func(ctx context.Context, _ string) (harness.Instance, error) {
		opened, err := open(ctx, databaseURL, 0)
		if err != nil {
			return nil, err
		}
		return &scratch{opened}, nil
	}
	return s, "", nil
}

// scratch is a store that is removed with everything in it.
type scratch struct{ *store }

// LosesDataOnClose marks the instance as Volatile: Close removes the data.
func (s *scratch) LosesDataOnClose() {}

// Close removes the store, even if the run was cancelled.
func (s *scratch) Close() error {
	err := s.store.store.Close()
	prefix := s.engine.Prefix()
	if len(prefix) > 0 {
		err = errors.Join(err, engine.Run(context.Background(), s.engine, func(tr engine.Transaction, _ error) error {
			tr.ClearRange(engine.Range{Begin: prefix, End: end(prefix)})
			return nil
		}))
	}
	return errors.Join(err, s.engine.Close())
}
