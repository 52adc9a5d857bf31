//go:build !fdb

package storetest

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

// Main runs the tests of a package and returns the exit code.
func Main(m *testing.M) int { return m.Run() }

func openFDB(t testing.TB) engine.Engine {
	t.Skip("skipped: no FoundationDB (build tag fdb)")
	return nil
}
