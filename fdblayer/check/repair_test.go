package check_test

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/faultengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/fdbevents/fdbevents/internal/layout"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"
)

// checkRepairs repairs a damaged store. If repair is empty, the problems and every key
// must stay as they are; otherwise the repair must report it and leave nothing wrong.
func checkRepairs(t *testing.T, s *fdblayer.Store, problems []string, repair string) {
	t.Helper()
	ctx := t.Context()
	before := allKeys(t, s)
	report, err := check.Run(ctx, s, check.Options{Repair: true})
	if err != nil {
		t.Fatal(err)
	}
	after := allKeys(t, s)
	for key, value := range before {
		for p := range s.Door().Partitions() {
			if s.Door().Keys().Log(p, fdbevents.Start, fdbevents.End).Contains([]byte(key)) && after[key] != value {
				t.Errorf("key %x of the log was changed", key)
			}
		}
	}
	if repair == "" {
		if report.Mended != 0 || !maps.Equal(before, after) {
			t.Errorf("it repaired %q", report.Repairs)
		}
		slices.Sort(problems)
		slices.Sort(report.Problems)
		if !slices.Equal(problems, report.Problems) {
			t.Errorf("the problems were %q, and are now %q", problems, report.Problems)
		}
		return
	}
	if !report.OK() || !strings.Contains(strings.Join(report.Repairs, "\n"), repair) || report.Mended != int64(len(report.Repairs)) {
		t.Errorf("left %q; repaired %d: %q, want %q", report.Problems, report.Mended, report.Repairs, repair)
	}
	if report, err = check.Run(ctx, s, check.Options{Repair: true}); err != nil || !report.OK() || report.Mended != 0 {
		t.Errorf("after the repair: %+v, %v", report, err)
	}
	if report, err = check.Run(ctx, s, check.Options{}); err != nil || !report.OK() {
		t.Errorf("after the repair: %+v, %v", report, err)
	}
	if _, err := s.Append(ctx, "a", 2, fdbevents.EventData{Type: "after"}); err != nil {
		t.Error(err)
	}
}

