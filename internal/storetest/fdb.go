//go:build fdb

package storetest

import (
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
)

// cluster is that of the test binary: FoundationDB's client can be set up once a
// process.
var cluster fdbtest.Cluster

// Main runs the tests of a package, and ends the cluster that they started.
func Main(m *testing.M) int { return cluster.Main(m) }

func openFDB(t testing.TB) engine.Engine { return cluster.Open(t) }
