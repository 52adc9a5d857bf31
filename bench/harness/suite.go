package harness

import (
	"slices"
	"strings"
)

// The workloads that the targets refer to. Their events have 256 bytes, since most
// events are small.
var (
	// BaseAppend is the workload that others vary.
	BaseAppend = Workload{Operation: Append, Writers: 64, Size: 256, Events: 1, Streams: 1000}
	// LoneAppend has one writer, which waits for the disk each time.
	LoneAppend = BaseAppend.with(func(w *Workload) { w.Writers = 1 })
	// HotAppend has all writers on one stream, ApartAppend the same writers on many.
	HotAppend   = Workload{Operation: AppendAny, Writers: 64, Size: 256, Events: 1, Streams: 1}
	ApartAppend = HotAppend.with(func(w *Workload) { w.Streams = 1000 })
	// TaggedAppend and ConditionalAppend give each event its own tag;
	// ConditionalAppend also makes it a condition that the tag is new.
	TaggedAppend      = Workload{Operation: AppendTagged, Writers: 64, Size: 256, Events: 1, Streams: 1000}
	ConditionalAppend = Workload{Operation: AppendUnless, Writers: 64, Size: 256, Events: 1, Streams: 1000}

	LoadStream  = Workload{Operation: Load, Readers: 1, Size: 256, Log: stockedLog}
	ReadWarm    = Workload{Operation: ReadLog, Readers: 1, Size: 256, Log: stockedLog}
	ReadOfTag   = Workload{Operation: ReadTag, Readers: 1, Size: 256, Log: stockedLog}
	LiveHundred = Workload{Operation: Live, Writers: 64, Readers: 100, Size: 256}
	ConsumeAll  = Workload{Operation: Consume, Readers: 4, Size: 256, Log: stockedLog}
	// OpenMillion opens a store of a million streams.
	OpenMillion = Workload{Operation: Open, Streams: 1_000_000, Size: 256}
)

// stockedLog is the length, in events, of the log that reading workloads find.
const stockedLog = 300_000

// with returns a changed copy.
func (w Workload) with(change func(*Workload)) Workload {
	change(&w)
	return w
}

// Suite is a named list of sessions.
type Suite struct {
	Name, About string
	Sessions    []Session
}

// Suites returns the suites that the harness knows. The first is the default.
func Suites() []Suite {
	return []Suite{
		{"full", "all workloads on all systems, with curves over writers, streams, events per append and event sizes", slices.Concat(appends(), reads(), publishing(), partitions(), opening())},
		{"growth", "fdbevents and plain Pebble while the log grows to 20,000,000 events", growth(100_000, 1_000_000, 5_000_000, 20_000_000)},
		{"smoke", "a small version of each workload", smoke()},
	}
}

// appends varies BaseAppend along one axis at a time.
func appends() []Session {
	vary := func(name string, changes ...func(*Workload)) Session {
		s := Session{Name: name}
		for _, change := range changes {
			s.Workloads = append(s.Workloads, BaseAppend.with(change))
		}
		return s
	}
	return []Session{
		vary("writers",
			func(w *Workload) { w.Writers = 1 },
			func(w *Workload) { w.Writers = 16 },
			func(*Workload) {},
			func(w *Workload) { w.Writers = 256 }),
		vary("streams",
			func(w *Workload) { w.Writers, w.Streams = 1, 1 },
			func(w *Workload) { w.Streams = 64 },
			func(w *Workload) { w.Streams = 100_000 }),
		vary("sizes",
			func(w *Workload) { w.Size = 4096 },
			func(w *Workload) { w.Size, w.Writers = 4096, 1 },
			func(w *Workload) { w.Events = 100 },
			func(w *Workload) { w.Events, w.Writers = 100, 1 }),
		{Name: "hot", Workloads: []Workload{ApartAppend, HotAppend}},
		{Name: "conditions", Workloads: []Workload{TaggedAppend, ConditionalAppend}},
	}
}

func reads() []Session {
	return []Session{{Name: "reads", Workloads: []Workload{
		LoadStream,
		LoadStream.with(func(w *Workload) { w.Readers = 8 }),
		ReadWarm,
		ReadWarm.with(func(w *Workload) { w.Readers = 8 }),
		ReadWarm.with(func(w *Workload) { w.Cold = true }),
		ReadOfTag,
	}}}
}

