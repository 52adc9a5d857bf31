package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"sync"

	"github.com/fdbevents/fdbevents/engine"
)

func lifecycleCases() []testCase {
	return []testCase{
		{"an engine names itself and its prefix", engineNames},
		{"a transaction is over after its commit", afterCommit},
		{"a transaction is over after its cancellation", afterCancel},
		{"a read under way ends when its transaction is cancelled", cancelDuringRead},
		{"OnError starts a new attempt without the writes and reads of the old one", onErrorResets},
		{"OnError returns errors that another attempt cannot cure", onErrorReturns},
		{"OnError retries a wrapped retryable error", onErrorUnwraps},
		{"a closed engine refuses every call", closedEngine},
		{"close waits for commits under way", closeWaits},
		{"committed data is there after a restart", reopen},
		{"acknowledged commits survive a crash whole", crash},
	}
}

func engineNames(f *fixture) {
	if f.engine.String() == "" {
		f.Error("the engine has no name")
	}
	if !bytes.Equal(f.engine.Prefix(), []byte(f.prefix)) {
		f.Errorf("the prefix changed from %q to %q", f.prefix, f.engine.Prefix())
	}
}

func afterCommit(f *fixture) {
	f.put("a", "1")
	for _, prepare := range []func(tr engine.Transaction){
		func(tr engine.Transaction) { tr.Set(f.key("a"), []byte("2")) },
		func(tr engine.Transaction) { f.version(tr) },
	} {
		tr := f.begin()
		prepare(tr)
		f.commit(tr)
		f.wantError("a second commit", tr.Commit(), engine.ErrUsedDuringCommit)
		_, err := tr.Get(f.key("a")).Get()
		f.wantError("get", err, engine.ErrUsedDuringCommit)
		_, err = tr.Snapshot().GetRange(f.all(), engine.RangeOptions{}).Get()
		f.wantError("range", err, engine.ErrUsedDuringCommit)
		tr.Set(f.key("a"), []byte("late"))
		tr.ClearRange(f.all())
		f.wantError("a third commit", tr.Commit(), engine.ErrUsedDuringCommit)
		tr.Cancel()
		tr.Cancel()
	}
	f.wantContents("a=2")
}

func afterCancel(f *fixture) {
	f.put("a", "1")
	for _, used := range []bool{false, true} {
		tr := f.begin()
		if used {
			f.wantGet(tr, "a", "1")
			tr.Set(f.key("a"), []byte("2"))
		}
		tr.Cancel()
		tr.Cancel()
		for _, r := range []engine.Reader{tr, tr.Snapshot()} {
			_, err := r.Get(f.key("a")).Get()
			f.wantError("get", err, engine.ErrCancelled)
			_, err = r.GetRange(f.all(), engine.RangeOptions{}).Get()
			f.wantError("range", err, engine.ErrCancelled)
		}
		_, err := tr.ReadVersion().Get()
		f.wantError("read version", err, engine.ErrCancelled)
		f.wantError("commit", tr.Commit(), engine.ErrCancelled)
		if tr.OnError(engine.ErrConflict) == nil {
			f.Fatal("OnError allows another attempt of a cancelled transaction")
		}
		f.wantError("commit", tr.Commit(), engine.ErrCancelled)
	}
	f.wantContents("a=1")
}

func cancelDuringRead(f *fixture) {
	f.putBulk(300, 1000)
	for range 20 {
		tr := f.begin()
		value, page := tr.Get(f.key("0001")), tr.GetRange(f.all(), engine.RangeOptions{})
		bounded := tr.GetRange(f.all(), engine.RangeOptions{Bytes: 200_000})
		waited := f.start(func() {
			_, _ = bounded.Get()
			if got, err := value.Get(); err == nil && len(got) != 1000 {
				f.Errorf("value of %d bytes", len(got))
			} else if err != nil && !errors.Is(err, engine.ErrCancelled) {
				f.Errorf("get: %v", err)
			}
			if got, err := page.Get(); err == nil && len(got.KeyValues) != 300 {
				f.Errorf("page of %d keys", len(got.KeyValues))
			} else if err != nil && !errors.Is(err, engine.ErrCancelled) {
				f.Errorf("range: %v", err)
			}
		})
		tr.Cancel()
		f.await("the end of reads", waited)
	}
}

