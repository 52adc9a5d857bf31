// Package harnesstest is the conformance suite of the harness: a system must be
// correct before it is worth measuring.
package harnesstest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/bench/harness"
	"golang.org/x/sync/errgroup"
)

// patience is how long one case may take on a slow machine.
const patience = time.Minute

// Run tests that the system keeps the promises of the interfaces that it implements.
// It skips the test if the system cannot run on this machine. Event data is ASCII
// text without quotes and backslashes, as in the workloads.
func Run(t *testing.T, s harness.System) {
	if s.Name == "" || s.Kind == "" || s.About == "" {
		t.Errorf("a system needs a Name, a Kind and an About: %+v", s)
	}
	dir := t.TempDir()
	f := &fixture{T: t, book: newBook(), instance: open(t, s, dir)}
	closed := false
	t.Cleanup(func() {
		if !closed {
			_ = f.instance.Close()
		}
	})
	if s.Kind == harness.Peer && f.instance.Version() == "" {
		t.Error("a peer without a version")
	}
	// All cases use one instance: what one leaves behind must not disturb the next.
	for _, c := range cases {
		f.run(t, c.name, c.run)
	}
	processes := f.processes()
	if err := f.instance.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	closed = true
	checkGone(t, processes)
	if _, ok := f.instance.(harness.Volatile); ok {
		return
	}
	f.instance, closed = open(t, s, dir), false
	f.run(t, "everything is there after closing and opening again", reopened)
}

func open(t *testing.T, s harness.System, dir string) harness.Instance {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	i, err := s.Open(ctx, dir)
	if errors.Is(err, harness.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	return i
}

// fixture is an open instance, with the book of what must be in it.
type fixture struct {
	*testing.T
	ctx      context.Context
	instance harness.Instance
	book     *book
}

func (f *fixture) run(t *testing.T, name string, test func(*fixture)) {
	t.Run(name, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		test(&fixture{T: t, ctx: ctx, instance: f.instance, book: f.book})
	})
}

// capability returns the instance as a C, and skips the case if it is not one.
func capability[C any](f *fixture) C {
	c, ok := f.instance.(C)
	if !ok {
		f.Skip(harness.NotOffered)
	}
	return c
}

// most returns the size of an append: n, or 1 if the instance takes no more at once.
func (f *fixture) most(n int) int {
	if _, ok := f.instance.(harness.SingleAppender); ok {
		return 1
	}
	return n
}

// unchecked reports whether the instance refuses no append.
func (f *fixture) unchecked() bool {
	_, ok := f.instance.(harness.Unchecked)
	return ok
}

// append adds n events to the end of the stream, and fails if it cannot.
func (f *fixture) append(stream string, n int) {
	f.Helper()
	if err := f.tryAppend(stream, n); err != nil {
		f.Fatal(err)
	}
}

// tryAppend may be called from any goroutine, but only one at a time for each stream.
func (f *fixture) tryAppend(stream string, n int) error {
	next := f.book.length(stream)
	return f.book.write(stream, n, func(events []harness.Event) error {
		return f.instance.(harness.Appender).Append(f.ctx, stream, next, events)
	})
}

// refuse fails unless an append with a wrong next is refused without leaving a trace.
func (f *fixture) refuse(stream string, next int64) {
	f.Helper()
	if f.unchecked() {
		return
	}
	events := []harness.Event{{Data: []byte("must not be there")}}
	if err := f.instance.(harness.Appender).Append(f.ctx, stream, next, events); err == nil {
		f.Errorf("%s has %d events, but an append that expects %d succeeded", stream, f.book.length(stream), next)
	}
	f.check(stream)
}

// check compares the stream with the book, if it can be read.
func (f *fixture) check(stream string) {
	f.Helper()
	r, ok := f.instance.(harness.StreamReader)
	if !ok {
		return
	}
	var got []string
	if err := r.ReadStream(f.ctx, stream, collect(&got)); err != nil {
		f.Fatalf("read %s: %v", stream, err)
	}
	if err := f.book.compare(stream, got); err != nil {
		f.Error(err)
	}
}

// together runs n calls at once and fails if one of them does.
func (f *fixture) together(n int, call func(i int) error) {
	f.Helper()
	var g errgroup.Group
	for i := range n {
		g.Go(func() error { return call(i) })
	}
	if err := g.Wait(); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) processes() []int {
	c, ok := f.instance.(harness.Costed)
	if !ok {
		return nil
	}
	ids := c.Processes()
	if len(ids) == 0 {
		f.Error("an instance that is Costed has no processes")
	}
	for _, id := range ids {
		if id == os.Getpid() || !alive(id) {
			f.Errorf("process %d is not one of the instance's", id)
		}
	}
	return ids
}

// checkGone fails when processes outlive the instance that started them.
func checkGone(t *testing.T, ids []int) {
	for _, id := range ids {
		if alive(id) {
			t.Errorf("process %d outlives the instance", id)
		}
	}
}

func alive(id int) bool {
	p, err := os.FindProcess(id)
	return err == nil && !errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// collect returns a yield function that stores what it is given.
func collect(into *[]string) func([]byte) {
	return func(data []byte) { *into = append(*into, string(data)) }
}

// name makes a stream name in the form that systems may rely on.
func name(category string, number int) string { return fmt.Sprintf("%s-%d", category, number) }
