package groups

import (
	"bytes"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
	"pgregory.net/rapid"
)

func drawPosition(t *rapid.T) fdbevents.Position {
	return fdbevents.PositionFromBytes([12]byte(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, "position")))
}

func drawUUID(t *rapid.T) uuid.UUID {
	return uuid.UUID(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "uuid"))
}

// drawProgress draws positions that rise.
func drawProgress(t *rapid.T) (p layout.GroupProgress) {
	draw := func() (out []fdbevents.Position) {
		for range rapid.IntRange(0, 20).Draw(t, "count") {
			out = append(out, drawPosition(t))
		}
		slices.SortFunc(out, fdbevents.Position.Compare)
		out = slices.Compact(out)
		return slices.DeleteFunc(out, func(at fdbevents.Position) bool { return !p.Checkpoint.Before(at) })
	}
	p.Checkpoint = drawPosition(t)
	if settled := draw(); len(settled) > 0 {
		p.Settled = settled
	}
	for _, at := range draw() {
		p.Attempts = append(p.Attempts, layout.GroupAttempt{At: at, Failed: rapid.IntRange(1, 1000).Draw(t, "failed")})
	}
	return p
}

// TestGroupValues: each value decodes to what was encoded; cut short, it is corrupt.
func TestGroupValues(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		config := layout.GroupConfig{
			Incarnation: drawUUID(t), Prefix: rapid.String().Draw(t, "prefix"), From: drawPosition(t),
			MessageTimeout: minGroupTime + time.Duration(rapid.Uint32().Draw(t, "timeout")),
			LeaseTime:      minGroupTime + time.Duration(rapid.Uint32().Draw(t, "lease")),
			MaxRetries:     rapid.IntRange(0, 100).Draw(t, "retries"), Paused: rapid.Bool().Draw(t, "paused"),
		}
		for range rapid.IntRange(0, 3).Draw(t, "items") {
			config.Query.Items = append(config.Query.Items, fdbevents.QueryItem{
				Types: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "types"), Tags: rapid.SliceOfN(rapid.String(), 1, 3).Draw(t, "tags"),
			})
		}
		lease := layout.GroupLease{Owner: drawUUID(t), Epoch: rapid.Int64().Draw(t, "epoch")}
		progress := drawProgress(t)
		parked := layout.GroupParked{Attempts: rapid.Int().Draw(t, "attempts"), Reason: rapid.String().Draw(t, "reason"), Time: time.Unix(0, rapid.Int64().Draw(t, "time")).UTC()}
		count := rapid.Int64().Draw(t, "count")
		for _, c := range []struct {
			value  []byte
			want   any
			decode func(src []byte) (any, error)
		}{
			{layout.AppendGroupConfig(nil, config), config, func(src []byte) (any, error) { return layout.DecodeGroupConfig(src) }},
			{layout.AppendGroupLease(nil, lease), lease, func(src []byte) (any, error) { return layout.DecodeGroupLease(src) }},
			{layout.AppendGroupProgress(nil, progress), progress, func(src []byte) (any, error) { return layout.DecodeGroupProgress(src) }},
			{layout.AppendGroupParked(nil, parked), parked, func(src []byte) (any, error) { return layout.DecodeGroupParked(src) }},
			{layout.AppendGroupCount(nil, count), count, func(src []byte) (any, error) { return layout.DecodeGroupCount(src) }},
		} {
			if got, err := c.decode(c.value); err != nil || !reflect.DeepEqual(got, c.want) {
				t.Fatalf("got %+v, %v, want %+v", got, err, c.want)
			}
			short := c.value[:rapid.IntRange(0, len(c.value)-1).Draw(t, "cut")]
			if _, err := c.decode(short); !errors.Is(err, fdbevents.ErrCorrupt) {
				t.Fatalf("%T cut to %d of %d bytes: got %v", c.want, len(short), len(c.value), err)
			}
			newer := bytes.Clone(c.value)
			newer[1]++
			if _, err := c.decode(newer); !errors.Is(err, fdbevents.ErrFormat) {
				t.Fatalf("%T of another format: got %v", c.want, err)
			}
		}
	})
}

// TestGroupProgressFitsIntoAValue: progress at its largest fits into a value. A lease has
// then read all it may, and the last page, of small events, exceeded the bound; all
// events but the first are settled.
func TestGroupProgressFitsIntoAValue(t *testing.T) {
	var p layout.GroupProgress
	at := fdbevents.Start
	for range settledAhead + unsettledEvents + (64<<10)/layout.RecordOverhead {
		at = at.Next()
		p.Settled = append(p.Settled, at)
		p.Attempts = append(p.Attempts, layout.GroupAttempt{At: at, Failed: 1 << 20})
	}
	p.Checkpoint = fdbevents.Start
	if n := len(layout.AppendGroupProgress(nil, p)); n > layout.ChunkSize {
		t.Errorf("%d bytes, limit %d", n, layout.ChunkSize)
	}
}

func TestGroupKeys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k := layout.Keys{Prefix: rapid.SliceOf(rapid.ByteRange(0, 254)).Draw(t, "prefix")}
		g := layout.GroupKey{Name: rapid.String().Draw(t, "name"), Kind: rapid.Int64Range(layout.GroupConfigKind, layout.GroupReplayKind).Draw(t, "kind")}
		if g.Kind == layout.GroupMemberKind {
			g.Member = drawUUID(t)
		}
		if g.Kind >= layout.GroupLeaseKind {
			g.Partition = rapid.IntRange(0, fdbevents.MaxPartitions-1).Draw(t, "partition")
		}
		if g.Kind >= layout.GroupParkedKind {
			g.At = drawPosition(t)
		}
		key := map[int64]func() []byte{
			layout.GroupConfigKind:   func() []byte { return k.GroupConfig(g.Name) },
			layout.GroupBellKind:     func() []byte { return k.GroupBell(g.Name) },
			layout.GroupMemberKind:   func() []byte { return k.GroupMember(g.Name, g.Member) },
			layout.GroupLeaseKind:    func() []byte { return k.GroupLease(g.Name, g.Partition) },
			layout.GroupProgressKind: func() []byte { return k.GroupProgress(g.Name, g.Partition) },
			layout.GroupParkedKind:   func() []byte { return k.GroupParked(g.Name, g.Partition, g.At) },
			layout.GroupReplayKind:   func() []byte { return k.GroupReplay(g.Name, g.Partition, g.At) },
		}[g.Kind]()
		if got, err := k.ParseGroup(key); err != nil || got != g {
			t.Fatalf("got %+v, %v, want %+v", got, err, g)
		}
		if !k.Group(g.Name).Contains(key) || !k.Groups("").Contains(key) || k.Group(g.Name+"x").Contains(key) {
			t.Fatal("the key is not in its group's range")
		}
		if other := rapid.String().Draw(t, "other"); other != g.Name && k.Group(other).Contains(key) {
			t.Fatalf("the key is in the range of group %q", other)
		}
	})
}
