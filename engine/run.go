package engine

import (
	"context"
	"fmt"
)

// Run calls fn with a transaction and commits it. It repeats this while
// Transaction.OnError allows, until the transaction commits, fails for good, or
// ctx ends. It is the project's only retry loop.
//
// prior is nil in the first attempt; later it is the error that ended the
// previous attempt. When MaybeCommitted(prior) holds, an earlier attempt may have
// committed: fn finds out by reading what it would have written, and must not do
// its work twice. Such a prior is kept for all later attempts.
//
// When MaybeCommitted holds for the error that Run returns, the last attempt may
// have committed too.
//
// An error from fn that is not a retryable engine error is returned unchanged,
// and nothing is written. fn must take everything it keeps from tr (futures,
// stamps, watches) anew in each attempt.
func Run(ctx context.Context, e Engine, fn func(tr Transaction, prior error) error) error {
	return run(ctx, e, fn, Transaction.Commit)
}

// Read is Run for an fn that neither writes nor watches anything, and awaits
// everything it reads. Then there is nothing to commit, and skipping the commit
// saves FoundationDB's client a switch between threads.
func Read(ctx context.Context, e Engine, fn func(tr Transaction) error) error {
	return run(ctx, e, func(tr Transaction, _ error) error { return fn(tr) }, func(Transaction) error { return nil })
}

func run(ctx context.Context, e Engine, fn func(tr Transaction, prior error) error, end func(Transaction) error) error {
	tr := e.Begin(ctx)
	defer tr.Cancel()
	var prior error
	for {
		err := fn(tr, prior)
		if err == nil {
			err = end(tr)
		}
		if err == nil {
			return nil
		}
		if !Retryable(err) {
			return err
		}
		if giveUp := tr.OnError(err); giveUp != nil {
			if MaybeCommitted(err) && !MaybeCommitted(giveUp) {
				// The reason for giving up says nothing about this attempt's outcome.
				giveUp = fmt.Errorf("%w; not tried again: %w", err, giveUp)
			}
			return giveUp
		}
		if !MaybeCommitted(prior) {
			prior = err
		}
	}
}
