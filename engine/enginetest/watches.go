package enginetest

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/fdbevents/fdbevents/engine"
)

func watchCases() []testCase {
	return []testCase{
		{"a watch fires when its key changes", watchFires},
		{"a watch of a transaction that writes fires", watchOfWriter},
		{"a watch fires for a change after the read version", watchSinceReadVersion},
		{"a watch fires for a later write of its own transaction", watchOwnWrite},
		{"a watch is quiet about other keys", watchIsQuiet},
		{"a watch outlives its transaction and the transaction's context", watchOutlives},
		{"a watch fires once, for all waiters", watchWaiters},
		{"many watches of many keys fire", manyWatches},
		{"a cancelled watch reports it", watchCancel},
		{"a wait ends with its context, but the watch goes on", watchWaitContext},
		{"a watch of a transaction that does not commit fails", watchNeedsCommit},
		{"a closed engine fails its watches", watchClose},
		{"one watch too many fails", tooManyWatches},
	}
}

// watch commits a watch of a key.
func (f *fixture) watch(name string) engine.Watch {
	f.Helper()
	tr := f.begin()
	w := tr.Watch(f.key(name))
	f.commit(tr)
	f.Cleanup(w.Cancel)
	return w
}

// wantFired waits until w has fired.
func (f *fixture) wantFired(w engine.Watch) {
	f.Helper()
	if err := w.Wait(f.ctx); err != nil {
		f.Fatalf("watch: %v", err)
	}
}

// wantFailed waits until w has failed.
func (f *fixture) wantFailed(w engine.Watch) error {
	f.Helper()
	err := w.Wait(f.ctx)
	if err == nil {
		f.Fatal("the watch has fired")
	}
	if f.ctx.Err() != nil {
		f.Fatalf("the watch did not fail in %v", patience)
	}
	return err
}

func watchFires(f *fixture) {
	for _, c := range []struct {
		name   string
		change func(f *fixture, tr engine.Transaction)
	}{
		{"set", func(f *fixture, tr engine.Transaction) { tr.Set(f.key("a"), []byte("2")) }},
		{"clear", func(f *fixture, tr engine.Transaction) { tr.Clear(f.key("a")) }},
		{"clear range", func(f *fixture, tr engine.Transaction) { tr.ClearRange(f.all()) }},
		{"atomic", func(f *fixture, tr engine.Transaction) { tr.Atomic(engine.OpAdd, f.key("a"), []byte{1}) }},
		{"stamped value", func(f *fixture, tr engine.Transaction) { f.stampValue(tr, "a", "", "") }},
		{"set of an absent key", func(f *fixture, tr engine.Transaction) { tr.Set(f.key("absent"), nil) }},
	} {
		f.each(c.name, func(f *fixture) {
			f.put("a", "1")
			name := "a"
			if c.name == "set of an absent key" {
				name = "absent"
			}
			w := f.watch(name)
			f.write(func(tr engine.Transaction) { c.change(f, tr) })
			f.wantFired(w)
		})
	}
}

func watchOfWriter(f *fixture) {
	f.put("a", "1", "doorbell", "1")
	tr := f.begin()
	other, own := tr.Watch(f.key("a")), (engine.Watch)(nil)
	tr.Set(f.key("doorbell"), []byte("2"))
	own = tr.Watch(f.key("doorbell")) // of the value just written
	tr.Set(f.key("b"), []byte("1"))
	f.commit(tr)
	f.put("doorbell", "3")
	f.wantFired(own)
	f.put("a", "2")
	f.wantFired(other)
}

func watchSinceReadVersion(f *fixture) {
	f.put("a", "1", "b", "1")
	early, late := f.begin(), f.begin()
	f.wantGet(early, "a", "1")
	f.version(late)
	before := early.Watch(f.key("a"))
	f.put("a", "2", "b", "2")
	after := late.Watch(f.key("b"))
	f.commit(early)
	f.commit(late)
	f.wantFired(before)
	f.wantFired(after)
}

func watchOwnWrite(f *fixture) {
	f.put("a", "1")
	tr := f.begin()
	w := tr.Watch(f.key("a"))
	tr.Set(f.key("a"), []byte("2"))
	f.commit(tr)
	f.wantFired(w)
}

