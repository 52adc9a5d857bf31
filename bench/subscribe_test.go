package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/engine/pebbleengine"
)

// BenchmarkFanOut appends 1,000 events a second while 1,000 subscriptions of the
// same process follow the log, and prints the time from an append's
// acknowledgement to the receipt of its event by a subscriber, over all pairs of
// both, and the share of all processors that the process used.
func BenchmarkFanOut(b *testing.B) {
	const subscribers, perSecond, seconds = 1000, 1000, 5
	const n = perSecond * seconds
	for range b.N {
		s := openDirectory(b)
		ctx, cancel := context.WithCancel(b.Context())
		defer cancel()
		began := time.Now()
		received := make([][]time.Duration, subscribers)
		var live, done sync.WaitGroup
		for i := range subscribers {
			received[i] = make([]time.Duration, 0, n)
			live.Add(1)
			caughtUp := sync.OnceFunc(live.Done)
			done.Go(func() {
				for ev, err := range s.Subscribe(ctx, fdblayer.Start, fdblayer.SubscribeOptions{CaughtUp: caughtUp}) {
					if err != nil {
						b.Error(err)
						return
					}
					if want := int64(len(received[i])); ev.Revision != want {
						b.Errorf("subscriber %d got revision %d, want %d", i, ev.Revision, want)
						return
					}
					received[i] = append(received[i], time.Since(began))
					if len(received[i]) == n {
						return
					}
				}
			})
		}
		live.Wait()
		used, start := cpuTime(b), time.Now()
		acknowledged := make([]time.Duration, n)
		tick := time.NewTicker(time.Second / perSecond)
		for i := range n {
			<-tick.C
			if _, err := s.Append(ctx, "measured", fdblayer.Any, fdblayer.NewEvent{Type: "measured", Data: make([]byte, body)}); err != nil {
				b.Fatal(err)
			}
			acknowledged[i] = time.Since(began)
		}
		tick.Stop()
		done.Wait()
		took := time.Since(start)
		used = cpuTime(b) - used
		var late []time.Duration
		for i := range received {
			for j, at := range received[i] {
				// An event can arrive before its writer has been told.
				late = append(late, max(0, at-acknowledged[j]))
			}
		}
		if len(late) != subscribers*n {
			b.Fatalf("%d receipts, want %d", len(late), subscribers*n)
		}
		slices.Sort(late)
		ms := func(share float64) float64 {
			return float64(late[int(share*float64(len(late)-1))].Microseconds()) / 1000
		}
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(ms(0.5), "p50-ms")
		b.ReportMetric(ms(0.99), "p99-ms")
		b.ReportMetric(ms(1), "max-ms")
		b.ReportMetric(100*used.Seconds()/took.Seconds()/float64(runtime.NumCPU()), "%cpu")
		b.ReportMetric(float64(n)/took.Seconds(), "events/s")
	}
}

// cpuTime is what the process has used so far.
func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// replayed names the directory that the test binary, run again by
// BenchmarkReplayMemory, replays.
const replayed = "FDBEVENTS_BENCH_REPLAY"

// replay is what one such process prints.
type replay struct {
	Events int
	// Resident is the most memory the process had, in bytes.
	Resident int64
	Seconds  float64
}

// BenchmarkReplayMemory prints the most resident memory of a process that does
// nothing but open a store and follow logs of different lengths from their
// start: it must not grow with the log. "attached" is a process that reads
// through the one that holds the directory, and so the memory of a subscriber
// alone; a "holder" has the embedded engine's caches besides, which have their own
// bound.
func BenchmarkReplayMemory(b *testing.B) {
	if dir := os.Getenv(replayed); dir != "" {
		replayDirectory(b, dir)
		return
	}
	dir := b.TempDir()
	for range b.N {
		filled := 0
		for _, n := range []int{100_000, 400_000} {
			e, err := pebbleengine.Open(b.Context(), dir, pebbleengine.Options{})
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

// runReplay replays the directory, of n events, in a process of its own.
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
	b.Logf("%s, %d events: %.1f MiB resident at most, %.0f events/s", as, n, float64(r.Resident)/(1<<20), float64(n)/r.Seconds)
}

func replayDirectory(b *testing.B, dir string) {
	e, err := pebbleengine.Open(b.Context(), dir, pebbleengine.Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	s := openStore(b, e)
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	var r replay
	began := time.Now()
	for _, err := range s.Subscribe(ctx, fdblayer.Start, fdblayer.SubscribeOptions{CaughtUp: cancel}) {
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

// mostResident is the most resident memory of this process so far, in bytes.
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
