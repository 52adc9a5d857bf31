package fdbtest

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"
)

// Variable is the name of the environment variable that holds the path of the
// cluster file to test with.
const Variable = "FDB_CLUSTER_FILE"

// patience is how long a cluster may take to start.
const patience = 2 * time.Minute

// Cluster is the cluster of a test binary. The first test that needs it starts
// it; Main stops it. The zero value is ready to use:
//
//	var cluster fdbtest.Cluster
//
//	func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }
//
//	func TestSomething(t *testing.T) {
//		e := cluster.Open(t) // with the build tag fdb; or
//		file := cluster.File(t)
//		...
//	}
type Cluster struct {
	start  sync.Once
	server *Server // nil when the cluster is not ours
	file   string
	err    error
}

// Main runs the tests and stops the cluster if one was started. It returns the
// exit code for os.Exit.
func (c *Cluster) Main(m *testing.M) int {
	code := m.Run()
	if c.server != nil {
		if err := c.server.Stop(); err != nil {
			fmt.Fprintln(os.Stderr, "stop FoundationDB:", err)
			code = max(code, 1)
		}
	}
	return code
}

// File returns the path of a cluster file. It skips the test if there is no
// FoundationDB.
func (c *Cluster) File(tb testing.TB) string {
	tb.Helper()
	c.start.Do(func() {
		if c.file = os.Getenv(Variable); c.file != "" {
			return
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if c.server, c.err = Start(ctx); c.err == nil {
			c.file = c.server.ClusterFile()
		}
	})
	if errors.Is(c.err, ErrNoServer) {
		tb.Skip("skipped: no FoundationDB")
	}
	if c.err != nil {
		tb.Fatal(c.err)
	}
	return c.file
}

// Prefix returns a random prefix, so that tests on one cluster share no keys.
func Prefix() []byte { return []byte("test/" + rand.Text() + "/") }
