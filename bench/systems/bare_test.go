package systems

import (
	"context"
	"encoding/hex"
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents/bench/harness"
	"github.com/fdbevents/fdbevents/engine"
)

// TestBareSizes compares how much a limit and fdbevents write, kind by kind: a limit
// that wrote fewer bytes would not be a limit.
func TestBareSizes(t *testing.T) {
	const n = 100
	data := []byte(hex.EncodeToString(make([]byte, 128)))
	ctx := t.Context()
	s, err := open(ctx, "mem:", 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	stream := func(i int) string { return fmt.Sprintf("append1.%d-%d", i%4, i) }
	var k bareKeys
	want := make(map[int64]int)
	for i := range n {
		if err := s.Append(ctx, stream(i), 0, []harness.Event{{Data: data}}); err != nil {
			t.Fatal(err)
		}
		record := bareRecord(data)
		want[bareHead] += len(k.head(stream(i))) + headSize
		want[bareEntry] += len(k.entry(stream(i), 0)) + len(bareEntryValue(record))
		want[bareSlot] += len(k.slot(i%barePartitions, 1)) + len(record)
		want[bareID] += len(k.id(uint64(i), stream(i))) + idSize
	}
	for kind, bare := range want {
		got := written(t, s.engine, kind)
		t.Logf("kind %d: fdbevents %d bytes per event, the limits %d", kind, got/n, bare/n)
		if diff := got - bare; diff < -2*n || diff > 2*n {
			t.Errorf("kind %d: fdbevents writes %d bytes per event, the limits %d", kind, got/n, bare/n)
		}
	}
}

// written returns the total size of a kind's keys and values in bytes.
func written(t *testing.T, e engine.Engine, kind int64) (total int) {
	begin := bareKeys{prefix: e.Prefix()}.space(kind)
	r := engine.Range{Begin: begin, End: end(begin)}
	err := engine.Run(context.Background(), e, func(tr engine.Transaction, _ error) error {
		page, err := tr.Snapshot().GetRange(r, engine.RangeOptions{}).Get()
		for _, kv := range page.KeyValues {
			total += len(kv.Key) + len(kv.Value)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return total
}
