package main

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// body is the size of an event's data in bytes.
const body = 256

// openDirectory opens a store on disk with every commit synced.
func openDirectory(b *testing.B) *fdblayer.Store { return openStore(b, openDirectoryEngine(b)) }

func openDirectoryEngine(b *testing.B) engine.Engine {
	b.Helper()
	e, err := pebbleengine.Open(b.Context(), b.TempDir())
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

// fillStore appends n events of 256 bytes, spread over the given number of streams.
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
		events := make([]fdbevents.EventData, min(each, n-i))
		for j := range events {
			// Hexadecimal digits are about as compressible as real events.
			data := make([]byte, body/2)
			_, _ = rng.Read(data)
			events[j] = fdbevents.EventData{Type: "measured", Data: hex.AppendEncode(nil, data)}
		}
		p, err := s.AppendAsync(b.Context(), fmt.Sprintf("stream-%d", i/each%streams), fdbevents.Any, events...)
		if err != nil {
			b.Fatal(err)
		}
		if pending = append(pending, p); len(pending) == 256 {
			wait()
		}
	}
	wait()
}

// BenchmarkReaderMemory reports the peak memory in use while reading logs of
// different lengths. It must not grow with the log.
func BenchmarkReaderMemory(b *testing.B) {
	s := openDirectory(b)
	for range b.N {
		for filled, n := 0, 50_000; n <= 400_000; n *= 2 {
			fillStore(b, s, n-filled, 1000)
			filled = n
			base := heap()
			var most int64
			i := 0
			for _, err := range s.ReadAll(b.Context(), fdbevents.Start, fdblayer.ReadOptions{}) {
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

// BenchmarkStreamsMemory reports how much memory each of a million streams costs a
// Store, which keeps nothing about a stream between appends.
func BenchmarkStreamsMemory(b *testing.B) {
	s := openDirectory(b)
	for range b.N {
		fillStreams := func(from, to int) {
			for i := from; i < to; i += 1000 {
				appends := make([]fdbevents.StreamAppend, 1000)
				for j := range appends {
					appends[j] = fdbevents.StreamAppend{Stream: fmt.Sprintf("stream-%d", i+j), Expected: fdbevents.Any, Events: []fdbevents.EventData{{Type: "e"}}}
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

// heap returns the bytes in use by Go values after a garbage collection.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// replayed is the environment variable with the directory to replay.
// BenchmarkReplayMemory sets it when it runs the test binary again.
const replayed = "FDBEVENTS_BENCH_REPLAY"

// replay is the result that such a process prints.
type replay struct {
	Events int
	// Resident is the peak resident memory of the process, in bytes.
	Resident int64
	Seconds  float64
}

// BenchmarkReplayMemory reports the peak resident memory of a process that only opens
// a store and follows its log from the start, for logs of different lengths. It must
// not grow with the log. An "attached" process reads through the process that holds
// the directory, so it has only the memory of a subscriber. A "holder" also has the
// embedded engine's caches, which have their own bound.
func BenchmarkReplayMemory(b *testing.B) {
	if dir := os.Getenv(replayed); dir != "" {
		replayDirectory(b, dir)
		return
	}
	dir := b.TempDir()
	for range b.N {
		filled := 0
		for _, n := range []int{100_000, 400_000} {
			e, err := pebbleengine.Open(b.Context(), dir)
			if err != nil {
				b.Fatal(err)
			}
			s, err := fdblayer.Open(b.Context(), e, fdblayer.Options{})
			if err != nil {
				b.Fatal(err)
			}
			fillStore(b, s, n-filled, 1000)
			filled = n
			runReplay(b, dir, "attached", n)
			if err := s.Close(); err != nil {
				b.Fatal(err)
			}
			if err := e.Close(); err != nil {
				b.Fatal(err)
			}
			runReplay(b, dir, "holder", n)
		}
		b.ReportMetric(0, "ns/op")
	}
}

// runReplay replays the directory, which holds n events, in a separate process.
func runReplay(b *testing.B, dir, as string, n int) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), os.Args[0], "-test.run", "^$", "-test.bench", "^BenchmarkReplayMemory$", "-test.benchtime", "1x")
	cmd.Env = append(os.Environ(), replayed+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	var r replay
	_, line, _ := bytes.Cut(out, []byte(replayed))
	if err := json.NewDecoder(bytes.NewReader(line)).Decode(&r); err != nil || r.Events != n {
		b.Fatalf("replayed %d events of %d: %v\n%s", r.Events, n, err, out)
	}
	b.ReportMetric(float64(r.Resident)/(1<<20), fmt.Sprintf("MiB-%s-%d", as, n))
	b.Logf("%s, %d events: peak %.1f MiB resident, %.0f events/s", as, n, float64(r.Resident)/(1<<20), float64(n)/r.Seconds)
}

func replayDirectory(b *testing.B, dir string) {
	e, err := pebbleengine.Open(b.Context(), dir)
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := openStore(b, e)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var r replay
	began := time.Now()
	for _, err := range s.Subscribe(ctx, fdbevents.Start, fdblayer.SubscribeOptions{CaughtUp: cancel}) {
		if ctx.Err() != nil {
			break
		}
		if err != nil {
			b.Fatal(err)
		}
		r.Events++
	}
	r.Seconds = time.Since(began).Seconds()
	if r.Resident, err = mostResident(); err != nil {
		b.Skip(err)
	}
	line, err := json.Marshal(r)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Printf("%s%s\n", replayed, line)
}

// mostResident returns the peak resident memory of this process so far, in bytes.
func mostResident() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, line, ok := bytes.Cut(status, []byte("VmHWM:"))
	var kib int64
	if _, err := fmt.Sscan(string(line), &kib); !ok || err != nil {
		return 0, fmt.Errorf("no VmHWM in /proc/self/status: %v", err)
	}
	return kib << 10, nil
}