// allKeys returns everything in the store.
func allKeys(t *testing.T, s *fdblayer.Store) map[string]string {
	t.Helper()
	all := make(map[string]string)
	if err := s.Door().Update(t.Context(), func(tr engine.Transaction, _ error) error {
		page, err := tr.Snapshot().GetRange(engine.Range{Begin: s.Door().Keys().Header(), End: []byte{0xff}}, engine.RangeOptions{}).Get()
		for _, kv := range page.KeyValues {
			all[string(kv.Key)] = string(kv.Value)
		}
		if page.More {
			t.Error("the store has more keys than one page")
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	return all
}

// TestCheckSample verifies that a sample has as many events as it should, and finds what
// is wrong with them.
func TestCheckSample(t *testing.T) {
	ctx := t.Context()
	e := openEmpty(t)
	s := openToDamage(t, e, fdblayer.Options{})
	var last fdbevents.AppendResult
	for i := range 20 {
		events := make([]fdbevents.EventData, 10+i)
		for j := range events {
			events[j] = fdbevents.EventData{Type: "x", Tags: []string{"red"}, Data: make([]byte, 10)}
		}
		var err error
		if last, err = s.Append(ctx, "s-"+string(rune('a'+i)), fdbevents.Any, events...); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Truncate(ctx, "s-a", 5); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		sample check.Sample
		events int64
	}{
		{check.Sample{Events: 1}, 1}, {check.Sample{Events: 7}, 7}, {check.Sample{Events: 385}, 385}, {check.Sample{Events: 1e9}, 385},
		{check.Sample{Share: 0.1}, 39}, {check.Sample{Share: 1}, 385}, {check.Sample{Share: 1e-9}, 1}, {check.Sample{Events: 100, Seed: 9}, 100},
	} {
		var done int64
		report, err := check.Run(ctx, s, check.Options{Sample: tt.sample, Progress: func(n, total int64) {
			if done = n; total != tt.events && n <= tt.events {
				t.Errorf("%v: %d of %d", tt.sample, n, total)
			}
		}})
		if err != nil || !report.OK() || report.Events != tt.events || report.Streams != 20 || report.Seed == 0 || done < tt.events {
			t.Errorf("%v: %+v, %v; progress %d", tt.sample, report, err, done)
		}
	}
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		tr.Clear(s.Door().Keys().Tag(nil, "red", last.Position))
		tr.Clear(s.Door().Keys().Entry(nil, "s-a", 7))
		tr.Set(s.Door().Keys().Slot(nil, s.Door().PartitionOf(last.Stream), layout.NewPosition(layout.StampOf(last.Position), 0)), []byte("garbage"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	report, err := check.Run(ctx, s, check.Options{Sample: check.Sample{Share: 1}})
	problems := strings.Join(report.Problems, "\n")
	if err != nil || len(report.Problems) != 3 || !strings.Contains(problems, `stream "s-a" has no entry for its revision 7`) ||
		!strings.Contains(problems, "no entry in the index of its tag") || !strings.Contains(problems, "stored record is corrupt") {
		t.Errorf("%s, %v", problems, err)
	}
	found := make(map[bool]int)
	for seed := range uint64(40) {
		report, err := check.Run(ctx, s, check.Options{Sample: check.Sample{Share: 0.3, Seed: seed + 1}})
		again, _ := check.Run(ctx, s, check.Options{Sample: check.Sample{Share: 0.3, Seed: seed + 1}})
		if err != nil || !slices.Equal(report.Problems, again.Problems) {
			t.Fatalf("seed %d: %q, then %q", seed+1, report.Problems, again.Problems)
		}
		found[report.OK()]++
	}
	if found[true] == 0 || found[false] == 0 {
		t.Errorf("over all seeds, clean or not: %v", found)
	}
	for _, o := range []check.Options{{Sample: check.Sample{Share: 1.5}}, {Sample: check.Sample{Share: -1}}, {Sample: check.Sample{Events: -1}}, {Sample: check.Sample{Events: 1, Share: 1}},
		{Repair: true, Sample: check.Sample{Events: 1}}} {
		var invalid *fdbevents.InvalidError
		if _, err := check.Run(ctx, s, o); !errors.As(err, &invalid) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

// TestRepairUnderFaults repairs while commits fail in every way and others append.
func TestRepairUnderFaults(t *testing.T) {
	ctx := t.Context()
	seed := rand.Uint64N(1e6)
	e := openEmpty(t)
	s := openToDamage(t, faultengine.New(e, faultengine.Options{Seed: seed, Rate: faultengine.Hidden()}), fdblayer.Options{})
	add := func(n int) error {
		_, err := s.Append(ctx, fmt.Sprint("s-", n%7), fdbevents.Any, fdbevents.EventData{Type: "x", Tags: []string{"red", fmt.Sprint("n", n)}, Data: make([]byte, 3000*(n%2))})
		return err
	}
	for n := range 150 {
		if err := add(n); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		tr.ClearRange(s.Door().Keys().IDs())
		tr.ClearRange(s.Door().Keys().AllTagged(""))
		tr.Set(s.Door().Keys().ID(nil, uuid.New(), "s-9"), layout.AppendIDEntry(nil, layout.IDEntry{Revision: 9}))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var adding errgroup.Group
	adding.Go(func() error {
		for n := range 50 {
			if err := add(1000 + n); err != nil {
				return err
			}
		}
		return nil
	})
	report, err := check.Run(ctx, s, check.Options{Repair: true})
	if err != nil || !report.OK() || report.Mended != 150*3+1 || len(report.Repairs) != 100 {
		t.Errorf("seed %d: %+v, %v", seed, report, err)
	}
	if err := adding.Wait(); err != nil {
		t.Errorf("seed %d: %v", seed, err)
	}
	if report, err = check.Run(ctx, s, check.Options{}); err != nil || !report.OK() || report.IDs != 200 || report.Tags != 400 {
		t.Errorf("seed %d: %+v, %v", seed, report, err)
	}
}
