package harnesstest_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/bench/harness/harnesstest"
)

// TestSuite runs the suite on a minimal system that passes it.
func TestSuite(t *testing.T) {
	kept := make(map[string]*memory)
	harnesstest.Run(t, harness.System{
		Name: "memory", Kind: harness.Limit, About: "slices behind a mutex", Relaxed: true,
		Open: func(_ context.Context, dir string) (harness.Instance, error) {
			if kept[dir] == nil {
				kept[dir] = &memory{changed: make(chan struct{})}
			}
			return kept[dir], nil
		},
	})
}

func TestMissingIsSkipped(t *testing.T) {
	ran := t.Run("missing", func(t *testing.T) {
		harnesstest.Run(t, harness.System{
			Name: "missing", Kind: harness.Peer, About: "is not here",
			Open: func(context.Context, string) (harness.Instance, error) {
				return nil, fmt.Errorf("look for it: %w", harness.ErrMissing)
			},
		})
		t.Error("a system that cannot run here was run")
	})
	if !ran {
		t.Error("a system that cannot run here failed")
	}
}

type memory struct {
	mu      sync.Mutex
	log     []entry
	changed chan struct{}
}

type entry struct {
	stream string
	event  harness.Event
}

func (m *memory) Version() string { return "1" }
func (m *memory) Close() error    { return nil }

// appendIf appends if the condition holds for the log.
func (m *memory) appendIf(stream string, events []harness.Event, holds func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := holds(); err != nil {
		return err
	}
	for _, e := range events {
		m.log = append(m.log, entry{stream: stream, event: harness.Event{Data: slices.Clone(e.Data), Tags: slices.Clone(e.Tags)}})
	}
	close(m.changed)
	m.changed = make(chan struct{})
	return nil
}

func (m *memory) Append(_ context.Context, stream string, next int64, events []harness.Event) error {
	return m.appendIf(stream, events, func() error {
		var n int64
		for _, e := range m.log {
			if e.stream == stream {
				n++
			}
		}
		if n != next {
			return fmt.Errorf("%s has %d events, not %d", stream, n, next)
		}
		return nil
	})
}

func (m *memory) AppendAny(_ context.Context, stream string, events []harness.Event) error {
	return m.appendIf(stream, events, func() error { return nil })
}

func (m *memory) AppendUnless(_ context.Context, tag, stream string, events []harness.Event) error {
	return m.appendIf(stream, events, func() error {
		if slices.ContainsFunc(m.log, bears(tag)) {
			return fmt.Errorf("tag %s is taken", tag)
		}
		return nil
	})
}

func (m *memory) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	return m.Append(ctx, stream, next, events)
}

func (m *memory) Flush(context.Context) error { return nil }

func bears(tag string) func(entry) bool {
	return func(e entry) bool { return slices.Contains(e.event.Tags, tag) }
}

// read yields the selected entries from an index on. It returns the end of the log,
// and a channel that is closed when the log changes.
func (m *memory) read(from int, selected func(entry) bool, yield func([]byte)) (end int, changed chan struct{}) {
	m.mu.Lock()
	log, changed := m.log, m.changed
	m.mu.Unlock()
	for _, e := range log[from:] {
		if selected(e) {
			yield(slices.Clone(e.event.Data))
		}
	}
	return len(log), changed
}

func (m *memory) ReadStream(_ context.Context, stream string, yield func([]byte)) error {
	m.read(0, func(e entry) bool { return e.stream == stream }, yield)
	return nil
}

func (m *memory) ReadLog(_ context.Context, yield func([]byte)) error {
	m.read(0, func(entry) bool { return true }, yield)
	return nil
}

func (m *memory) ReadTag(_ context.Context, tag string, yield func([]byte)) error {
	m.read(0, bears(tag), yield)
	return nil
}

func (m *memory) Follow(ctx context.Context, live func(), yield func([]byte)) error {
	end, changed := m.read(0, func(entry) bool { return false }, yield)
	live()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
			end, changed = m.read(end, func(entry) bool { return true }, yield)
		}
	}
}

// Consume gives each member the entries whose number modulo members is its own.
func (m *memory) Consume(ctx context.Context, _ string, members int, yield func([]byte)) error {
	var wg sync.WaitGroup
	for member := range members {
		wg.Go(func() {
			end := 0
			for {
				number := end - 1
				var changed chan struct{}
				end, changed = m.read(end, func(entry) bool { number++; return number%members == member }, yield)
				select {
				case <-ctx.Done():
					return
				case <-changed:
				}
			}
		})
	}
	wg.Wait()
	return nil
}
