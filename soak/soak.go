package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
)

// options say what a run does.
type options struct {
	url  string
	seed uint64
	// The run ends after time, or after this many acknowledged appends; zero means no
	// bound.
	time    time.Duration
	appends int64
	faults  bool
	// restart is roughly the time from one disturbance to the next.
	restart time.Duration
	// crowd is how many writers have each of the most common roles.
	crowd int
	// child says whether writers and others also work in a process that is killed.
	child bool
	// progress is where a line is written every few seconds.
	progress io.Writer
}

const (
	// stores is the number of stores in this process.
	stores = 3
	// patience is how long readers, members and the projection may take to reach the end
	// of the log.
	patience = 3 * time.Minute
	// progressEvery is how often a line is written.
	progressEvery = 5 * time.Second
)

// run is one soak.
type run struct {
	options
	checker *checker
	site    *site
	// writers write, helpers consume the group and project, readers read.
	writers, helpers *crew
	readers          *readers
	child            *nursery
	rng              *rand.Rand
	began            time.Time
	took             time.Duration
	events           int64
}

// soak runs from the first append to the verdict. An error means that no verdict could
// be reached.
func soak(ctx context.Context, o options) (r *run, err error) {
	c := newChecker(o.seed)
	r = &run{options: o, checker: c, rng: rand.New(rand.NewPCG(o.seed, 3)), began: time.Now()}
	if r.site, err = openSite(ctx, o.url, stores, o.seed, o.faults); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.site.close()) }()
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	r.writers, r.helpers = newCrew(r.site, o.seed, c), newCrew(r.site, o.seed, c)
	r.readers = newReaders(newCrew(r.site, o.seed, c), c)
	if o.child {
		r.child = &nursery{checker: c, url: o.url, faults: o.faults}
		if err := r.child.spawn(); err != nil {
			return nil, err
		}
	}
	r.begin(ctx)
	err = r.disturb(ctx)
	r.took = time.Since(r.began)
	r.say("waiting for the writers to finish")
	err = errors.Join(err, r.writers.stop(giveUp))
	r.say("waiting for the child to finish")
	if r.child != nil {
		err = errors.Join(err, r.child.stop())
	}
	r.site.calm()
	if err == nil {
		err = r.arrive(ctx)
	}
	r.say("waiting for the readers to finish")
	err = errors.Join(err, r.readers.stop(giveUp), r.helpers.stop(giveUp))
	r.readers.following.Wait()
	if err == nil {
		err = r.judge(ctx)
	}
	r.say("done")
	return r, err
}

// begin starts all workers.
func (r *run) begin(ctx context.Context) {
	w := r.writers
	number := uint32(0)
	next := func() *writer {
		number++
		return &writer{crew: w, number: number, slot: int(number), revision: -1}
	}
	for i, n := range [...]int{anyRole: r.crowd, exactRole: r.crowd, manyRole: 6, sharedRole: 6} {
		for range n {
			x := next()
			x.role = role(i)
			w.hire(ctx, fmt.Sprintf("writer %d", x.number), x.plain)
		}
	}
	for range 6 {
		x := next()
		w.hire(ctx, fmt.Sprintf("asynchronous writer %d", x.number), x.async)
	}
	for range 6 {
		x := next()
		w.hire(ctx, fmt.Sprintf("claimant %d", x.number), seldom(x.claims))
	}
	for i := range 2 * chainsInAll {
		x := &chain{writer: next(), number: uint32(i % chainsInAll)}
		w.hire(ctx, fmt.Sprintf("writer %d of chain %d", x.writer.number, x.number), seldom(x.extend))
	}
	for range 4 {
		x := next()
		w.hire(ctx, fmt.Sprintf("counting writer %d", x.number), seldom(x.adds))
	}
	for range 4 {
		x := next()
		w.hire(ctx, fmt.Sprintf("once-only writer %d", x.number), seldom(func(ctx context.Context) error { return x.once(ctx, r.checker) }))
	}
	for range 2 * countChains {
		x := next()
		w.hire(ctx, fmt.Sprintf("numbering writer %d", x.number), seldom(x.numbers))
	}
	var keepers [4]*keeper
	for i := range keepers { // the checker must know all of them before one begins
		x := &keeper{writer: next(), checker: r.checker, stream: fmt.Sprint(lifePrefix, i)}
		x.life = r.checker.life(x.stream, x.number)
		keepers[i] = x
	}
	for _, x := range keepers {
		w.hire(ctx, "keeper of "+x.stream, x.keep)
	}
	w.hire(ctx, "scavenger", w.scavenge)
	for range 2 {
		r.helpers.hire(ctx, "member", r.helpers.member)
		r.helpers.hire(ctx, "projection", r.helpers.project)
	}
	r.helpers.hire(ctx, "replay", r.helpers.replay)
	r.readers.start(ctx)
}

