package main

import (
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness/harnesstest"
)

func TestPeers(t *testing.T) {
	for _, s := range systems() {
		t.Run(s.Name, func(t *testing.T) {
			t.Parallel() // most of the time goes into starting and stopping servers
			harnesstest.Run(t, s)
		})
	}
}
