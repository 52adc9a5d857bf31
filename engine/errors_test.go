package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
)

func TestErrorTable(t *testing.T) {
	for _, c := range []struct {
		err              Error
		retryable, maybe bool
	}{
		{ErrClosed, false, false},
		{ErrTooOld, true, false},
		{ErrFutureVersion, true, false},
		{ErrConflict, true, false},
		{ErrCommitUnknown, true, true},
		{ErrCancelled, false, true},
		{ErrTimedOut, false, true},
		{ErrTooManyWatches, false, false},
		{ErrUnreadable, false, false},
		{ErrOperationCancelled, false, true},
		{ErrInvalidOperation, false, false},
		{ErrKeyOutsideRange, false, false},
		{ErrUsedDuringCommit, false, false},
		{ErrNoCommitVersion, false, false},
		{ErrTransactionTooLarge, false, false},
		{ErrKeyTooLarge, false, false},
		{ErrValueTooLarge, false, false},
		{1037, true, false}, // process_behind
		{1038, true, false}, // database_locked
		{1039, true, true},  // cluster_version_changed
		{1042, true, false}, // commit_proxy_memory_limit_exceeded
		{1051, true, false}, // batch_transaction_throttled
		{1078, true, false}, // grv_proxy_memory_limit_exceeded
		{1213, true, false}, // tag_throttled
		{1223, true, false}, // proxy_tag_throttled
		{1500, false, false},
	} {
		for _, err := range []error{c.err, fmt.Errorf("wrapped: %w", c.err)} {
			if got := Retryable(err); got != c.retryable {
				t.Errorf("%v: retryable is %v", err, got)
			}
			if got := MaybeCommitted(err); got != c.maybe {
				t.Errorf("%v: maybe committed is %v", err, got)
			}
			if !errors.Is(err, c.err) {
				t.Errorf("%v is not %d", err, int(c.err))
			}
		}
		text := c.err.Error()
		if c.err != ErrClosed && !strings.Contains(text, fmt.Sprint(int(c.err))) {
			t.Errorf("%q does not give the number %d", text, int(c.err))
		}
		if c.err != 1500 && strings.HasPrefix(text, "engine error") {
			t.Errorf("%d has no description", int(c.err))
		}
	}
}

func TestOtherErrors(t *testing.T) {
	for _, c := range []struct {
		err   error
		maybe bool
	}{
		{nil, false},
		{errors.New("other"), false},
		{context.Canceled, true},
		{fmt.Errorf("commit: %w", context.DeadlineExceeded), true},
		{fmt.Errorf("%w: %w", context.Canceled, ErrConflict), false}, // known not to have committed
		{fmt.Errorf("%w: %w", ErrCommitUnknown, context.Canceled), true},
	} {
		if got := MaybeCommitted(c.err); got != c.maybe {
			t.Errorf("%v: maybe committed is %v", c.err, got)
		}
	}
	if Retryable(nil) || Retryable(errors.New("other")) || Retryable(context.Canceled) {
		t.Error("an error that is not an engine's is retryable")
	}
}
