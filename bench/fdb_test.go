//go:build fdb

package main

import (
	"fmt"
	"os"
	"testing"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine/fdbengine/fdbtest"
)

var cluster fdbtest.Cluster

func TestMain(m *testing.M) { os.Exit(cluster.Main(m)) }

// BenchmarkFoundationDBAppend prints what decides the rate on FoundationDB: few
// mutations an event, and many events a transaction.
func BenchmarkFoundationDBAppend(b *testing.B) {
	for _, c := range []struct{ writers, events int }{{1, 1}, {64, 1}, {256, 1}, {16, 100}} {
		b.Run(fmt.Sprintf("writers=%d/events=%d", c.writers, c.events), func(b *testing.B) {
			s := openStore(b, cluster.Open(b))
			events := make([]fdblayer.NewEvent, c.events)
			for i := range events {
				events[i] = fdblayer.NewEvent{Type: "measured", Data: make([]byte, body)}
			}
			var best float64
			for range b.N {
				for range rounds {
					best = max(best, rate(b, c.writers, func(w, _ int) error {
						_, err := s.Append(b.Context(), fmt.Sprintf("stream-%d", w), fdblayer.Any, events...)
						return err
					}))
				}
			}
			st := s.Stats()
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(best*float64(c.events), "events/s")
			b.ReportMetric(float64(st.Mutations)/float64(st.Events), "mutations/event")
			b.ReportMetric(float64(st.Events)/float64(st.Batches), "events/transaction")
		})
	}
}
