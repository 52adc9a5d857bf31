package report

import "github.com/fdbevents/fdbevents/bench/harness"

// The names of systems in reports.
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

// limitOf maps a subject to the system that does only the physical part of its work.
var limitOf = map[string]string{embedded: pebble, onFDB: foundationDB}

// grown returns a workload at the two log lengths between which speed must stay flat.
func grown(w harness.Workload) (short, long harness.Workload) {
	return harness.Grown(w, 100_000), harness.Grown(w, 20_000_000)
}

// Target is a promise about the speed of fdbevents: a bound on a figure of a system in
// a workload, or on its ratio to another system's figure.
type Target struct {
	// Promise says what the target means to a user.
	Promise string
	System  string
	// Workload is the workload to measure; the zero Workload means all of them.
	Workload harness.Workload
	Metric   Metric
	// Against is the system whose figure is the divisor; if empty, the figure itself is
	// judged.
	Against string
	// Baseline is Against's workload if it differs from Workload.
	Baseline harness.Workload
	// Bound is the minimum of a Rate and the maximum of other metrics: a ratio,
	// microseconds or bytes. A figure equal to a Strict bound misses the target.
	Bound  float64
	Strict bool
}

// Targets returns the promises in the order in which they are shown.
func Targets() []Target {
	var all []Target
	for _, group := range [][]Target{appendTargets(), readTargets(), layerTargets(), absoluteTargets(), flatTargets()} {
		all = append(all, group...)
	}
	return all
}

// appendTargets are about events of 256 B, appended mostly at an exact expected
// revision.
func appendTargets() []Target {
	ratio := func(promise string, w harness.Workload, against string, bound float64) Target {
		return Target{Promise: promise, System: embedded, Workload: w, Metric: Rate, Against: against, Bound: bound}
	}
	ahead := func(against string) Target {
		t := ratio("1 writer is ahead of "+against, harness.LoneAppend, against, 1)
		t.Strict = true
		return t
	}
	hot := ratio("64 writers on one stream reach half their rate on many", harness.HotAppend, embedded, 0.5)
	hot.Baseline = harness.ApartAppend
	return []Target{
		ratio("64 writers reach most of plain Pebble's rate", harness.BaseAppend, pebble, 0.7),
		ratio("64 writers are far ahead of JetStream", harness.BaseAppend, jetStream, 10),
		ratio("64 writers are far ahead of Message DB", harness.BaseAppend, messageDB, 7),
		ratio("64 writers are far ahead of etcd", harness.BaseAppend, etcd, 10),
		ratio("64 writers are ahead of Redis", harness.BaseAppend, redis, 1.1),
		ratio("1 writer reaches most of the rate of a bare write and sync", harness.LoneAppend, fsync, 0.8),
		ahead(jetStream), ahead(messageDB), ahead(etcd), ahead(sqlite), ahead(bbolt),
		ratio("1 writer equals Redis", harness.LoneAppend, redis, 0.95),
		hot,
		{Promise: "a condition costs little", System: embedded, Workload: harness.ConditionalAppend, Metric: Rate, Against: embedded, Baseline: harness.TaggedAppend, Bound: 0.7},
	}
}

func readTargets() []Target {
	return []Target{
		{Promise: "reading the log reaches a good part of the rate of Pebble's scan", System: embedded, Workload: harness.ReadWarm, Metric: Rate, Against: pebble, Bound: 0.4},
		{Promise: "reading the log is far ahead of JetStream", System: embedded, Workload: harness.ReadWarm, Metric: Rate, Against: jetStream, Bound: 4},
		{Promise: "loading 30 events takes at most twice as long as from plain Pebble", System: embedded, Workload: harness.LoadStream, Metric: P50, Against: pebble, Bound: 2},
		{Promise: "loading 30 events is far ahead of Message DB", System: embedded, Workload: harness.LoadStream, Metric: Rate, Against: messageDB, Bound: 5},
	}
}

// layerTargets are about FoundationDB: the layer must cost little on top of it.
func layerTargets() []Target {
	ratio := func(promise string, w harness.Workload) Target {
		return Target{Promise: promise, System: onFDB, Workload: w, Metric: Rate, Against: foundationDB, Bound: 0.85}
	}
	return []Target{
		ratio("appending costs little on top of FoundationDB", harness.BaseAppend),
		ratio("loading 30 events costs little on top of FoundationDB", harness.LoadStream),
		ratio("reading the log costs little on top of FoundationDB", harness.ReadWarm),
	}
}

func absoluteTargets() []Target {
	below := func(promise string, w harness.Workload, m Metric, bound float64) Target {
		return Target{Promise: promise, System: embedded, Workload: w, Metric: m, Bound: bound, Strict: true}
	}
	return []Target{
		below("100 live readers receive an event soon", harness.LiveHundred, P50, 1000),
		below("100 live readers receive nearly every event soon", harness.LiveHundred, P99, 5000),
		below("a store of 1,000,000 streams opens at once", harness.OpenMillion, P50, 1e6),
		below("memory stays small in every workload", harness.Workload{}, Resident, 512<<20),
	}
}

// flatTargets bound what may get worse as the log grows. A figure that gets better
// meets its target.
func flatTargets() []Target {
	shortAppend, longAppend := grown(harness.BaseAppend)
	shortRead, longRead := grown(harness.ReadWarm)
	return []Target{
		{Promise: "appending does not slow down as the log grows", System: embedded, Workload: longAppend, Metric: P50, Against: embedded, Baseline: shortAppend, Bound: 1.2},
		{Promise: "reading does not slow down as the log grows", System: embedded, Workload: longRead, Metric: Rate, Against: embedded, Baseline: shortRead, Bound: 0.8},
	}
}
