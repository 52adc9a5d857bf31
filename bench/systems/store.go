package systems

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
)

// All returns the systems of this module, on this machine.
func All() []harness.System {
	return append([]harness.System{Embedded(), Pebble(), Sync()}, foundationDB()...)
}

// Embedded returns fdbevents on the embedded engine.
func Embedded() harness.System {
	return harness.System{
		Name: "fdbevents", Kind: harness.Subject,
		About: "this project on its embedded engine, called in the same process",
		Open: func(ctx context.Context, dir string) (harness.Instance, error) {
			return open(ctx, "file:"+dir, 0)
		},
		OpenPartitioned: func(ctx context.Context, dir string, partitions int) (harness.Instance, error) {
			return open(ctx, "file:"+dir, partitions)
		},
	}
}

// store is an open store of fdbevents.
type store struct {
	engine engine.Engine
	store  *fdblayer.Store

	mu sync.Mutex
	// filling holds the appends that Fill has not waited for yet.
	filling []*fdblayer.PendingAppend
}

// fillAhead is how many appends Fill may have under way.
const fillAhead = 256

func open(ctx context.Context, url string, partitions int) (*store, error) {
	e, err := engines.Open(ctx, url)
	if err != nil {
		return nil, err
	}
	s, err := fdblayer.Open(ctx, e, fdblayer.Options{Partitions: partitions})
	if err != nil {
		return nil, errors.Join(err, e.Close())
	}
	return &store{engine: e, store: s}, nil
}

func (s *store) Close() error { return errors.Join(s.store.Close(), s.engine.Close()) }

// Version is empty: the measured source is the one that the harness is built from.
func (s *store) Version() string { return "" }

func newEvents(events []harness.Event) []fdbevents.EventData {
	all := make([]fdbevents.EventData, len(events))
	for i, e := range events {
		all[i] = fdbevents.EventData{Type: "Measured", Data: e.Data, Tags: e.Tags}
	}
	return all
}

// expect returns the expected revision of a stream that has next events.
func expect(next int64) fdbevents.ExpectedRevision {
	if next == 0 {
		return fdbevents.NoStream
	}
	return fdbevents.ExpectedRevision(next - 1)
}

func (s *store) Append(ctx context.Context, stream string, next int64, events []harness.Event) error {
	_, err := s.store.Append(ctx, stream, expect(next), newEvents(events)...)
	return err
}

func (s *store) AppendAny(ctx context.Context, stream string, events []harness.Event) error {
	_, err := s.store.Append(ctx, stream, fdbevents.Any, newEvents(events)...)
	return err
}

func (s *store) AppendUnless(ctx context.Context, tag, stream string, events []harness.Event) error {
	_, err := s.store.AppendIf(ctx, fdbevents.Condition{Query: tagged(tag)}, fdbevents.StreamAppend{
		Stream: stream, Expected: fdbevents.Any, Events: newEvents(events),
	})
	return err
}

func tagged(tag string) fdbevents.Query {
	return fdbevents.Query{Items: []fdbevents.QueryItem{{Tags: []string{tag}}}}
}

func (s *store) Fill(ctx context.Context, stream string, next int64, events []harness.Event) error {
	mine := newEvents(events)
	for i := range mine {
		mine[i].Data = bytes.Clone(mine[i].Data) // the store keeps it until the append is done
	}
	p, err := s.store.AppendAsync(ctx, stream, expect(next), mine...)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.filling = append(s.filling, p); len(s.filling) < fillAhead {
		return nil
	}
	oldest := s.filling[:fillAhead/2]
	err = waitFor(oldest)
	s.filling = append([]*fdblayer.PendingAppend(nil), s.filling[len(oldest):]...)
	return err
}

func (s *store) Flush(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := waitFor(s.filling)
	s.filling = nil
	return err
}

func waitFor(all []*fdblayer.PendingAppend) (err error) {
	for _, p := range all {
		_, one := p.Wait()
		err = errors.Join(err, one)
	}
	return err
}

// each yields the data of the events.
func each(events iter.Seq2[fdbevents.Event, error], yield func([]byte)) error {
	for e, err := range events {
		if err != nil {
			return err
		}
		yield(e.Data)
	}
	return nil
}

func (s *store) ReadStream(ctx context.Context, stream string, yield func([]byte)) error {
	err := each(s.store.ReadStream(ctx, stream, fdbevents.StreamStart, fdblayer.ReadOptions{}), yield)
	if errors.Is(err, fdbevents.ErrStreamNotFound) {
		return nil // it has no events
	}
	return err
}

func (s *store) ReadLog(ctx context.Context, yield func([]byte)) error {
	return each(s.store.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}), yield)
}

func (s *store) ReadTag(ctx context.Context, tag string, yield func([]byte)) error {
	return each(s.store.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: tagged(tag)}}), yield)
}

func (s *store) Follow(ctx context.Context, live func(), yield func([]byte)) error {
	for e, err := range s.store.Subscribe(ctx, fdbevents.End, fdblayer.SubscribeOptions{CaughtUp: sync.OnceFunc(live)}) {
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		yield(e.Data)
	}
	return nil
}

func (s *store) Consume(ctx context.Context, name string, members int, yield func([]byte)) error {
	group, err := groups.Open(ctx, s.store, name, groups.Options{})
	if err != nil {
		return err
	}
	errs := make(chan error, members)
	for range members {
		go func() { errs <- consume(ctx, group, yield) }()
	}
	for range members {
		err = errors.Join(err, <-errs)
	}
	return err
}

// consume runs one member.
func consume(ctx context.Context, group *groups.Group, yield func([]byte)) (err error) {
	member, err := group.Join(ctx)
	if err != nil {
		return ended(ctx, err)
	}
	defer func() { err = errors.Join(err, member.Close()) }()
	for m, err := range member.Messages(ctx) {
		if err != nil {
			return ended(ctx, err)
		}
		yield(m.Event.Data)
		if err := m.Ack(ctx); err != nil {
			return ended(ctx, fmt.Errorf("acknowledge: %w", err))
		}
	}
	return nil
}

// ended drops an error that follows from the end of ctx.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}