// watchIsQuiet allows a watch to fire without cause, but not always. Other
// watches show when the news of the writes has arrived.
func watchIsQuiet(f *fixture) {
	const rounds = 10
	f.put("a", "1")
	loud := 0
	for i := range rounds {
		quiet, next, last := f.watch("a"), f.watch("a\x00"), f.watch("z")
		ctx, cancel := context.WithCancel(f.ctx)
		var err error
		waited := f.start(func() { err = quiet.Wait(ctx) })
		f.put("", fmt.Sprint(i), "a\x00", fmt.Sprint(i), "aa", fmt.Sprint(i))
		f.put("b", fmt.Sprint(i))
		f.wantFired(next)
		f.put("z", fmt.Sprint(i))
		f.wantFired(last)
		cancel()
		f.await("the end of a wait", waited)
		if err == nil {
			loud++
			continue
		}
		f.wantError("wait", err, context.Canceled)
		f.put("a", fmt.Sprint("changed ", i))
		f.wantFired(quiet)
	}
	if loud == rounds {
		f.Fatalf("the watch fired without a change in each of %d rounds", rounds)
	}
}

func watchOutlives(f *fixture) {
	f.put("a", "1")
	ctx, cancel := context.WithCancel(f.ctx)
	tr := f.engine.Begin(ctx)
	w := tr.Watch(f.key("a"))
	f.commit(tr)
	tr.Cancel() // does nothing after the commit
	open := make([]engine.Watch, 5)
	for i := range open {
		tr := f.beginUnder(ctx)
		f.version(tr)
		open[i] = tr.Watch(f.key("b"))
	}
	cancel()
	for _, end := range open { // now the end of the context has been noticed
		f.wantFailed(end)
	}
	f.put("a", "2")
	f.wantFired(w)
}

func watchWaiters(f *fixture) {
	f.put("a", "1")
	one, two := f.watch("a"), f.watch("a")
	var waiters sync.WaitGroup
	for i := range 8 {
		waiters.Go(func() {
			w := one
			if i%2 == 0 {
				w = two
			}
			for range 2 {
				if err := w.Wait(f.ctx); err != nil {
					f.Errorf("wait: %v", err)
				}
			}
		})
	}
	f.put("a", "2")
	waiters.Wait()
	one.Cancel() // too late to matter
	f.wantFired(f.firedBefore(two))
}

// firedBefore returns w, which has fired.
func (f *fixture) firedBefore(w engine.Watch) engine.Watch {
	f.Helper()
	ctx, cancel := context.WithCancel(f.ctx)
	cancel()
	if err := w.Wait(ctx); err != nil && !errors.Is(err, context.Canceled) {
		f.Fatalf("a watch that has fired: %v", err)
	}
	return w
}

func manyWatches(f *fixture) {
	const n = 200
	tr := f.begin()
	watches := make([]engine.Watch, n)
	for i := range watches {
		watches[i] = tr.Watch(f.key(fmt.Sprintf("%04d", i)))
		f.Cleanup(watches[i].Cancel)
	}
	f.commit(tr)
	f.write(func(tr engine.Transaction) {
		for i := range n {
			tr.Set(f.key(fmt.Sprintf("%04d", i)), nil)
		}
	})
	for _, w := range watches {
		f.wantFired(w)
	}
}

func watchCancel(f *fixture) {
	f.put("a", "1")
	w := f.watch("a")
	var err error
	waited := f.start(func() { err = w.Wait(f.ctx) })
	w.Cancel()
	f.await("the end of a wait", waited)
	f.wantError("a wait under way", err, engine.ErrCancelled)
	f.wantError("a later wait", w.Wait(f.ctx), engine.ErrCancelled)
	w.Cancel()

	tr := f.begin() // a watch can be cancelled before the commit, and the transaction goes on
	w = tr.Watch(f.key("a"))
	w.Cancel()
	tr.Set(f.key("b"), []byte("1"))
	f.commit(tr)
	f.wantError("a wait", w.Wait(f.ctx), engine.ErrCancelled)
	f.wantContents("a=1 b=1")
}

