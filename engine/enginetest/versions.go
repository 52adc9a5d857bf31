package enginetest

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/fdbevents/fdbevents/engine"
)

func versionCases() []testCase {
	return []testCase{
		{"a transaction sees one snapshot from its first read on", oneSnapshot},
		{"a read version is at least the version of every acknowledged commit", readVersionIsCurrent},
		{"a read version sees exactly the commits up to it", readVersionIsExact},
		{"all writes of a commit become visible at once", commitIsAtomic},
	}
}

func oneSnapshot(f *fixture) {
	f.put("a", "1", "b", "1", "c", "1")
	byRead, byVersion, late := f.begin(), f.beginAt(), f.begin()
	f.wantGet(byRead, "a", "1")
	f.write(func(tr engine.Transaction) {
		tr.Set(f.key("b"), []byte("2"))
		tr.Clear(f.key("c"))
		tr.Set(f.key("d"), []byte("2"))
	})
	for _, r := range []engine.Reader{byRead, byRead.Snapshot(), byVersion, byVersion.Snapshot()} {
		f.wantGet(r, "b", "1")
		f.wantGet(r, "c", "1")
		f.wantAbsent(r, "d")
		f.wantRange(r, f.all(), engine.RangeOptions{}, "a=1 b=1 c=1")
		f.wantRange(r, f.all(), engine.RangeOptions{Reverse: true, Limit: 2}, "c=1 b=1")
	}
	f.wantRange(late, f.all(), engine.RangeOptions{}, "a=1 b=2 d=2") // its read version is chosen here
}

func readVersionIsCurrent(f *fixture) {
	const writers, commits = 4, 15
	var acknowledged atomic.Int64
	var running sync.WaitGroup
	for w := range writers {
		running.Go(func() {
			for i := range commits {
				floor := acknowledged.Load()
				tr := f.begin()
				version, err := tr.ReadVersion().Get()
				if err != nil || version < floor {
					f.Errorf("read version %d, %v, after a commit at %d was acknowledged", version, err, floor)
					return
				}
				stamp := tr.Versionstamp()
				tr.Set(f.key(fmt.Sprintf("%d/%d", w, i)), nil)
				if err := tr.Commit(); err != nil {
					f.Errorf("commit: %v", err)
					return
				}
				s, err := stamp.Get()
				if err != nil {
					f.Errorf("stamp: %v", err)
					return
				}
				committed := stampVersion(s)
				if committed <= version {
					f.Errorf("committed at %d, not after the read version %d", committed, version)
				}
				for {
					floor := acknowledged.Load()
					if committed <= floor || acknowledged.CompareAndSwap(floor, committed) {
						break
					}
				}
			}
		})
	}
	running.Wait()
}

func readVersionIsExact(f *fixture) {
	const writers, commits, readers = 4, 20, 3
	type look struct {
		version int64
		stamps  []engine.Stamp
	}
	stampsOf := func(page engine.Page) []engine.Stamp {
		stamps := make([]engine.Stamp, len(page.KeyValues))
		for i, kv := range page.KeyValues {
			copy(stamps[i][:], f.name(kv.Key))
		}
		return stamps
	}
	var writing, reading sync.WaitGroup
	written := make(chan struct{})
	looks := make([][]look, readers)
	for w := range writers {
		writing.Go(func() {
			for range commits {
				tr := f.begin()
				f.stampKey(tr, "", "", fmt.Sprint(w))
				f.stampKey(tr, "", "2", fmt.Sprint(w))
				if err := tr.Commit(); err != nil {
					f.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	for i := range readers {
		reading.Go(func() {
			for last := false; !last; {
				select {
				case <-written:
					last = true
				default:
				}
				tr := f.begin()
				page, err := tr.Snapshot().GetRange(f.all(), engine.RangeOptions{}).Get()
				if err != nil {
					f.Errorf("range: %v", err)
					return
				}
				version, err := tr.ReadVersion().Get()
				if err != nil {
					f.Errorf("read version: %v", err)
					return
				}
				tr.Cancel()
				looks[i] = append(looks[i], look{version, stampsOf(page)})
			}
		})
	}
	writing.Wait()
	close(written)
	reading.Wait()
	if f.Failed() {
		return
	}
	all := stampsOf(must(f, f.begin().GetRange(f.all(), engine.RangeOptions{})))
	if len(all) != 2*writers*commits {
		f.Fatalf("%d keys, want %d", len(all), 2*writers*commits)
	}
	for _, mine := range looks {
		for _, l := range mine {
			var want []engine.Stamp
			for _, s := range all {
				if stampVersion(s) <= l.version {
					want = append(want, s)
				}
			}
			if len(want) != len(l.stamps) {
				f.Fatalf("read version %d saw %d stamps, want %d", l.version, len(l.stamps), len(want))
			}
			for i := range want {
				if want[i] != l.stamps[i] {
					f.Fatalf("read version %d saw %x at %d, want %x", l.version, l.stamps[i], i, want[i])
				}
			}
		}
	}
}

func commitIsAtomic(f *fixture) {
	const commits = 40
	f.put("x", "0", "y", "0")
	stopped := f.start(func() {
		for i := 1; i <= commits; i++ {
			tr := f.begin()
			tr.Set(f.key("x"), fmt.Append(nil, i))
			tr.Set(f.key("y"), fmt.Append(nil, i))
			if err := tr.Commit(); err != nil {
				f.Errorf("commit: %v", err)
				return
			}
		}
	})
	for done := false; !done; {
		select {
		case <-stopped:
			done = true
		default:
		}
		tr := f.begin()
		y, x := tr.Get(f.key("y")), tr.Get(f.key("x"))
		if a, b := must(f, x), must(f, y); string(a) != string(b) {
			f.Fatalf("x is %s but y is %s", a, b)
		}
		tr.Cancel()
	}
	f.wantContents(fmt.Sprintf("x=%d y=%d", commits, commits))
}
