package report

import "github.com/fdbevents/fdbevents/bench/harness"

// The names of systems, as they are in reports.
const (
	embedded     = "fdbevents"
	onFDB        = "fdbevents-fdb"
	pebble       = "pebble"
	foundationDB = "fdb"
	fsync        = "fsync"
	jetStream    = "jetstream"
	messageDB    = "messagedb"
	etcd         = "etcd"
	redis        = "redis"
	sqlite       = "sqlite"
	bbolt        = "bbolt"
)

// limitOf is the system that does the physical part of a subject's work.
var limitOf = map[string]string{embedded: pebble, onFDB: foundationDB}

// grown is a workload at the lengths of the log between which speed is to stay flat.
func grown(w harness.Workload) (short, long harness.Workload) {
	return harness.Grown(w, 100_000), harness.Grown(w, 20_000_000)
}

// Target is something that fdbevents promises of its speed: a figure of a system in
// a workload, or its ratio to another's, within a bound.
type Target struct {
	// Promise is what it means to somebody who uses it.
	Promise string
	System  string
	// Workload is the one it is measured in; the zero Workload is each there is.
	Workload harness.Workload
	Metric   Metric
	// Against is the system that the figure is divided by; empty, the figure itself
	// is judged.
	Against string
	// Baseline is Against's workload where that is another.
	Baseline harness.Workload
	// Bound is what a Rate reaches at least, other metrics at most: a ratio, or
	// microseconds, or bytes. A Strict one is not to be met exactly.
	Bound  float64
	Strict bool
}

// Targets are the promises, in the order in which they are shown.
func Targets() []Target {
	var all []Target
	for _, group := range [][]Target{appendTargets(), readTargets(), layerTargets(), absoluteTargets(), flatTargets()} {
		all = append(all, group...)
	}
	return all
}

// appendTargets are of events of 256 B with the exact revision expected.
func appendTargets() []Target {
	ratio := func(promise string, w harness.Workload, against string, bound float64) Target {
		return Target{Promise: promise, System: embedded, Workload: w, Metric: Rate, Against: against, Bound: bound}
	}
	ahead := func(against string) Target {
		t := ratio("1 writer is ahead of "+against, harness.LoneAppend, against, 1)
		t.Strict = true
		return t
	}
	hot := ratio("a stream that 64 writers share has half of what they have apart", harness.HotAppend, embedded, 0.5)
	hot.Baseline = harness.ApartAppend
	return []Target{
		ratio("64 writers have most of what plain Pebble gives", harness.BaseAppend, pebble, 0.7),
		ratio("64 writers are far ahead of JetStream", harness.BaseAppend, jetStream, 10),
		ratio("64 writers are far ahead of Message DB", harness.BaseAppend, messageDB, 7),
		ratio("64 writers are far ahead of etcd", harness.BaseAppend, etcd, 10),
		ratio("64 writers are ahead of Redis", harness.BaseAppend, redis, 1.1),
		ratio("1 writer has most of what a bare write and sync gives", harness.LoneAppend, fsync, 0.8),
		ahead(jetStream), ahead(messageDB), ahead(etcd), ahead(sqlite), ahead(bbolt),
		ratio("1 writer equals Redis", harness.LoneAppend, redis, 0.95),
		hot,
		{Promise: "a condition costs little", System: embedded, Workload: harness.ConditionalAppend, Metric: Rate, Against: embedded, Baseline: harness.TaggedAppend, Bound: 0.7},
	}
}

func readTargets() []Target {
	return []Target{
		{Promise: "reading the log has a good part of Pebble's scan", System: embedded, Workload: harness.ReadWarm, Metric: Rate, Against: pebble, Bound: 0.4},
		{Promise: "reading the log is far ahead of JetStream", System: embedded, Workload: harness.ReadWarm, Metric: Rate, Against: jetStream, Bound: 4},
		{Promise: "loading 30 events takes at most twice as long as from plain Pebble", System: embedded, Workload: harness.LoadStream, Metric: P50, Against: pebble, Bound: 2},
		{Promise: "loading 30 events is far ahead of Message DB", System: embedded, Workload: harness.LoadStream, Metric: Rate, Against: messageDB, Bound: 5},
	}
}

// layerTargets are of FoundationDB: the layer is to cost little above it.
func layerTargets() []Target {
	ratio := func(promise string, w harness.Workload) Target {
		return Target{Promise: promise, System: onFDB, Workload: w, Metric: Rate, Against: foundationDB, Bound: 0.85}
	}
	return []Target{
		ratio("on FoundationDB, appending costs little above it", harness.BaseAppend),
		ratio("on FoundationDB, loading 30 events costs little above it", harness.LoadStream),
		ratio("on FoundationDB, reading the log costs little above it", harness.ReadWarm),
	}
}

func absoluteTargets() []Target {
	below := func(promise string, w harness.Workload, m Metric, bound float64) Target {
		return Target{Promise: promise, System: embedded, Workload: w, Metric: m, Bound: bound, Strict: true}
	}
	return []Target{
		below("100 live readers have an event soon", harness.LiveHundred, P50, 1000),
		below("100 live readers have nearly each event soon", harness.LiveHundred, P99, 5000),
		below("a store of 1,000,000 streams opens at once", harness.OpenMillion, P50, 1e6),
		below("memory stays small, whatever is done", harness.Workload{}, Resident, 512<<20),
	}
}

// flatTargets bound what gets worse as the log grows. What gets better is met.
func flatTargets() []Target {
	shortAppend, longAppend := grown(harness.BaseAppend)
	shortRead, longRead := grown(harness.ReadWarm)
	return []Target{
		{Promise: "appending does not slow down as the log grows", System: embedded, Workload: longAppend, Metric: P50, Against: embedded, Baseline: shortAppend, Bound: 1.2},
		{Promise: "reading does not slow down as the log grows", System: embedded, Workload: longRead, Metric: Rate, Against: embedded, Baseline: shortRead, Bound: 0.8},
	}
}
