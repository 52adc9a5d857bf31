package pebbleengine

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/engine"
)

// The transaction of the benchmarks has the shape of an append: two reads, of a
// stream's head and of an event id, then writes of six keys, two of them with a
// stamp.
const benchValue = 256

func benchKey(kind byte, writer int, n int64) []byte {
	b := make([]byte, 1, 32)
	b[0] = kind
	b = binary.BigEndian.AppendUint64(b, uint64(writer))
	b = binary.BigEndian.AppendUint64(b, uint64(n))
	return b
}

func benchAppend(tr engine.Transaction, reading bool, writer int, n int64, value []byte) error {
	head := benchKey('h', writer, 0)
	id := benchKey('i', writer, n*7919)
	if reading {
		first, second := tr.Get(head), tr.Get(id)
		if _, err := first.Get(); err != nil {
			return err
		}
		if _, err := second.Get(); err != nil {
			return err
		}
	}
	tr.Set(head, value[:16])
	tr.Set(id, value[:16])
	tr.Set(benchKey('s', writer, n), value)
	slot := append(benchKey('l', writer&7, 0)[:9], make([]byte, 10)...)
	tr.Atomic(engine.OpVersionstampedKey, binary.LittleEndian.AppendUint32(slot, 9), value)
	tr.Atomic(engine.OpVersionstampedValue, benchKey('d', writer&7, 0), make([]byte, 14))
	tr.Set(benchKey('p', writer, n), value[:16])
	return tr.Commit()
}

// plainAppend writes the same bytes.
func plainAppend(db *pebble.DB, writer int, n int64, value []byte) error {
	b := db.NewBatch()
	defer b.Close()
	_ = b.Set(benchKey('h', writer, 0), value[:16], nil)
	_ = b.Set(benchKey('i', writer, n*7919), value[:16], nil)
	_ = b.Set(benchKey('s', writer, n), value, nil)
	_ = b.Set(benchKey('l', writer&7, time.Now().UnixMicro()), value, nil)
	_ = b.Set(benchKey('d', writer&7, 0), value[:10], nil)
	_ = b.Set(benchKey('p', writer, n), value[:16], nil)
	return b.Commit(pebble.Sync)
}

// inParallel shares calls among writers and returns the rate in calls per second.
func inParallel(b *testing.B, writers, calls int, f func(writer int, n int64) error) float64 {
	var next atomic.Int64
	var wg sync.WaitGroup
	begin := time.Now()
	for w := range writers {
		wg.Go(func() {
			for n := next.Add(1); n <= int64(calls); n = next.Add(1) {
				if err := f(w, n); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(calls) / time.Since(begin).Seconds()
}

// BenchmarkBlind compares the engine with plain Pebble writing the same bytes.
func BenchmarkBlind(b *testing.B) { benchmarkCommits(b, false) }

// BenchmarkAppend does the same with reads before the writes.
func BenchmarkAppend(b *testing.B) { benchmarkCommits(b, true) }

func benchmarkCommits(b *testing.B, reading bool) {
	value := make([]byte, benchValue)
	for _, writers := range []int{1, 8, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			db, err := pebble.Open(filepath.Join(dir, "plain"), pebbleOptions(true))
			if err != nil {
				b.Fatal(err)
			}
			plain := inParallel(b, writers, b.N, func(w int, n int64) error { return plainAppend(db, w, n, value) })
			if err := db.Close(); err != nil {
				b.Fatal(err)
			}
			e := open(b, filepath.Join(dir, "engine"))
			b.ResetTimer()
			own := inParallel(b, writers, b.N, func(w int, n int64) error {
				return benchAppend(e.Begin(b.Context()), reading, w, n, value)
			})
			b.StopTimer()
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(own, "tx/s")
			b.ReportMetric(plain, "pebble-tx/s")
			b.ReportMetric(own/plain, "ratio")
		})
	}
}

// BenchmarkAttached is BenchmarkAppend on another engine, through the socket.
func BenchmarkAttached(b *testing.B) {
	value := make([]byte, benchValue)
	for _, writers := range []int{1, 64} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			dir := b.TempDir()
			holding, attached := open(b, dir), open(b, dir)
			b.ResetTimer()
			rate := inParallel(b, writers, b.N, func(w int, n int64) error {
				return benchAppend(attached.Begin(b.Context()), true, w, n, value)
			})
			b.StopTimer()
			if err := errors.Join(attached.Close(), holding.Close()); err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(rate, "tx/s")
		})
	}
}