func onErrorResets(f *fixture) {
	f.put("a", "1", "b", "1")
	tr := f.begin()
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=1 b=1")
	tr.Set(f.key("a"), []byte("old"))
	tr.Set(f.key("c"), []byte("old"))
	tr.Clear(f.key("b"))
	f.stampKey(tr, "log/", "", "old")
	tr.AddWriteConflict(f.all())
	old := f.version(tr)
	f.put("a", "2")
	err := tr.Commit()
	f.wantError("commit", err, engine.ErrConflict)
	if err := tr.OnError(err); err != nil {
		f.Fatalf("OnError: %v", err)
	}
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=2 b=1")
	if version := f.version(tr); version <= old {
		f.Fatalf("read version %d in the next attempt, %d before", version, old)
	}
	tr.Set(f.key("d"), []byte("new"))
	f.commit(tr)
	f.wantContents("a=2 b=1 d=new")

	tr = f.begin() // the reads of the old attempt are forgotten, and so is its broken limit
	f.wantGet(tr, "a", "2")
	tr.Set(f.key("x"), make([]byte, engine.MaxValueSize+1))
	if err := tr.OnError(engine.ErrConflict); err != nil {
		f.Fatalf("OnError: %v", err)
	}
	f.version(tr)
	tr.Set(f.key("e"), []byte("new"))
	f.put("a", "3")
	f.commit(tr)
	f.wantContents("a=3 b=1 d=new e=new")
}

func onErrorReturns(f *fixture) {
	foreign := errors.New("not the engine's")
	for _, err := range []error{
		foreign,
		fmt.Errorf("wrapped: %w", foreign),
		engine.ErrKeyTooLarge,
		engine.ErrUnreadable,
		engine.ErrTimedOut,
		engine.ErrInvalidOperation,
		engine.ErrTransactionTooLarge,
		fmt.Errorf("wrapped: %w", engine.ErrValueTooLarge),
	} {
		tr := f.begin()
		tr.Set(f.key("a"), []byte("1"))
		if got := tr.OnError(err); got != err {
			f.Fatalf("OnError(%v) is %v", err, got)
		}
	}
	f.wantContents("")
}

func onErrorUnwraps(f *fixture) {
	for _, err := range []error{
		engine.ErrTooOld,
		engine.ErrFutureVersion,
		engine.ErrCommitUnknown,
		fmt.Errorf("head of stream: %w", engine.ErrConflict),
		fmt.Errorf("%w: %w", errors.New("while reading"), engine.ErrTooOld),
	} {
		tr := f.begin()
		tr.Set(f.key("a"), []byte("1"))
		if got := tr.OnError(err); got != nil {
			f.Fatalf("OnError(%v) is %v", err, got)
		}
		f.wantAbsent(tr, "a")
		f.commit(tr)
	}
	f.wantContents("")
}

func closedEngine(f *fixture) {
	f.put("a", "1")
	used, unused, committed := f.begin(), f.begin(), f.begin()
	f.wantGet(used, "a", "1")
	used.Set(f.key("a"), []byte("2"))
	committed.Set(f.key("b"), []byte("1"))
	f.commit(committed)
	if err := f.engine.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
	f.wantError("a second close", f.engine.Close(), engine.ErrClosed)
	for _, tr := range []engine.Transaction{used, unused, f.begin()} {
		_, err := tr.Get(f.key("b")).Get()
		f.wantError("get", err, engine.ErrClosed)
		_, err = tr.Snapshot().GetRange(f.all(), engine.RangeOptions{}).Get()
		f.wantError("range", err, engine.ErrClosed)
		tr.Set(f.key("c"), []byte("1"))
		err = tr.Commit()
		f.wantError("commit", err, engine.ErrClosed)
		if tr.OnError(err) == nil {
			f.Fatal("OnError allows another attempt on a closed engine")
		}
		tr.Cancel()
	}
	if _, err := f.begin().ReadVersion().Get(); !errors.Is(err, engine.ErrClosed) {
		f.Fatalf("read version: %v", err)
	}
	err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
		tr.Set(f.key("c"), []byte("1"))
		return nil
	})
	f.wantError("run", err, engine.ErrClosed)
	if f.engine.String() == "" {
		f.Error("a closed engine has no name")
	}
	if f.instance.Reopen != nil {
		f.on(f.instance.Reopen(f.T)).wantContents("a=1 b=1")
	}
}