func publishing() []Session {
	return []Session{
		{Name: "live", Workloads: []Workload{
			LiveHundred.with(func(w *Workload) { w.Readers = 1 }),
			LiveHundred,
			LiveHundred.with(func(w *Workload) { w.Readers, w.Rate = 1000, 1000 }),
		}},
		{Name: "groups", Workloads: []Workload{ConsumeAll}},
	}
}

// partitions measures what more partitions cost. Only fdbevents has the setting.
func partitions() []Session {
	s := Session{Name: "partitions", Systems: []string{"fdbevents", "fdbevents-fdb"}}
	for _, n := range []int{1, 8, 32} {
		for _, w := range []Workload{BaseAppend, Grown(ReadWarm, 90_000)} {
			s.Workloads = append(s.Workloads, w.with(func(w *Workload) { w.Partitions = n }))
		}
	}
	return []Session{s}
}

func opening() []Session {
	return []Session{{Name: "open", Workloads: []Workload{OpenMillion}, Systems: []string{"fdbevents", "pebble"}}}
}

// growth measures at each of the given log lengths.
func growth(lengths ...int) []Session {
	s := Session{Name: "growth", Systems: []string{"fdbevents", "pebble"}}
	for _, n := range lengths {
		s.Workloads = append(s.Workloads, Grown(BaseAppend, n), Grown(ReadWarm, n), Grown(LoadStream, n), Grown(Workload{Operation: Open, Size: 256}, n))
	}
	return []Session{s}
}

// Grown returns the workload on a log of at least n events.
func Grown(w Workload, n int) Workload {
	return w.with(func(w *Workload) { w.Log = n })
}

func smoke() []Session {
	const log = 6000
	little := func(w Workload) Workload {
		return w.with(func(w *Workload) {
			w.Writers, w.Readers = min(w.Writers, 16), min(w.Readers, 4)
			if w.Log > 0 {
				w.Log = log
			}
			if w.Streams > 16 {
				w.Streams = 16
			}
		})
	}
	s := Session{Name: "smoke"}
	for _, w := range []Workload{
		BaseAppend, BaseAppend.with(func(w *Workload) { w.Events = 100 }), HotAppend, TaggedAppend, ConditionalAppend,
		LoadStream, ReadWarm, ReadWarm.with(func(w *Workload) { w.Cold = true }), ReadOfTag, LiveHundred, ConsumeAll, OpenMillion,
	} {
		s.Workloads = append(s.Workloads, little(w))
	}
	return []Session{s}
}

// ClusterSuite returns what a user wants to know about a database. It takes a few
// minutes.
func ClusterSuite() []Session {
	const log = 90_000
	writers := func(n int) Workload { return BaseAppend.with(func(w *Workload) { w.Writers = n }) }
	return []Session{
		{Name: "append", Workloads: []Workload{
			writers(1), writers(16), writers(64), writers(256), BaseAppend.with(func(w *Workload) { w.Events = 100 }), HotAppend, ConditionalAppend,
		}},
		{Name: "read", Workloads: []Workload{Grown(LoadStream, log), Grown(ReadWarm, log), Grown(ReadOfTag, log), Grown(ConsumeAll, log)}},
		{Name: "live", Workloads: []Workload{LiveHundred.with(func(w *Workload) { w.Readers = 10 })}},
	}
}

// Names returns the names of all workloads.
func Names(sessions []Session) (names []string) {
	for _, s := range sessions {
		for _, w := range s.Workloads {
			names = append(names, w.Name())
		}
	}
	return names
}

// Select keeps the workloads that match one of the texts. A text that is the name of
// a workload matches only that workload; any other text matches all workloads whose
// names contain it. Without texts, Select keeps all workloads.
func Select(sessions []Session, texts []string) (kept []Session) {
	if len(texts) == 0 {
		return sessions
	}
	names := Names(sessions)
	selected := func(w Workload) bool {
		return slices.ContainsFunc(texts, func(text string) bool {
			if slices.Contains(names, text) {
				return w.Name() == text
			}
			return strings.Contains(w.Name(), text)
		})
	}
	for _, s := range sessions {
		s.Workloads = slices.DeleteFunc(slices.Clone(s.Workloads), func(w Workload) bool { return !selected(w) })
		if len(s.Workloads) > 0 {
			kept = append(kept, s)
		}
	}
	return kept
}
