package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine"
	"github.com/fdbevents/fdbevents/tuple"
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

// The subspaces of a store's keys that are compared with a plain Pebble.
const (
	headSpace  = 1
	entrySpace = 2
	logSpace   = 3
)

// copySpace copies a subspace of the store's keys into a plain Pebble.
func copySpace(b *testing.B, e engine.Engine, space byte, db *pebble.DB) (values, size int) {
	b.Helper()
	r := engine.Range{Begin: []byte{0x15, space}, End: []byte{0x15, space + 1}}
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
	values, total := copySpace(b, e, logSpace, db)
	if values != n {
		b.Fatalf("the log has %d slots, want %d", values, n)
	}
	var used []usage
	readAll := func() float64 {
		began, before := time.Now(), use(b)
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
		used = append(used, use(b).since(before))
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
	report(b, used[1:], n, "event")
}

// usage is what the process has used.
type usage struct {
	cpu                time.Duration
	allocations, bytes uint64
}

func use(b *testing.B) usage {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return usage{cpuTime(b), m.Mallocs, m.TotalAlloc}
}

func (u usage) since(before usage) usage {
	return usage{u.cpu - before.cpu, u.allocations - before.allocations, u.bytes - before.bytes}
}

// report prints the least that n of something took in any of the rounds: others
// on the machine only add to it.
func report(b *testing.B, rounds []usage, n int, what string) {
	least := rounds[0]
	for _, u := range rounds {
		least = usage{min(least.cpu, u.cpu), min(least.allocations, u.allocations), min(least.bytes, u.bytes)}
	}
	b.ReportMetric(float64(least.cpu.Nanoseconds())/float64(n), "cpu-ns/"+what)
	b.ReportMetric(float64(least.allocations)/float64(n), "allocs/"+what)
	b.ReportMetric(float64(least.bytes)/float64(n), "bytes/"+what)
}

// The streams that BenchmarkLoad chooses from, and the events of each.
const (
	loadStreams = 10_000
	loadEvents  = 30
)

// fillLoads fills them, each in one append.
func fillLoads(b *testing.B, s *fdblayer.Store, streams int) {
	b.Helper()
	var pending []*fdblayer.PendingAppend
	rng := rand.NewChaCha8([32]byte{})
	for i := range streams {
		events := make([]fdblayer.NewEvent, loadEvents)
		for j := range events {
			data := make([]byte, body/2)
			_, _ = rng.Read(data)
			events[j] = fdblayer.NewEvent{Type: "measured", Data: hex.AppendEncode(nil, data)}
		}
		p, err := s.AppendAsync(b.Context(), fmt.Sprintf("stream-%d", i), fdblayer.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		if pending = append(pending, p); len(pending) == 256 || i == streams-1 {
			for _, p := range pending {
				if _, err := p.Wait(); err != nil {
					b.Fatal(err)
				}
			}
			pending = pending[:0]
		}
	}
}

// loadStream reads one of them.
func loadStream(b *testing.B, s *fdblayer.Store, i int) {
	got := 0
	for _, err := range s.ReadStream(b.Context(), fmt.Sprintf("stream-%d", i), fdblayer.StreamStart, fdblayer.ReadOptions{}) {
		if err != nil {
			b.Fatal(err)
		}
		got++
	}
	if got != loadEvents {
		b.Fatalf("%d events, want %d", got, loadEvents)
	}
}

// medianLoad is how long loads of streams chosen at random take, in microseconds.
func medianLoad(n, streams int, load func(i int)) float64 {
	took := make([]float64, n)
	for i := range took {
		stream, began := rand.IntN(streams), time.Now()
		load(stream)
		took[i] = float64(time.Since(began).Nanoseconds()) / 1e3
	}
	slices.Sort(took)
	return took[n/2]
}

// BenchmarkLoad reads streams of 30 events, chosen at random among 10,000. The
// limit is a plain Pebble that holds the same keys and values: a new iterator for
// each, and its values copied. The ratio is how many times as long the median
// load takes.
func BenchmarkLoad(b *testing.B) {
	const loads = 4000
	e := openDirectoryEngine(b)
	s, db := openStore(b, e), openPebble(b)
	fillLoads(b, s, loadStreams)
	if values, _ := copySpace(b, e, entrySpace, db); values != loadStreams*loadEvents {
		b.Fatalf("%d stream entries, want %d", values, loadStreams*loadEvents)
	}
	plain := func(i int) {
		begin := tuple.AppendString([]byte{0x15, entrySpace}, fmt.Sprintf("stream-%d", i))
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: begin, UpperBound: append(slices.Clone(begin), 0xff)})
		if err != nil {
			b.Fatal(err)
		}
		values := make([][]byte, 0, loadEvents)
		for ok := it.First(); ok; ok = it.Next() {
			values = append(values, slices.Clone(it.Value()))
		}
		if err := it.Close(); err != nil || len(values) != loadEvents {
			b.Fatalf("%d values, want %d; %v", len(values), loadEvents, err)
		}
	}
	var used []usage
	ours := func() float64 {
		before := use(b)
		defer func() { used = append(used, use(b).since(before)) }()
		return medianLoad(loads, loadStreams, func(i int) { loadStream(b, s, i) })
	}
	theirs := func() float64 { return medianLoad(loads, loadStreams, plain) }
	ours()
	theirs()
	for range b.N {
		versus(b, "p50-µs", ours, theirs)
	}
	report(b, used[1:], loads, "load")
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
