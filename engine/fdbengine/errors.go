//go:build fdb

package fdbengine

import (
	"context"
	"errors"
	"fmt"

	"github.com/apple/foundationdb/bindings/go/src/fdb"
	"github.com/fdbevents/fdbevents/engine"
)

// translate turns an error of the binding into the error of package engine with
// the same number. A number for which package engine has no text keeps the
// client's.
func translate(err error) error {
	var f fdb.Error
	if !errors.As(err, &f) {
		return err
	}
	e := engine.Error(f.Code)
	switch e {
	case engine.ErrCancelled, engine.ErrTimedOut, engine.ErrTooManyWatches, engine.ErrUnreadable,
		engine.ErrOperationCancelled, engine.ErrInvalidOperation, engine.ErrKeyOutsideRange,
		engine.ErrUsedDuringCommit, engine.ErrNoCommitVersion, engine.ErrTransactionTooLarge,
		engine.ErrKeyTooLarge, engine.ErrValueTooLarge:
		return e
	}
	if e.Retryable() {
		return e
	}
	return fmt.Errorf("%w: %w", e, f)
}

// cancelled reports whether err says that a transaction or an operation was
// cancelled, by anybody.
func cancelled(err error) bool {
	var f fdb.Error
	return errors.As(err, &f) &&
		(f.Code == int(engine.ErrCancelled) || f.Code == int(engine.ErrOperationCancelled))
}

// ended returns the error of a context that has ended.
func ended(ctx context.Context) error {
	err := ctx.Err()
	if cause := context.Cause(ctx); err != nil && cause != err {
		return fmt.Errorf("%w: %w", err, cause)
	}
	return err
}
