// Peers runs what people use instead of fdbevents, for the harness to measure. It
// is a module of its own, so that their clients and servers are none of the library's
// dependencies.
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