func watchWaitContext(f *fixture) {
	f.put("a", "1")
	w := f.watch("a")
	ended, cancel := context.WithCancel(f.ctx)
	cancel()
	f.wantError("wait", w.Wait(ended), context.Canceled)
	passed, stop := context.WithTimeout(f.ctx, 1)
	defer stop()
	f.wantError("wait", w.Wait(passed), context.DeadlineExceeded)
	under, cancel := context.WithCancel(f.ctx)
	var err error
	waited := f.start(func() { err = w.Wait(under) })
	cancel()
	f.await("the end of a wait", waited)
	f.wantError("wait", err, context.Canceled)
	f.put("a", "2")
	f.wantFired(w)
}

func watchNeedsCommit(f *fixture) {
	f.put("a", "1")
	for _, read := range []bool{false, true} { // true: the watch has seen its key; false: perhaps not yet
		wait := func(tr engine.Transaction) {
			if read {
				must(f, tr.Get(f.key("a")))
				must(f, tr.Get(f.key("b")))
			}
		}
		cancelled := f.begin()
		w := cancelled.Watch(f.key("a"))
		wait(cancelled)
		cancelled.Cancel()
		f.wantFailed(w)

		ctx, cancel := context.WithCancel(f.ctx)
		ended := f.beginUnder(ctx)
		w = ended.Watch(f.key("a"))
		wait(ended)
		cancel()
		f.wantFailed(w)

		invalid := f.begin()
		w = invalid.Watch(f.key("a"))
		wait(invalid)
		invalid.Set(f.key("c"), make([]byte, engine.MaxValueSize+1))
		f.wantError("commit", invalid.Commit(), engine.ErrValueTooLarge)
		f.wantFailed(w)

		retried := f.begin()
		w = retried.Watch(f.key("a"))
		wait(retried)
		if err := retried.OnError(engine.ErrConflict); err != nil {
			f.Fatalf("OnError: %v", err)
		}
		f.wantFailed(w)
	}

	refused := f.begin()
	f.wantGet(refused, "a", "1")
	w := refused.Watch(f.key("b"))
	refused.Set(f.key("c"), nil)
	f.put("a", "2")
	err := refused.Commit()
	f.wantError("commit", err, engine.ErrConflict)
	f.wantFailed(w)
	if err := refused.OnError(err); err != nil {
		f.Fatalf("OnError: %v", err)
	}
	again := refused.Watch(f.key("b")) // the watch of the next attempt
	f.commit(refused)
	f.put("b", "1")
	f.wantFired(again)
}

func watchClose(f *fixture) {
	f.put("a", "1")
	armed, waiting := f.watch("a"), f.watch("b")
	var err error
	waited := f.start(func() { err = waiting.Wait(f.ctx) })
	open := f.begin()
	pending := open.Watch(f.key("c"))
	f.wantAbsent(open, "c")
	if err := f.engine.Close(); err != nil {
		f.Fatalf("close: %v", err)
	}
	f.await("the end of a wait", waited)
	f.wantError("a wait under way", err, engine.ErrClosed)
	f.wantError("a later wait", armed.Wait(f.ctx), engine.ErrClosed)
	f.wantFailed(pending)
	_ = f.wantFailed(f.engine.Begin(f.ctx).Watch(f.key("a")))
}

func tooManyWatches(f *fixture) {
	n := f.harness.MaxWatches
	if n == 0 {
		f.Skip("the harness sets no limit of watches")
	}
	tr := f.begin()
	watches := make([]engine.Watch, n+1)
	for i := range watches {
		watches[i] = tr.Watch(f.key(fmt.Sprint(i)))
		f.Cleanup(watches[i].Cancel)
	}
	f.commit(tr)
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	ends := make(chan error)
	for _, w := range watches {
		go func() { ends <- w.Wait(ctx) }()
	}
	f.wantError("the first watch to end", <-ends, engine.ErrTooManyWatches)
	cancel()
	for range n {
		f.wantError("another watch", <-ends, context.Canceled)
	}
	watches[0].Cancel()
	watches[1].Cancel()
	w := f.watch("one more")
	f.put("one more", "1")
	f.wantFired(w)
}
