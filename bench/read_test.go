package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// fillStore appends n events of 256 bytes to as many streams as given.
func fillStore(b *testing.B, s *fdblayer.Store, n, streams int) {
	b.Helper()
	const each = 50
	var pending []*fdblayer.PendingAppend
	wait := func() {
		for _, p := range pending {
			if _, err := p.Wait(); err != nil {
				b.Fatal(err)
			}
		}
		pending = pending[:0]
	}
	rng := rand.NewChaCha8([32]byte{})
	for i := 0; i < n; i += each {
		events := make([]fdblayer.NewEvent, min(each, n-i))
		for j := range events {
			// Hexadecimal digits: about as compressible as real events.
			data := make([]byte, body/2)
			_, _ = rng.Read(data)
			events[j] = fdblayer.NewEvent{Type: "measured", Data: hex.AppendEncode(nil, data)}
		}
		p, err := s.AppendAsync(b.Context(), fmt.Sprintf("stream-%d", i/each%streams), fdblayer.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		if pending = append(pending, p); len(pending) == 256 {
			wait()
		}
	}
	wait()
}

// copyLog copies the store's log into a plain Pebble.
func copyLog(b *testing.B, e engine.Engine, db *pebble.DB) (values, size int) {
	b.Helper()
	r := engine.Range{Begin: []byte{0x15, 3}, End: []byte{0x15, 4}}
	for more := true; more; {
		var p engine.Page
		err := engine.Run(b.Context(), e, func(tr engine.Transaction, _ error) (err error) {
			p, err = tr.Snapshot().GetRange(r, engine.RangeOptions{Bytes: 1 << 20}).Get()
			return err
		})
		if err != nil {
			b.Fatal(err)
		}
		batch := db.NewBatch()
		for _, kv := range p.KeyValues {
			if err := batch.Set(kv.Key, kv.Value, nil); err != nil {
				b.Fatal(err)
			}
			values++
			size += len(kv.Value)
			r.Begin = append(kv.Key, 0)
		}
		if err := batch.Commit(pebble.NoSync); err != nil {
			b.Fatal(err)
		}
		more = p.More
	}
	return values, size
}

// BenchmarkReadAll reads the log from its start. The limit is a scan of a plain
// Pebble that holds the same keys and values, in the order of its keys.
func BenchmarkReadAll(b *testing.B) {
	const n = 300_000
	e := openDirectoryEngine(b)
	s, db := openStore(b, e), openPebble(b)
	fillStore(b, s, n, 1000)
	values, total := copyLog(b, e, db)
	if values != n {
		b.Fatalf("the log has %d slots, want %d", values, n)
	}
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
	readAll() // while the compactions end that filling has left behind
	for range b.N {
		versus(b, "events/s", readAll, func() float64 {
			began := time.Now()
			it, err := db.NewIter(nil)
			if err != nil {
				b.Fatal(err)
			}
			defer it.Close()
			got, size := 0, 0
			for ok := it.First(); ok; ok = it.Next() {
				got++
				size += len(it.Value())
			}
			if got != n || size != total {
				b.Fatalf("%d values of %d bytes", got, size)
			}
			return n / time.Since(began).Seconds()
		})
	}
}

// BenchmarkReaderMemory prints the most memory in use while reading logs of
// different lengths: it must not grow with the log.
func BenchmarkReaderMemory(b *testing.B) {
	s := openDirectory(b)
	for range b.N {
		for filled, n := 0, 50_000; n <= 400_000; n *= 2 {
			fillStore(b, s, n-filled, 1000)
			filled = n
			base := heap()
			var most int64
			i := 0
			for _, err := range s.ReadAll(b.Context(), fdblayer.Start, fdblayer.ReadOptions{}) {
				if err != nil {
					b.Fatal(err)
				}
				if i++; i%(n/8) == 0 {
					most = max(most, heap()-base)
				}
			}
			b.ReportMetric(float64(most)/1e6, fmt.Sprintf("MB-at-%d-events", n))
		}
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkStreamsMemory prints what a million streams cost a Store in memory,
// each: nothing is kept of a stream between appends.
func BenchmarkStreamsMemory(b *testing.B) {
	s := openDirectory(b)
	for range b.N {
		fillStreams := func(from, to int) {
			for i := from; i < to; i += 1000 {
				appends := make([]fdblayer.StreamAppend, 1000)
				for j := range appends {
					appends[j] = fdblayer.StreamAppend{Stream: fmt.Sprintf("stream-%d", i+j), Expected: fdblayer.Any, Events: []fdblayer.NewEvent{{Type: "e"}}}
				}
				if _, err := s.AppendMany(b.Context(), appends...); err != nil {
					b.Fatal(err)
				}
			}
		}
		const few, many = 100_000, 1_000_000
		fillStreams(0, few)
		base := heap()
		fillStreams(few, many)
		b.ReportMetric((float64(heap())-float64(base))/(many-few), "bytes/stream")
		b.ReportMetric(0, "ns/op")
	}
}

// heap is the memory in use by Go values, after a collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
