package ingest_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine/engines"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/ingest"
	"github.com/fdbevents/fdbevents/jsonl"
	"github.com/google/uuid"
)

func openStore(t *testing.T) *fdblayer.Store {
	t.Helper()
	e, err := engines.Open(t.Context(), "mem:")
	if err != nil {
		t.Fatal(err)
	}
	store, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		report, err := check.Run(context.Background(), store, check.Options{})
		if err != nil || len(report.Problems) > 0 {
			t.Errorf("check: %v, %v", report.Problems, err)
		}
		if err := errors.Join(store.Close(), e.Close()); err != nil {
			t.Error(err)
		}
	})
	return store
}

// input is a source that yields one event per line, and then an error.
type input struct {
	streams []string
	// ids holds the ids of some events, by line.
	ids  map[int]uuid.UUID
	end  error
	line int
}

func (in *input) Next() (jsonl.Entry, error) {
	if in.line == len(in.streams) {
		return jsonl.Entry{}, in.end
	}
	in.line++
	return jsonl.Entry{Line: in.line, Stream: in.streams[in.line-1],
		Event: fdbevents.EventData{ID: in.ids[in.line], Type: "T", Data: fmt.Append(nil, in.line)}}, nil
}

func of(streams string) *input { return &input{streams: strings.Fields(streams), end: io.EOF} }

// results records the calls of Stored, as "stream first to last".
type results struct{ list []string }

func (r *results) stored(a fdbevents.AppendResult, events int) error {
	if a.LastRevision-a.FirstRevision != int64(events-1) {
		return fmt.Errorf("%d events, but %+v", events, a)
	}
	r.list = append(r.list, fmt.Sprintf("%s %d to %d", a.Stream, a.FirstRevision, a.LastRevision))
	return nil
}

func (r *results) want(t *testing.T, want ...string) {
	t.Helper()
	if !slices.Equal(r.list, want) {
		t.Errorf("results are %q, want %q", r.list, want)
	}
}

// log returns the data of all events in the store, in log order.
func log(t *testing.T, store *fdblayer.Store) (data []string) {
	t.Helper()
	for ev, err := range store.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, string(ev.Data))
	}
	return data
}

func wantError(t *testing.T, got error, want string) *ingest.Error {
	t.Helper()
	var e *ingest.Error
	if !errors.As(got, &e) || got.Error() != want {
		t.Fatalf("got  %v\nwant %s", got, want)
	}
	return e
}

func TestRun(t *testing.T) {
	store := openStore(t)
	var r results
	idle := 0
	summary, err := ingest.Run(t.Context(), store, of("a b a c a"), ingest.Options{
		Expected: fdbevents.Any, Stored: r.stored, Idle: func() error { idle++; return nil },
	})
	if err != nil || summary != (ingest.Summary{Events: 5, Appends: 5}) {
		t.Errorf("%+v, %v", summary, err)
	}
	r.want(t, "a 0 to 0", "b 0 to 0", "a 1 to 1", "c 0 to 0", "a 2 to 2")
	if idle == 0 {
		t.Error("Idle was never called")
	}
	// Stored and Idle are optional.
	if summary, err := ingest.Run(t.Context(), store, of(""), ingest.Options{}); err != nil || summary != (ingest.Summary{}) {
		t.Errorf("empty source: %+v, %v", summary, err)
	}
	if summary, err := ingest.Run(t.Context(), store, of("a"), ingest.Options{Expected: 2}); err != nil || summary.Events != 1 {
		t.Errorf("%+v, %v", summary, err)
	}
}

// Results come in input order, and streams keep their order. With InOrder, the log keeps
// it, too.
func TestRunManyInOrder(t *testing.T) {
	const n, streams = 1000, 7
	in := &input{end: io.EOF}
	for i := range n {
		in.streams = append(in.streams, fmt.Sprintf("s-%d", i%streams))
	}
	for _, inOrder := range []bool{false, true} {
		store := openStore(t)
		in.line = 0
		var r results
		summary, err := ingest.Run(t.Context(), store, in, ingest.Options{Expected: fdbevents.Any, InOrder: inOrder, Stored: r.stored})
		if err != nil || summary.Events != n {
			t.Fatalf("%+v, %v", summary, err)
		}
		for i, got := range r.list {
			if want := fmt.Sprintf("s-%d %d to %d", i%streams, i/streams, i/streams); got != want {
				t.Fatalf("result %d is of %s, want %s", i, got, want)
			}
		}
		for i, data := range log(t, store) {
			if inOrder && data != fmt.Sprint(i+1) {
				t.Fatalf("event %d of the log is line %s", i, data)
			}
		}
	}
}

func TestRunBatches(t *testing.T) {
	store := openStore(t)
	var r results
	summary, err := ingest.Run(t.Context(), store, of("a a a b a a a a a"), ingest.Options{Expected: fdbevents.NoStream, Batch: 3, Stored: r.stored})
	if err != nil || summary != (ingest.Summary{Events: 9, Appends: 4}) {
		t.Errorf("%+v, %v", summary, err)
	}
	r.want(t, "a 0 to 2", "b 0 to 0", "a 3 to 5", "a 6 to 7")

	// If the rest of a batch does not come, its beginning is not stored.
	in := of("c c c c c")
	in.end = errors.New("broken")
	summary, err = ingest.Run(t.Context(), store, in, ingest.Options{Expected: fdbevents.Any, Batch: 3})
	e := wantError(t, err, "broken; 3 events stored before it, up to line 3; 2 events from line 4 on not stored, because their batch is incomplete")
	if summary.Events != 3 || e.Stored != 3 || e.LastLine != 3 || e.Waiting != 2 || e.WaitingLine != 4 || !errors.Is(err, in.end) {
		t.Errorf("%+v, %+v", summary, e)
	}
}

