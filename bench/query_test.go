package main

import (
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// BenchmarkTagQuery reads the events with one tag from a log of a million events, of
// which one in a thousand has the tag. It also reports the keys read per event.
func BenchmarkTagQuery(b *testing.B) {
	const n, each = 1_000_000, 1000
	e := openDirectoryEngine(b)
	s := openStore(b, e)
	events := make([]fdbevents.EventData, each)
	var pending []*fdblayer.PendingAppend
	for i := range n / each {
		for j := range events {
			events[j] = fdbevents.EventData{Type: "measured", Tags: []string{fmt.Sprint("customer:", j)}, Data: make([]byte, 100)}
		}
		p, err := s.AppendAsync(b.Context(), fmt.Sprint("stream-", i%100), fdbevents.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		events = make([]fdbevents.EventData, each)
		pending = append(pending, p)
	}
	for _, p := range pending {
		if _, err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	counting := &countingEngine{Engine: e}
	reader := openStore(b, counting)
	o := fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{"customer:77"}}}}}}
	read := func(o fdblayer.ReadOptions) (got int) {
		for ev, err := range reader.ReadAll(b.Context(), fdbevents.Start, o) {
			if err != nil {
				b.Fatal(err)
			}
			if o.Filter.Matches(&ev) {
				got++
			}
		}
		return got
	}
	b.ResetTimer()
	for range b.N {
		counting.keys.Store(0)
		if got := read(o); got != n/each {
			b.Fatalf("%d events, want %d", got, n/each)
		}
		b.ReportMetric(float64(counting.keys.Load())/(n/each), "keys/event")
	}
}
