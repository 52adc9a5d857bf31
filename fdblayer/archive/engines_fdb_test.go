//go:build fdb

package archive_test

import (
	"os"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
)

var cluster fdbtest.Cluster

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

func openFDB(t testing.TB) engine.Engine { return cluster.Open(t) }
