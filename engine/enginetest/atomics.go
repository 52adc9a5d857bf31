package enginetest

import (
	"fmt"
	"strings"
	"sync"

	"github.com/fdbevents/fdbevents/engine"
)

func atomicCases() []testCase {
	return []testCase{
		{"each operation gives the right result", atomicTable},
		{"several operations on one key apply in order", atomicSequences},
		{"concurrent operations on one key do not conflict, and none is lost", atomicsConcurrently},
		{"an operation applies to the value at commit, not to the value read", atomicAtCommit},
	}
}

// absent means, in tables, that there is no key.
const absent = "absent"

// opNames names the operations in tests.
var opNames = map[engine.Op]string{
	engine.OpAdd: "add", engine.OpMax: "max", engine.OpMin: "min",
	engine.OpByteMin: "byte min", engine.OpByteMax: "byte max",
	engine.OpCompareAndClear: "compare and clear",
}

// atomicTable checks every operation on a stored value, on a value written in the
// same transaction, and on a value not read before the commit.
func atomicTable(f *fixture) {
	long := strings.Repeat("\xff", 40)
	for i, c := range []struct {
		op                   engine.Op
		value, operand, want string
	}{
		{engine.OpAdd, absent, "\x05", "\x05"},
		{engine.OpAdd, absent, "\x05\x00\x00", "\x05\x00\x00"},
		{engine.OpAdd, absent, "", ""},
		{engine.OpAdd, "", "\x05", "\x05"},
		{engine.OpAdd, "\x01", "\x05", "\x06"},
		{engine.OpAdd, le(255, 8), le(1, 8), le(256, 8)},
		{engine.OpAdd, "\xff", "\x01", "\x00"},                     // wraps
		{engine.OpAdd, "\xff", "\x01\x00", "\x00\x01"},             // short value: extended, carries
		{engine.OpAdd, "\xff\xff\xff", "\x01", "\x00"},             // long value: cut
		{engine.OpAdd, "\xff\xff", "\xff\xff", "\xfe\xff"},         // minus one twice
		{engine.OpAdd, "\x01\x02", "", ""},                         // empty operand
		{engine.OpAdd, long, "\x01" + long[1:], "\x00" + long[1:]}, // beyond 64 bits
		{engine.OpAdd, long, "\x01" + strings.Repeat("\x00", 40), strings.Repeat("\x00", 40) + "\x01"},

		{engine.OpMax, absent, "\x05\x00", "\x05\x00"},
		{engine.OpMax, absent, "\x00\x00", "\x00\x00"},
		{engine.OpMax, absent, "", ""},
		{engine.OpMax, "", "\x01", "\x01"},
		{engine.OpMax, "\x02", "\x01", "\x02"},
		{engine.OpMax, "\x01", "\x02", "\x02"},
		{engine.OpMax, "\x02", "\x02", "\x02"},
		{engine.OpMax, "\xff\x00", "\x00\x01", "\x00\x01"},     // little-endian
		{engine.OpMax, "\x00\x01", "\xff\x00", "\x00\x01"},     // little-endian
		{engine.OpMax, "\x09", "\x01\x00\x00", "\x09\x00\x00"}, // short value: extended
		{engine.OpMax, "\x09", "\x01\x01", "\x01\x01"},         // short value, larger operand
		{engine.OpMax, "\x01\x00\x09", "\x02", "\x02"},         // long value: cut, and smaller then
		{engine.OpMax, "\x03\x00\x09", "\x02", "\x03"},         // long value: cut, and larger still
		{engine.OpMax, "\x09", "", ""},                         // empty operand

		{engine.OpMin, absent, "\x05\x00", "\x05\x00"},
		{engine.OpMin, absent, "", ""},
		{engine.OpMin, "", "\x05\x00", "\x00\x00"}, // empty is zero, absent is not
		{engine.OpMin, "", "\x00", "\x00"},
		{engine.OpMin, "\x02", "\x01", "\x01"},
		{engine.OpMin, "\x01", "\x02", "\x01"},
		{engine.OpMin, "\xff\x00", "\x00\x01", "\xff\x00"}, // little-endian
		{engine.OpMin, "\x00\x01", "\xff\x00", "\xff\x00"}, // little-endian
		{engine.OpMin, "\x09", "\x01\x01", "\x09\x00"},     // short value: extended
		{engine.OpMin, "\x09", "\x01\x00", "\x01\x00"},     // short value, smaller operand
		{engine.OpMin, "\x01\x00\x09", "\x02", "\x01"},     // long value: cut
		{engine.OpMin, "\x03\x00\x09", "\x02", "\x02"},     // long value: cut
		{engine.OpMin, "\x09", "", ""},                     // empty operand

		{engine.OpByteMin, absent, "b", "b"},
		{engine.OpByteMin, absent, "", ""},
		{engine.OpByteMin, "a", "b", "a"},
		{engine.OpByteMin, "b", "a", "a"},
		{engine.OpByteMin, "ab", "a", "a"},
		{engine.OpByteMin, "a", "ab", "a"},
		{engine.OpByteMin, "\xff", "\x00\x00", "\x00\x00"},
		{engine.OpByteMin, "", "a", ""},
		{engine.OpByteMin, "a", "", ""},

		{engine.OpByteMax, absent, "b", "b"},
		{engine.OpByteMax, absent, "", ""},
		{engine.OpByteMax, "a", "b", "b"},
		{engine.OpByteMax, "b", "a", "b"},
		{engine.OpByteMax, "ab", "a", "ab"},
		{engine.OpByteMax, "a", "ab", "ab"},
		{engine.OpByteMax, "\xff", "\x00\x00", "\xff"},
		{engine.OpByteMax, "", "a", "a"},
		{engine.OpByteMax, "a", "", "a"},

		{engine.OpCompareAndClear, absent, "a", absent},
		{engine.OpCompareAndClear, absent, "", absent},
		{engine.OpCompareAndClear, "a", "a", absent},
		{engine.OpCompareAndClear, "a", "b", "a"},
		{engine.OpCompareAndClear, "a", "a\x00", "a"},
		{engine.OpCompareAndClear, "a", "", "a"},
		{engine.OpCompareAndClear, "", "", absent},
	} {
		f.each(fmt.Sprintf("%02d %s", i, opNames[c.op]), func(f *fixture) {
			f.write(func(tr engine.Transaction) {
				for _, name := range []string{"read", "unread"} {
					if c.value != absent {
						tr.Set(f.key(name), []byte(c.value))
					}
				}
				tr.Set(f.key("over clear"), []byte("stored"))
				tr.Set(f.key("over clear range"), []byte("stored"))
			})
			tr := f.begin()
			tr.Clear(f.key("over clear"))
			tr.ClearRange(engine.KeyRange(f.key("over clear range")))
			names := []string{"over clear", "over clear range", "own", "read"}
			if c.value != absent {
				for _, name := range names[:3] {
					tr.Set(f.key(name), []byte(c.value))
				}
			}
			for _, name := range append(names, "unread") {
				tr.Atomic(c.op, f.key(name), []byte(c.operand))
			}
			for _, name := range names {
				f.wantValue(tr, name, c.want)
				f.wantValue(tr.Snapshot(), name, c.want)
			}
			f.commit(tr)
			after := f.begin()
			for _, name := range append(names, "unread") {
				f.wantValue(after, name, c.want)
			}
		})
	}
}

