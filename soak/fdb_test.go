//go:build fdb

package main

import (
	"crypto/rand"
	"testing"

	"github.com/fdbevents/fdbevents/engine/fdbengine/fdbtest"
	"github.com/fdbevents/fdbevents/tuple"
)

var cluster fdbtest.Cluster

func runTests(m *testing.M) int { return cluster.Main(m) }

// fdbURL returns the URL of a new store on FoundationDB, which is removed when the test
// ends.
func fdbURL(t *testing.T) string {
	name := "soak-" + rand.Text()
	cluster.OpenAt(t, tuple.AppendString(nil, name)) // removes the store afterwards
	return "fdb:" + cluster.File(t) + "?prefix=" + name
}
