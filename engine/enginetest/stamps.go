package enginetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/fdbevents/fdbevents/engine"
)

func stampCases() []testCase {
	return []testCase{
		{"a stamp lands in the key or value where its offset says", stampPlaces},
		{"all stamps of a transaction are the one that Versionstamp returned", stampIsPromised},
		{"a transaction that writes nothing has no versionstamp", stampOfReadOnly},
		{"a versionstamp that will never come fails", stampOfFailure},
		{"an offset outside the key or value fails the commit", stampOffsets},
		{"a stamped value is unreadable in its transaction", stampedValueUnreadable},
		{"the place of a stamped key is unreadable in its transaction", stampedKeyUnreadable},
		{"a stamped key before any read makes its whole prefix unreadable", blindStampUnreadable},
		{"a range whose limit is reached before an unreadable place is readable", readableUpToStamp},
		{"a clear undoes stamped writes", stampCleared},
		{"other writes around a stamped key are kept", stampBesideWrites},
		{"stamps rise with commit order", stampsRise},
		{"stamps rise with commit order among concurrent committers", stampsRiseConcurrently},
		{"stamps rise with the order that conflicts enforce", stampsRiseSerially},
		{"stamps rise across a restart", stampsRiseAcrossReopen},
	}
}

func stampPlaces(f *fixture) {
	tr := f.begin()
	f.stampKey(tr, "k", "", "end of key")
	f.stampKey(tr, "k", "more", "middle of key")
	f.stampValue(tr, "v", "", "")
	f.stampValue(tr, "v begin", "", "after")
	f.stampValue(tr, "v middle", "before", "after")
	f.stampValue(tr, "v end", "before", "")
	s := f.commitStamped(tr)
	stamp := string(s[:])
	after := f.begin()
	f.wantGet(after, "k"+stamp, "end of key")
	f.wantGet(after, "k"+stamp+"more", "middle of key")
	f.wantGet(after, "v", stamp)
	f.wantGet(after, "v begin", stamp+"after")
	f.wantGet(after, "v middle", "before"+stamp+"after")
	f.wantGet(after, "v end", "before"+stamp)
	if page := must(f, after.GetRange(f.all(), engine.RangeOptions{})); len(page.KeyValues) != 6 {
		f.Fatalf("%d keys, want 6: %s", len(page.KeyValues), f.text(page))
	}
	if stampVersion(s) > f.version(after) {
		f.Fatalf("stamp %x is later than read version %d", s, f.version(after))
	}
}

func stampIsPromised(f *fixture) {
	tr := f.beginAt()
	first, second := tr.Versionstamp(), tr.Versionstamp()
	const n = 50
	for i := range n {
		f.stampKey(tr, "log/", string([]byte{0, byte(i)}), fmt.Sprint(i))
	}
	f.stampValue(tr, "value", "", "")
	f.commit(tr)
	s := must(f, first)
	if again := must(f, second); again != s {
		f.Fatalf("one transaction has the stamps %x and %x", s, again)
	}
	if again := must(f, first); again != s {
		f.Fatalf("one future gave %x and %x", s, again)
	}
	after := f.begin()
	f.wantGet(after, "value", string(s[:]))
	page := must(f, after.GetRange(f.span("log/", "log0"), engine.RangeOptions{}))
	if len(page.KeyValues) != n {
		f.Fatalf("%d keys, want %d", len(page.KeyValues), n)
	}
	for i, kv := range page.KeyValues {
		if want := "log/" + string(s[:]) + string([]byte{0, byte(i)}); f.name(kv.Key) != want || string(kv.Value) != fmt.Sprint(i) {
			f.Fatalf("key %d is %x with %q, want %x", i, f.name(kv.Key), kv.Value, want)
		}
	}
	plain := f.begin()
	plain.Set(f.key("plain"), nil) // a commit without stamped writes has a stamp too
	if next := f.commitStamped(plain); bytes.Compare(s[:], next[:]) >= 0 {
		f.Fatalf("stamp %x then %x", s, next)
	}
}

func stampOfReadOnly(f *fixture) {
	f.put("a", "1")
	for _, prepare := range []func(tr engine.Transaction){
		func(engine.Transaction) {},
		func(tr engine.Transaction) { f.wantGet(tr, "a", "1") },
		func(tr engine.Transaction) { tr.AddReadConflict(f.all()) },
	} {
		tr := f.begin()
		stamp := tr.Versionstamp()
		prepare(tr)
		f.commit(tr)
		_, err := stamp.Get()
		f.wantError("versionstamp", err, engine.ErrNoCommitVersion)
	}
}