// wantValue checks the value that a read of a key gives, or that the key is
// absent.
func (f *fixture) wantValue(r engine.Reader, name, want string) {
	f.Helper()
	if want == absent {
		f.wantAbsent(r, name)
	} else {
		f.wantGet(r, name, want)
	}
}

func atomicSequences(f *fixture) {
	type step struct {
		op      engine.Op
		operand string
	}
	for i, c := range []struct {
		value string
		steps []step
		want  string
	}{
		{"\x01", []step{{engine.OpAdd, "\x02"}, {engine.OpAdd, "\x03"}}, "\x06"},
		{"\xff", []step{{engine.OpAdd, "\x01"}, {engine.OpAdd, "\x01\x00"}}, "\x01\x00"}, // cut before it is extended
		{"\xff", []step{{engine.OpAdd, "\x01\x00"}, {engine.OpAdd, "\x01"}}, "\x01"},     // extended, then cut
		{absent, []step{{engine.OpAdd, "\x02"}, {engine.OpMax, "\x09"}, {engine.OpAdd, "\x01"}}, "\x0a"},
		{"\x05", []step{{engine.OpMax, "\x03"}, {engine.OpMin, "\x04"}}, "\x04"},
		{"\x05", []step{{engine.OpMin, "\x03"}, {engine.OpMax, "\x04"}}, "\x04"},
		{absent, []step{{engine.OpMin, "\x03"}, {engine.OpMin, "\x04\x00"}}, "\x03\x00"},
		{"b", []step{{engine.OpByteMax, "c"}, {engine.OpByteMin, "bb"}}, "bb"},
		{"a", []step{{engine.OpCompareAndClear, "a"}, {engine.OpByteMin, "z"}}, "z"},
		{"a", []step{{engine.OpCompareAndClear, "b"}, {engine.OpCompareAndClear, "a"}}, absent},
		{"\x01", []step{{engine.OpAdd, "\x01"}, {engine.OpCompareAndClear, "\x02"}}, absent},
		{"\x01", []step{{engine.OpAdd, "\x01"}, {engine.OpCompareAndClear, "\x02"}, {engine.OpAdd, "\x07"}}, "\x07"},
		{"\x01", []step{{engine.OpCompareAndClear, "\x02"}, {engine.OpAdd, "\x01"}, {engine.OpCompareAndClear, "\x02"}}, absent},
	} {
		f.each(fmt.Sprintf("%02d", i), func(f *fixture) {
			if c.value != absent {
				f.put("read", c.value, "unread", c.value)
			}
			tr := f.begin()
			for n, s := range c.steps {
				tr.Atomic(s.op, f.key("read"), []byte(s.operand))
				tr.Atomic(s.op, f.key("unread"), []byte(s.operand))
				if n == 0 { // read once between two operations: the value is known from here on
					must(f, tr.Get(f.key("read")))
				}
			}
			f.wantValue(tr, "read", c.want)
			f.commit(tr)
			after := f.begin()
			f.wantValue(after, "read", c.want)
			f.wantValue(after, "unread", c.want)
		})
	}
}