// closeWaits commits from many goroutines while the engine closes. Every
// acknowledged commit must be there, and no commit that certainly failed may be.
func closeWaits(f *fixture) {
	const writers = 8
	var mu sync.Mutex
	fate := map[string]error{}
	began := make(chan struct{}, writers)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; ; i++ {
				name := fmt.Sprintf("%d/%d", w, i)
				tr := f.engine.Begin(f.ctx)
				tr.Set(f.key(name+"/x"), []byte("1"))
				tr.Set(f.key(name+"/y"), []byte("1"))
				err := tr.Commit()
				tr.Cancel()
				mu.Lock()
				fate[name] = err
				mu.Unlock()
				if i == 2 || err != nil && i < 2 {
					began <- struct{}{}
				}
				if err != nil {
					if !errors.Is(err, engine.ErrClosed) && !engine.MaybeCommitted(err) {
						f.Errorf("commit while closing: %v", err)
					}
					return
				}
			}
		})
	}
	for range writers {
		<-began
	}
	if err := f.engine.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
	writing.Wait()
	if f.instance.Reopen == nil {
		return
	}
	tr := f.on(f.instance.Reopen(f.T)).begin()
	for name, err := range fate {
		x, y := must(f, tr.Get(f.key(name+"/x"))) != nil, must(f, tr.Get(f.key(name+"/y"))) != nil
		switch {
		case x != y:
			f.Errorf("commit %s is only partly there", name)
		case err == nil && !x:
			f.Errorf("commit %s was acknowledged but is not there", name)
		case err != nil && x && !engine.MaybeCommitted(err):
			f.Errorf("commit %s is there, but failed for certain: %v", name, err)
		}
	}
}

func reopen(f *fixture) {
	if f.instance.Reopen == nil {
		f.Skip("the engine cannot be opened again")
	}
	f.put("a", "1", "b", "1", "n", le(1, 8))
	tr := f.begin()
	tr.Clear(f.key("b"))
	tr.Atomic(engine.OpAdd, f.key("n"), []byte(le(2, 8)))
	f.stampValue(tr, "s", "", "")
	s := f.commitStamped(tr)
	open := f.begin()
	open.Set(f.key("c"), []byte("never committed"))
	want := "a=1 n=" + shown(le(3, 8)) + " s=" + shown(string(s[:]))
	for range 3 {
		f.wantContents(want)
		if err := f.engine.Close(); err != nil {
			f.Fatalf("close: %v", err)
		}
		f = f.on(f.instance.Reopen(f.T))
	}
	f.wantContents(want)
	f.put("d", "1")
	f.wantContents("a=1 d=1 n=" + shown(le(3, 8)) + " s=" + shown(string(s[:])))
}

func crash(f *fixture) {
	if f.instance.Crash == nil {
		f.Skip("the engine cannot be made to crash")
	}
	const writers = 6
	var mu sync.Mutex
	acknowledged := map[string]engine.Stamp{}
	tried := map[string]bool{}
	began, crashed := make(chan struct{}, writers), make(chan struct{})
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-crashed:
					return
				default:
				}
				name := fmt.Sprintf("%d/%d", w, i)
				mu.Lock()
				tried[name] = true
				mu.Unlock()
				tr := f.engine.Begin(f.ctx)
				tr.Set(f.key(name+"/x"), []byte("1"))
				f.stampValue(tr, name+"/y", "", "")
				stamp := tr.Versionstamp()
				err := tr.Commit()
				tr.Cancel()
				if err == nil {
					s, _ := stamp.Get()
					mu.Lock()
					acknowledged[name] = s
					mu.Unlock()
				}
				if i == 5 || err != nil && i < 5 {
					began <- struct{}{}
				}
				if err != nil {
					return
				}
			}
		})
	}
	for range writers {
		<-began
	}
	mu.Lock()
	safe := make(map[string]engine.Stamp, len(acknowledged))
	for name, s := range acknowledged {
		safe[name] = s
	}
	mu.Unlock()
	next := f.instance.Crash(f.T)
	close(crashed)
	writing.Wait()
	_ = f.engine.Close()
	f = f.on(next)
	tr := f.begin()
	version := f.version(tr)
	for name, s := range safe {
		f.wantGet(tr, name+"/x", "1")
		f.wantGet(tr, name+"/y", string(s[:]))
		if stampVersion(s) > version {
			f.Fatalf("read version %d after a crash, but a commit at %d before it", version, stampVersion(s))
		}
	}
	page := must(f, tr.GetRange(f.all(), engine.RangeOptions{}))
	if len(page.KeyValues)%2 != 0 {
		f.Fatalf("a commit is only partly there: %s", f.text(page))
	}
	for i := 0; i < len(page.KeyValues); i += 2 {
		x, y := f.name(page.KeyValues[i].Key), f.name(page.KeyValues[i+1].Key)
		name := x[:len(x)-2]
		if x != name+"/x" || y != name+"/y" || !tried[name] {
			f.Fatalf("unexpected keys %s and %s", x, y)
		}
	}
	f.put("a", "1")
}