// disturb restarts and kills until the run is over.
func (r *run) disturb(ctx context.Context) error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	told, at, troubles := time.Now(), int64(0), 0
	pause := func() time.Time {
		return time.Now().Add(r.restart/2 + time.Duration(r.rng.Int64N(int64(r.restart)+1)))
	}
	for next := pause(); ; {
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		n := r.checker.acknowledged.Load()
		// With a fast disk, all appends may be done before the first disturbance.
		undisturbed := r.restart > 0 && troubles == 0
		if r.time > 0 && time.Since(r.began) >= r.time || r.appends > 0 && n >= r.appends && !undisturbed {
			return nil
		}
		if since := time.Since(told); since >= progressEvery {
			r.tell(n, float64(n-at)/since.Seconds())
			told, at = time.Now(), n
		}
		if r.restart > 0 && time.Now().After(next) {
			if err := r.trouble(ctx); err != nil {
				return err
			}
			troubles++
			next = pause()
		}
	}
}

// trouble causes one disturbance.
func (r *run) trouble(ctx context.Context) error {
	pause := time.Duration(r.rng.IntN(300)) * time.Millisecond
	switch n := r.rng.IntN(10); {
	case r.child != nil && (n < 4 || r.child.kills == 0):
		if err := r.child.kill(); err != nil {
			return err
		}
		time.Sleep(pause)
		return r.child.spawn()
	case n < 7 && !strings.HasPrefix(r.url, "mem:"):
		return r.site.reopen(ctx, pause)
	}
	return r.site.restart(ctx, r.rng.IntN(stores))
}

func (r *run) say(what string) {
	fmt.Fprintf(r.progress, "%4.0fs  %s\n", time.Since(r.began).Seconds(), what)
}

func (r *run) tell(n int64, rate float64) {
	kills := 0
	if r.child != nil {
		kills = r.child.kills
	}
	fmt.Fprintf(r.progress, "%4.0fs  %d acknowledged (%.0f/s), %d repeats, %d unknown; %d stores and %d engines restarted, %d kills; %d defects\n",
		time.Since(r.began).Seconds(), n, rate, r.checker.repeats.Load(), r.checker.unknown.Load(),
		r.site.restarts.Load(), r.site.reopened.Load(), kills, r.checker.verdict.total())
}

// arrive waits until everybody has reached the end of the log.
func (r *run) arrive(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	s, err := r.site.store(ctx, 0)
	if err != nil {
		return err
	}
	goal := fdbevents.Start
	for ev, err := range s.ReadAll(ctx, fdbevents.End, fdblayer.ReadOptions{Backward: true, Limit: 1}) {
		if err != nil {
			return fmt.Errorf("reading the end of the log: %w", err)
		}
		goal = ev.Position
	}
	r.say("waiting for the readers to reach the end of the log")
	r.readers.end(goal)
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		r.readers.following.Wait()
	}()
	select {
	case <-arrived:
	case <-ctx.Done(): // late readers report themselves
	}
	r.say("waiting for the group to reach it")
	if err := r.helpers.drained(ctx); err != nil {
		r.checker.verdict.add(unshared, "%v", err)
	}
	r.say("waiting for the projection to reach it")
	if err := r.helpers.projectedTo(ctx, goal); err != nil {
		r.checker.verdict.add(projected, "%v", err)
	}
	return nil
}