// A batch that would exceed the limit of an append is split.
func TestRunLargeEvents(t *testing.T) {
	store := openStore(t)
	var lines strings.Builder
	for range 3 {
		fmt.Fprintf(&lines, "{\"data\":\"%s\"}\n", strings.Repeat("x", fdbevents.MaxAppendSize/2-2))
	}
	lines.WriteString("{}\n")
	var r results
	_, err := ingest.Run(t.Context(), store, jsonl.NewReader(strings.NewReader(lines.String()), jsonl.Defaults{Stream: "s", Type: "T"}),
		ingest.Options{Expected: fdbevents.Any, Batch: 10, Stored: r.stored})
	if err != nil {
		t.Fatal(err)
	}
	r.want(t, "s 0 to 1", "s 2 to 3")
}

// The expectation is for the first append to a stream; later appends continue from it.
func TestRunExpected(t *testing.T) {
	store := openStore(t)
	for _, tt := range []struct {
		expected fdbevents.ExpectedRevision
		err      string
	}{
		{fdbevents.NoStream, ""},
		{fdbevents.NoStream, `line 1: wrong expected revision of stream "a": expected none, but its last revision is 1; 0 events stored before it`},
		{1, `line 2: wrong expected revision of stream "b": expected 1, but its last revision is 0; 1 event stored before it, up to line 1`},
		{fdbevents.StreamExists, ""},
	} {
		_, err := ingest.Run(t.Context(), store, of("a b a"), ingest.Options{Expected: tt.expected})
		if tt.err == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.expected, err)
			}
			continue
		}
		e := wantError(t, err, tt.err)
		var line *jsonl.LineError
		var wrong *fdbevents.WrongExpectedRevisionError
		if !errors.As(e.Err, &line) || !errors.As(err, &wrong) {
			t.Errorf("%s: %#v", tt.expected, e.Err)
		}
	}
}

// When an append is refused, the appends behind it are accounted for: every stored event
// was reported.
func TestRunRefusedAmongMany(t *testing.T) {
	store := openStore(t)
	id := uuid.New()
	if _, err := store.Append(t.Context(), "s", fdbevents.Any, fdbevents.EventData{ID: id, Type: "T"}); err != nil {
		t.Fatal(err)
	}
	in := of(strings.Repeat("t ", 10) + "s" + strings.Repeat(" t", 40))
	in.ids = map[int]uuid.UUID{11: id}
	var r results
	summary, err := ingest.Run(t.Context(), store, in, ingest.Options{Expected: fdbevents.Any, Stored: r.stored})
	var e *ingest.Error
	if !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "line 11: event id "+id.String()+" is already in stream") {
		t.Fatal(err)
	}
	if e.Stored != 10 || e.LastLine != 10 || e.StoredAfter != int64(len(r.list)-10) || e.FailedAfter != 0 || summary.Events != int64(len(r.list)) {
		t.Errorf("%+v, %+v, %d results", e, summary, len(r.list))
	}
	if n := len(log(t, store)); n != len(r.list)+1 {
		t.Errorf("%d events in the store, %d results", n, len(r.list))
	}
}

// Ids make a run repeatable.
func TestRunAgain(t *testing.T) {
	store := openStore(t)
	in := of("a b a")
	in.ids = map[int]uuid.UUID{1: uuid.New(), 2: uuid.New(), 3: uuid.New()}
	for _, want := range []int64{0, 3} {
		in.line = 0
		if summary, err := ingest.Run(t.Context(), store, in, ingest.Options{Expected: fdbevents.Any}); err != nil || summary.Repeats != want || summary.Events != 3 {
			t.Errorf("%+v, %v", summary, err)
		}
	}
}

// A callback that fails ends the run, and is not called again.
func TestRunUnheard(t *testing.T) {
	full := errors.New("disk full")
	for name, o := range map[string]func(calls *int) ingest.Options{
		"Stored": func(calls *int) ingest.Options {
			return ingest.Options{InOrder: true, Stored: func(fdbevents.AppendResult, int) error { *calls++; return full }}
		},
		"Idle": func(calls *int) ingest.Options {
			return ingest.Options{InOrder: true, Idle: func() error { *calls++; return full }}
		},
	} {
		store := openStore(t)
		calls := 0
		options := o(&calls)
		options.Expected = fdbevents.Any
		summary, err := ingest.Run(t.Context(), store, of("a a a a"), options)
		var e *ingest.Error
		if !errors.As(err, &e) || !errors.Is(err, full) || e.Stored != int64(e.LastLine) || e.Stored < 1 || calls != 1 {
			t.Errorf("%s: %v after %d calls", name, err, calls)
		}
		if n := len(log(t, store)); int64(n) != summary.Events {
			t.Errorf("%s: %d events in the store, %+v", name, n, summary)
		}
	}
}

// endless blocks after its events, like a terminal.
type endless struct{ input }

func (in *endless) Next() (jsonl.Entry, error) {
	if in.line == len(in.streams) {
		select {}
	}
	return in.input.Next()
}

// A stopped run waits for the appends under way, but not for its source.
func TestRunStopped(t *testing.T) {
	store := openStore(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	in := &endless{input: *of("a a a")}
	_, err := ingest.Run(ctx, store, in, ingest.Options{Expected: fdbevents.Any, Batch: 2, Stored: func(fdbevents.AppendResult, int) error {
		stop()
		return nil
	}})
	var e *ingest.Error
	// The third event may or may not have been read.
	if !errors.As(err, &e) || !errors.Is(err, context.Canceled) || e.Stored != 2 || e.Waiting > 1 ||
		!strings.HasPrefix(err.Error(), "stopped: context canceled; 2 events stored before it, up to line 2") {
		t.Error(err)
	}
}
