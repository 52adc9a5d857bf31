package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/fdbevents/fdbevents/fdblayer/engine/pebbleengine"
)

const (
	// rounds is how often each contestant runs, in turns.
	rounds = 5
	// turn is how long each run takes.
	turn = 1000 * time.Millisecond
	body = 256
)

// rate runs work on that many goroutines for a turn, and returns how often it
// returned, a second.
func rate(b *testing.B, goroutines int, work func(worker, i int) error) float64 {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), turn)
	defer cancel()
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for worker := range goroutines {
		wg.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if err := work(worker, i); err != nil {
					b.Error(err)
					return
				}
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

// versus runs ours and theirs in turns, and reports both medians and their ratio.
func versus(b *testing.B, unit string, ours, theirs func() float64) {
	b.Helper()
	var our, their, ratio []float64
	for range rounds {
		our = append(our, ours())
		their = append(their, theirs())
		ratio = append(ratio, our[len(our)-1]/their[len(their)-1])
	}
	slices.Sort(our)
	slices.Sort(their)
	slices.Sort(ratio)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(our[rounds/2], unit)
	b.ReportMetric(their[rounds/2], "limit-"+unit)
	b.ReportMetric(ratio[rounds/2], "ratio")
	b.Logf("ours %.0f, limit %.0f %s, ratio %.2f (%.2f to %.2f)", our[rounds/2], their[rounds/2], unit, ratio[rounds/2], ratio[0], ratio[rounds-1])
}

// openDirectory opens a store on disk, every commit synced.
func openDirectory(b *testing.B) *fdblayer.Store { return openStore(b, openDirectoryEngine(b)) }

func openDirectoryEngine(b *testing.B) engine.Engine {
	b.Helper()
	e, err := pebbleengine.Open(b.Context(), b.TempDir(), pebbleengine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { e.Close() })
	return e
}

func openStore(b *testing.B, e engine.Engine) *fdblayer.Store {
	b.Helper()
	s, err := fdblayer.Open(b.Context(), e, fdblayer.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}

func openPebble(b *testing.B) *pebble.DB {
	b.Helper()
	db, err := pebble.Open(b.TempDir(), &pebble.Options{Logger: quiet{}, MemTableSize: 64 << 20})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { db.Close() })
	return db
}

type quiet struct{}

func (quiet) Infof(string, ...any)           {}
func (quiet) Errorf(string, ...any)          {}
func (quiet) Fatalf(format string, a ...any) { panic(fmt.Sprintf(format, a...)) }

// plainAppend writes what an append of one event writes, without reading, checks
// or order: head, entry with record, slot with record, event id.
func plainAppend(batch *pebble.Batch, stream string, i int, number uint64, record []byte) error {
	key := func(parts ...[]byte) []byte { return slices.Concat(parts...) }
	rev := binary.BigEndian.AppendUint64(nil, uint64(i))
	stamp := binary.BigEndian.AppendUint64(make([]byte, 4, 12), number)
	var scattered [16]byte
	binary.BigEndian.PutUint64(scattered[:], number*0x9e3779b97f4a7c15)
	for _, kv := range [][2][]byte{
		{key([]byte{'d', 1, 2}, []byte(stream)), make([]byte, 12)},
		{key([]byte{'d', 2, 2}, []byte(stream), rev[5:]), key(stamp, []byte{1, 1, 1}, record)},
		{key([]byte{'d', 3, byte(number % 8), 0x33}, stamp), record},
		{key([]byte{'d', 4, 0x30}, scattered[:], []byte(stream)), key(stamp, rev[6:])},
	} {
		if err := batch.Set(kv[0], kv[1], nil); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkAppend appends events of 256 bytes to streams of their own with an
// exact expected revision. The limit is plain Pebble committing the same keys
// and bytes, a synced batch an append, with its own group commit.
func BenchmarkAppend(b *testing.B) {
	for _, writers := range []int{1, 16, 64, 256} {
		b.Run(fmt.Sprintf("writers=%d", writers), func(b *testing.B) {
			s, db := openDirectory(b), openPebble(b)
			ctx := b.Context()
			data := make([]byte, body)
			next := make([]fdblayer.ExpectedRevision, writers)
			for i := range next {
				next[i] = fdblayer.NoStream
			}
			var number atomic.Uint64
			record := make([]byte, body+70)
			written := make([]int, writers)
			for range b.N {
				versus(b, "appends/s", func() float64 {
					return rate(b, writers, func(w, _ int) error {
						r, err := s.Append(ctx, fmt.Sprintf("stream-%d", w), next[w], fdblayer.NewEvent{Type: "measured", Data: data})
						next[w] = fdblayer.ExpectedRevision(r.LastRevision)
						return err
					})
				}, func() float64 {
					return rate(b, writers, func(w, _ int) error {
						batch := db.NewBatch()
						defer batch.Close()
						if err := plainAppend(batch, fmt.Sprintf("stream-%d", w), written[w], number.Add(1), record); err != nil {
							return err
						}
						written[w]++
						return batch.Commit(pebble.Sync)
					})
				})
			}
		})
	}
}
