package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

func contextCases() []testCase {
	return []testCase{
		{"nothing succeeds under an ended context", endedContext},
		{"a context that ends while a transaction is open ends it", contextEndsLater},
		{"a deadline that passes ends a transaction", deadlinePasses},
		{"a commit under an ended context writes nothing", commitUnderEndedContext},
		{"a commit that races the end of its context has happened or may have", commitRacesContext},
		{"reads that race the end of their context end", readsRaceContext},
		{"a retry loop ends with its context", runEndsWithContext},
		{"contexts of other transactions do not matter", contextsAreSeparate},
	}
}

// wantEnded checks that every waiting call of tr returns the error.
func (f *fixture) wantEnded(tr engine.Transaction, target error) {
	f.Helper()
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		_, err := r.Get(f.key("a")).Get()
		f.wantError("get", err, target)
		_, err = r.GetRange(f.all(), engine.RangeOptions{}).Get()
		f.wantError("range", err, target)
		_, err = r.GetRange(f.all(), engine.RangeOptions{Bytes: 1}).Get()
		f.wantError("bounded range", err, target)
	}
	_, err := tr.ReadVersion().Get()
	f.wantError("read version", err, target)
	if tr.Watch(f.key("a")).Wait(f.ctx) == nil {
		f.Fatal("a watch has fired")
	}
	stamp := tr.Versionstamp()
	tr.Set(f.key("b"), []byte("1"))
	f.wantError("commit", tr.Commit(), target)
	if _, err := stamp.Get(); err == nil {
		f.Fatal("a transaction under an ended context has a versionstamp")
	}
	f.wantError("OnError", tr.OnError(engine.ErrConflict), target)
}

func endedContext(f *fixture) {
	f.put("a", "1")
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	f.wantEnded(f.beginUnder(ctx), context.Canceled)
	f.wantContents("a=1")
}

func contextEndsLater(f *fixture) {
	f.put("a", "1")
	ctx, cancel := context.WithCancel(f.ctx)
	used, unused := f.beginUnder(ctx), f.beginUnder(ctx)
	f.wantGet(used, "a", "1")
	used.Set(f.key("b"), []byte("1"))
	cancel()
	f.wantEnded(used, context.Canceled)
	f.wantEnded(unused, context.Canceled)
	f.wantContents("a=1")
}

func deadlinePasses(f *fixture) {
	f.put("a", "1")
	ctx, cancel := context.WithTimeout(f.ctx, 20*time.Millisecond)
	defer cancel()
	tr := f.beginUnder(ctx)
	tr.Set(f.key("b"), []byte("1"))
	<-ctx.Done()
	f.wantEnded(tr, context.DeadlineExceeded)
	f.wantContents("a=1")
}

func commitUnderEndedContext(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	blind, reading, empty := f.beginUnder(ctx), f.beginUnder(ctx), f.beginUnder(ctx)
	blind.Set(f.key("a"), []byte("1"))
	f.wantAbsent(reading, "b")
	reading.Set(f.key("b"), []byte("1"))
	cancel()
	for _, tr := range []engine.Transaction{blind, reading, empty} {
		err := tr.Commit()
		f.wantError("commit", err, context.Canceled)
		f.wantError("OnError", tr.OnError(err), context.Canceled)
	}
	f.wantContents("")
}

func commitRacesContext(f *fixture) {
	const rounds, workers = 12, 4
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range rounds {
				name := fmt.Sprintf("%d/%d", w, i)
				// The time grows from far too short to long enough for a commit.
				ctx, cancel := context.WithTimeout(f.ctx, time.Duration(i*i)*300*time.Microsecond)
				tr := f.engine.Begin(ctx)
				tr.Set(f.key(name), []byte("1"))
				err := tr.Commit()
				cancel()
				tr.Cancel()
				if err != nil && !errors.Is(err, context.DeadlineExceeded) {
					f.Errorf("commit: %v", err)
				}
				got, readErr := f.begin().Get(f.key(name)).Get()
				if readErr != nil {
					f.Errorf("get: %v", readErr)
				}
				if err == nil && got == nil {
					f.Errorf("%s was committed but is not there", name)
				}
				if err != nil && got != nil && !engine.MaybeCommitted(err) {
					f.Errorf("%s is there, but its commit failed for certain: %v", name, err)
				}
			}
		})
	}
	running.Wait()
}

func readsRaceContext(f *fixture) {
	f.putBulk(200, 1000)
	var running sync.WaitGroup
	for i := range 30 {
		running.Go(func() {
			ctx, cancel := context.WithTimeout(f.ctx, time.Duration(i)*100*time.Microsecond)
			defer cancel()
			tr := f.engine.Begin(ctx)
			defer tr.Cancel()
			for {
				value := tr.Snapshot().Get(f.key("0001"))
				page := tr.Snapshot().GetRange(f.all(), engine.RangeOptions{Bytes: 10_000})
				got, err := value.Get()
				if err == nil && len(got) != 1000 {
					f.Errorf("value of %d bytes", len(got))
				}
				keys, pageErr := page.Get()
				if pageErr == nil && len(keys.KeyValues) == 0 {
					f.Error("an empty page")
				}
				if err := errors.Join(err, pageErr); err != nil {
					if !errors.Is(err, context.DeadlineExceeded) {
						f.Errorf("read: %v", err)
					}
					return
				}
			}
		})
	}
	running.Wait()
}

func runEndsWithContext(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	attempts := 0
	err := engine.Run(ctx, f.engine, func(tr engine.Transaction, _ error) error {
		attempts++
		tr.Set(f.key("a"), []byte("1"))
		if attempts == 3 {
			cancel()
		}
		return engine.ErrConflict
	})
	f.wantError("run", err, context.Canceled)
	if attempts != 3 {
		f.Fatalf("%d attempts, want 3", attempts)
	}

	// It also ends while it waits between two attempts.
	ctx, cancel = context.WithCancel(f.ctx)
	began := make(chan struct{}, 1)
	ended := f.start(func() {
		err = engine.Run(ctx, f.engine, func(engine.Transaction, error) error {
			select {
			case began <- struct{}{}:
			default:
			}
			return engine.ErrConflict
		})
	})
	<-began
	cancel()
	f.await("the end of a retry loop", ended)
	f.wantError("run", err, context.Canceled)
	f.wantContents("")
}

func contextsAreSeparate(f *fixture) {
	ctx, cancel := context.WithCancel(f.ctx)
	ends, stays := f.beginUnder(ctx), f.begin()
	ends.Set(f.key("a"), []byte("1"))
	stays.Set(f.key("b"), []byte("1"))
	cancel()
	f.wantError("commit", ends.Commit(), context.Canceled)
	f.commit(stays)
	f.wantContents("b=1")
}
