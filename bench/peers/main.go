// Peers runs what people use instead of fdbevents, for the harness to measure. It
// is a module of its own, so that their clients and servers are none of the library's
// dependencies.
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
