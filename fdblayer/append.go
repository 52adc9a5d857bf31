package fdblayer

import (
	"context"
	"slices"

	"github.com/fdbevents/fdbevents"
)

// Append stores events at the end of a stream, all of them or none, and returns
// when they are durable. It may be called from any number of goroutines; calls
// that run at the same time share transactions. events and what they refer to
// must not be modified until Append returns.
//
// Conflicts with other writers are retried; a wrong expected revision is not. An
// append is a repeat when the stream already has events with the same IDs and
// content: then the first result is returned and nothing is written.
//
// Errors: *WrongExpectedRevisionError, *IDConflictError, *LimitError,
// *InvalidError, ErrStreamDeleted, ErrNoEvents, ErrClosed. After
// ErrOutcomeUnknown the events may be stored or not.
func (s *Store) Append(ctx context.Context, stream string, expected fdbevents.ExpectedRevision, events ...fdbevents.EventData) (fdbevents.AppendResult, error) {
	results, err := s.append(ctx, nil, []fdbevents.StreamAppend{{Stream: stream, Expected: expected, Events: events}})
	if err != nil {
		return fdbevents.AppendResult{}, err
	}
	return results[0], nil
}

// AppendMany is Append for several streams at once: all events of all of them
// are stored in one transaction, or none. The results are in the order of
// appends. A stream may be named more than once; the later append then follows
// the earlier one.
func (s *Store) AppendMany(ctx context.Context, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	results, err := s.append(ctx, nil, appends)
	return slices.Clone(results), err // the request and its events are not kept alive
}

// AppendIf is AppendMany on a condition: it stores nothing, and returns a
// *ConditionError, when an event that the condition's query selects exists after
// its position. Appends whose conditions touch different tags never wait for one
// another; of two that each would break the other's condition, one is refused.
func (s *Store) AppendIf(ctx context.Context, condition fdbevents.Condition, appends ...fdbevents.StreamAppend) ([]fdbevents.AppendResult, error) {
	results, err := s.append(ctx, &condition, appends)
	return slices.Clone(results), err
}

// append returns results that may be part of the request.
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

// PendingAppend is an append under way.
type PendingAppend struct {
	batcher *batcher
	request *request
}

// AppendAsync starts an Append and returns without waiting for it, so that one
// goroutine can have many under way. Appends to one stream are carried out in
// the order of the calls. An error is one that Append would have found before
// starting, or ctx's. ctx holds for Wait, too: when it ends, Wait takes the append
// back if nobody has begun with it, and gives up otherwise.
//
// AppendAsync blocks while 64 MiB of earlier ones are under way.
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

// Wait waits for the outcome. It may be called more than once, from any
// goroutine.
func (p *PendingAppend) Wait() (fdbevents.AppendResult, error) {
	if err := p.batcher.wait(p.request); err != nil {
		return fdbevents.AppendResult{}, err
	}
	return p.request.results[0], nil
}

// admit makes a request. The caller calls s.calls.Done when it is over.
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
