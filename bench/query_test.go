package main

import (
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents/fdblayer"
)

// BenchmarkConditionalAppend appends events with one tag each, on the condition
// that no event with the tag exists after the last one that the writer knows: a
// new tag for each append, or the writer's own again. The limit is the same
// appends, tags included, without a condition.
func BenchmarkConditionalAppend(b *testing.B) {
	for _, c := range []struct {
		writers int
		fresh   bool
	}{{1, true}, {64, true}, {64, false}} {
		b.Run(fmt.Sprintf("writers=%d/fresh=%v", c.writers, c.fresh), func(b *testing.B) {
			s := openDirectory(b)
			data := make([]byte, body)
			numbers := make([]int, c.writers)
			last := make([]fdblayer.Position, c.writers)
			prepare := func(w int) (fdblayer.StreamAppend, fdblayer.Condition) {
				if c.fresh {
					numbers[w]++
					last[w] = fdblayer.Start
				}
				tag := fmt.Sprintf("name:%d-%d", w, numbers[w])
				return fdblayer.StreamAppend{Stream: fmt.Sprintf("stream-%d", w), Expected: fdblayer.Any, Events: []fdblayer.NewEvent{{Type: "measured", Tags: []string{tag}, Data: data}}},
					fdblayer.Condition{Query: fdblayer.Query{Items: []fdblayer.QueryItem{{Tags: []string{tag}}}}, After: last[w]}
			}
			for range b.N {
				versus(b, "appends/s", func() float64 {
					return rate(b, c.writers, func(w, _ int) error {
						a, condition := prepare(w)
						r, err := s.AppendIf(b.Context(), condition, a)
						if err == nil {
							last[w] = r[0].Position
						}
						return err
					})
				}, func() float64 {
					return rate(b, c.writers, func(w, _ int) error {
						a, _ := prepare(w)
						r, err := s.AppendMany(b.Context(), a)
						if err == nil {
							last[w] = r[0].Position
						}
						return err
					})
				})
			}
		})
	}
}

// BenchmarkTagQuery reads what has a tag that one event in a thousand of a million
// has. Beside the rate it prints how many keys an event needed.
func BenchmarkTagQuery(b *testing.B) {
	const n, each = 1_000_000, 1000
	e := openDirectoryEngine(b)
	s := openStore(b, e)
	events := make([]fdblayer.NewEvent, each)
	var pending []*fdblayer.PendingAppend
	for i := range n / each {
		for j := range events {
			events[j] = fdblayer.NewEvent{Type: "measured", Tags: []string{fmt.Sprint("customer:", j)}, Data: make([]byte, 100)}
		}
		p, err := s.AppendAsync(b.Context(), fmt.Sprint("stream-", i%100), fdblayer.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		events = make([]fdblayer.NewEvent, each)
		pending = append(pending, p)
	}
	for _, p := range pending {
		if _, err := p.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	counting := &countingEngine{Engine: e}
	reader := openStore(b, counting)
	o := fdblayer.ReadOptions{Query: fdblayer.Query{Items: []fdblayer.QueryItem{{Tags: []string{"customer:77"}}}}}
	read := func(o fdblayer.ReadOptions) (got int) {
		for ev, err := range reader.ReadAll(b.Context(), fdblayer.Start, o) {
			if err != nil {
				b.Fatal(err)
			}
			if o.Query.Matches(ev.Type, ev.Tags) {
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
