package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/jsonl"
	"golang.org/x/sync/semaphore"
)

// importer appends the events of an input and prints what became of each.
//
// It is a pipeline. One goroutine reads and parses lines; the caller's groups
// them and starts appends; a third waits for the appends in the order of the
// input and prints. Only this last one knows what is stored.
type importer struct {
	store    *fdblayer.Store
	expected fdblayer.ExpectedRevision
	// batch is the most lines of an append.
	batch int
	// inOrder makes each append wait for the one before.
	inOrder  bool
	defaults jsonl.Defaults
	out      *bufio.Writer
	progress *progress

	began time.Time
	// last is the last revision of each stream in this run; kept only when there
	// is an expectation to carry on.
	last map[string]int64
	// room bounds what is under way.
	room *semaphore.Weighted

	// What follows belongs to the printing goroutine until it has ended.

	// stored counts the events that are stored, repeats those among them that
	// had been before, and appends the appends that they took.
	stored, repeats, appends int64
	// lastLine is the line up to which all is stored.
	lastLine int
	// failure is the first append that failed, or that its result could not be
	// printed; storedAfter and failedAfter count the events under way behind it.
	failure                  error
	storedAfter, failedAfter int64
}

// group is events in a row that are appended as one.
type group struct {
	stream      string
	first, last int // lines
	events      []fdblayer.NewEvent
	size        int
}

// outcome waits for an append.
type outcome interface {
	Wait() (fdblayer.AppendResult, error)
}

// finished is an outcome that is there already.
type finished struct {
	result fdblayer.AppendResult
	err    error
}

func (f finished) Wait() (fdblayer.AppendResult, error) { return f.result, f.err }

// submitted is an append under way.
type submitted struct {
	group
	outcome
}

// parsed is a line, or why there is no further one.
type parsed struct {
	entry jsonl.Entry
	err   error
}

const (
	// maxUnderWay bounds the appends under way, and with them what is in memory:
	// in bytes of data, and perEvent for each event.
	maxUnderWay = 64 << 20
	perEvent    = 4 << 10
	// maxOutcomes is more than that can be of single events.
	maxOutcomes = maxUnderWay / perEvent
	// linesAhead is how many lines are parsed before they are asked for.
	linesAhead = 16
)

// run appends until the input ends, something fails, or ctx ends. Appends under
// way are then waited for, so that it is known what is stored.
func (im *importer) run(ctx context.Context, input io.Reader) error {
	im.began = time.Now()
	im.last = make(map[string]int64)
	im.room = semaphore.NewWeighted(maxUnderWay)

	reading, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	lines := make(chan parsed, linesAhead)
	// Not waited for: a read of the standard input cannot be interrupted.
	go im.parse(reading, input, lines)

	underWay := make(chan submitted, maxOutcomes)
	printed := make(chan struct{})
	go func() {
		defer close(printed)
		im.print(underWay, stop)
	}()
	err := im.submit(reading, lines, underWay)
	close(underWay)
	<-printed
	return im.explain(ctx, err)
}

