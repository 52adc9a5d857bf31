package enginetest

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/engine"
)

func conflictCases() []testCase {
	return []testCase{
		{"a commit conflicts with writes to what it read, and with nothing else", conflictTable},
		{"the first committer wins", firstCommitterWins},
		{"write skew is refused", writeSkew},
		{"a phantom is refused", phantom},
		{"transactions that only write never conflict", blindWrites},
		{"transactions that only read never conflict", readOnly},
		{"a conflict writes nothing", conflictWritesNothing},
		{"a commit before the read version does not conflict", conflictNeedsOverlap},
		{"a cancelled or refused transaction causes no conflict", onlyCommitsConflict},
		{"a write conflict range changes no data", writeConflictOnly},
	}
}

// doing is one step in a transaction.
type doing func(f *fixture, tr engine.Transaction)

// The steps that conflictTable combines.

func get(name string) doing {
	return func(f *fixture, tr engine.Transaction) { must(f, tr.Get(f.key(name))) }
}

func snapshotGet(name string) doing {
	return func(f *fixture, tr engine.Transaction) { must(f, tr.Snapshot().Get(f.key(name))) }
}

func scan(begin, end string, limit int, reverse bool) doing {
	return func(f *fixture, tr engine.Transaction) {
		must(f, tr.GetRange(f.span(begin, end), engine.RangeOptions{Limit: limit, Reverse: reverse}))
	}
}

func snapshotScan(begin, end string) doing {
	return func(f *fixture, tr engine.Transaction) {
		must(f, tr.Snapshot().GetRange(f.span(begin, end), engine.RangeOptions{}))
	}
}

func set(name string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.Set(f.key(name), []byte("new")) }
}

func remove(name string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.Clear(f.key(name)) }
}

// setMany sets m000 to m199.
func setMany(f *fixture, tr engine.Transaction) {
	for i := range 200 {
		tr.Set(f.key(fmt.Sprintf("m%03d", 199-i)), nil)
	}
}

func removeRange(begin, end string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.ClearRange(f.span(begin, end)) }
}

func add(name string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.Atomic(engine.OpAdd, f.key(name), []byte{1}) }
}

func readConflict(begin, end string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.AddReadConflict(f.span(begin, end)) }
}

func writeConflict(begin, end string) doing {
	return func(f *fixture, tr engine.Transaction) { tr.AddWriteConflict(f.span(begin, end)) }
}

func all(steps ...doing) doing {
	return func(f *fixture, tr engine.Transaction) {
		for _, step := range steps {
			step(f, tr)
		}
	}
}

