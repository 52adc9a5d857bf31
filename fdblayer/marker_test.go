package fdblayer

import (
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
)

// TestMarksOfProcessesThatAreGone checks that a store removes its own marks when it is
// closed, and marks that nobody has written for a long time when it is opened.
func TestMarksOfProcessesThatAreGone(t *testing.T) {
	ctx := t.Context()
	e := openMemory(t)
	k := layout.Keys{Prefix: e.Prefix()}
	marks := func() int {
		t.Helper()
		var p engine.Page
		if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) (err error) {
			p, err = tr.Snapshot().GetRange(k.Marks(uuid.Nil), engine.RangeOptions{}).Get()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return len(p.KeyValues)
	}
	open := func() *Store {
		t.Helper()
		s, err := Open(ctx, e, Options{})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := open()
	if _, err := first.Append(ctx, "s", fdbevents.Any, fdbevents.EventData{Type: "e"}); err != nil {
		t.Fatal(err)
	}
	if _, err := first.Transact(ctx, func(tx *Tx) error { tx.Data("d").Set(nil, nil); return nil }); err != nil {
		t.Fatal(err)
	}
	// Two processes that ended without closing: one long ago, one just now.
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		now, err := tr.ReadVersion().Get()
		for _, age := range []int64{markHorizon + 1, markHorizon / 2} {
			at := layout.LastOfVersion(now - age)
			tr.Set(k.Marker(uuid.New(), 1), layout.AppendMark(nil, layout.Mark{Number: 7, At: at}))
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if n := marks(); n != 3 {
		t.Fatalf("got %d marks, want 3", n)
	}
	second := open()
	if n := marks(); n != 2 {
		t.Errorf("got %d marks after opening, want 2: of the store that is open, and of the recent process", n)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if n := marks(); n != 1 {
		t.Errorf("got %d marks after closing, want 1", n)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestErasedSlotsAreSkipped checks that readers skip a slot that has lost its value.
func TestErasedSlotsAreSkipped(t *testing.T) {
	ctx := t.Context()
	e := openMemory(t)
	s := openStore(t, e, Options{InlineLimit: -1})
	var erased fdbevents.Position
	for i := range 5 {
		r, err := s.Append(ctx, "s", fdbevents.Any, fdbevents.EventData{Type: "e", Data: make([]byte, i*50_000)})
		if err != nil {
			t.Fatal(err)
		}
		if i == 3 {
			erased = r.Position
		}
	}
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		record := s.keys.Record(s.partitionOf("s"), erased)
		tr.ClearRange(record)
		tr.Set(record.Begin, nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for name, events := range map[string]func(func(fdbevents.Event, error) bool){
		"log":      s.ReadAll(ctx, fdbevents.Start, ReadOptions{}),
		"backward": s.ReadAll(ctx, fdbevents.End, ReadOptions{Backward: true}),
		"stream":   s.ReadStream(ctx, "s", 0, ReadOptions{}),
	} {
		var sum int64
		for ev, err := range events {
			if err != nil {
				t.Fatal(err)
			}
			sum += ev.Revision
		}
		if sum != 0+1+2+4 {
			t.Errorf("%s: got revisions that add up to %d, want 7", name, sum)
		}
	}
}