func stampOfFailure(f *fixture) {
	cancelled := f.begin()
	cancelled.Set(f.key("a"), nil)
	stamp := cancelled.Versionstamp()
	cancelled.Cancel()
	if s, err := stamp.Get(); err == nil {
		f.Fatalf("a cancelled transaction has the stamp %x", s)
	}

	conflicting := f.begin()
	f.wantAbsent(conflicting, "a")
	conflicting.Set(f.key("b"), nil)
	stamp = conflicting.Versionstamp()
	f.put("a", "1")
	err := conflicting.Commit()
	f.wantError("commit", err, engine.ErrConflict)
	if s, err := stamp.Get(); err == nil {
		f.Fatalf("a refused transaction has the stamp %x", s)
	}
	if err := conflicting.OnError(err); err != nil {
		f.Fatalf("OnError: %v", err)
	}
	f.stampValue(conflicting, "b", "", "")
	s := f.commitStamped(conflicting) // the next attempt has a stamp
	f.wantGet(f.begin(), "b", string(s[:]))
}

func stampOffsets(f *fixture) {
	place := strings.Repeat("\x00", 10)
	for _, c := range []struct{ name, operand string }{
		{"shorter than an offset", "\x00\x00\x00"},
		{"empty", ""},
		{"without room", le(0, 4)},
		{"one byte short", place[1:] + le(0, 4)},
		{"one byte too far", place + le(1, 4)},
		{"far beyond", place + le(1<<20, 4)},
		{"negative", place + le(0xffffffff, 4)},
		{"the smallest number", place + le(0x80000000, 4)},
		{"the largest number", place + le(0x7fffffff, 4)},
		{"overlapping the offset", place + le(4, 4)},
	} {
		f.each(c.name, func(f *fixture) {
			tr := f.begin()
			tr.Set(f.key("a"), []byte("1"))
			tr.Atomic(engine.OpVersionstampedValue, f.key("b"), []byte(c.operand))
			f.wantError("commit with a stamped value", tr.Commit(), engine.ErrInvalidOperation)
			tr = f.begin()
			tr.Set(f.key("a"), []byte("1"))
			key := c.operand
			if len(key) > 4 { // after the prefix, so the offset must grow by its length
				offset := uint64(c.operand[len(key)-4]) | uint64(c.operand[len(key)-3])<<8 |
					uint64(c.operand[len(key)-2])<<16 | uint64(c.operand[len(key)-1])<<24
				if offset < 1<<21 {
					offset += uint64(len(f.prefix))
				}
				key = f.prefix + key[:len(key)-4] + le(offset, 4)
			}
			tr.Atomic(engine.OpVersionstampedKey, []byte(key), []byte("1"))
			f.wantError("commit with a stamped key", tr.Commit(), engine.ErrInvalidOperation)
			f.wantContents("")
		})
	}
	tr := f.begin() // offsets just within bounds
	f.stampKey(tr, "", "", "")
	f.stampValue(tr, "b", "", "")
	f.commit(tr)
}

// wantUnreadable checks that reads fail because they touch a stamped write.
func (f *fixture) wantUnreadable(tr engine.Transaction, name string, g engine.Range) {
	f.Helper()
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		_, err := r.Get(f.key(name)).Get()
		f.wantError("get", err, engine.ErrUnreadable)
		for _, reverse := range []bool{false, true} {
			_, err = r.GetRange(g, engine.RangeOptions{Reverse: reverse}).Get()
			f.wantError("range", err, engine.ErrUnreadable)
		}
	}
}

func stampedValueUnreadable(f *fixture) {
	f.put("a", "1", "b", "2", "c", "3")
	tr := f.begin()
	f.stampValue(tr, "b", "", "")
	f.stampValue(tr, "new", "", "")
	f.wantUnreadable(tr, "b", f.all())
	f.wantUnreadable(tr, "new", f.span("n", "o"))
	f.wantUnreadable(tr, "new", engine.KeyRange(f.key("new")))
	tr.Set(f.key("new"), []byte("set over a stamp"))
	tr.Atomic(engine.OpAdd, f.key("b"), []byte{1})
	f.wantUnreadable(tr, "new", f.span("n", "o"))
	f.wantUnreadable(tr, "b", f.all())
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		f.wantGet(r, "a", "1")
		f.wantAbsent(r, "b\x00")
		f.wantRange(r, f.span("a", "b"), engine.RangeOptions{}, "a=1")
		f.wantRange(r, f.span("b\x00", "d"), engine.RangeOptions{}, "c=3")
	}
	if engine.Retryable(engine.ErrUnreadable) {
		f.Fatal("another attempt does not make a key readable, so the error must not be retryable")
	}
}

