package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

// script is an engine with one transaction that follows a script and logs its
// calls.
type script struct {
	Engine
	Transaction
	commits []error // what Commit returns, in turn; then nil
	giveUp  func(err error) error
	log     []string
}

func (s *script) Begin(context.Context) Transaction {
	s.log = append(s.log, "begin")
	return s
}

func (s *script) Commit() (err error) {
	s.log = append(s.log, "commit")
	if len(s.commits) > 0 {
		err, s.commits = s.commits[0], s.commits[1:]
	}
	return err
}

func (s *script) OnError(err error) error {
	s.log = append(s.log, fmt.Sprintf("on error %v", err))
	if s.giveUp != nil {
		return s.giveUp(err)
	}
	if Retryable(err) {
		return nil
	}
	return err
}

func (s *script) Cancel() { s.log = append(s.log, "cancel") }

func TestRun(t *testing.T) {
	own := errors.New("own")
	late := errors.New("context ended")
	wrapped := fmt.Errorf("while appending: %w", ErrTooOld)
	for _, c := range []struct {
		name   string
		fn     []error // what the function returns, in turn; then nil
		commit []error
		giveUp func(error) error
		want   error
		priors []error
		log    []string
	}{
		{
			name: "success", priors: []error{nil},
			log: []string{"begin", "commit", "cancel"},
		},
		{
			name: "the function's own error", fn: []error{own}, want: own, priors: []error{nil},
			log: []string{"begin", "cancel"},
		},
		{
			name: "a retryable error of a read, wrapped", fn: []error{wrapped}, priors: []error{nil, wrapped},
			log: []string{"begin", "on error " + wrapped.Error(), "commit", "cancel"},
		},
		{
			name: "two failed commits", commit: []error{ErrConflict, ErrCommitUnknown},
			priors: []error{nil, ErrConflict, ErrCommitUnknown},
			log: []string{
				"begin", "commit", "on error " + ErrConflict.Error(),
				"commit", "on error " + ErrCommitUnknown.Error(), "commit", "cancel",
			},
		},
		{
			name: "an unknown outcome is remembered", commit: []error{ErrCommitUnknown, ErrTooOld},
			priors: []error{nil, ErrCommitUnknown, ErrCommitUnknown},
			log: []string{
				"begin", "commit", "on error " + ErrCommitUnknown.Error(),
				"commit", "on error " + ErrTooOld.Error(), "commit", "cancel",
			},
		},
		{
			name: "a commit that failed for good", commit: []error{ErrTransactionTooLarge},
			want: ErrTransactionTooLarge, priors: []error{nil},
			log: []string{"begin", "commit", "cancel"},
		},
		{
			name: "OnError gives up with another error", commit: []error{ErrConflict},
			giveUp: func(error) error { return late }, want: late, priors: []error{nil},
			log: []string{"begin", "commit", "on error " + ErrConflict.Error(), "cancel"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := &script{commits: c.commit, giveUp: c.giveUp}
			var priors []error
			err := Run(t.Context(), s, func(tr Transaction, prior error) error {
				if tr != Transaction(s) {
					t.Error("not the transaction that was begun")
				}
				priors = append(priors, prior)
				if n := len(priors); n <= len(c.fn) {
					return c.fn[n-1]
				}
				return nil
			})
			if err != c.want {
				t.Errorf("error is %v, want %v", err, c.want)
			}
			if !slices.Equal(priors, c.priors) {
				t.Errorf("priors are %v, want %v", priors, c.priors)
			}
			if !slices.Equal(s.log, c.log) {
				t.Errorf("log is %q, want %q", s.log, c.log)
			}
		})
	}
}

// TestRunEndsInDoubt: Run cannot try again after an unknown commit.
func TestRunEndsInDoubt(t *testing.T) {
	s := &script{commits: []error{ErrCommitUnknown}, giveUp: func(error) error { return ErrClosed }}
	err := Run(t.Context(), s, func(Transaction, error) error { return nil })
	if !MaybeCommitted(err) || !errors.Is(err, ErrClosed) {
		t.Errorf("error is %v, want one that says that it may have committed, and why Run did not try again", err)
	}
}

// TestReadCommitsNothing: Read commits nothing, and tries again as Run does.
func TestReadCommitsNothing(t *testing.T) {
	s := &script{}
	failures := []error{ErrTooOld, nil}
	err := Read(t.Context(), s, func(Transaction) (err error) {
		err, failures = failures[0], failures[1:]
		return err
	})
	if want := []string{"begin", "on error " + ErrTooOld.Error(), "cancel"}; err != nil || !slices.Equal(s.log, want) {
		t.Errorf("log is %q, want %q; error %v", s.log, want, err)
	}
}

func TestRunCancelsAfterPanic(t *testing.T) {
	s := &script{}
	func() {
		defer func() { _ = recover() }()
		_ = Run(t.Context(), s, func(Transaction, error) error { panic("fn") })
	}()
	if want := []string{"begin", "cancel"}; !slices.Equal(s.log, want) {
		t.Errorf("log is %q, want %q", s.log, want)
	}
}
