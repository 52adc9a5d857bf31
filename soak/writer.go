package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

const (
	hotPrefix   = "hot-"
	groupPrefix = "shared-"
	// hotStreams is the number of hot streams per store, groupStreams the number of
	// group streams in all.
	hotStreams   = 4
	groupStreams = 16
	// ownLength is roughly how many events a writer puts into each of its own streams.
	ownLength = 2000
)

// role is what a writer does. A plain writer's next event depends only on the seed and
// the event's number, so that another process can go on where one was killed, and
// repeat what that one was doing.
type role int

const (
	// anyRole appends to streams that others also write, exactRole to its own streams at
	// the exact revision, manyRole to several streams at once, sharedRole to the streams
	// of the consumer group.
	anyRole role = iota
	exactRole
	manyRole
	sharedRole
)

// writer appends one thing after another.
type writer struct {
	*crew
	number uint32
	slot   int
	role   role
	// seq is the number of the next event, revision the revision of the last event in
	// the writer's own stream.
	seq      uint32
	revision int64
	// memory holds earlier appends to send again much later.
	memory [16][]fdbevents.StreamAppend
	firsts [16]uint32
}

func isUnknown(err error) bool { return errors.Is(err, fdbevents.ErrOutcomeUnknown) }

// write hires a plain writer that goes on from an event and revision.
func (c *crew) write(ctx context.Context, number uint32, r role, seq uint32, revision int64) {
	w := &writer{crew: c, number: number, slot: int(number), role: r, seq: seq, revision: revision}
	c.hire(ctx, fmt.Sprintf("writer %d", number), w.plain)
}

// batch holds the events of one append, with numbers from w.seq on.
type batch struct {
	w       *writer
	index   uint8
	count   uint8
	appends []fdbevents.StreamAppend
}

// add adds n events for a stream to the batch.
func (b *batch) add(stream string, expected fdbevents.ExpectedRevision, k kind, number uint64, n int, tags ...string) {
	events := make([]fdbevents.EventData, n)
	for i := range events {
		events[i] = newEvent(b.w.seed, body{ident{b.w.number, b.w.seq + uint32(b.index)}, b.index, b.count, k, number}, tags...)
		b.index++
	}
	b.appends = append(b.appends, fdbevents.StreamAppend{Stream: stream, Expected: expected, Events: events})
}

// plain does one append of a plain writer.
func (w *writer) plain(ctx context.Context) error {
	rng := draws(w.seed, ident{w.number, w.seq})
	n := 1
	if rng.IntN(20) == 0 {
		n = 2 + rng.IntN(12)
	}
	b := batch{w: w, count: uint8(n)}
	hot := fmt.Sprintf("%s%d-%d", hotPrefix, w.quarter(rng), rng.IntN(hotStreams))
	shared := fmt.Sprintf("%s%d", groupPrefix, rng.IntN(groupStreams))
	switch w.role {
	case anyRole:
		tags := []string{fmt.Sprint("colour:", rng.IntN(50))}
		if rng.IntN(2) == 0 {
			tags = nil
		}
		b.add(hot, fdbevents.Any, plain, 0, n, tags...)
	case sharedRole:
		b.add(shared, fdbevents.Any, plain, 0, n)
	case exactRole:
		expected := fdbevents.ExpectedRevision(w.revision)
		if w.revision >= ownLength || w.seq == 0 {
			expected = fdbevents.NoStream
		}
		b.add(w.own(expected), expected, plain, 0, n)
	case manyRole:
		b.count = 4
		b.add(fmt.Sprintf("many-%d", w.number), fdbevents.Any, plain, 0, 1)
		b.add(hot, fdbevents.Any, plain, 0, 1)
		b.add(shared, fdbevents.Any, plain, 0, 1)
		b.add(fmt.Sprintf("many-%d", w.number), fdbevents.Any, plain, 0, 1)
	}
	return w.append(ctx, b, rng)
}

// quarter chooses which group of hot streams to append to: mostly the group of the
// writer's own store, so that many writers share a batch, and sometimes another one.
func (w *writer) quarter(rng *rand.Rand) int {
	switch {
	case rng.IntN(50) == 0:
		return rng.IntN(stores + 1)
	case w.number >= firstChildWriter:
		return stores
	}
	return w.slot % stores
}

// own returns the name of the writer's own stream. A stream is named after its first
// event, whose number follows from the revision.
func (w *writer) own(expected fdbevents.ExpectedRevision) string {
	first := w.seq
	if expected != fdbevents.NoStream {
		first = w.seq - uint32(w.revision) - 1
	}
	return fmt.Sprintf("own-%d-%d", w.number, first)
}

// append sends a batch until it is acknowledged. Now and then it sends the batch twice
// at the same time, and now and then it also sends an earlier one again.
func (w *writer) append(ctx context.Context, b batch, rng *rand.Rand) error {
	twice := rng.IntN(50) == 0
	results, err := w.send(ctx, w.seq, b.appends, twice)
	if err != nil {
		return err
	}
	w.seq += uint32(b.count)
	w.revision = results[len(results)-1].Last
	if rng.IntN(30) == 0 {
		return w.remember(ctx, b, rng)
	}
	return nil
}

// remember keeps a batch, and may send again one that was kept earlier.
func (w *writer) remember(ctx context.Context, b batch, rng *rand.Rand) error {
	i := rng.IntN(len(w.memory))
	if old := w.memory[i]; old != nil {
		if _, err := w.send(ctx, w.firsts[i], old, false); err != nil {
			return fmt.Errorf("sending an acknowledged append again: %w", err)
		}
		if rng.IntN(2) == 0 {
			return nil
		}
	}
	w.memory[i], w.firsts[i] = b.appends, w.seq-uint32(b.count)
	return nil
}

// send sends appends until they are acknowledged, and reports the results.
func (w *writer) send(ctx context.Context, first uint32, appends []fdbevents.StreamAppend, twice bool) ([]reported, error) {
	count := 0
	for _, a := range appends {
		count += len(a.Events)
	}
	w.witness.sent(w.number, true, first+uint32(count)-1)
	var other sync.WaitGroup
	var otherErr error
	if twice {
		other.Go(func() { _, otherErr = w.deliver(ctx, w.slot+1, first, appends, 1) })
	}
	results, err := w.deliver(ctx, w.slot, first, appends, 0)
	other.Wait()
	return results, errors.Join(err, otherErr)
}

func (w *writer) deliver(ctx context.Context, slot int, first uint32, appends []fdbevents.StreamAppend, repeated int) ([]reported, error) {
	var results []fdbevents.AppendResult
	unknown, again, err := w.do(ctx, slot, func(s *fdblayer.Store) (err error) {
		if len(appends) > 1 {
			results, err = s.AppendMany(ctx, appends...)
			return err
		}
		r, err := s.Append(ctx, appends[0].Stream, appends[0].Expected, appends[0].Events...)
		results = []fdbevents.AppendResult{r}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("from %s on: %w", ident{w.number, first}, err)
	}
	return w.report(first, true, appends, results, repeated+again, unknown), nil
}

func (w *writer) report(first uint32, ordered bool, appends []fdbevents.StreamAppend, results []fdbevents.AppendResult, repeated, unknown int) []reported {
	r := report{Writer: w.number, First: first, Ordered: ordered, Repeated: repeated, Unknown: unknown}
	for i, result := range results {
		r.Results = append(r.Results, newReported(result, len(appends[i].Events)))
	}
	w.witness.appended(r)
	return r.Results
}
