//go:build !fdb

package archive_test

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

func openFDB(t testing.TB) engine.Engine {
	t.Skip("skipped: no FoundationDB (build tag fdb)")
	return nil
}
