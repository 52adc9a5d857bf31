package harness

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"sync"
	"time"
)

// stage is one system at work: its instance, and what the workloads know about the
// data in it. Only one goroutine uses it.
type stage struct {
	system   System
	dir      string
	instance Instance
	// stocked is how many events stock has appended, for workloads that read.
	stocked int
	// logged is how many events are in the log.
	logged int64
	// prepared counts the workloads, so that each has its own streams.
	prepared int
	// partitions is the number that a workload asked for; 0 when none did.
	partitions int
	load       load
	// text is what event data is cut from.
	text []byte
	// pace holds the rates that Live workloads have found in their trials, by workload
	// name.
	pace map[string]float64
}

// load is a prepared workload, ready for any number of turns.
type load struct {
	Workload
	// turn works until the tally's deadline, or for one operation if that takes longer.
	turn func(ctx context.Context, t *tally) error
}

// newStage opens a system.
func newStage(ctx context.Context, s System, dir string) (*stage, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	instance, err := s.Open(ctx, dir)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", s.Name, err)
	}
	return &stage{system: s, dir: dir, instance: instance, text: newText(), pace: make(map[string]float64)}, nil
}

func (s *stage) close() error {
	if s.instance == nil {
		return nil
	}
	err := s.instance.Close()
	s.instance = nil
	return err
}

// reopen closes the system, calls between, and opens the system again on the same
// data.
func (s *stage) reopen(ctx context.Context, between func() error) (err error) {
	if err := s.close(); err != nil {
		return fmt.Errorf("close %s: %w", s.system.Name, err)
	}
	if err := between(); err != nil {
		return err
	}
	if s.instance, err = s.system.Open(ctx, s.dir); err != nil {
		return fmt.Errorf("open %s again: %w", s.system.Name, err)
	}
	return nil
}

// errNotOffered says that a system cannot do a workload.
var errNotOffered = errors.New(NotOffered)

// prepare gets the system ready for turns of a workload. It returns errNotOffered if
// the system cannot do the workload.
func (s *stage) prepare(ctx context.Context, w Workload) error {
	s.prepared++
	if err := s.partition(ctx, w.Partitions); err != nil {
		return err
	}
	prepare := map[Operation]func(context.Context, Workload) (turnFunc, error){
		Append:       s.prepareAppend,
		AppendAny:    s.prepareAppendAny,
		AppendTagged: s.prepareAppendTagged,
		AppendUnless: s.prepareAppendUnless,
		Load:         s.prepareLoad,
		ReadLog:      s.prepareReadLog,
		ReadTag:      s.prepareReadTag,
		Live:         s.prepareLive,
		Consume:      s.prepareConsume,
		Open:         s.prepareOpen,
	}[w.Operation]
	if prepare == nil {
		return fmt.Errorf("%s is not an operation", w.Operation)
	}
	turn, err := prepare(ctx, w)
	if err != nil {
		return err
	}
	if _, volatile := s.instance.(Volatile); volatile && (w.Cold || w.Operation == Open) {
		return errNotOffered
	}
	if w.Log > 0 && w.Size <= 0 {
		return fmt.Errorf("%s: the size of the log's events is missing", w.Name())
	}
	s.load = load{Workload: w, turn: turn}
	if s.stocked < w.Log {
		if err := s.stock(ctx, w.Log, w.Size); err != nil {
			return err
		}
		if err := s.settle(ctx); err != nil {
			return err
		}
	}
	runtime.GC() // so that a turn does not pay for what came before
	return nil
}

// partition switches to an empty log of n partitions for this and later workloads.
func (s *stage) partition(ctx context.Context, n int) (err error) {
	if n == 0 || n == s.partitions {
		return nil
	}
	if s.system.OpenPartitioned == nil {
		return errNotOffered
	}
	if err := s.close(); err != nil {
		return fmt.Errorf("close %s: %w", s.system.Name, err)
	}
	s.dir = filepath.Join(s.dir, fmt.Sprint("partitions", n))
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	if s.instance, err = s.system.OpenPartitioned(ctx, s.dir, n); err != nil {
		return fmt.Errorf("open %s with %d partitions: %w", s.system.Name, n, err)
	}
	s.system.Open = func(ctx context.Context, dir string) (Instance, error) {
		return s.system.OpenPartitioned(ctx, dir, n)
	}
	s.partitions, s.stocked, s.logged = n, 0, 0
	return nil
}

type turnFunc = func(ctx context.Context, t *tally) error

// turn runs the workload for the given time and returns what it took. If profile is
// not empty, turn writes a CPU profile to that path.
func (s *stage) turn(ctx context.Context, length time.Duration, profile string) (_ *Sample, err error) {
	if s.load.Cold {
		if err := s.reopen(ctx, func() error { return forget(s.dir) }); err != nil {
			return nil, err
		}
	}
	if profile != "" {
		stop, err := startProfile(profile)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	before, err := s.costs()
	if err != nil {
		return nil, err
	}
	t := &tally{began: time.Now(), deadline: time.Now().Add(length)}
	if err := s.load.turn(ctx, t); err != nil {
		return nil, fmt.Errorf("%s: %w", s.load.Name(), err)
	}
	sample := t.sample()
	after, err := s.costs()
	if err != nil {
		return nil, err
	}
	s.logged += t.appended.Load()
	sample.CPUSeconds = after.cpu.Seconds() - before.cpu.Seconds()
	sample.Allocations = after.allocations - before.allocations
	sample.BytesWritten = after.written - before.written
	sample.Resident = after.resident
	sample.LogEvents = s.logged
	sample.DiskBytes, err = size(s.dataDirs())
	return sample, err
}

func startProfile(path string) (stop func() error, err error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}

// together runs work on n goroutines, waits for all of them, and returns the error of
// the first worker, by number, that failed.
func together(n int, work func(worker int) error) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for worker := range n {
		wg.Go(func() { errs[worker] = work(worker) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	// settleTime is how long the system may work on what stocking left behind, such as
	// compactions, before it is measured anyway.
	settleTime = 2 * time.Minute
	// settleLook is the interval between checks, and idle the share of one processor
	// below which the system has settled.
	settleLook = 500 * time.Millisecond
	idle       = 0.15
)

// settle waits until the system is nearly idle, because only a benchmark fills a log
// within a minute.
func (s *stage) settle(ctx context.Context) error {
	deadline := time.Now().Add(settleTime)
	look := time.NewTicker(settleLook)
	defer look.Stop()
	before, err := s.costs()
	for err == nil && time.Now().Before(deadline) {
		select {
		case <-look.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var after costs
		if after, err = s.costs(); err == nil && after.cpu-before.cpu < time.Duration(idle*float64(settleLook)) {
			return nil
		}
		before = after
	}
	return err
}