// judge reads everything once more and reaches the verdict.
func (r *run) judge(ctx context.Context) error {
	s, err := r.site.store(ctx, 0)
	if err != nil {
		return err
	}
	a, err := r.checker.audit(s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{}))
	if err != nil {
		return fmt.Errorf("reading the log: %w", err)
	}
	r.events = a.events
	r.say("the log is read; checking the streams, the view and the indexes")
	if err := r.streams(ctx, s, a); err != nil {
		return err
	}
	view, err := r.helpers.view(ctx)
	if err != nil {
		return fmt.Errorf("reading the projection: %w", err)
	}
	a.projection(view)
	if err := r.counters(ctx, s, a); err != nil {
		return err
	}
	report, err := check.Run(ctx, s, check.Options{})
	if err != nil {
		return err
	}
	for _, problem := range report.Problems {
		r.checker.verdict.add(indexes, "%s", problem)
	}
	return nil
}

// streams reads each stream by itself and compares it with the log.
func (r *run) streams(ctx context.Context, s *fdblayer.Store, a *audit) error {
	found := 0
	for info, err := range s.Streams(ctx, "") {
		if err != nil {
			return fmt.Errorf("listing streams: %w", err)
		}
		if info.LastRevision < 0 || strings.HasPrefix(info.Stream, lifePrefix) {
			continue // keepers check their own streams
		}
		found++
		t := tally{}
		for ev, err := range s.ReadStream(ctx, info.Stream, fdbevents.StreamStart, fdblayer.ReadOptions{}) {
			if err != nil {
				return fmt.Errorf("reading stream %q: %w", info.Stream, err)
			}
			t.count++
			t.order = fold(t.order, &ev)
		}
		if want := a.streams[info.Stream]; want == nil || want.count != t.count || want.order != t.order {
			r.checker.verdict.add(disagreeing, "stream %q: reading it gives %d events, but the log has different ones: %+v", info.Stream, t.count, want)
		}
	}
	for stream := range a.streams {
		if !strings.HasPrefix(stream, lifePrefix) {
			found--
		}
	}
	if found != 0 {
		r.checker.verdict.add(disagreeing, "the list of streams has %d more than the log", found)
	}
	return nil
}

// counters compares the keys that transactions wrote with the events that they
// appended.
func (r *run) counters(ctx context.Context, s *fdblayer.Store, a *audit) error {
	var adds, bare uint64
	var lengths [countChains]uint64
	_, err := s.Transact(ctx, func(tx *fdblayer.Tx) error {
		data := tx.Data(countersName)
		value, err := data.Get([]byte("adds"))
		if err != nil {
			return err
		}
		adds = number(value)
		if value, err = data.Get([]byte("bare")); err != nil {
			return err
		}
		bare = number(value)
		for i := range lengths {
			if value, err = data.Get(fmt.Appendf(nil, "chain-%d", countChain+i)); err != nil {
				return err
			}
			lengths[i] = number(value)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading counters: %w", err)
	}
	if adds != a.counted {
		r.checker.verdict.add(counters, "%d events were counted, but there are %d", adds, a.counted)
	}
	if sure, unsure := r.checker.sure.Load(), r.checker.unsure.Load(); int64(bare) < sure || int64(bare) > sure+unsure {
		r.checker.verdict.add(counters, "%d transactions without events were counted, but %d were acknowledged and %d are unknown", bare, sure, unsure)
	}
	for i, n := range lengths {
		if chain := uint32(countChain + i); n != uint64(a.heads[chain]) {
			r.checker.verdict.add(counters, "chain %d has length %d by its key, but has %d events", chain, n, a.heads[chain])
		}
	}
	return nil
}
