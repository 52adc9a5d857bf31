package harness

import (
	"fmt"
	"strings"
)

// Operation is what a workload does again and again.
type Operation string

const (
	// Append appends with the exact revision expected; each writer has streams of
	// its own.
	Append Operation = "append"
	// AppendAny appends to Streams streams that all writers share, wherever they end.
	AppendAny Operation = "append-any"
	// AppendTagged appends an event with a tag of its own.
	AppendTagged Operation = "append-tagged"
	// AppendUnless appends an event with a tag of its own, unless the tag is taken.
	AppendUnless Operation = "append-unless"
	// Load reads a stream of 30 events, chosen at random.
	Load Operation = "load"
	// ReadLog reads the log from its start to its end.
	ReadLog Operation = "read-log"
	// ReadTag reads the events with a tag that one in a thousand has.
	ReadTag Operation = "read-tag"
	// Live appends at Rate events a second while Readers follow; the latency is from
	// acknowledgement to receipt.
	Live Operation = "live"
	// Consume shares the log between Readers members of a group.
	Consume Operation = "consume"
	// Open closes the system and opens it again.
	Open Operation = "open"
)

// Workload is one thing to measure. Fields that an operation does not know are
// zero.
type Workload struct {
	Operation Operation `json:"operation"`
	// Writers and Readers are how many are at it at once.
	Writers int `json:"writers,omitempty"`
	Readers int `json:"readers,omitempty"`
	// Size is of an event's data, in bytes; Events is how many an append has; Streams
	// is how many streams they go to, in all.
	Size    int `json:"size,omitempty"`
	Events  int `json:"events,omitempty"`
	Streams int `json:"streams,omitempty"`
	// Log is how many events are in the log before it begins, at least.
	Log int `json:"log,omitempty"`
	// Partitions is how many slices the log has, for systems that let one choose.
	Partitions int `json:"partitions,omitempty"`
	// Cold closes the system before each turn, drops its files from the page cache,
	// and opens it again.
	Cold bool `json:"cold,omitempty"`
	// Rate is appends a second; 0 is half of what a short trial at full speed gave.
	Rate int `json:"rate,omitempty"`
}

// LoadedEvents is the length of the streams that Load reads.
const LoadedEvents = 30

// TagEvery is how many events there are for each that ReadTag finds.
const TagEvery = 1000

// Name is the workload as a word: "append/writers=64/size=256".
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

// Session is workloads that follow one another on the same data, of each system
// its own.
type Session struct {
	Name      string
	Workloads []Workload
	// Systems are the names of those that take part; nil is all.
	Systems []string
}
