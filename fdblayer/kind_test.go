package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestKindOf(t *testing.T) {
	wrap := func(err error) error { return fmt.Errorf("doing something: %w", err) }
	for _, c := range []struct {
		err  error
		want fdbevents.Kind
	}{
		{nil, fdbevents.OK},
		{errors.New("anything"), fdbevents.Internal},
		{&fdbevents.InvalidError{}, fdbevents.Invalid},
		{fdbevents.ErrNoEvents, fdbevents.Invalid},
		{wrap(&fdbevents.LimitError{}), fdbevents.TooLarge},
		{&fdbevents.NotFoundError{What: "stream", Name: "s"}, fdbevents.NotFound},
		{wrap(fdbevents.ErrGroupNotFound), fdbevents.NotFound},
		{&fdbevents.WrongExpectedRevisionError{}, fdbevents.Conflict},
		{&fdbevents.ConditionError{}, fdbevents.Conflict},
		{&fdbevents.IDConflictError{}, fdbevents.Conflict},
		{&fdblayer.RestoreConflictError{}, fdbevents.Conflict},
		{fdbevents.ErrSettled, fdbevents.Conflict},
		{fdbevents.ErrStreamDeleted, fdbevents.Gone},
		{&fdbevents.TruncatedError{}, fdbevents.Gone},
		{fdbevents.ErrLeaseLost, fdbevents.Gone},
		{fmt.Errorf("%w: %w", fdbevents.ErrOutcomeUnknown, engine.ErrCommitUnknown), fdbevents.Unknown},
		{fmt.Errorf("%w: %w", fdbevents.ErrClosed, fdbevents.ErrOutcomeUnknown), fdbevents.Unknown},
		{wrap(fdbevents.ErrSettleUnknown), fdbevents.Unknown},
		{wrap(engine.ErrTooOld), fdbevents.Unavailable},
		{&fdbevents.AheadError{}, fdbevents.Unavailable},
		{wrap(context.DeadlineExceeded), fdbevents.Canceled},
		{context.Canceled, fdbevents.Canceled},
		{wrap(fdbevents.ErrClosed), fdbevents.Closed},
		{fdbevents.ErrCorrupt, fdbevents.Corrupt},
		{fdbevents.ErrFormat, fdbevents.Unsupported},
	} {
		if got := fdbevents.KindOf(c.err); got != c.want {
			t.Errorf("kind of %v: got %v, want %v", c.err, got, c.want)
		}
	}
	if got := fdbevents.Kind(99).String(); got != "invalid kind" {
		t.Errorf("name of Kind(99): got %q, want invalid kind", got)
	}
}

func TestNotFoundError(t *testing.T) {
	sentinels := map[string]error{
		"stream": fdbevents.ErrStreamNotFound, "event": fdbevents.ErrEventNotFound,
		"projection": fdbevents.ErrProjectionNotFound, "consumer group": fdbevents.ErrGroupNotFound,
	}
	for what := range sentinels {
		err := fmt.Errorf("looking: %w", &fdbevents.NotFoundError{What: what, Name: "x"})
		for other, sentinel := range sentinels {
			if got := errors.Is(err, sentinel); got != (what == other) {
				t.Errorf("errors.Is(%v, %v): got %v", err, sentinel, got)
			}
		}
	}
}

// TestEngineErrorsAreTranslated checks that a value too large for the engine, and an
// engine that was closed under its store, have kinds.
func TestEngineErrorsAreTranslated(t *testing.T) {
	e := storetest.OpenMemory(t)
	s := storetest.OpenStore(t, e, fdblayer.Options{})
	_, err := s.Transact(t.Context(), func(tx *fdblayer.Tx) error {
		tx.Data("d").Set([]byte("k"), make([]byte, engine.MaxValueSize+1))
		return nil
	})
	if !errors.Is(err, fdbevents.ErrTooLarge) || fdbevents.KindOf(err) != fdbevents.TooLarge {
		t.Errorf("a value that is too large: got %v of kind %v, want ErrTooLarge of kind TooLarge", err, fdbevents.KindOf(err))
	}

	e = storetest.OpenOwnMemory(t)
	s, err = fdblayer.Open(t.Context(), e, fdblayer.Options{})
	storetest.OK(t, err)
	storetest.OK(t, e.Close())
	for what, call := range map[string]func() error{
		"reading":   func() error { _, err := s.Stream(t.Context(), "s"); return err },
		"updating":  func() error { return s.DropIndex(t.Context(), fdbevents.IndexType) },
		"appending": func() error { _, err := s.Append(t.Context(), "s", fdbevents.Any, storetest.Event("e")); return err },
	} {
		if err := call(); !errors.Is(err, fdbevents.ErrClosed) || !errors.Is(err, engine.ErrClosed) {
			t.Errorf("%s in a closed engine: got %v, want ErrClosed of the store and of the engine", what, err)
		}
	}
	storetest.OK(t, s.Close())
}
