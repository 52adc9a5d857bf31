package enginetest

import (
	"fmt"
	"strings"

	"github.com/fdbevents/fdbevents/engine"
)

func writeCases() []testCase {
	return []testCase{
		{"a transaction reads its own writes", readYourWrites},
		{"a range merges the transaction's writes with stored keys", mergedRange},
		{"a range of only the transaction's writes needs no stored key", ownRange},
		{"a byte bound counts the transaction's writes", mergedRangeBytes},
		{"a clear range removes its begin but not its end", clearRangeBounds},
		{"a read sees the writes before it but not those after it", readThenWrite},
		{"the last write of a key counts", lastWriteCounts},
		{"nobody sees writes before they are committed", writesArePrivate},
		{"a cancelled transaction writes nothing", cancelWritesNothing},
		{"a commit without writes succeeds", emptyCommit},
	}
}

func readYourWrites(f *fixture) {
	f.put("stored", "old", "gone", "old", "r1", "old", "r2", "old")
	tr := f.begin()
	tr.Set(f.key("stored"), []byte("new"))
	tr.Set(f.key("fresh"), []byte("new"))
	tr.Set(f.key("empty"), nil)
	tr.Clear(f.key("gone"))
	tr.Clear(f.key("never"))
	tr.ClearRange(f.span("r", "s"))
	tr.Set(f.key("r2"), []byte("again"))
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		f.wantGet(r, "stored", "new")
		f.wantGet(r, "fresh", "new")
		f.wantGet(r, "empty", "")
		f.wantAbsent(r, "gone")
		f.wantAbsent(r, "never")
		f.wantAbsent(r, "r1")
		f.wantGet(r, "r2", "again")
	}
	tr.Clear(f.key("fresh"))
	f.wantAbsent(tr, "fresh")
	tr.Set(f.key("gone"), []byte("back"))
	f.wantGet(tr, "gone", "back")
	f.commit(tr)
	f.wantContents("empty= gone=back r2=again stored=new")
}

// mergeWrites stores keys and buffers writes between, over and beside them. The
// result is mergedText.
func (f *fixture) mergeWrites() engine.Transaction {
	f.put("b", "b", "d", "d", "f", "f", "h", "h", "j", "j", "l", "l")
	tr := f.begin()
	tr.Set(f.key("a"), []byte("A"))                  // before the stored keys
	tr.Set(f.key("d"), []byte("D"))                  // over
	tr.Set(f.key("e"), []byte("E"))                  // between
	tr.Clear(f.key("f"))                             // away
	tr.ClearRange(f.span("g", "k"))                  // away with h and j
	tr.Set(f.key("i"), []byte("I"))                  // into the cleared range
	tr.Atomic(engine.OpAdd, f.key("l"), []byte("!")) // changed: l is 0x6c, ! is 0x21
	tr.Set(f.key("m"), []byte("M"))                  // after
	return tr
}

var mergedText = [...]string{"a=A", "b=b", "d=D", "e=E", "i=I", "l=\\x8d", "m=M"}

func mergedRange(f *fixture) {
	tr := f.mergeWrites()
	n := len(mergedText)
	for _, r := range []engine.Reader{tr, tr.Snapshot()} {
		for limit := 0; limit <= n+1; limit++ {
			count := n
			if limit > 0 {
				count = min(limit, n)
			}
			forward, backward := make([]string, count), make([]string, count)
			for i := range count {
				forward[i], backward[i] = mergedText[i], mergedText[n-1-i]
			}
			f.wantRange(r, f.all(), engine.RangeOptions{Limit: limit}, strings.Join(forward, " "))
			f.wantRange(r, f.all(), engine.RangeOptions{Limit: limit, Reverse: true}, strings.Join(backward, " "))
		}
		f.wantRange(r, f.span("b\x00", "i"), engine.RangeOptions{}, "d=D e=E")
		f.wantRange(r, f.span("b\x00", "i\x00"), engine.RangeOptions{Reverse: true}, "i=I e=E d=D")
		f.wantRange(r, f.span("f", "i"), engine.RangeOptions{}, "")
	}
	f.commit(tr)
	f.wantContents(strings.Join(mergedText[:], " "))
}

