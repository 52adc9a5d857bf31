package engine

import (
	"context"
	"fmt"
)

// Run calls fn with a transaction and commits it, again and again while
// Transaction.OnError allows, until it commits, fails for good, or ctx ends. It
// is the project's only retry loop.
//
// prior is nil in the first attempt and then the error that ended the one
// before. When MaybeCommitted(prior) holds, an earlier attempt may have
// committed: fn finds out by reading what it would have written, and must not do
// its work twice. Such a prior stays for all further attempts.
//
// When MaybeCommitted holds for what Run returns, the last attempt may have
// committed, too.
//
// An error from fn that is not a retryable engine error is returned as it is,
// and nothing is written. What fn keeps from tr (futures, stamps, watches) it
// must take anew in each attempt.
func Run(ctx context.Context, e Engine, fn func(tr Transaction, prior error) error) error {
	return run(ctx, e, fn, Transaction.Commit)
}

// Read is Run for an fn that neither writes nor watches anything, and awaits all
// that it reads: then there is nothing to commit, and not doing so spares
// FoundationDB's client a turn between threads.
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
				// Why there is no further attempt says nothing about this one.
				giveUp = fmt.Errorf("%w; not tried again: %w", err, giveUp)
			}
			return giveUp
		}
		if !MaybeCommitted(prior) {
			prior = err
		}
	}
}
