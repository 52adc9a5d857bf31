package harnesstest

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/fdbevents/fdbevents/bench/harness"
)

// book records everything that was acknowledged. The data of each event is unique and
// names its stream. A book is safe for concurrent use.
type book struct {
	mu      sync.Mutex
	serial  int
	streams map[string][]string
	tagged  map[string]bool
}

func newBook() *book {
	return &book{streams: make(map[string][]string), tagged: make(map[string]bool)}
}

// tag is the tag of every third event.
const tag = "third"

// write makes n events, passes them to call, and records them if it succeeds. The
// order of concurrent calls for one stream is unknown: see settle.
func (b *book) write(stream string, n int, call func([]harness.Event) error) error {
	events, data := b.events(stream, n)
	if err := call(events); err != nil {
		return fmt.Errorf("append %d events to %s: %w", n, stream, err)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.streams[stream] = append(b.streams[stream], data...)
	for i, e := range events {
		if slices.Contains(e.Tags, tag) {
			b.tagged[data[i]] = true
		}
		// Expose an instance that kept the slice.
		for j := range e.Data {
			e.Data[j] = '!'
		}
	}
	return nil
}

// events makes n events, now and then a large one.
func (b *book) events(stream string, n int) ([]harness.Event, []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	events, data := make([]harness.Event, n), make([]string, n)
	for i := range events {
		b.serial++
		size := b.serial % 300
		if b.serial%97 == 1 {
			size = 40_000
		}
		data[i] = fmt.Sprintf("%s/%d/%s", stream, b.serial, strings.Repeat("0123456789abcdef", size/16+1))
		events[i].Data = []byte(data[i])
		if b.serial%3 == 0 {
			events[i].Tags = []string{tag}
		}
	}
	return events, data
}

func (b *book) length(stream string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return int64(len(b.streams[stream]))
}

func (b *book) total() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, events := range b.streams {
		n += len(events)
	}
	return n
}

// compare returns an error if what was read from a stream differs from what was
// written to it.
func (b *book) compare(stream string, got []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return difference(stream, got, b.streams[stream])
}

// compareAll returns an error if a log differs from the book, leaving out the first
// after[stream] events of each stream. Each event must be there once, and the events
// of a stream in order.
func (b *book) compareAll(got []string, after map[string]int) error {
	return b.compareStreams(got, func(stream string, events []string) []string { return events[after[stream]:] })
}

// compareTag is compareAll for what was read by tag.
func (b *book) compareTag(got []string) error {
	return b.compareStreams(got, func(_ string, events []string) []string {
		return slices.DeleteFunc(slices.Clone(events), func(data string) bool { return !b.tagged[data] })
	})
}

func (b *book) compareStreams(got []string, expected func(stream string, events []string) []string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	byStream := make(map[string][]string)
	for _, data := range got {
		stream, _, _ := strings.Cut(data, "/")
		byStream[stream] = append(byStream[stream], data)
	}
	for stream, events := range b.streams {
		if err := difference(stream, byStream[stream], expected(stream, events)); err != nil {
			return err
		}
		delete(byStream, stream)
	}
	for stream, events := range byStream {
		return fmt.Errorf("%d events of %q were never appended", len(events), stream)
	}
	return nil
}

// lengths returns the lengths of all streams.
func (b *book) lengths() map[string]int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := make(map[string]int, len(b.streams))
	for stream, events := range b.streams {
		n[stream] = len(events)
	}
	return n
}

// settle adopts the order in which the events of a stream were read, after several
// writers shared it, if they are the same events.
func (b *book) settle(stream string, got []string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if slices.Equal(slices.Sorted(slices.Values(got)), slices.Sorted(slices.Values(b.streams[stream]))) {
		b.streams[stream] = slices.Clone(got)
	}
}

func difference(what string, got, want []string) error {
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			return fmt.Errorf("%s: %d events, want %d", what, len(got), len(want))
		case i >= len(want):
			return fmt.Errorf("%s: %d events, want %d; the first surplus one is %q", what, len(got), len(want), short(got[i]))
		case got[i] != want[i]:
			return fmt.Errorf("%s: event %d is %q, want %q", what, i, short(got[i]), short(want[i]))
		}
	}
	return nil
}

func short(s string) string { return s[:min(len(s), 60)] }

// sorted returns the data of all events, sorted.
func (b *book) sorted() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []string
	for _, events := range b.streams {
		all = append(all, events...)
	}
	slices.Sort(all)
	return all
}
