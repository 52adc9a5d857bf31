//go:build fdb

package fdbengine_test

import (
	"os"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/enginetest"
	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
)

var cluster fdbtest.Cluster

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

func TestConformance(t *testing.T) {
	cluster.File(t) // skips here, once, if there is none
	enginetest.Run(t, enginetest.Harness{
		Open: func(t *testing.T) enginetest.Instance {
			prefix := fdbtest.Prefix()
			return enginetest.Instance{
				Engine: cluster.OpenAt(t, prefix),
				Reopen: func(t *testing.T) engine.Engine { return cluster.OpenAt(t, prefix) },
			}
		},
	})
}
