package harnesstest

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/bench/harness"
)

type testCase struct {
	name string
	run  func(*fixture)
}

var cases = []testCase{
	{"appends continue a stream", continues},
	{"a wrong next is refused", wrongNext},
	{"one of several concurrent appends with the same next succeeds", oneWins},
	{"concurrent appends to many streams", manyStreams},
	{"append wherever the stream ends", anywhere},
	{"append unless the tag is taken", unless},
	{"fill, then append", filled},
	{"the log has each event once", wholeLog},
	{"a tag finds the events that have it", byTag},
	{"followers miss nothing", follows},
	{"members of a group get every event", consumes},
}

func continues(f *fixture) {
	_ = capability[harness.Appender](f)
	a, b := name("continued", 1), name("continued", 11)
	f.check(a) // a stream that does not exist has no events
	f.append(a, 1)
	f.append(b, 1)
	f.append(a, 1)
	f.append(a, f.most(100))
	f.append(b, f.most(30))
	f.append(a, 1)
	f.check(a)
	f.check(b)
}

func wrongNext(f *fixture) {
	_ = capability[harness.Appender](f)
	s := name("wrong", 1)
	f.refuse(s, 1)
	f.append(s, 1)
	f.append(s, 1)
	for _, next := range []int64{0, 1, 3, 100} {
		f.refuse(s, next)
	}
	f.append(s, f.most(3))
	f.refuse(s, 2)
	f.append(s, 1)
	f.check(s)
}

func oneWins(f *fixture) {
	a := capability[harness.Appender](f)
	if f.unchecked() {
		f.Skip(harness.NotOffered)
	}
	s := name("contended", 1)
	for next := range int64(5) {
		var wins atomic.Int64
		f.together(8, func(int) error {
			err := f.book.write(s, 1, func(events []harness.Event) error { return a.Append(f.ctx, s, next, events) })
			if err == nil {
				wins.Add(1)
			}
			return nil
		})
		if wins.Load() != 1 {
			f.Fatalf("%d of 8 appends that expect %d events succeeded", wins.Load(), next)
		}
	}
	f.check(s)
}

func manyStreams(f *fixture) {
	_ = capability[harness.Appender](f)
	f.together(16, func(i int) error {
		for n := range 25 {
			if err := f.tryAppend(name("many", i), f.most(1+n%3)); err != nil {
				return err
			}
		}
		return nil
	})
	for i := range 16 {
		f.check(name("many", i))
	}
}

