package report

import (
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// operations maps each operation to its title and description.
var operations = map[harness.Operation]struct{ title, about string }{
	harness.Append:       {"Append", "Each append expects an exact revision; each writer has its own streams."},
	harness.AppendAny:    {"Append anywhere", "Each append goes wherever its stream ends; all writers share the streams."},
	harness.AppendUnless: {"Append unless", "Each append has its own tag and fails if the tag is taken."},
	harness.Load:         {"Load", fmt.Sprintf("Each load reads a whole stream of %d events, chosen at random.", harness.LoadedEvents)},
	harness.ReadLog:      {"Read the log", "Each read goes from the start of the log to its end."},
	harness.ReadTag:      {"Read a tag", fmt.Sprintf("Each read returns all events with a tag that one event in %s has.", whole(harness.TagEvery))},
	harness.Live:         {"Live", "Readers follow the log while events are appended at a steady rate. Latency runs from an event's acknowledgement to its receipt; systems are compared by latency."},
	harness.Consume:      {"Consume", "The members of a group share the log and acknowledge each event."},
	harness.Open:         {"Open", "The system is closed and opened again. Latency is the time that opening takes; systems are compared by latency."},
}

// Describe returns a workload in words: "64 writers, 256 B, 1,000 streams".
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
		add(w.Events, "", "events per append")
	}
	add(w.Streams, "1 stream", "streams")
	if w.Log > 0 {
		words = append(words, "log of "+whole(w.Log))
	}
	add(w.Partitions, "1 partition", "partitions")
	add(w.Rate, "1 append per second", "appends per second")
	if w.Cold {
		words = append(words, "cold")
	}
	if len(words) == 0 {
		return w.Name()
	}
	return strings.Join(words, ", ")
}

// readers turns the word for readers into members where they share the log.
func readers(w harness.Workload, word string) string {
	if w.Operation == harness.Consume {
		return strings.Replace(word, "reader", "member", 1)
	}
	return word
}
