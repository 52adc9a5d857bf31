//go:build fdb

package fdbtest

import (
	"context"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine"
)

// Open opens an engine on the cluster, under a new prefix. When the test ends, it
// closes the engine and clears the keys under the prefix.
func (c *Cluster) Open(tb testing.TB) *fdbengine.Engine {
	tb.Helper()
	return c.OpenAt(tb, Prefix())
}

// OpenAt does the same under a given prefix, for example the prefix of an earlier
// engine.
func (c *Cluster) OpenAt(tb testing.TB, prefix []byte) *fdbengine.Engine {
	tb.Helper()
	file := c.File(tb)
	e := open(tb, file, prefix)
	tb.Cleanup(func() {
		_ = e.Close() // the test may have closed it
		sweeper := open(tb, file, prefix)
		defer sweeper.Close()
		err := engine.Run(context.Background(), sweeper, func(tr engine.Transaction, _ error) error {
			end := append([]byte(nil), prefix...)
			tr.ClearRange(engine.Range{Begin: prefix, End: append(end, 0xff)})
			return nil
		})
		if err != nil {
			tb.Errorf("clear the test's keys: %v", err)
		}
	})
	return e
}

func open(tb testing.TB, file string, prefix []byte) *fdbengine.Engine {
	tb.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	e, err := fdbengine.Open(ctx, file, prefix)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}
