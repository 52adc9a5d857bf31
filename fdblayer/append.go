package fdblayer

import (
	"context"
	"slices"

	"github.com/fdbevents/fdbevents"
)

// Append stores events at the end of a stream, all of them or none, and returns when
// they are durable. It is safe for concurrent use; concurrent calls share transactions.
// The caller must not modify events, or anything they refer to, until Append returns.
//
// Append retries conflicts with other writers, but not a wrong expected revision. If
// the stream already has events with the same IDs and content, the append is a repeat:
// it writes nothing and returns the first result.
//
// Errors: *WrongExpectedRevisionError, *IDConflictError, *LimitError, *InvalidError,
// ErrStreamDeleted, ErrNoEvents, ErrClosed. After ErrOutcomeUnknown the events may or
// may not be stored.
func (s *Store) Append(ctx context.Context, stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) (fdbevents.AppendResult, error) {
	results, err := s.append(ctx, nil, []fdbevents.StreamAppend{{Stream: stream, Expected: expected, Events: events}})
	if err != nil {
		return fdbevents.AppendResult{}, err
	}
	return results[0], nil
}

// AppendMany is Append for several streams at once: one transaction stores all events
// of all streams, or none. The results are in the order of appends. If a stream is
// named more than once, the later append follows the earlier one.
func (s *Store) AppendMany(ctx context.Context, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	results, err := s.append(ctx, nil, appends)
	return slices.Clone(results), err // results would keep the request and its events alive
}

// AppendIf is AppendMany on a condition: if an event that the condition's query selects
// exists after the condition's position, it stores nothing and returns a
// *ConditionError. Appends whose conditions touch different tags never wait for one
// another. If two concurrent appends would each break the other's condition, one of
// them is refused.
func (s *Store) AppendIf(ctx context.Context, condition fdbevents.Condition, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	results, err := s.append(ctx, &condition, appends)
	return slices.Clone(results), err
}

// append may return the request's own memory as results.
func (s *Store) append(ctx context.Context, condition *fdbevents.Condition, appends []fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	r, err := s.admit(ctx, condition, appends)
	if err != nil {
		return nil, err
	}
	defer s.calls.Done()
	if err := s.batcher.do(r); err != nil {
		return nil, err
	}
	return r.results, nil
}

// PendingAppend is an append under way, begun by AppendAsync.
type PendingAppend struct {
	batcher *batcher
	request *request
}

// AppendAsync starts an Append and returns without waiting for it, so that one
// goroutine can have many under way. Appends to one stream happen in the order of the
// calls. AppendAsync itself returns only the errors that Append finds before it starts,
// and ctx's. ctx also applies to Wait: when it ends, Wait withdraws the append if no
// transaction has taken it yet, and otherwise stops waiting.
//
// AppendAsync blocks while earlier ones under way hold 64 MiB.
func (s *Store) AppendAsync(ctx context.Context, stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) (*PendingAppend, error) {
	r, err := s.admit(ctx, nil, []fdbevents.StreamAppend{{Stream: stream, Expected: expected, Events: events}})
	if err != nil {
		return nil, err
	}
	if err := s.pending.Acquire(ctx, r.cost); err != nil {
		s.calls.Done()
		return nil, err
	}
	r.release = func() {
		s.pending.Release(r.cost)
		s.calls.Done()
	}
	s.batcher.start(r)
	return &PendingAppend{&s.batcher, r}, nil
}

// Wait waits for the append and returns its result, with the errors of Append. It may
// be called more than once and from any goroutine.
func (p *PendingAppend) Wait() (fdbevents.AppendResult, error) {
	if err := p.batcher.wait(p.request); err != nil {
		return fdbevents.AppendResult{}, err
	}
	return p.request.results[0], nil
}

// admit makes a request and counts it in s.calls. The caller calls s.calls.Done when
// the request is over.
func (s *Store) admit(ctx context.Context, condition *fdbevents.Condition, appends []fdbevents.StreamAppend) (*request, error) {
	r, err := s.newRequest(condition, appends)
	if err != nil {
		return nil, err
	}
	r.ctx = ctx
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r, s.enter(&s.calls)
}
