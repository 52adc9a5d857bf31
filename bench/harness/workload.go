package harness

import (
	"fmt"
	"strings"
)

// Operation is what a workload does repeatedly.
type Operation string

const (
	// Append appends at an exact expected revision; each writer has its own streams.
	Append Operation = "append"
	// AppendAny appends to the ends of Streams streams that all writers share, wherever
	// they are.
	AppendAny Operation = "append-any"
	// AppendTagged appends events with a tag that is new in each append.
	AppendTagged Operation = "append-tagged"
	// AppendUnless is AppendTagged on the condition that the tag is not taken.
	AppendUnless Operation = "append-unless"
	// Load reads a stream of 30 events, chosen at random.
	Load Operation = "load"
	// ReadLog reads the log from start to end.
	ReadLog Operation = "read-log"
	// ReadTag reads the events with a tag that one in a thousand has.
	ReadTag Operation = "read-tag"
	// Live appends at Rate events per second while Readers follow; the latency runs
	// from acknowledgement to receipt.
	Live Operation = "live"
	// Consume shares the log among the members of a group, Readers in number.
	Consume Operation = "consume"
	// Open closes the system and opens it again.
	Open Operation = "open"
)

// Workload is one thing to measure. Fields that an operation does not use are zero.
type Workload struct {
	Operation Operation `json:"operation"`
	// Writers and Readers are how many work at once.
	Writers int `json:"writers,omitempty"`
	Readers int `json:"readers,omitempty"`
	// Size is the size of an event's data in bytes, Events the number of events per
	// append, and Streams the number of streams in all.
	Size    int `json:"size,omitempty"`
	Events  int `json:"events,omitempty"`
	Streams int `json:"streams,omitempty"`
	// Log is the minimum number of events in the log before the workload begins.
	Log int `json:"log,omitempty"`
	// Partitions is the number of partitions of the log, for systems where it can be
	// chosen.
	Partitions int `json:"partitions,omitempty"`
	// Cold closes the system before each turn, drops its files from the page cache,
	// and opens it again.
	Cold bool `json:"cold,omitempty"`
	// Rate is appends per second; 0 means half the rate of a short trial at full speed.
	Rate int `json:"rate,omitempty"`
}

// LoadedEvents is the length of the streams that Load reads.
const LoadedEvents = 30

// TagEvery is how many events there are for each one that ReadTag finds.
const TagEvery = 1000

// Name returns the workload as a word: "append/writers=64/size=256".
func (w Workload) Name() string {
	var b strings.Builder
	b.WriteString(string(w.Operation))
	for _, f := range []struct {
		name  string
		value int
	}{{"writers", w.Writers}, {"readers", w.Readers}, {"size", w.Size}, {"events", w.Events}, {"streams", w.Streams}, {"log", w.Log}, {"rate", w.Rate}, {"partitions", w.Partitions}} {
		if f.value != 0 {
			fmt.Fprintf(&b, "/%s=%d", f.name, f.value)
		}
	}
	if w.Cold {
		b.WriteString("/cold")
	}
	return b.String()
}

// Session is a series of workloads on the same data. Each system has its own data.
type Session struct {
	Name      string
	Workloads []Workload
	// Systems names the systems that take part; nil means all.
	Systems []string
}