func stampedKeyUnreadable(f *fixture) {
	old := f.begin()
	f.stampKey(old, "log/", "", "old")
	oldStamp := f.commitStamped(old)
	f.put("log", "beside", "log0", "beside", "log/\x00", "below") // also makes the read version later than the stamp
	tr := f.beginAt()
	f.stampKey(tr, "log/", "", "new")
	next := strings.Repeat("\xff", 10)
	f.wantUnreadable(tr, "log/"+next, f.all())
	f.wantUnreadable(tr, "log/"+next, f.span("log/", "log0"))
	f.wantUnreadable(tr, "log/\x70", f.span("log/\x70", "log/\x71"))
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		f.wantGet(r, "log", "beside")
		f.wantGet(r, "log0", "beside")
		f.wantGet(r, "log/\x00", "below")
		f.wantGet(r, "log/"+string(oldStamp[:]), "old")
		f.wantRange(r, f.span("log0", "\xff"), engine.RangeOptions{}, "log0=beside")
		f.wantRange(r, f.span("log", "log/\x00\x00"), engine.RangeOptions{}, "log=beside log/\\x00=below")
		f.wantRange(r, f.span("log/"+next+"\x01", "log1"), engine.RangeOptions{}, "log0=beside")
	}
}

func blindStampUnreadable(f *fixture) {
	old := f.begin()
	f.stampKey(old, "log/", "", "old")
	oldStamp := f.commitStamped(old)
	f.put("other", "1") // makes every read version later than the stamp
	tr := f.begin()
	f.stampKey(tr, "log/", "", "new")
	f.wantUnreadable(tr, "log/"+string(oldStamp[:]), f.span("log/", "log0"))
	f.wantAbsent(tr, "log")
	f.wantAbsent(tr, "log0")

	tr = f.begin() // a range read first, after the read version is known
	f.stampKey(tr, "log/", "", "new")
	f.version(tr)
	_, err := tr.GetRange(f.span("log/", "log/"+string(oldStamp[:])+"\x00"), engine.RangeOptions{}).Get()
	f.wantError("range", err, engine.ErrUnreadable)
}

func readableUpToStamp(f *fixture) {
	f.put("a", "1", "b", "2", "x", "8", "y", "9")
	tr := f.beginAt()
	f.stampKey(tr, "log/", "", "new")
	f.stampValue(tr, "v", "", "")
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		f.wantRange(r, f.all(), engine.RangeOptions{Limit: 1}, "a=1")
		f.wantRange(r, f.all(), engine.RangeOptions{Limit: 2}, "a=1 b=2")
		f.wantRange(r, f.all(), engine.RangeOptions{Limit: 2, Reverse: true}, "y=9 x=8")
		for _, reverse := range []bool{false, true} {
			_, err := r.GetRange(f.all(), engine.RangeOptions{Limit: 3, Reverse: reverse}).Get()
			f.wantError("range into the stamp's place", err, engine.ErrUnreadable)
		}
	}
}

func stampCleared(f *fixture) {
	tr := f.beginAt()
	f.stampKey(tr, "log/", "", "new")
	f.stampValue(tr, "value", "", "")
	f.stampValue(tr, "other", "", "")
	tr.ClearRange(f.span("log/", "log0"))
	tr.Clear(f.key("value"))
	f.wantAbsent(tr, "value")
	tr.Set(f.key("other"), []byte("plain"))
	f.commit(tr)
	f.wantContents("other=plain")
}

func stampBesideWrites(f *fixture) {
	f.put("log/b", "old", "log/c", "old")
	tr := f.begin()
	tr.Set(f.key("log/a"), []byte("mine"))
	tr.Clear(f.key("log/b"))
	tr.Atomic(engine.OpAdd, f.key("log/n"), []byte{7})
	f.stampKey(tr, "log/", "", "stamped")
	tr.Set(f.key("log/d"), []byte("mine"))
	s := f.commitStamped(tr)
	f.wantContents("log/" + shown(string(s[:])) + "=stamped log/a=mine log/c=old log/d=mine log/n=\\a")
}

