//go:build fdb

package storetest

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
)

// cluster is shared by all tests of a test binary, because FoundationDB's client can be set
// up only once per process.
var cluster fdbtest.Cluster

// Main runs the tests of a package, stops the cluster they started, and returns the exit
// code.
func Main(m *testing.M) int { return cluster.Main(m) }

func openFDB(t testing.TB) engine.Engine { return cluster.Open(t) }
