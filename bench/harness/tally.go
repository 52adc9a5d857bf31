package harness

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// tally counts what happens in one turn.
type tally struct {
	began, deadline time.Time
	// ended is when the last operation was done: after the deadline, or when there was
	// nothing left to do.
	ended time.Time
	// appended is how many events the turn has added to the log.
	appended atomic.Int64

	mu                        sync.Mutex
	operations, events, bytes int64
	latency                   *hdrhistogram.Histogram
}

// counter is the part of a tally that one goroutine keeps.
type counter struct {
	tally                     *tally
	operations, events, bytes int64
	latency                   *hdrhistogram.Histogram
}

const (
	// longest is the cap on recorded latencies, in nanoseconds.
	longest = int64(time.Minute)
	// digits is the number of significant digits: an error of one percent.
	digits = 2
)

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, longest, digits) }

func (t *tally) counter() *counter { return &counter{tally: t, latency: newHistogram()} }

// over reports whether the turn's time is up.
func (t *tally) over() bool { return !time.Now().Before(t.deadline) }

// add counts an operation and how long it took.
func (c *counter) add(took time.Duration, events, bytes int) {
	c.operations++
	c.events += int64(events)
	c.bytes += int64(bytes)
	c.late(took)
}

// late counts only a latency.
func (c *counter) late(took time.Duration) {
	_ = c.latency.RecordValue(min(max(int64(took), 1), longest)) // the value is within the bounds
}

// done adds the counts to the tally.
func (c *counter) done() {
	t := c.tally
	t.mu.Lock()
	defer t.mu.Unlock()
	t.operations += c.operations
	t.events += c.events
	t.bytes += c.bytes
	if t.latency == nil {
		t.latency = newHistogram()
	}
	t.latency.Merge(c.latency)
	t.ended = time.Now()
}

func (t *tally) sample() *Sample {
	s := &Sample{
		Seconds:    t.ended.Sub(t.began).Seconds(),
		Operations: t.operations,
		Events:     t.events,
		Bytes:      t.bytes,
	}
	if t.latency != nil && t.latency.TotalCount() > 0 {
		micros := func(quantile float64) float64 { return float64(t.latency.ValueAtQuantile(quantile)) / 1e3 }
		s.Latency = Latency{P50: micros(50), P90: micros(90), P99: micros(99), P999: micros(99.9), Max: float64(t.latency.Max()) / 1e3}
	}
	return s
}
