package fdblayer_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// TestModel does random things to a store and to its model, and finds any difference in
// what they return and in what they then hold.
func TestModel(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		// FoundationDB waits for its disk at each step, so it gets only some of the
		// runs, except for those that shrink a failure.
		share := 1
		if t.Name() == "TestModel/fdb" {
			share = 5
		}
		run, failed := 0, false
		rapid.Check(t, func(rt *rapid.T) {
			if run++; run%share != 0 && !failed {
				return
			}
			defer func() { failed = failed || rt.Failed() }()
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			checkModel(ctx, rt, e)
		})
	})
}

// machine is a store and its model in lock-step.
type machine struct {
	ctx     context.Context
	engine  engine.Engine
	options fdblayer.Options
	// flaky is true when commits fail and are retried, which nobody should notice.
	flaky bool
	store *fdblayer.Store
	model *model
	// placed are results with known positions. The model has yet to learn the positions
	// of their events.
	placed []modelResult
}

func checkModel(ctx context.Context, t *rapid.T, e engine.Engine) {
	m := &machine{ctx: ctx, engine: e, model: newModel(), options: fdblayer.Options{
		Partitions: oneOf(t, "partitions", []int{1, 3, 8}), InlineLimit: oneOf(t, "inline limit", []int{0, 100, -1}),
	}}
	if _, embedded := e.(*pebbleengine.Engine); embedded {
		// A new engine is cheaper than emptying this one many times.
		fresh, err := pebbleengine.OpenMemory()
		wantError(t, "opening an engine", err, nil)
		defer func() { wantError(t, "closing the engine", fresh.Close(), nil) }()
		m.engine = fresh
	} else {
		wantError(t, "emptying the engine", clearEngine(ctx, e), nil)
	}
	if m.flaky = rarely(t, "flaky", 3); m.flaky {
		m.engine = storetest.NewFlakyEngine(m.engine, rapid.Uint64().Draw(t, "seed"), 20)
	}
	m.open(t)
	defer func() { m.store.Close() }() // openAgain may have replaced the store
	actions := map[string]func(*rapid.T){
		"":                    m.compare,
		"append":              m.append,
		"append again":        m.appendAgain,
		"append many":         m.appendMany,
		"append side by side": m.appendSideBySide,
		"append if":           m.appendIf,
		"transact":            m.transact,
		"read a stream":       m.readStream,
		"read the log":        m.readAll,
		"follow a stream":     m.followStream,
		"follow the log":      m.follow,
		"change a stream":     m.changeStream,
		"remove a stream":     m.removeStream,
		"scavenge":            m.scavenge,
		"erase":               m.erase,
		"change the indexes":  m.changeIndexes,
		"open again":          m.openAgain,
		"bad input":           m.badInput,
	}
	for range 2 { // one call makes about 30 steps, which gives a small store
		t.Repeat(actions)
	}
	m.check(t)
}

func (m *machine) open(t *rapid.T) {
	var err error
	if m.store, err = fdblayer.Open(m.ctx, m.engine, m.options); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) openAgain(t *rapid.T) {
	wantError(t, "closing", m.store.Close(), nil)
	_, err := m.store.Append(m.ctx, "a", fdbevents.Any, storetest.Event("x"))
	wantError(t, "appending to a closed store", err, fdbevents.ErrClosed)
	if rapid.Bool().Draw(t, "default options") {
		m.options = fdblayer.Options{}
	}
	m.open(t)
	m.check(t)
}

func (m *machine) check(t *rapid.T) {
	report, err := check.Run(m.ctx, m.store, check.Options{})
	wantError(t, "check", err, nil)
	for _, problem := range report.Problems {
		t.Errorf("check: %s", problem)
	}
	t.Logf("%d events, %d streams", report.Events, report.Streams)
}

// compare compares everything that store and model hold. The model learns here what
// only the store could know about new events.
func (m *machine) compare(t *rapid.T) {
	got, err := drain(m.store.ReadAll(m.ctx, fdbevents.Start, fdblayer.ReadOptions{}))
	wantError(t, "reading the log", err, nil)
	want := m.model.readAll(fdbevents.Start, fdblayer.ReadOptions{})
	for i, ev := range want {
		if ev.Position == (fdbevents.Position{}) && i < len(got) {
			m.learn(t, ev, got[i])
		}
	}
	wantEvents(t, "the log", got, want)
	for _, r := range m.placed {
		if r.Position != r.last.Position {
			t.Errorf("got position %s from the append of %s@%d, want %s as in the log", r.Position, r.Stream, r.LastRevision, r.last.Position)
		}
	}
	m.placed = nil
	for i, ev := range got[min(1, len(got)):] {
		if !got[i].Position.Before(ev.Position) {
			t.Errorf("the log: position %s is followed by %s, want a later one", got[i].Position, ev.Position)
		}
	}
	m.compareStreams(t)
	m.compareData(t)
	m.compareIndexes(t)
}

func (m *machine) learn(t *rapid.T, ev *modelEvent, stored fdbevents.Event) {
	ev.Position = stored.Position
	if ev.ID == uuid.Nil {
		ev.ID = stored.ID
		if stored.ID == uuid.Nil {
			t.Errorf("%s@%d has no id", ev.Stream, ev.Revision)
		}
	}
	if ev.Created.IsZero() {
		ev.Created = stored.Created
		if age := time.Since(stored.Created); age < -time.Minute || age > time.Hour {
			t.Errorf("%s@%d: got creation time %s, want the present time", ev.Stream, ev.Revision, stored.Created)
		}
	}
}