func ownRange(f *fixture) {
	f.put("a", "1", "b", "2", "c", "3")
	tr := f.begin()
	tr.ClearRange(f.all())
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "")
	f.wantRange(tr, f.all(), engine.RangeOptions{Reverse: true, Limit: 1}, "")
	for i := range 5 {
		tr.Set(f.key(fmt.Sprint(i)), []byte("x"))
	}
	f.wantRange(tr, f.all(), engine.RangeOptions{Limit: 3}, "0=x 1=x 2=x")
	f.wantRange(tr, f.all(), engine.RangeOptions{Limit: 3, Reverse: true}, "4=x 3=x 2=x")
	f.commit(tr)
	f.wantContents("0=x 1=x 2=x 3=x 4=x")
}

func mergedRangeBytes(f *fixture) {
	const n, size = 100, 2000
	tr := f.begin()
	for i := range n {
		if i%2 == 0 {
			continue
		}
		f.put(fmt.Sprintf("%04d", i), strings.Repeat(string(rune('a'+i%26)), size))
	}
	for i := 0; i < n; i += 2 {
		tr.Set(f.key(fmt.Sprintf("%04d", i)), []byte(strings.Repeat(string(rune('a'+i%26)), size)))
	}
	for _, reverse := range []bool{false, true} {
		page := must(f, tr.GetRange(f.all(), engine.RangeOptions{Bytes: 10 * size, Reverse: reverse}))
		first := 0
		if reverse {
			first = n - 1
		}
		f.wantBulk(page, first, reverse, size)
		if got := bytesOf(page); got < 10*size || (got > 10*size+engine.MaxValueSize) || !page.More {
			f.Fatalf("a page bounded to %d bytes has %d, more %v", 10*size, got, page.More)
		}
	}
}

func clearRangeBounds(f *fixture) {
	f.put("a", "1", "a\x00", "2", "b", "3", "c", "4", "d", "5")
	tr := f.begin()
	tr.ClearRange(f.span("a\x00", "c"))
	tr.ClearRange(f.span("d", "d")) // empty
	tr.ClearRange(f.span("d", "a")) // inverted, so empty too
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=1 c=4 d=5")
	f.commit(tr)
	f.wantContents("a=1 c=4 d=5")
}

func readThenWrite(f *fixture) {
	f.put("a", "1", "b", "1")
	tr := f.begin()
	a, absent, page := tr.Get(f.key("a")), tr.Get(f.key("c")), tr.GetRange(f.all(), engine.RangeOptions{})
	tr.Set(f.key("a"), []byte("2"))
	tr.Clear(f.key("b"))
	tr.Set(f.key("c"), []byte("2"))
	if got := must(f, a); string(got) != "1" {
		f.Fatalf("a read before the write is %q", got)
	}
	if got := must(f, absent); got != nil {
		f.Fatalf("a key read before it was written is %q", got)
	}
	if got := f.text(must(f, page)); got != "a=1 b=1" {
		f.Fatalf("a range read before the writes is %s", got)
	}
	f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=2 c=2")
}

func lastWriteCounts(f *fixture) {
	f.write(func(tr engine.Transaction) {
		tr.Set(f.key("a"), []byte("1"))
		tr.Set(f.key("a"), []byte("2"))
		tr.Set(f.key("b"), []byte("1"))
		tr.Clear(f.key("b"))
		tr.Clear(f.key("c"))
		tr.Set(f.key("c"), []byte("1"))
		tr.Set(f.key("d"), []byte("1"))
		tr.ClearRange(f.span("d", "f"))
		tr.Set(f.key("e"), []byte("2"))
		tr.Set(f.key("z"), []byte("1"))
		tr.ClearRange(f.span("y", "z"))
	})
	f.wantContents("a=2 c=1 e=2 z=1")
}

func writesArePrivate(f *fixture) {
	f.put("a", "1")
	writer := f.beginAt()
	writer.Set(f.key("a"), []byte("2"))
	writer.Set(f.key("b"), []byte("2"))
	before := f.begin()
	f.wantRange(before, f.all(), engine.RangeOptions{}, "a=1")
	f.commit(writer)
	f.wantGet(before, "a", "1")
	f.wantContents("a=2 b=2")
}

func cancelWritesNothing(f *fixture) {
	tr := f.begin()
	tr.Set(f.key("a"), []byte("1"))
	f.wantGet(tr, "a", "1")
	tr.Cancel()
	f.wantError("commit after cancel", tr.Commit(), engine.ErrCancelled)
	f.wantContents("")
}

func emptyCommit(f *fixture) {
	f.commit(f.begin())
	f.commit(f.beginAt())
	tr := f.begin()
	f.wantAbsent(tr, "a")
	f.commit(tr)
	tr = f.begin()
	tr.ClearRange(f.span("b", "a")) // nothing
	f.commit(tr)
}