// conflictTable stores the keys k0, k2, k4, k6, k8. One transaction takes its
// read version and runs first; another runs then and commits. The case says
// whether the first transaction's commit conflicts.
func conflictTable(f *fixture) {
	const low, high = "\x00", "\xff"
	stamped := func(before string) doing {
		return func(f *fixture, tr engine.Transaction) { f.stampKey(tr, before, "", "new") }
	}
	for _, c := range []struct {
		name        string
		first, then doing
		conflict    bool
	}{
		{"get, set", get("k2"), set("k2"), true},
		{"get, set to the value it had", get("k2"), func(f *fixture, tr engine.Transaction) { tr.Set(f.key("k2"), []byte("old")) }, true},
		{"get, clear", get("k2"), remove("k2"), true},
		{"get, clear range over it", get("k2"), removeRange("k1", "k3"), true},
		{"get, clear range up to it", get("k2"), removeRange("k1", "k2"), false},
		{"get, atomic", get("k2"), add("k2"), true},
		{"get, compare and clear without effect", get("k2"), func(f *fixture, tr engine.Transaction) {
			tr.Atomic(engine.OpCompareAndClear, f.key("k2"), []byte("other"))
		}, true},
		{"get, versionstamped value", get("k2"), func(f *fixture, tr engine.Transaction) { f.stampValue(tr, "k2", "", "") }, true},
		{"get, write conflict", get("k2"), writeConflict("k2", "k3"), true},
		{"get, write conflict beside it", get("k2"), writeConflict("k3", "k4"), false},
		{"get, set another", get("k2"), set("k3"), false},
		{"get, set a longer key", get("k2"), set("k2\x00"), false},
		{"get of an absent key, set", get("k3"), set("k3"), true},
		{"get of an absent key, clear", get("k3"), remove("k3"), true},
		{"get of an absent key, set another", get("k3"), set("k2"), false},
		{"two gets, set the second", all(get("k2"), get("k4")), set("k4"), true},
		{"two gets, set between", all(get("k2"), get("k4")), set("k3"), false},

		{"snapshot get, set", snapshotGet("k2"), set("k2"), false},
		{"snapshot range, set", snapshotScan(low, high), set("k2"), false},
		{"snapshot range then get, set", all(snapshotScan(low, high), get("k2")), set("k2"), true},
		{"snapshot range then get, set another", all(snapshotScan(low, high), get("k2")), set("k4"), false},
		{"get then snapshot get, set", all(get("k2"), snapshotGet("k2")), set("k2"), true},

		{"range, set inside", scan("k2", "k6", 0, false), set("k4"), true},
		{"range, insert inside", scan("k2", "k6", 0, false), set("k3"), true},
		{"range, clear inside", scan("k2", "k6", 0, false), remove("k4"), true},
		{"range, set at its begin", scan("k1", "k6", 0, false), set("k1"), true},
		{"range, set at its end", scan("k2", "k6", 0, false), set("k6"), false},
		{"range, set just before its end", scan("k2", "k6", 0, false), set("k5\xff"), true},
		{"range, set before its begin", scan("k2", "k6", 0, false), set("k1"), false},
		{"range, clear range across its begin", scan("k2", "k6", 0, false), removeRange("k0", "k3"), true},
		{"range, clear range up to its begin", scan("k2", "k6", 0, false), removeRange("k0", "k2"), false},
		{"range backwards, insert inside", scan("k2", "k6", 0, true), set("k3"), true},
		{"range backwards, set at its end", scan("k2", "k6", 0, true), set("k6"), false},
		{"range without keys, insert", scan("k3", "k4", 0, false), set("k3x"), true},
		{"range without keys, set beside it", scan("k3", "k4", 0, false), set("k4"), false},
		{"inverted range, set between", scan("k6", "k2", 0, false), set("k4"), false},

		{"limit reached, set the last key read", scan(low, high, 2, false), set("k2"), true},
		{"limit reached, insert between keys read", scan(low, high, 2, false), set("k1"), true},
		{"limit reached, insert before the first", scan("j", high, 2, false), set("k"), true},
		{"limit reached, set the next key", scan(low, high, 2, false), set("k4"), false},
		{"limit reached, insert after the last", scan(low, high, 2, false), set("k2\x00"), false},
		{"limit reached backwards, set the last key read", scan(low, high, 2, true), set("k6"), true},
		{"limit reached backwards, insert between keys read", scan(low, high, 2, true), set("k7"), true},
		{"limit reached backwards, insert after all", scan(low, high, 2, true), set("k9"), true},
		{"limit reached backwards, set the next key", scan(low, high, 2, true), set("k4"), false},
		{"limit reached backwards, insert before the last", scan(low, high, 2, true), set("k5\xff"), false},
		{"limit not reached, insert at the far end", scan(low, high, 9, false), set("z"), true},
		{"limit not reached backwards, insert at the far end", scan(low, high, 9, true), set("a"), true},

		{"get of its own set, set", all(set("k2"), get("k2")), set("k2"), false},
		{"get of its own clear, set", all(remove("k2"), get("k2")), set("k2"), false},
		{"get in its own clear range, set", all(removeRange("k1", "k5"), get("k3")), set("k3"), false},
		{"get of its own atomic, set", all(add("k2"), get("k2")), set("k2"), true},
		{"get of its own atomic over its own set, set", all(set("k2"), add("k2"), get("k2")), set("k2"), false},
		{"get before its own set, set", all(get("k2"), set("k2")), set("k2"), true},
		{"range over its own clear range, insert", all(removeRange("k1", "k5"), scan("k1", "k5", 0, false)), set("k3"), false},
		{"range beyond its own clear range, insert beyond", all(removeRange("k1", "k5"), scan("k1", "k7", 0, false)), set("k5x"), true},
		{"range over its own atomic, set", all(add("k2"), scan("k1", "k3", 0, false)), set("k2"), true},
		{"range over its own atomic over its own set, set", all(set("k2"), add("k2"), scan("k1", "k3", 0, false)), set("k2"), false},
		{"range with its own set, set the same", all(set("k3"), scan("k1", "k5", 0, false)), set("k3"), false},
		{"range with its own set, set beside it", all(set("k3"), scan("k1", "k5", 0, false)), set("k3\x00"), true},
		{"own set of a key not read, set", set("k2"), set("k2"), false},
		{"own atomic of a key not read, atomic", add("k2"), add("k2"), false},

		{"read conflict, set inside", readConflict("k1", "k3"), set("k2"), true},
		{"read conflict, set at its end", readConflict("k1", "k3"), set("k3"), false},
		{"read conflict, write conflict", readConflict("k1", "k3"), writeConflict("k2", "k4"), true},
		{"read conflict of its own set, set", all(set("k2"), readConflict("k2", "k2\x00")), set("k2"), false},
		{"read conflict around its own set, set beside it", all(set("k2"), readConflict("k1", "k3")), set("k2\x00"), true},
		{"read conflict around its own set, set the same", all(set("k2"), readConflict("k1", "k3")), set("k2"), false},
		{"read conflict of its own atomic, set", all(add("k2"), readConflict("k2", "k3")), set("k2"), true},
		{"read conflict in its own clear range, set", all(removeRange("k1", "k5"), readConflict("k2", "k3")), set("k2"), false},
		{"read conflict before its own set, set", all(readConflict("k2", "k3"), set("k2")), set("k2"), true},
		{"inverted read conflict, set between", readConflict("k6", "k2"), set("k4"), false},
		{"own write conflict, set", writeConflict("k1", "k5"), set("k2"), false},

		{"get, set of many", get("m100"), setMany, true},
		{"get, set of many beside it", get("m100\x00"), setMany, false},
		{"range, set of many", scan("m099\x00", "m100\x00", 0, false), setMany, true},
		{"range, set of many around it", scan("m099\x00", "m100", 0, false), setMany, false},
		{"range, set of many from its end on", scan("l", "m000", 0, false), setMany, false},
		{"range, set of many before it", scan("m199\x00", "n", 0, false), setMany, false},

		{"range from here on, stamped key", scan("log", "loh", 0, false), stamped("log"), true},
		{"range before the stamp's place, stamped key", scan("log", "log\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01", 0, false), stamped("log"), false},
		{"range after the stamp's place, stamped key", scan("log\xfe", "log\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 0, false), stamped("log"), false},
		{"get of the unstamped key, stamped key", get("log\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"), stamped("log"), false},
		{"snapshot range from here on, stamped key", snapshotScan("log", "loh"), stamped("log"), false},
		{"read conflict from here on, stamped key", readConflict("log", "loh"), stamped("log"), true},
		{"two stamped keys", stamped("log"), stamped("log"), false},
	} {
		f.each(c.name, func(f *fixture) {
			f.put("k0", "old", "k2", "old", "k4", "old", "k6", "old", "k8", "old")
			first := f.beginAt()
			c.first(f, first)
			first.Set(f.key("~done"), nil) // outside every range; makes the transaction more than read-only
			then := f.begin()
			c.then(f, then)
			f.commit(then)
			err := first.Commit()
			if c.conflict {
				f.wantError("commit", err, engine.ErrConflict)
			} else if err != nil {
				f.Fatalf("commit: %v", err)
			}
			done := must(f, f.begin().Get(f.key("~done"))) != nil
			if done == c.conflict {
				f.Fatalf("the commit returned %v; its write is there: %v", err, done)
			}
		})
	}
}

func firstCommitterWins(f *fixture) {
	f.put("a", "0")
	const n = 5
	trs := make([]engine.Transaction, n)
	for i := range trs {
		trs[i] = f.begin()
		f.wantGet(trs[i], "a", "0")
		trs[i].Set(f.key("a"), []byte{byte('1' + i)})
	}
	f.commit(trs[2])
	for i, tr := range trs {
		if i != 2 {
			f.wantError("a later commit", tr.Commit(), engine.ErrConflict)
		}
	}
	f.wantContents("a=3")
}

func writeSkew(f *fixture) {
	f.put("a", "on call", "b", "on call")
	one, two := f.begin(), f.begin()
	f.wantGet(one, "a", "on call")
	f.wantGet(one, "b", "on call")
	f.wantGet(two, "a", "on call")
	f.wantGet(two, "b", "on call")
	one.Set(f.key("a"), []byte("home"))
	two.Set(f.key("b"), []byte("home"))
	f.commit(one)
	f.wantError("the second commit", two.Commit(), engine.ErrConflict)
	f.wantContents("a=home b=on call")
}

func phantom(f *fixture) {
	one, two := f.begin(), f.begin()
	f.wantRange(one, f.span("meeting/", "meeting0"), engine.RangeOptions{}, "")
	f.wantRange(two, f.span("meeting/", "meeting0"), engine.RangeOptions{}, "")
	one.Set(f.key("meeting/10:00"), []byte("one"))
	two.Set(f.key("meeting/10:30"), []byte("two"))
	f.commit(two)
	f.wantError("the second commit", one.Commit(), engine.ErrConflict)
	f.wantContents("meeting/10:30=two")
}

func blindWrites(f *fixture) {
	one, two := f.beginAt(), f.beginAt()
	for _, name := range []string{"a", "b", "c"} {
		one.Set(f.key(name), []byte("1"))
		two.Set(f.key(name), []byte("2"))
	}
	one.ClearRange(f.span("c", "d"))
	two.ClearRange(f.span("b", "c"))
	f.commit(two)
	f.commit(one)
	f.wantContents("a=1 b=1")
}

func readOnly(f *fixture) {
	f.put("a", "1")
	tr := f.begin()
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=1")
	tr.AddReadConflict(f.all())
	f.put("a", "2", "b", "2")
	f.wantGet(tr, "a", "1")
	f.commit(tr)
}

func conflictWritesNothing(f *fixture) {
	f.put("a", "1", "b", "1", "c", "1")
	tr := f.begin()
	f.wantGet(tr, "a", "1")
	tr.Set(f.key("a"), []byte("mine"))
	tr.Set(f.key("x"), []byte("mine"))
	tr.Clear(f.key("b"))
	tr.ClearRange(f.span("c", "d"))
	tr.Atomic(engine.OpAdd, f.key("y"), []byte("mine"))
	f.stampKey(tr, "z", "", "mine")
	stamp := tr.Versionstamp()
	f.put("a", "2")
	f.wantError("commit", tr.Commit(), engine.ErrConflict)
	if _, err := stamp.Get(); err == nil {
		f.Fatal("a failed commit has a versionstamp")
	}
	f.wantContents("a=2 b=1 c=1")
}

func conflictNeedsOverlap(f *fixture) {
	early := f.begin()
	f.put("a", "1")
	f.wantGet(early, "a", "1") // the read version is chosen here
	early.Set(f.key("b"), []byte("1"))
	f.commit(early)
	f.wantContents("a=1 b=1")
}

func onlyCommitsConflict(f *fixture) {
	f.put("a", "1", "b", "1")
	tr := f.begin()
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=1 b=1")
	tr.Set(f.key("c"), []byte("1"))

	cancelled := f.begin()
	cancelled.Set(f.key("a"), []byte("2"))
	cancelled.Cancel()

	refused := f.begin()
	refused.Set(f.key("b"), []byte(strings.Repeat("x", engine.MaxValueSize+1)))
	if err := refused.Commit(); !errors.Is(err, engine.ErrValueTooLarge) {
		f.Fatalf("commit of a value that is too large: %v", err)
	}
	f.commit(tr)
	f.wantContents("a=1 b=1 c=1")
}

func writeConflictOnly(f *fixture) {
	f.put("a", "1", "b", "1")
	reader := f.begin()
	f.wantGet(reader, "b", "1")
	reader.Set(f.key("c"), []byte("1"))
	tr := f.begin()
	tr.AddWriteConflict(f.span("b", "c"))
	tr.AddWriteConflict(f.span("d", "a")) // empty
	f.commit(tr)
	f.wantError("commit of a reader", reader.Commit(), engine.ErrConflict)
	f.wantContents("a=1 b=1")
}