func stampsRise(f *fixture) {
	var last engine.Stamp
	for i := range 30 {
		tr := f.begin()
		if i%2 == 0 {
			f.version(tr)
		}
		f.stampKey(tr, "log/", "", fmt.Sprint(i))
		s := f.commitStamped(tr)
		if bytes.Compare(last[:], s[:]) >= 0 {
			f.Fatalf("stamp %x then %x", last, s)
		}
		last = s
	}
	page := must(f, f.begin().GetRange(f.all(), engine.RangeOptions{}))
	for i, kv := range page.KeyValues {
		if string(kv.Value) != fmt.Sprint(i) {
			f.Fatalf("key %d in order is from commit %s", i, kv.Value)
		}
	}
}

func stampsRiseConcurrently(f *fixture) {
	const writers, commits = 32, 6
	var mu sync.Mutex
	var latest engine.Stamp // of all acknowledged commits
	seen := map[engine.Stamp]bool{}
	var running sync.WaitGroup
	for range writers {
		running.Go(func() {
			for range commits {
				mu.Lock()
				floor := latest
				mu.Unlock()
				tr := f.begin()
				f.stampKey(tr, "log/", "", "")
				stamp := tr.Versionstamp()
				if err := tr.Commit(); err != nil {
					f.Errorf("commit: %v", err)
					return
				}
				s, err := stamp.Get()
				if err != nil {
					f.Errorf("stamp: %v", err)
					return
				}
				if bytes.Compare(floor[:], s[:]) >= 0 {
					f.Errorf("stamp %x of a commit that began after the commit with stamp %x was acknowledged", s, floor)
				}
				mu.Lock()
				if seen[s] {
					f.Errorf("two transactions have the stamp %x", s)
				}
				seen[s] = true
				if bytes.Compare(latest[:], s[:]) < 0 {
					latest = s
				}
				mu.Unlock()
			}
		})
	}
	running.Wait()
	page := must(f, f.begin().GetRange(f.all(), engine.RangeOptions{}))
	if len(page.KeyValues) != len(seen) {
		f.Fatalf("%d keys for %d stamps", len(page.KeyValues), len(seen))
	}
	for _, kv := range page.KeyValues {
		if s := engine.Stamp([]byte(strings.TrimPrefix(f.name(kv.Key), "log/"))); !seen[s] {
			f.Fatalf("a key has stamp %x, which no commit returned", s)
		}
	}
}

func stampsRiseSerially(f *fixture) {
	const workers, commits = 4, 10
	var running sync.WaitGroup
	for range workers {
		running.Go(func() {
			for range commits {
				err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
					got, err := tr.Get(f.key("counter")).Get()
					if err != nil {
						return err
					}
					n := 1
					if got != nil {
						if _, err := fmt.Sscan(string(got), &n); err != nil {
							return err
						}
						n++
					}
					tr.Set(f.key("counter"), fmt.Append(nil, n))
					f.stampKey(tr, "log/", "", fmt.Sprint(n))
					return nil
				})
				if err != nil {
					f.Errorf("run: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	page := must(f, f.begin().GetRange(f.span("log/", "log0"), engine.RangeOptions{}))
	if len(page.KeyValues) != workers*commits {
		f.Fatalf("%d keys, want %d", len(page.KeyValues), workers*commits)
	}
	for i, kv := range page.KeyValues {
		if want := fmt.Sprint(i + 1); string(kv.Value) != want {
			f.Fatalf("the commit with the stamp %x counted %s, want %s", kv.Key, kv.Value, want)
		}
	}
}

func stampsRiseAcrossReopen(f *fixture) {
	if f.instance.Reopen == nil {
		f.Skip("the engine cannot be opened again")
	}
	var last engine.Stamp
	for i := range 3 {
		tr := f.begin()
		version := f.version(tr)
		if version < stampVersion(last) {
			f.Fatalf("read version %d after a restart, but a commit at %d before it", version, stampVersion(last))
		}
		f.stampKey(tr, "log/", "", fmt.Sprint(i))
		s := f.commitStamped(tr)
		if bytes.Compare(last[:], s[:]) >= 0 {
			f.Fatalf("stamp %x, then %x after a restart", last, s)
		}
		last = s
		if err := f.engine.Close(); err != nil {
			f.Fatalf("close: %v", err)
		}
		f = f.on(f.instance.Reopen(f.T))
	}
	page := must(f, f.begin().GetRange(f.all(), engine.RangeOptions{}))
	for i, kv := range page.KeyValues {
		if string(kv.Value) != fmt.Sprint(i) {
			f.Fatalf("key %d in order is from commit %s", i, kv.Value)
		}
	}
}
