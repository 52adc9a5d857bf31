package harness

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

// prepareAppend makes each writer append to its own streams in rotation and keep
// count of their events.
func (s *stage) prepareAppend(_ context.Context, w Workload) (turnFunc, error) {
	appender, ok := s.instance.(Appender)
	if _, single := s.instance.(SingleAppender); !ok || single && w.Events > 1 {
		return nil, errNotOffered
	}
	if w.Streams < w.Writers {
		return nil, fmt.Errorf("%s: %d writers need at least as many streams, since only a stream's own writer knows its revision", w.Name(), w.Writers)
	}
	counts := make([][]int64, w.Writers)
	for i := range counts {
		counts[i] = make([]int64, (w.Streams-i+w.Writers-1)/w.Writers)
	}
	number := s.prepared
	at := make([]int, w.Writers)
	return s.appendTurn(w, func(ctx context.Context, writer int, events []Event) error {
		mine := counts[writer]
		i := at[writer] % len(mine)
		at[writer]++
		if err := appender.Append(ctx, fmt.Sprintf("append%d.%d-%d", number, writer, i), mine[i], events); err != nil {
			return err
		}
		mine[i] += int64(len(events))
		return nil
	}), nil
}

// prepareAppendAny makes all writers append to the same streams.
func (s *stage) prepareAppendAny(_ context.Context, w Workload) (turnFunc, error) {
	appender, ok := s.instance.(AnyAppender)
	if _, single := s.instance.(SingleAppender); !ok || single && w.Events > 1 {
		return nil, errNotOffered
	}
	number := s.prepared
	var count atomic.Int64
	return s.appendTurn(w, func(ctx context.Context, _ int, events []Event) error {
		return appender.AppendAny(ctx, fmt.Sprintf("any%d-%d", number, count.Add(1)%int64(w.Streams)), events)
	}), nil
}

// prepareAppendTagged gives each append a new tag.
func (s *stage) prepareAppendTagged(_ context.Context, w Workload) (turnFunc, error) {
	_, tags := s.instance.(TagReader)
	appender, ok := s.instance.(AnyAppender)
	if !ok || !tags {
		return nil, errNotOffered
	}
	return s.taggedTurn(w, func(ctx context.Context, _, stream string, events []Event) error {
		return appender.AppendAny(ctx, stream, events)
	}), nil
}

// prepareAppendUnless also gives each append a new tag, and makes the append fail if
// the tag is taken. It never is, but the system cannot know that.
func (s *stage) prepareAppendUnless(_ context.Context, w Workload) (turnFunc, error) {
	appender, ok := s.instance.(ConditionalAppender)
	if !ok {
		return nil, errNotOffered
	}
	return s.taggedTurn(w, appender.AppendUnless), nil
}

func (s *stage) taggedTurn(w Workload, appendOne func(ctx context.Context, tag, stream string, events []Event) error) turnFunc {
	number := s.prepared
	var count atomic.Int64
	return s.appendTurn(w, func(ctx context.Context, writer int, events []Event) error {
		n := count.Add(1)
		tag := fmt.Sprintf("name:%d-%d", number, n)
		for i := range events {
			events[i].Tags = []string{tag}
		}
		return appendOne(ctx, tag, fmt.Sprintf("tagged%d.%d-%d", number, writer, n%int64(w.Streams)), events)
	})
}

// appendTurn makes each writer append until the turn is over.
func (s *stage) appendTurn(w Workload, appendOne func(ctx context.Context, writer int, events []Event) error) turnFunc {
	supplies := make([]*bodies, w.Writers)
	for i := range supplies {
		supplies[i] = s.bodies(uint64(i))
	}
	return func(ctx context.Context, t *tally) error {
		return together(w.Writers, func(writer int) error {
			c := t.counter()
			defer c.done()
			events := make([]Event, w.Events)
			for !t.over() {
				for i := range events {
					events[i] = Event{Data: supplies[writer].next(w.Size)}
				}
				began := time.Now()
				if err := appendOne(ctx, writer, events); err != nil {
					return err
				}
				c.add(time.Since(began), len(events), len(events)*w.Size)
				t.appended.Add(int64(len(events)))
			}
			return nil
		})
	}
}
