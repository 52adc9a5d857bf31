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
	for _, s := range systems() {
		fmt.Printf("%-10s %s\n", s.Name, s.About)
	}
}
