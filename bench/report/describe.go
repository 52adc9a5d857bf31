package report

import (
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// operations are what a reader is told of each, in no order.
var operations = map[harness.Operation]struct{ title, about string }{
	harness.Append:       {"Append", "Each append expects the exact revision; each writer has streams of its own."},
	harness.AppendAny:    {"Append anywhere", "Appends go wherever the stream ends; all writers share the streams."},
	harness.AppendUnless: {"Append unless", "Each append has a tag of its own and fails if the tag is taken."},
	harness.Load:         {"Load", fmt.Sprintf("A stream of %d events, chosen at random, is read whole.", harness.LoadedEvents)},
	harness.ReadLog:      {"Read the log", "The log is read from its start to its end."},
	harness.ReadTag:      {"Read a tag", fmt.Sprintf("The events with a tag are read; one in %s has it.", whole(harness.TagEvery))},
	harness.Live:         {"Live", "Readers follow the log while events are appended at a steady rate. Latency is from an event's acknowledgement to its receipt, and it is what systems are compared by."},
	harness.Consume:      {"Consume", "Members of a group share the log; each event is acknowledged."},
	harness.Open:         {"Open", "The system is closed and opened again. Latency is the time that opening takes, and it is what systems are compared by."},
}

// Describe is a workload in words: "64 writers, 256 B, 1,000 streams".
func Describe(w harness.Workload) string {
	var words []string
	add := func(n int, one, many string) {
		switch {
		case n == 1:
			words = append(words, one)
		case n > 1:
			words = append(words, whole(n)+" "+many)
		}
	}
	add(w.Writers, "1 writer", "writers")
	add(w.Readers, "1 "+readers(w, "reader"), readers(w, "readers"))
	if w.Size > 0 {
		words = append(words, byteText(float64(w.Size)))
	}
	if w.Events > 1 {
		add(w.Events, "", "events an append")
	}
	add(w.Streams, "1 stream", "streams")
	if w.Log > 0 {
		words = append(words, "log of "+whole(w.Log))
	}
	add(w.Partitions, "1 partition", "partitions")
	add(w.Rate, "1 append a second", "appends a second")
	if w.Cold {
		words = append(words, "cold")
	}
	if len(words) == 0 {
		return w.Name()
	}
	return strings.Join(words, ", ")
}

// readers are called members where they share the log.
func readers(w harness.Workload, word string) string {
	if w.Operation == harness.Consume {
		return strings.Replace(word, "reader", "member", 1)
	}
	return word
}
