// Package reporttest makes reports of systems whose speed is known, for tests.
package reporttest

import (
	"math"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// Synthetic makes reports of systems whose speed is known. Each turn is off by up to
// the fraction noise of it, evenly distributed.
type Synthetic struct {
	turns int
	noise float64
	rand  *rand.Rand
	// Machine slows all systems down by a factor, Slow single systems, by name.
	Machine float64
	Slow    map[string]float64
	// Without names the systems that are not run.
	Without []string
}

// Systems are all systems, with their names in real reports.
var Systems = []harness.SystemReport{
	{Name: "fdbevents", Kind: harness.Subject, About: "a store in the process, on Pebble", Version: "devel"},
	{Name: "fdbevents-fdb", Kind: harness.Subject, About: "a store on FoundationDB", Version: "devel"},
	{Name: "pebble", Kind: harness.Limit, About: "batches of one key per event, synced", Version: "v2.1.7"},
	{Name: "fdb", Kind: harness.Limit, About: "transactions that set one key per event", Version: "7.3.63"},
	{Name: "fsync", Kind: harness.Limit, About: "write and sync of one file", Version: "ext4"},
	{Name: "jetstream", Kind: harness.Peer, About: "a stream with sync always", Version: "2.11.1"},
	{Name: "messagedb", Kind: harness.Peer, About: "write_message in PostgreSQL", Version: "PostgreSQL 15.18"},
	{Name: "etcd", Kind: harness.Peer, About: "one key per event", Version: "3.5.1"},
	{Name: "redis", Kind: harness.Peer, About: "XADD, appendfsync always", Version: "7.0.15"},
	{Name: "redis-everysec", Kind: harness.Peer, About: "XADD, appendfsync everysec", Version: "7.0.15", Relaxed: true},
	{Name: "sqlite", Kind: harness.Peer, About: "one row per event, synchronous full", Version: "3.46"},
	{Name: "bbolt", Kind: harness.Peer, About: "one key per event", Version: "1.4.0"},
}

// speed is events per second with one writer, and with very many.
var speed = map[string][2]float64{
	"fdbevents": {4400, 90_000}, "fdbevents-fdb": {900, 40_000}, "pebble": {4800, 110_000}, "fdb": {1000, 45_000},
	"fsync": {5000, 5000}, "jetstream": {1500, 7000}, "messagedb": {700, 9000}, "etcd": {800, 7500},
	"redis": {4300, 65_000}, "redis-everysec": {20_000, 120_000}, "sqlite": {2100, 2300}, "bbolt": {1900, 2000},
}

// Report returns a report of the workloads on each system that is run.
func (s Synthetic) Report(workloads ...harness.Workload) *harness.Report {
	r := &harness.Report{
		Format: harness.ReportFormat, Began: time.Date(2026, 9, 1, 10, 30, 0, 0, time.UTC), Seconds: 754.3,
		Command: "go run ./bench/compare --turns 5", Revision: "v0.9.0",
		Machine: harness.Machine{CPU: "Xeon 2.1 GHz", Processors: 2, Memory: 24 << 30, OS: "Linux 6.1", FileSystem: "ext4", Go: "go1.26.0", SyncMicros: 190},
		Systems: Systems,
	}
	for _, w := range workloads {
		for _, system := range r.Systems {
			if slices.Contains(s.Without, system.Name) {
				continue
			}
			x := harness.Result{Workload: w, System: system.Name}
			for range s.turns {
				x.Samples = append(x.Samples, s.sample(w, system.Name))
			}
			r.Results = append(r.Results, x)
		}
	}
	return r
}

func (s Synthetic) sample(w harness.Workload, system string) harness.Sample {
	v := speed[system]
	writers := float64(max(w.Writers, w.Readers, 1))
	rate := v[0] + (v[1]-v[0])*(1-1/math.Sqrt(writers))
	rate *= math.Sqrt(float64(max(w.Events, 1)))
	if w.Size > 256 {
		rate /= math.Sqrt(float64(w.Size) / 256)
	}
	if w.Operation == harness.ReadLog {
		rate *= 20
	}
	// The whole turn is off, and its latency with it.
	off := 1 + s.noise*(2*s.rand.Float64()-1)
	if s.Machine > 0 {
		off /= s.Machine
	}
	if slow := s.Slow[system]; slow > 0 {
		off /= slow
	}
	rate *= off
	p50 := 1e6 * writers * float64(max(w.Events, 1)) / rate
	events := int64(10 * rate)
	return harness.Sample{
		Seconds: 10, Operations: events, Events: events, Bytes: events * int64(w.Size),
		Latency:    harness.Latency{P50: p50, P90: 1.6 * p50, P99: 4 * p50, P999: 9 * p50, Max: 30 * p50},
		CPUSeconds: float64(events) * 12e-6 * 100_000 / v[1], Allocations: events * 14, BytesWritten: events * int64(w.Size) * 3,
		DiskBytes: events * int64(w.Size+40), LogEvents: events, Resident: 180 << 20,
	}
}

// Steady makes turns that are all alike.
func Steady(turns int) Synthetic { return Noisy(turns, 0, 1) }

// Noisy makes turns that differ; the same seed gives the same report.
func Noisy(turns int, noise float64, seed uint64) Synthetic {
	return Synthetic{turns: turns, noise: noise, rand: rand.New(rand.NewPCG(seed, 1))}
}

// Large returns a report with everything that can be drawn.
func Large() *harness.Report {
	writers := func(w *harness.Workload) *int { return &w.Writers }
	readers := func(w *harness.Workload) *int { return &w.Readers }
	streams := func(w *harness.Workload) *int { return &w.Streams }
	events := func(w *harness.Workload) *int { return &w.Events }
	size := func(w *harness.Workload) *int { return &w.Size }
	partitions := func(w *harness.Workload) *int { return &w.Partitions }
	log := func(w *harness.Workload) *int { return &w.Log }
	ws := []harness.Workload{harness.BaseAppend}
	vary := func(base harness.Workload, field func(*harness.Workload) *int, values ...int) {
		for _, v := range values {
			w := base
			*field(&w) = v
			if w != harness.BaseAppend {
				ws = append(ws, w)
			}
		}
	}
	vary(harness.BaseAppend, writers, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024)
	vary(harness.BaseAppend, streams, 1, 100, 1000, 100_000, 1_000_000)
	vary(harness.BaseAppend, events, 1, 10, 100, 1000)
	vary(harness.BaseAppend, size, 16, 256, 4096, 65_536)
	vary(harness.BaseAppend, partitions, 1, 8, 32)
	vary(harness.ReadWarm, partitions, 1, 8, 32)
	vary(harness.BaseAppend, log, 100_000, 1_000_000, 5_000_000, 20_000_000)
	vary(harness.ReadWarm, log, 100_000, 1_000_000, 5_000_000, 20_000_000)
	vary(harness.LoadStream, log, 100_000, 20_000_000)
	vary(harness.OpenMillion, log, 100_000, 1_000_000)
	vary(harness.LiveHundred, readers, 1, 10, 100, 1000)
	return Noisy(5, 0.15, 7).Report(ws...)
}
