package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
)

func TestKindOf(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("doing something: %w", err) }
	for _, c := range []struct {
		err  error
		want fdblayer.Kind
	}{
		{nil, fdblayer.OK},
		{errors.New("anything"), fdblayer.Internal},
		{&fdblayer.InvalidError{}, fdblayer.Invalid},
		{fdblayer.ErrNoEvents, fdblayer.Invalid},
		{wrap(&fdblayer.LimitError{}), fdblayer.TooLarge},
		{&fdblayer.NotFoundError{What: "stream", Name: "s"}, fdblayer.NotFound},
		{wrap(fdblayer.ErrGroupNotFound), fdblayer.NotFound},
		{&fdblayer.WrongExpectedRevisionError{}, fdblayer.Conflict},
		{&fdblayer.ConditionError{}, fdblayer.Conflict},
		{&fdblayer.IDConflictError{}, fdblayer.Conflict},
		{&fdblayer.RestoreConflictError{}, fdblayer.Conflict},
		{fdblayer.ErrSettled, fdblayer.Conflict},
		{fdblayer.ErrStreamDeleted, fdblayer.Gone},
		{&fdblayer.TruncatedError{}, fdblayer.Gone},
		{fdblayer.ErrLeaseLost, fdblayer.Gone},
		{fmt.Errorf("%w: %w", fdblayer.ErrOutcomeUnknown, engine.ErrCommitUnknown), fdblayer.Unknown},
		{fmt.Errorf("%w: %w", fdblayer.ErrClosed, fdblayer.ErrOutcomeUnknown), fdblayer.Unknown},
		{wrap(fdblayer.ErrSettleUnknown), fdblayer.Unknown},
		{wrap(engine.ErrTooOld), fdblayer.Unavailable},
		{&fdblayer.AheadError{}, fdblayer.Unavailable},
		{wrap(context.DeadlineExceeded), fdblayer.Canceled},
		{context.Canceled, fdblayer.Canceled},
		{wrap(fdblayer.ErrClosed), fdblayer.Closed},
		{fdblayer.ErrCorrupt, fdblayer.Corrupt},
		{fdblayer.ErrFormat, fdblayer.Unsupported},
	} {
		if got := fdblayer.KindOf(c.err); got != c.want {
			t.Errorf("kind of %v: %v, want %v", c.err, got, c.want)
		}
	}
	if got := fdblayer.Kind(99).String(); got != "invalid kind" {
		t.Errorf("name of no kind: %q", got)
	}
}

func TestNotFoundError(t *testing.T) {
	sentinels := map[string]error{
		"stream": fdblayer.ErrStreamNotFound, "event": fdblayer.ErrEventNotFound,
		"projection": fdblayer.ErrProjectionNotFound, "consumer group": fdblayer.ErrGroupNotFound,
	}
	for what := range sentinels {
		err := fmt.Errorf("looking: %w", &fdblayer.NotFoundError{What: what, Name: "x"})
		for other, sentinel := range sentinels {
			if got := errors.Is(err, sentinel); got != (what == other) {
				t.Errorf("%v is %v: %v", err, sentinel, got)
			}
		}
	}
}

// TestEngineErrorsAreTranslated fails when what is too large for the engine, or
// comes after the engine was closed, has no kind.
func TestEngineErrorsAreTranslated(t *testing.T) {
	e := openMemory(t)
	s := openStore(t, e, fdblayer.Options{})
	_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
		tx.Data("d").Set([]byte("k"), make([]byte, engine.MaxValueSize+1))
		return nil
	})
	if !errors.Is(err, fdblayer.ErrTooLarge) || fdblayer.KindOf(err) != fdblayer.TooLarge {
		t.Errorf("a value that is too large: %v, %v", err, fdblayer.KindOf(err))
	}
}