func anywhere(f *fixture) {
	a := capability[harness.AnyAppender](f)
	s := name("any", 1)
	appended := make([][]string, 8)
	f.together(len(appended), func(i int) error {
		for n := range 10 {
			err := f.book.write(s, f.most(1+n%3), func(events []harness.Event) error {
				for _, e := range events {
					appended[i] = append(appended[i], string(e.Data))
				}
				return a.AppendAny(f.ctx, s, events)
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	got, ok := f.readSomehow(s)
	if !ok {
		return
	}
	for _, want := range appended {
		mine := slices.DeleteFunc(slices.Clone(got), func(data string) bool { return !slices.Contains(want, data) })
		if err := difference("one writer's events in "+s, mine, want); err != nil {
			f.Error(err)
		}
	}
	f.book.settle(s, got)
	f.check(s)
	if _, ok := f.instance.(harness.Appender); ok {
		f.refuse(s, f.book.length(s)-1)
		f.append(s, 1)
	}
}

// readSomehow reads a stream, from the log if it must.
func (f *fixture) readSomehow(stream string) (got []string, ok bool) {
	var err error
	switch r := f.instance.(type) {
	case harness.StreamReader:
		err = r.ReadStream(f.ctx, stream, collect(&got))
	case harness.LogReader:
		err = r.ReadLog(f.ctx, collect(&got))
		got = slices.DeleteFunc(got, func(data string) bool { return !strings.HasPrefix(data, stream+"/") })
	default:
		return nil, false
	}
	if err != nil {
		f.Fatalf("read %s: %v", stream, err)
	}
	return got, true
}

func unless(f *fixture) {
	a := capability[harness.ConditionalAppender](f)
	// The appended events must have the tag, or the condition would always hold.
	try := func(taken, stream string) error {
		return f.book.write(stream, f.most(2), func(events []harness.Event) error {
			for i := range events {
				events[i].Tags = append(events[i].Tags, taken)
			}
			return a.AppendUnless(f.ctx, taken, stream, events)
		})
	}
	s, other := name("unless", 1), name("unless", 2)
	for n, c := range []struct {
		tag, stream string
		refused     bool
	}{
		{"taken-1", s, false}, {"taken-1", s, true}, {"taken-1", other, true},
		{"taken-2", s, false}, {"taken-3", other, false}, {"taken-2", other, true},
	} {
		if err := try(c.tag, c.stream); (err != nil) != c.refused {
			f.Errorf("append %d, unless %s exists: %v", n, c.tag, err)
		}
	}
	var wins atomic.Int64
	f.together(8, func(i int) error {
		if try("taken-4", name("unless", 10+i)) == nil {
			wins.Add(1)
		}
		return nil
	})
	if wins.Load() != 1 {
		f.Errorf("%d of 8 appends unless taken-4 exists succeeded", wins.Load())
	}
	f.check(s)
	f.check(other)
}

func filled(f *fixture) {
	filler := capability[harness.Filler](f)
	_ = capability[harness.Appender](f)
	streams := []string{name("filled", 1), name("filled", 2), name("other", 1)}
	for n := range 30 {
		for _, s := range streams {
			next := f.book.length(s)
			err := f.book.write(s, f.most(1+n%5), func(events []harness.Event) error {
				return filler.Fill(f.ctx, s, next, events)
			})
			if err != nil {
				f.Fatalf("fill: %v", err)
			}
		}
	}
	for range 2 { // the second time there is nothing to do
		if err := filler.Flush(f.ctx); err != nil {
			f.Fatalf("flush: %v", err)
		}
	}
	for _, s := range streams {
		f.check(s)
		f.refuse(s, f.book.length(s)-1)
		f.append(s, 1)
		f.check(s)
	}
}

func wholeLog(f *fixture) {
	r := capability[harness.LogReader](f)
	for range 2 {
		var got []string
		if err := r.ReadLog(f.ctx, collect(&got)); err != nil {
			f.Fatalf("read the log: %v", err)
		}
		if err := f.book.compareAll(got, nil); err != nil {
			f.Fatal(err)
		}
	}
}

func byTag(f *fixture) {
	r := capability[harness.TagReader](f)
	var got []string
	if err := r.ReadTag(f.ctx, tag, collect(&got)); err != nil {
		f.Fatalf("read the events with tag %s: %v", tag, err)
	}
	if err := f.book.compareTag(got); err != nil {
		f.Error(err)
	}
	if err := r.ReadTag(f.ctx, "nobody's", func([]byte) { f.Error("a tag that no event has finds an event") }); err != nil {
		f.Errorf("read the events with a tag that no event has: %v", err)
	}
}

func follows(f *fixture) {
	follower := capability[harness.Follower](f)
	_ = capability[harness.Appender](f)
	before := f.book.lengths()
	const followers = 2
	var got [followers][]string
	received := make(chan struct{}, 1000)
	ctx, cancel := context.WithCancel(f.ctx)
	defer cancel()
	live, ended := make(chan struct{}, followers), make(chan error, followers)
	for i := range followers {
		go func() {
			ended <- follower.Follow(ctx, func() { live <- struct{}{} }, func(data []byte) {
				got[i] = append(got[i], string(data))
				received <- struct{}{}
			})
		}()
	}
	for range followers {
		f.await(live, ended, "a follower to be live")
	}
	const streams, appends = 4, 25
	f.together(streams, func(i int) error {
		for range appends {
			if err := f.tryAppend(name("followed", i), 1); err != nil {
				return err
			}
		}
		return nil
	})
	for range followers * streams * appends {
		f.await(received, ended, "followers to receive all events")
	}
	cancel()
	for range followers {
		f.awaitEnd(ended)
	}
	for i := range followers {
		if err := f.book.compareAll(got[i], before); err != nil {
			f.Errorf("follower %d: %v", i, err)
		}
	}
}

func consumes(f *fixture) {
	c := capability[harness.Consumer](f)
	for round, members := range []int{1, 3} {
		var mu sync.Mutex
		times := make(map[string]int)
		all, ended := make(chan struct{}, 1), make(chan error, 1)
		total := f.book.total()
		ctx, cancel := context.WithCancel(f.ctx)
		defer cancel()
		go func() {
			ended <- c.Consume(ctx, fmt.Sprintf("group%d", round), members, func(data []byte) {
				mu.Lock()
				defer mu.Unlock()
				if times[string(data)]++; times[string(data)] == 1 && len(times) == total {
					all <- struct{}{}
				}
			})
		}()
		f.await(all, ended, fmt.Sprintf("%d members to receive all %d events", members, total))
		cancel()
		f.awaitEnd(ended)
		mu.Lock()
		got := make([]string, 0, len(times))
		for data := range times {
			got = append(got, data)
		}
		mu.Unlock()
		if !slices.Equal(slices.Sorted(slices.Values(got)), f.book.sorted()) {
			f.Errorf("%d members received %d different events that are not the %d appended", members, len(got), total)
		}
	}
}

// reopened runs after all cases, on an instance that was closed and opened again.
func reopened(f *fixture) {
	if _, ok := f.instance.(harness.LogReader); ok {
		wholeLog(f)
	}
	streams := f.book.lengths()
	for stream := range streams {
		f.check(stream)
	}
	if _, ok := f.instance.(harness.Appender); !ok {
		return
	}
	for stream, length := range streams {
		f.refuse(stream, 0)
		f.refuse(stream, int64(length)-1)
		f.append(stream, 1)
	}
	f.append(name("reopened", 1), f.most(5))
	f.check(name("reopened", 1))
}

// await waits for the event. It fails if the call that should cause the event ends
// first, or if the case's time is up.
func (f *fixture) await(event <-chan struct{}, ended <-chan error, what string) {
	f.Helper()
	select {
	case <-event:
	case err := <-ended:
		f.Fatalf("waited for %s, but the call ended: %v", what, err)
	case <-f.ctx.Done():
		f.Fatalf("waited too long for %s", what)
	}
}

func (f *fixture) awaitEnd(ended <-chan error) {
	f.Helper()
	select {
	case err := <-ended:
		if err != nil {
			f.Errorf("the call ended with its context, but with an error: %v", err)
		}
	case <-f.ctx.Done():
		f.Fatal("the call did not end with its context")
	}
}
