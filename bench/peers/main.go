// Command peers runs the systems that people use instead of fdbevents, for the harness
// to measure. It is a separate module, so that their clients and servers are not
// dependencies of the library.
//
// JetStream, SQLite and bbolt are compiled in; SQLite needs a C compiler. The others
// come from the machine: etcd and redis-server from the PATH, postgres from the PATH or
// from where distributions keep it, and message-db's SQL from npm, fetched once. What
// is missing is skipped, also by the tests:
//
//	cd bench/peers && go test .
package main

import (
	"fmt"
	"os"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// systems returns all peers.
func systems() []harness.System {
	return []harness.System{
		jetStreamSystem(),
		messageDBSystem(),
		etcdSystem(),
		redisSystem(),
		sqliteSystem(),
		bboltSystem(),
	}
}

func main() {
	if !harness.IsWorker() {
		fmt.Fprintln(os.Stderr, "peers: this program is built and started by go run ./bench")
		os.Exit(2)
	}
	os.Exit(harness.Serve(systems()))
}
