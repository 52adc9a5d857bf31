package check_test

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/fdbevents/fdbevents/tuple"
	"github.com/google/uuid"
)

// TestCheckFindsDamage breaks one thing at a time and expects Run to name it.
func TestCheckFindsDamage(t *testing.T) {
	ctx := t.Context()
	id := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	damages := map[string]struct {
		damage  func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction)
		finding string
		// repair is part of the report of the repair, empty if the repair must leave
		// everything alone.
		repair string
	}{
		"record": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Slot(nil, s.Door().PartitionOf("a"), at), []byte("\x9bgarbage"))
		}, "stored record is corrupt: no checksum at its end", ""},
		"bit": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			key := s.Door().Keys().Slot(nil, s.Door().PartitionOf("a"), at)
			value, _ := tr.Get(key).Get()
			value = bytes.Clone(value)
			value[30] ^= 4
			tr.Set(key, value)
		}, "stored record is corrupt: checksum", ""},
		"slot": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Slot(nil, s.Door().PartitionOf("a"), at))
		}, "leads to a position that is not in the log", ""},
		"entry": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Entry(nil, "a", 1))
		}, `stream "a": revision 0 is followed by 2`, "stream entry rewritten"},
		"first entry": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Entry(nil, "a", 0))
		}, `stream "a" begins at revision 1, but is truncated only before revision 0`, "stream entry rewritten"},
		"copy": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			key := s.Door().Keys().Entry(nil, "a", 1)
			value, _ := tr.Get(key).Get()
			value = bytes.Clone(value)
			value[len(value)-1] ^= 1
			tr.Set(key, value)
		}, `the copy in stream "a", revision 1 differs from the record`, "stream entry rewritten"},
		"head": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Head(nil, "a"), layout.AppendHead(nil, layout.Head{Next: 7}))
		}, `stream "a": its head names revision 7 as the next, but its last entry is 2`, "head now names revision 3 as the next"},
		"id": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().ID(nil, id, "a"))
		}, `its id has no index entry for stream "a"`, "id index entry rewritten"},
		"stray id": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			value, _ := tr.Get(s.Door().Keys().ID(nil, id, "a")).Get()
			tr.Set(s.Door().Keys().ID(nil, id, "b"), value)
		}, `of stream "b", which does not hold that event`, "id index entry removed"},
		"tag": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Tag(nil, "red", at))
		}, `no entry in the index of its tag "red"`, "tag index entry rewritten"},
		"stray tag": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Tag(nil, "blue", at), layout.AppendTagEntry(nil, s.Door().PartitionOf("a")))
		}, `tag "blue" leads to the event at position`, "tag index entry removed"},
		"doorbell": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Doorbell(nil, s.Door().PartitionOf("a")))
		}, "doorbell of partition", "doorbell rung"},
		"checkpoint": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Checkpoint("reader"), []byte{0x92, 1, 0xc4, 3, 1, 2, 3})
		}, `checkpoint "reader": stored record is corrupt: position of 3 bytes`, ""},
		"checkpoint elsewhere": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Checkpoint("reader"), layout.AppendPlace(nil, fdbevents.End.Prev()))
		}, `checkpoint "reader": position "fffffffffffffffffffffffe": is ahead of this store`, ""},
		"newer checkpoint": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Checkpoint("reader"), []byte{0x92, 2, 0})
		}, `checkpoint "reader": unknown store format: position format 2 with 2 fields`, ""},
		"projection": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Projection("p"), layout.AppendProjection(nil, layout.Projection{Current: 3, Building: 2}))
		}, `projection "p": stored record is corrupt: projection at generation 3, with 2 being built`, ""},
		"newer projection": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Projection("p"), []byte{0x93, 2, 3, 0xff})
		}, `projection "p": unknown store format: projection format 2 with 3 fields`, ""},
		"no projection": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Projection("p"))
		}, `projection "p" has keys, but its own key is missing`, ""},
		"projection's place": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Generation("p", 3), []byte("garbage"))
		}, `projection "p": generation 3: stored record is corrupt: `, ""},
		"no place": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Generation("p", 3))
		}, `projection "p": generation 3 has a view but no position`, ""},
		"stray generation": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(append(s.Door().Keys().View("p", 2).Begin, 'x'), nil)
		}, `projection "p" has keys of generation 2, which does not exist`, ""},
		"foreign projection key": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(append(s.Door().Keys().Projection("p"), 0xfe), nil)
		}, `projection "p": key 150b027000fe: `, ""},
		"group settings": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().GroupConfig("g"))
		}, `consumer group "g" has no settings`, ""},
		"group lease": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().GroupLease("g", 3), []byte("x"))
		}, `consumer group "g", lease of partition 3: stored record is corrupt`, ""},
		"group progress": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().GroupProgress("g", 3))
		}, `consumer group "g" has 8 leases and 7 progress records for 8 partitions`, ""},
		"group member": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().GroupMember("g", id), nil)
		}, `consumer group "g", member ` + id.String() + `: stored record is corrupt`, ""},
		"parked message": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().GroupParked("g", s.Door().PartitionOf("a"), at.Next().Next()), layout.AppendGroupParked(nil, layout.GroupParked{}))
		}, `: that position is not in the log`, ""},
		"replayed message": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().GroupReplay("g", s.Door().PartitionOf("a"), at), nil)
		}, `awaiting replay: stored record is corrupt`, ""},
		"group key": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(tuple.AppendInt(s.Door().Keys().Group("g").Begin, 77), nil)
		}, `consumer group "g" has a key of unknown kind 77`, ""},
		"entry elsewhere": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			other, _ := tr.Get(s.Door().Keys().Entry(nil, "a", 0)).Get()
			tr.Set(s.Door().Keys().Entry(nil, "a", 1), other)
		}, `the entry of stream "a", revision 1 leads to position`, "stream entry rewritten"},
		"garbage entry": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Entry(nil, "a", 1), []byte("garbage"))
		}, `entry of stream "a", revision 1: stored record is corrupt`, "stream entry rewritten"},
		"long entry": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Entry(nil, "a", 2))
		}, `stream "a" has no entry for its revision 2`, "stream entry rewritten"},
		"stray entry": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			value, _ := tr.Get(s.Door().Keys().Entry(nil, "a", 1)).Get()
			tr.Set(s.Door().Keys().Entry(nil, "a", 3), value)
		}, `stream "a": its entry for revision 3 leads to revision 1 of stream "a"`, "stream entry removed"},
		"stray entry of a long one": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			value, _ := tr.Get(s.Door().Keys().Entry(nil, "a", 2)).Get()
			tr.Set(s.Door().Keys().Entry(nil, "b", 0), value)
		}, `stream "b": its entry for revision 0 leads to revision 2 of stream "a"`, "stream entry removed"},
		"no head": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Head(nil, "a"))
		}, `stream "a" has events but no head`, "head now names revision 3 as the next"},
		"garbage head": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Head(nil, "a"), []byte("garbage"))
		}, `: stored record is corrupt: msgpack`, ""},
		"id elsewhere": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().ID(nil, id, "a"), layout.AppendIDEntry(nil, layout.IDEntry{Revision: 9}))
		}, `the index entry of its id leads to revision 9`, "id index entry rewritten"},
		"tag elsewhere": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(s.Door().Keys().Tag(nil, "red", at), layout.AppendTagEntry(nil, s.Door().PartitionOf("a")^1))
		}, `the index entry of its tag "red" leads to partition`, "tag index entry rewritten"},
		"system tag": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Clear(s.Door().Keys().Tag(nil, layout.TypeTag("y"), at))
		}, `no entry in the index of its tag "\x01ty"`, "tag index entry rewritten"},
		"all indexes": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			for _, r := range []engine.Range{s.Door().Keys().Heads(""), s.Door().Keys().AllEntries(), s.Door().Keys().IDs(), s.Door().Keys().AllTagged(""), s.Door().Keys().Doorbells()} {
				tr.ClearRange(r)
			}
		}, `stream "a" has no entry for its revision 0`, "head now names revision 3 as the next"},
		"foreign key": {func(s *fdblayer.Store, at fdbevents.Position, tr engine.Transaction) {
			tr.Set(append(s.Door().Keys().AllEntries().Begin, 0xfe), nil)
		}, "stream entry 1502fe: key 1502fe: ", ""},
	}
	for name, d := range damages {
		t.Run(name, func(t *testing.T) {
			e := openEmpty(t)
			s := openToDamage(t, e, fdblayer.Options{})
			if err := s.CreateIndex(ctx, fdbevents.IndexType, nil); err != nil {
				t.Fatal(err)
			}
			r, err := s.Append(ctx, "a", fdbevents.Any, fdbevents.EventData{Type: "x"}, fdbevents.EventData{Type: "y", ID: id, Tags: []string{"red"}, Data: make([]byte, 50)})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := s.Append(ctx, "a", fdbevents.Any, fdbevents.EventData{Type: "z", Data: make([]byte, 200_000), Tags: []string{"large"}}); err != nil {
				t.Fatal(err)
			}
			if err := s.SetCheckpoint(ctx, "reader", r.Position); err != nil {
				t.Fatal(err)
			}
			projecting, stop := context.WithCancel(ctx)
			if err := s.Project(projecting, "p", fdblayer.ProjectOptions{Generation: 3, CaughtUp: stop}, func(_ context.Context, tx *fdblayer.Tx, events []fdbevents.Event) error {
				view, err := tx.View("p")
				if err == nil {
					view.Set([]byte("k"), []byte("v"))
				}
				return err
			}); !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			if _, err := groups.Open(ctx, s, "g", groups.Options{}); err != nil {
				t.Fatal(err)
			}
			report, err := check.Run(ctx, s, check.Options{})
			if err != nil || !report.OK() || report.Events != 3 || report.Streams != 1 || report.IDs != 3 || report.Tags != 5 {
				t.Fatalf("before the damage: %+v, %v", report, err)
			}
			if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
				d.damage(s, r.Position, tr)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			if report, err = check.Run(ctx, s, check.Options{}); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(strings.Join(report.Problems, "\n"), d.finding) {
				t.Errorf("found %q, want %q", report.Problems, d.finding)
			}
			checkRepairs(t, s, report.Problems, d.repair)
		})
	}
}

// openToDamage opens a store that is closed, but not checked, when the test ends.
func openToDamage(t *testing.T, e engine.Engine, o fdblayer.Options) *fdblayer.Store {
	t.Helper()
	s, err := fdblayer.Open(t.Context(), e, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// openEmpty opens an empty engine in memory, which is closed when the test ends.
func openEmpty(t *testing.T) engine.Engine {
	t.Helper()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}