func atomicsConcurrently(f *fixture) {
	const workers, commits = 8, 15
	open := make([]engine.Transaction, workers)
	for i := range open { // all open at once: they would conflict if anything did
		open[i] = f.beginAt()
		open[i].Atomic(engine.OpAdd, f.key("sum"), []byte(le(1, 8)))
	}
	for _, tr := range open {
		f.commit(tr)
	}
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			for i := range commits {
				tr := f.begin()
				tr.Atomic(engine.OpAdd, f.key("sum"), []byte(le(1, 8)))
				tr.Atomic(engine.OpMax, f.key("largest"), []byte(le(uint64(w*1000+i), 4)))
				tr.Atomic(engine.OpByteMin, f.key("least"), fmt.Appendf(nil, "%d/%d", w, i))
				if err := tr.Commit(); err != nil {
					f.Errorf("commit: %v", err)
					return
				}
			}
		})
	}
	running.Wait()
	tr := f.begin()
	f.wantGet(tr, "sum", le(workers*(commits+1), 8))
	f.wantGet(tr, "largest", le((workers-1)*1000+commits-1, 4))
	f.wantGet(tr, "least", "0/0")
}

func atomicAtCommit(f *fixture) {
	f.put("n", le(1, 4))
	tr := f.begin()
	f.wantGet(tr.Snapshot(), "n", le(1, 4))
	tr.Atomic(engine.OpAdd, f.key("n"), []byte(le(10, 4)))
	f.wantGet(tr.Snapshot(), "n", le(11, 4))
	f.put("n", le(100, 4))
	f.wantGet(tr.Snapshot(), "n", le(11, 4))
	f.commit(tr)
	f.wantContents("n=" + shown(le(110, 4)))
}