func (m *machine) compareStreams(t *rapid.T) {
	var names []string
	for info, err := range m.store.Streams(m.ctx, "") {
		wantError(t, "listing streams", err, nil)
		names = append(names, info.Stream)
		want, err := m.model.info(info.Stream)
		wantError(t, "listing stream "+info.Stream, nil, err)
		wantInfo(t, info, want)
	}
	if want := slices.Sorted(maps.Keys(m.model.streams)); !slices.Equal(names, want) {
		t.Errorf("got streams %q, want %q", names, want)
	}
	for name := range m.model.streams {
		m.wantStream(t, name, 0, fdblayer.ReadOptions{})
	}
}

func wantInfo(t *rapid.T, got, want fdblayer.StreamInfo) {
	if len(got.Metadata)+len(want.Metadata) == 0 {
		got.Metadata, want.Metadata = nil, nil
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got stream %+v, want %+v", got, want)
	}
}

func (m *machine) compareData(t *rapid.T) {
	var got map[string]string
	_, err := m.store.Transact(m.ctx, func(tx *fdblayer.Tx) error {
		page, err := tx.Data("model").GetRange(engine.Range{}, engine.RangeOptions{})
		got = make(map[string]string)
		for _, kv := range page.KeyValues {
			got[string(kv.Key)] = string(kv.Value)
		}
		return err
	})
	wantError(t, "reading data", err, nil)
	if !maps.Equal(got, m.model.data) {
		t.Errorf("got data %q, want %q", got, m.model.data)
	}
}

func (m *machine) compareIndexes(t *rapid.T) {
	var got []string
	infos, err := m.store.Indexes(m.ctx)
	wantError(t, "listing indexes", err, nil)
	for _, i := range infos {
		got = append(got, i.Name)
		if !i.Ready {
			t.Errorf("index %s is not ready", i.Name)
		}
	}
	if !slices.Equal(got, m.model.indexes) {
		t.Errorf("got indexes %q, want %q", got, m.model.indexes)
	}
}

// drain returns the events that a read yields, and its error.
func drain(events iter.Seq2[fdbevents.Event, error]) (all []fdbevents.Event, err error) {
	for ev, err := range events {
		if err != nil {
			return all, err
		}
		all = append(all, ev)
	}
	return all, nil
}

func wantEvents(t *rapid.T, what string, got []fdbevents.Event, want []*modelEvent) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		switch {
		case i >= len(got):
			t.Fatalf("%s: %s is missing, number %d of %d", what, describe(&want[i].Event), i, len(want))
		case i >= len(want):
			t.Fatalf("%s: unexpected %s, after the %d events wanted", what, describe(&got[i]), i)
		case !sameEvent(got[i], want[i].Event):
			t.Fatalf("%s: event %d: got\n%s, want\n%s", what, i, describe(&got[i]), describe(&want[i].Event))
		}
	}
}

func sameEvent(a, b fdbevents.Event) bool {
	same := slices.Equal(a.Tags, b.Tags) && bytes.Equal(a.Data, b.Data) && bytes.Equal(a.Metadata, b.Metadata) && a.Created.Equal(b.Created)
	for _, ev := range []*fdbevents.Event{&a, &b} {
		ev.Tags, ev.Data, ev.Metadata, ev.Created = nil, nil, nil, time.Time{}
	}
	return same && reflect.DeepEqual(a, b)
}

func describe(ev *fdbevents.Event) string {
	data := fmt.Sprintf("%.5q", ev.Data)
	if len(ev.Data) > 5 {
		data += fmt.Sprintf("… of %d bytes", len(ev.Data))
	}
	return fmt.Sprintf("%s@%d at %s, id %s, %s %s %q, data %s, metadata %q, created %s, erased %t",
		ev.Stream, ev.Revision, ev.Position, ev.ID, ev.Type, ev.ContentType, ev.Tags, data, ev.Metadata, ev.Created, ev.Erased)
}

// wantError compares errors by kind, and by the fields that they carry.
func wantError(t *rapid.T, what string, got, want error) {
	t.Helper()
	if !sameError(got, want) {
		t.Fatalf("%s: got error %v, want %v", what, got, want)
	}
}

func sameError(got, want error) bool {
	switch want := want.(type) {
	case *fdbevents.WrongExpectedRevisionError:
		return carries(got, *want)
	case *fdbevents.ConditionError:
		return carries(got, *want)
	case *fdbevents.TruncatedError:
		return carries(got, *want)
	case *fdbevents.LimitError:
		return carries(got, *want)
	case *fdbevents.InvalidError:
		var e *fdbevents.InvalidError
		return errors.As(got, &e) && e.What == want.What && e.Value == want.Value && e.Reason != ""
	case *idConflict:
		// The error may name any of the events that are already there.
		var e *fdbevents.IDConflictError
		return errors.As(got, &e) && slices.ContainsFunc(want.events, func(ev *modelEvent) bool {
			return carries(e, fdbevents.IDConflictError{Stream: ev.Stream, ID: ev.ID, Revision: ev.Revision, Reason: e.Reason}) && e.Reason != ""
		})
	}
	if want == errOwnEvent {
		return got != nil && got.Error() == "append condition failed: an event appended earlier in the same transaction matches the query"
	}
	return errors.Is(got, want)
}

// carries reports whether err is a *E with the fields of want.
func carries[E comparable, P interface {
	*E
	error
}](err error, want E) bool {
	var e P
	return errors.As(err, &e) && *e == want
}
