package pebbleengine

import (
	"errors"
	"hash/maphash"
	"math/rand/v2"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

// TestWindowAgainstModel compares the window with a list of everything ever
// written.
func TestWindowAgainstModel(t *testing.T) {
	keys := smallKeys()
	seed := maphash.MakeSeed()
	for run := range uint64(200) {
		rnd := rand.New(rand.NewPCG(run, 2))
		type write struct {
			version int64
			r       engine.Range
		}
		var written []write
		w := newWindow(0)
		oldest := int64(0)
		for version := int64(1); version < 40; version++ {
			h := w.begin(version)
			for range rnd.IntN(4) {
				key := keys[rnd.IntN(len(keys))]
				w.addPoint(h, key, maphash.Bytes(seed, key))
				written = append(written, write{version, engine.KeyRange(key)})
			}
			if r := randomRange(rnd, keys); rnd.IntN(3) == 0 && !r.Empty() {
				w.addRange(h, r)
				written = append(written, write{version, r})
			}
			if rnd.IntN(4) == 0 {
				oldest += rnd.Int64N(version - oldest + 1)
				w.prune(oldest)
			}
			var reads conflicts
			for range rnd.IntN(3) {
				reads.add(engine.KeyRange(keys[rnd.IntN(len(keys))]))
			}
			for range rnd.IntN(3) {
				if r := randomRange(rnd, keys); !r.Empty() {
					reads.add(r)
				}
			}
			at := rnd.Int64N(version + 1)
			var want error
			for _, old := range written {
				for _, r := range append(reads.ranges, singles(reads.points)...) {
					if old.version > at && string(old.r.Begin) < string(r.End) && string(r.Begin) < string(old.r.End) {
						want = engine.ErrConflict
					}
				}
			}
			if at < oldest && !reads.empty() {
				want = engine.ErrTooOld
			}
			if got := w.check(at, &reads, hashes(seed, nil, reads.points)); !errors.Is(got, want) {
				t.Fatalf("run %d, version %d: check at %d of %q is %v, want %v", run, version, at, reads, got, want)
			}
		}
		w.prune(40)
		if len(w.last) != 0 || w.points != 0 || w.ranges != 0 || len(w.recent) != 0 {
			t.Fatalf("run %d: after pruning all, the window is %+v", run, w)
		}
	}
}

func singles(points [][]byte) (ranges []engine.Range) {
	for _, p := range points {
		ranges = append(ranges, engine.KeyRange(p))
	}
	return ranges
}

// TestWindowIsBounded writes more than the window keeps, under a transaction that
// never ends.
func TestWindowIsBounded(t *testing.T) {
	w := newWindow(0)
	const each = 1 << 12
	for version := int64(1); version <= maxWindowPoints/each+8; version++ {
		h := w.begin(version)
		for i := range uint64(each) {
			w.addPoint(h, nil, uint64(version)<<32|i)
		}
		w.prune(0)
	}
	if w.points > maxWindowPoints || len(w.last) > maxWindowPoints {
		t.Errorf("window has %d points", w.points)
	}
	reads := conflicts{points: [][]byte{nil}}
	if err := w.check(0, &reads, []uint64{1}); !errors.Is(err, engine.ErrTooOld) {
		t.Errorf("check below the floor: %v", err)
	}
}
