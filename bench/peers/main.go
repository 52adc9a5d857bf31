// Peers runs what people use instead of fdbevents, for the harness to measure. It
// is a module of its own, so that their clients and servers are none of the library's
// dependencies.
//
// JetStream, SQLite and bbolt are compiled in, SQLite by a C compiler. The others are
// taken from the machine: etcd and redis-server from the PATH, postgres from there or
// from where distributions keep it, and message-db's SQL once through npm. What is
// not there is skipped, by the tests too:
//
//	cd bench/peers && go test .
package main

import (
	"fmt"
	"os"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// systems are all peers.
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
