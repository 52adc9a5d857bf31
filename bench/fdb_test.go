//go:build fdb

package main

import (
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine/fdbengine/fdbtest"
	"github.com/fdbevents/fdbevents/tuple"
	"golang.org/x/sync/errgroup"
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

// openPlain opens the cluster with the binding alone. A store must have been
// opened before.
func openPlain(b *testing.B) fdb.Database {
	b.Helper()
	db, err := fdb.OpenDatabase(cluster.File(b))
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// plainLog reads the partitions of a log, side by side: a transaction for each
// page, which is as large as those of the store.
type plainLog struct {
	db         fdb.Database
	begin, end [8][]byte // of what is left; nil when nothing is
}

const plainPage = 2 << 20

func newPlainLog(db fdb.Database, prefix []byte) *plainLog {
	l := &plainLog{db: db}
	for p := range l.begin {
		l.begin[p] = tuple.AppendInt(tuple.AppendInt(slices.Clone(prefix), logSpace), int64(p))
		l.end[p] = append(slices.Clone(l.begin[p]), 0xff)
	}
	return l
}

// next reads a page, and returns how many values it had.
func (l *plainLog) next() (int, error) {
	tr, err := l.db.CreateTransaction()
	if err != nil {
		return 0, err
	}
	var all errgroup.Group
	var got [len(l.begin)]int
	for p := range l.begin {
		if l.begin[p] == nil {
			continue
		}
		all.Go(func() error {
			r := fdb.KeyRange{Begin: fdb.Key(l.begin[p]), End: fdb.Key(l.end[p])}
			l.begin[p] = nil
			it := tr.Snapshot().GetRange(r, fdb.RangeOptions{Mode: fdb.StreamingModeWantAll}).Iterator()
			for size := 0; it.Advance(); {
				kv, err := it.Get()
				if err != nil {
					return err
				}
				got[p]++
				if size += len(kv.Key) + len(kv.Value); size >= plainPage/len(l.begin) {
					l.begin[p] = append(kv.Key, 0)
					return nil
				}
			}
			return nil
		})
	}
	err = all.Wait()
	n := 0
	for _, m := range got {
		n += m
	}
	return n, err
}

// BenchmarkFoundationDBReadAll reads the log from its start. The limit is the
// same ranges and pages read with the binding alone, without an order among the
// partitions and without decoding.
func BenchmarkFoundationDBReadAll(b *testing.B) {
	const n = 100_000
	e := cluster.Open(b)
	s := openStore(b, e)
	fillStore(b, s, n, 1000)
	db := openPlain(b)
	readAll := func() float64 {
		began := time.Now()
		got := 0
		for _, err := range s.ReadAll(b.Context(), fdblayer.Start, fdblayer.ReadOptions{}) {
			if err != nil {
				b.Fatal(err)
			}
			got++
		}
		if got != n {
			b.Fatalf("%d events, want %d", got, n)
		}
		return n / time.Since(began).Seconds()
	}
	plain := func() float64 {
		began := time.Now()
		l := newPlainLog(db, e.Prefix())
		for got := 0; got < n; {
			m, err := l.next()
			if err != nil || m == 0 {
				b.Fatalf("%d values, want %d; %v", got, n, err)
			}
			got += m
		}
		return n / time.Since(began).Seconds()
	}
	readAll()
	plain()
	for range b.N {
		versus(b, "events/s", readAll, plain)
	}
}

// BenchmarkFoundationDBLoad reads streams of 30 events, chosen at random. The limit
// is the same two reads, head and entries, with the binding alone. The ratio is how
// many times as long the median load takes.
func BenchmarkFoundationDBLoad(b *testing.B) {
	const streams, loads = 3000, 1000
	e := cluster.Open(b)
	s := openStore(b, e)
	fillLoads(b, s, streams)
	db := openPlain(b)
	plain := func(i int) {
		name := fmt.Sprintf("stream-%d", i)
		begin := tuple.AppendString(tuple.AppendInt(slices.Clone(e.Prefix()), entrySpace), name)
		tr, err := db.CreateTransaction()
		if err != nil {
			b.Fatal(err)
		}
		r := fdb.KeyRange{Begin: fdb.Key(begin), End: fdb.Key(append(slices.Clone(begin), 0xff))}
		entries := tr.Snapshot().GetRange(r, fdb.RangeOptions{Mode: fdb.StreamingModeWantAll})
		head := tr.Snapshot().Get(fdb.Key(tuple.AppendString(tuple.AppendInt(slices.Clone(e.Prefix()), headSpace), name)))
		if _, err := head.Get(); err != nil {
			b.Fatal(err)
		}
		if kvs, err := entries.GetSliceWithError(); err != nil || len(kvs) != loadEvents {
			b.Fatalf("%d values, want %d; %v", len(kvs), loadEvents, err)
		}
	}
	ours := func() float64 { return medianLoad(loads, streams, func(i int) { loadStream(b, s, i) }) }
	theirs := func() float64 { return medianLoad(loads, streams, plain) }
	ours()
	theirs()
	for range b.N {
		versus(b, "p50-µs", ours, theirs)
	}
}
