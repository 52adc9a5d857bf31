package groups_test

import (
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// TestGroupReplaysErased: an event that was erased while it was parked does not hold up
// its stream, and its replay ends.
func TestGroupReplaysErased(t *testing.T) {
	ctx := t.Context()
	e := storetest.OpenMemory(t)
	s, err := fdblayer.Open(ctx, e, fdblayer.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	r, err := s.Append(ctx, "a", fdbevents.Any, fdbevents.EventData{Type: "x"})
	if err != nil {
		t.Fatal(err)
	}
	g, err := groups.Open(ctx, s, "g", groups.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := g.Join(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	step := func(want int64) {
		t.Helper()
		for msg, err := range m.Messages(ctx) {
			if err == nil && msg.Event.Revision == 0 {
				err = msg.Nack(ctx, groups.Park, "odd")
			} else if err == nil {
				err = msg.Ack(ctx)
			}
			if err != nil || msg.Event.Revision != want {
				t.Fatalf("got revision %d, %v, want %d", msg.Event.Revision, err, want)
			}
			return
		}
	}
	step(0)
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		tr.Set(s.Door().Keys().Slot(nil, s.Door().PartitionOf("a"), r.Position), nil)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	for p, err := range g.Parked(ctx) {
		if err != nil || p.Event.Position != r.Position || p.Event.Stream != "" || p.Reason != "odd" {
			t.Errorf("parked is %+v, %v", p, err)
		}
	}
	if n, err := g.Replay(ctx); n != 1 || err != nil {
		t.Errorf("replayed %d, %v", n, err)
	}
	if _, err := s.Append(ctx, "a", fdbevents.Any, fdbevents.EventData{Type: "y"}); err != nil {
		t.Fatal(err)
	}
	step(1)
	for replaying := int64(1); replaying > 0; {
		info, err := g.Info(ctx)
		if err != nil {
			t.Fatal(err)
		}
		replaying = 0
		for _, p := range info.Partitions {
			replaying += p.Replaying.N
		}
	}
}