func (im *importer) parse(ctx context.Context, input io.Reader, lines chan<- parsed) {
	reader := jsonl.NewReader(input, im.defaults)
	for {
		e, err := reader.Next()
		p := parsed{e, withHint(err)}
		select {
		case lines <- p:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// partialError says that lines were read, but not appended: they wait for the rest
// of their group, which must be stored as a whole or not at all.
type partialError struct {
	group
	err error
}

func (e *partialError) Error() string { return e.err.Error() }
func (e *partialError) Unwrap() error { return e.err }

// submit groups lines and starts their appends. It returns nil at the end of the
// input, and when an append has failed.
func (im *importer) submit(ctx context.Context, lines <-chan parsed, underWay chan<- submitted) error {
	var g group
	for {
		var p parsed
		select {
		case p = <-lines:
		case <-ctx.Done():
			return &partialError{g, context.Cause(ctx)}
		}
		if p.err != nil && !errors.Is(p.err, io.EOF) {
			return &partialError{g, p.err}
		}
		end := p.err != nil
		if len(g.events) > 0 && (end || p.entry.Stream != g.stream || g.size+sizeOf(p.entry) > fdblayer.MaxAppendSize) {
			if err := im.start(ctx, g, underWay); err != nil {
				return err
			}
			g = group{}
		}
		if end {
			return nil
		}
		if len(g.events) == 0 {
			g.stream, g.first = p.entry.Stream, p.entry.Line
		}
		g.last = p.entry.Line
		g.size += sizeOf(p.entry)
		g.events = append(g.events, p.entry.Event)
		// Whoever feeds us one line at a time wants its result at once.
		if len(g.events) == im.batch {
			if err := im.start(ctx, g, underWay); err != nil {
				return err
			}
			g = group{}
		}
	}
}

// sizeOf is what the limit of an append counts.
func sizeOf(e jsonl.Entry) int { return len(e.Event.Data) + len(e.Event.Metadata) }

// start starts the append of a group, once there is room for it. What fails is
// reported through underWay, where it has its place among the others.
func (im *importer) start(ctx context.Context, g group, underWay chan<- submitted) error {
	if err := im.room.Acquire(ctx, g.weight()); err != nil {
		return &partialError{g, context.Cause(ctx)}
	}
	// An append that has been started is better finished than given up: then it
	// is known whether it is stored.
	appending := context.WithoutCancel(ctx)
	if im.inOrder {
		result, err := im.store.Append(appending, g.stream, im.expect(g.stream), g.events...)
		if im.expected != fdblayer.Any {
			im.last[g.stream] = result.LastRevision
		}
		underWay <- submitted{g, finished{result, err}}
		if err != nil {
			return errFailed
		}
		return nil
	}
	pending, err := im.store.AppendAsync(appending, g.stream, fdblayer.Any, g.events...)
	if err != nil {
		underWay <- submitted{g, finished{err: err}}
		return errFailed
	}
	underWay <- submitted{g, pending}
	return nil
}

// expect is the expectation of the next append to a stream.
func (im *importer) expect(stream string) fdblayer.ExpectedRevision {
	if last, ok := im.last[stream]; ok {
		return fdblayer.ExpectedRevision(last)
	}
	return im.expected
}

// errFailed ends submit when the failure itself is with the printing goroutine.
var errFailed = errors.New("an append failed")

func (g *group) weight() int64 {
	return min(int64(g.size)+int64(len(g.events))*perEvent, maxUnderWay)
}

// print waits for appends in order and prints their results. After a failure it
// ends the reading, and goes on with what is under way.
func (im *importer) print(underWay <-chan submitted, stop context.CancelCauseFunc) {
	var line []byte
	for s := range underWay {
		result, err := s.Wait()
		im.room.Release(s.weight())
		if err != nil {
			im.fail(s.group, err, stop)
			continue
		}
		im.count(s.group, result)
		line = appendResultJSON(line[:0], result)
		_, err = im.out.Write(line)
		if len(underWay) == 0 && err == nil {
			err = im.out.Flush()
		}
		if err != nil && im.failure == nil {
			im.failure = fmt.Errorf("printing results: %w", err)
			stop(errFailed)
		}
	}
	if err := im.out.Flush(); err != nil && im.failure == nil {
		im.failure = fmt.Errorf("printing results: %w", err)
	}
}

func (im *importer) count(g group, result fdblayer.AppendResult) {
	n := int64(len(g.events))
	im.progress.add(n)
	im.stored += n
	im.appends++
	if result.Repeat {
		im.repeats += n
	}
	if im.failure != nil {
		im.storedAfter += n
		return
	}
	im.lastLine = g.last
}

func (im *importer) fail(g group, err error, stop context.CancelCauseFunc) {
	if im.failure != nil {
		im.failedAfter += int64(len(g.events))
		return
	}
	var limit *fdblayer.LimitError
	if errors.As(err, &limit) && len(g.events) > 1 {
		err = fmt.Errorf("%w; a smaller --batch helps", err)
	}
	im.failure = &jsonl.LineError{First: g.first, Last: g.last, Err: err}
	stop(errFailed)
}

// explain says what ended the run early, and what is stored.
func (im *importer) explain(ctx context.Context, err error) error {
	switch {
	case im.failure != nil:
		err = im.failure
	case err == nil:
		return nil
	case ctx.Err() != nil:
		err = fmt.Errorf("stopped: %w", err)
	}
	text := fmt.Sprintf("%s stored before it", numberOf(im.stored-im.storedAfter, "event"))
	if im.lastLine > 0 {
		text = fmt.Sprintf("%s stored before it, up to line %d", numberOf(im.stored-im.storedAfter, "event"), im.lastLine)
	}
	if behind := im.storedAfter + im.failedAfter; behind > 0 {
		text += fmt.Sprintf("; of %d under way after it, %d are stored", behind, im.storedAfter)
	}
	var partial *partialError
	if im.failure == nil && errors.As(err, &partial) && len(partial.events) > 0 {
		text += fmt.Sprintf("; %s from line %d on, which belong with what follows, not stored", numberOf(int64(len(partial.events)), "event"), partial.first)
	}
	return fmt.Errorf("%w; %s", err, text)
}

// summary is for the end of a run.
func (im *importer) summary() string {
	took := time.Since(im.began)
	text := fmt.Sprintf("%s in %.1f s (%.0f/s)", numberOf(im.stored, "event"), took.Seconds(), float64(im.stored)/took.Seconds())
	if im.batch > 1 {
		text += fmt.Sprintf(", in %s", numberOf(im.appends, "append"))
	}
	if im.repeats > 0 {
		text += fmt.Sprintf("; %d had been stored before", im.repeats)
	}
	return text
}

// numberOf is n of the things, in words.
func numberOf(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
