package enginetest

import (
	"bytes"
	"fmt"
	"strings"
	"sync"

	"github.com/fdbevents/fdbevents/engine"
)

func readCases() []testCase {
	return []testCase{
		{"an absent key is nil and an empty value is not", emptyValue},
		{"keys are ordered as bytes", byteOrder},
		{"a range includes its begin but not its end", halfOpenRange},
		{"a range whose end is not after its begin is empty", emptyRange},
		{"a limit bounds a range from either end", rangeLimit},
		{"a byte bound bounds a range from either end", rangeBytes},
		{"limit and byte bound hold together", rangeLimitAndBytes},
		{"a large range arrives whole", largeRange},
		{"many reads can be under way at once", pipelinedReads},
		{"many goroutines can read in one transaction", parallelReads},
		{"a future always yields the same result", futureAgain},
		{"results belong to the caller", resultsAreCopies},
		{"a key too long to exist reads as absent", oversizedKeyRead},
		{"keys from 0xff on cannot be read", reservedKeyRead},
	}
}

func emptyValue(f *fixture) {
	f.put("empty", "")
	for _, r := range []engine.Reader{f.begin(), f.begin().Snapshot()} {
		if got := must(f, r.Get(f.key("absent"))); got != nil {
			f.Fatalf("absent key is %q, want nil", got)
		}
		if got := must(f, r.Get(f.key("empty"))); got == nil || len(got) != 0 {
			f.Fatalf("empty value is %#v, want empty and not nil", got)
		}
		page := must(f, r.GetRange(f.all(), engine.RangeOptions{}))
		if len(page.KeyValues) != 1 || page.KeyValues[0].Value == nil || len(page.KeyValues[0].Value) != 0 {
			f.Fatalf("range with an empty value is %+v", page)
		}
	}
}

func byteOrder(f *fixture) {
	names := []string{"\x00", "\x00\x00", "\x00\xff", "\x01", "a", "a\x00", "a\x00\x00", "aa", "a\xff", "a\xff\xff", "b", "\xfe\xff"}
	f.write(func(tr engine.Transaction) {
		for i := range names {
			tr.Set(f.key(names[len(names)-1-i]), nil)
		}
	})
	page := must(f, f.begin().GetRange(f.all(), engine.RangeOptions{}))
	if len(page.KeyValues) != len(names) {
		f.Fatalf("%d keys, want %d: %s", len(page.KeyValues), len(names), f.text(page))
	}
	for i, kv := range page.KeyValues {
		if f.name(kv.Key) != names[i] {
			f.Fatalf("key %d is %q, want %q", i, f.name(kv.Key), names[i])
		}
	}
}

func halfOpenRange(f *fixture) {
	f.put("a", "1", "b", "2", "c", "3", "d", "4")
	for _, r := range []engine.Reader{f.begin(), f.begin().Snapshot()} {
		none := engine.RangeOptions{}
		back := engine.RangeOptions{Reverse: true}
		for _, page := range []engine.Page{
			f.wantRange(r, f.span("b", "d"), none, "b=2 c=3"),
			f.wantRange(r, f.span("b", "d"), back, "c=3 b=2"),
			f.wantRange(r, f.span("a\x00", "d\x00"), none, "b=2 c=3 d=4"),
			f.wantRange(r, f.all(), none, "a=1 b=2 c=3 d=4"),
			f.wantRange(r, f.all(), back, "d=4 c=3 b=2 a=1"),
			f.wantRange(r, engine.KeyRange(f.key("c")), none, "c=3"),
			f.wantRange(r, f.span("e", "z"), none, ""),
		} {
			if page.More {
				f.Fatalf("an unbounded read reports more: %s", f.text(page))
			}
		}
	}
}

func emptyRange(f *fixture) {
	f.put("a", "1", "b", "2", "c", "3")
	r := f.begin()
	for _, reverse := range []bool{false, true} {
		for _, limit := range []int{0, 1} {
			o := engine.RangeOptions{Reverse: reverse, Limit: limit}
			for _, g := range []engine.Range{f.span("b", "b"), f.span("c", "a")} {
				if page := f.wantRange(r, g, o, ""); page.More {
					f.Fatalf("an empty range reports more")
				}
			}
		}
	}
}

func rangeLimit(f *fixture) {
	f.put("a", "1", "b", "2", "c", "3", "d", "4")
	for _, r := range []engine.Reader{f.begin(), f.begin().Snapshot()} {
		forward := []string{"a=1", "b=2", "c=3", "d=4"}
		backward := []string{"d=4", "c=3", "b=2", "a=1"}
		for limit := 1; limit <= 6; limit++ {
			n := min(limit, 4)
			pages := []engine.Page{
				f.wantRange(r, f.all(), engine.RangeOptions{Limit: limit}, strings.Join(forward[:n], " ")),
				f.wantRange(r, f.all(), engine.RangeOptions{Limit: limit, Reverse: true}, strings.Join(backward[:n], " ")),
			}
			for _, page := range pages {
				if limit != 4 && page.More != (limit < 4) { // at 4, either is true
					f.Fatalf("limit %d of 4 keys: more is %v", limit, page.More)
				}
			}
		}
	}
}

// putBulk writes n keys "0000", "0001", ... with values of size bytes.
func (f *fixture) putBulk(n, size int) {
	f.Helper()
	const batch = 500
	for from := 0; from < n; from += batch {
		f.write(func(tr engine.Transaction) {
			for i := from; i < min(from+batch, n); i++ {
				tr.Set(f.key(fmt.Sprintf("%04d", i)), bytes.Repeat([]byte{byte('a' + i%26)}, size))
			}
		})
	}
}

// wantBulk checks that page holds keys of putBulk, starting with the i-th.
func (f *fixture) wantBulk(page engine.Page, i int, reverse bool, size int) {
	f.Helper()
	for _, kv := range page.KeyValues {
		if want := fmt.Sprintf("%04d", i); f.name(kv.Key) != want {
			f.Fatalf("key is %s, want %s", shown(f.name(kv.Key)), want)
		}
		if want := byte('a' + i%26); len(kv.Value) != size || kv.Value[0] != want || kv.Value[size-1] != want {
			f.Fatalf("value of key %d is %s", i, shown(string(kv.Value)))
		}
		if reverse {
			i--
		} else {
			i++
		}
	}
}

// bytesOf returns the size of a page as RangeOptions.Bytes counts it.
func bytesOf(page engine.Page) (n int) {
	for _, kv := range page.KeyValues {
		n += len(kv.Key) + len(kv.Value)
	}
	return n
}

func rangeBytes(f *fixture) {
	const n, size = 400, 1000
	f.putBulk(n, size)
	for _, bound := range []int{1, 500, 5000, 100_000} {
		for _, reverse := range []bool{false, true} {
			r := f.begin().Snapshot()
			rest, pages, read := f.all(), 0, 0
			for {
				page := must(f, r.GetRange(rest, engine.RangeOptions{Bytes: bound, Reverse: reverse}))
				pages++
				first := read
				if reverse {
					first = n - 1 - read
				}
				f.wantBulk(page, first, reverse, size)
				read += len(page.KeyValues)
				if !page.More {
					break
				}
				if got := bytesOf(page); got < bound || got > bound+engine.MaxValueSize {
					f.Fatalf("a page bounded to %d bytes has %d", bound, got)
				}
				last := page.KeyValues[len(page.KeyValues)-1].Key
				if reverse {
					rest.End = last
				} else {
					rest.Begin = append(bytes.Clone(last), 0)
				}
				if bound == 1 && pages == 3 { // one key per page; three pages are enough
					read = n
					break
				}
			}
			if read != n {
				f.Fatalf("pages of %d bytes hold %d keys, want %d", bound, read, n)
			}
			if bound < 100_000 && pages < 3 {
				f.Fatalf("%d pages of %d bytes hold everything", pages, bound)
			}
		}
	}
}

func rangeLimitAndBytes(f *fixture) {
	const size = 100
	f.putBulk(60, size)
	r := f.begin()
	page := must(f, r.GetRange(f.all(), engine.RangeOptions{Limit: 7, Bytes: engine.MaxTransactionSize}))
	if len(page.KeyValues) != 7 || !page.More {
		f.Fatalf("limit 7 gave %d keys, more %v", len(page.KeyValues), page.More)
	}
	page = must(f, r.GetRange(f.all(), engine.RangeOptions{Limit: 1000, Bytes: engine.MaxTransactionSize}))
	if len(page.KeyValues) != 60 || page.More {
		f.Fatalf("bounds larger than the range gave %d keys, more %v", len(page.KeyValues), page.More)
	}
	page = must(f, r.GetRange(f.all(), engine.RangeOptions{Limit: 50, Bytes: 1}))
	if len(page.KeyValues) == 0 || len(page.KeyValues) > 50 || !page.More {
		f.Fatalf("limit 50 and 1 byte gave %d keys, more %v", len(page.KeyValues), page.More)
	}
	f.wantBulk(page, 0, false, size)
}

func largeRange(f *fixture) {
	const n, size = 3000, 1000
	f.putBulk(n, size)
	tr := f.begin()
	forward := tr.GetRange(f.all(), engine.RangeOptions{})
	backward := tr.GetRange(f.all(), engine.RangeOptions{Reverse: true})
	limited := tr.Snapshot().GetRange(f.all(), engine.RangeOptions{Limit: n - 1})
	page := must(f, forward)
	if len(page.KeyValues) != n || page.More {
		f.Fatalf("%d keys, more %v", len(page.KeyValues), page.More)
	}
	f.wantBulk(page, 0, false, size)
	page = must(f, backward)
	if len(page.KeyValues) != n || page.More {
		f.Fatalf("%d keys backwards, more %v", len(page.KeyValues), page.More)
	}
	f.wantBulk(page, n-1, true, size)
	page = must(f, limited)
	if len(page.KeyValues) != n-1 || !page.More {
		f.Fatalf("%d keys with a limit of %d, more %v", len(page.KeyValues), n-1, page.More)
	}
}

func pipelinedReads(f *fixture) {
	const n = 300
	f.putBulk(n, 10)
	tr := f.begin()
	values := make([]engine.Future[[]byte], n)
	pages := make([]engine.Future[engine.Page], n)
	for i := range n {
		values[i] = tr.Get(f.key(fmt.Sprintf("%04d", i)))
		pages[i] = tr.GetRange(f.span(fmt.Sprintf("%04d", i), "\xff"), engine.RangeOptions{Limit: 1})
	}
	for i := n - 1; i >= 0; i-- {
		if got := must(f, values[i]); got == nil || got[0] != byte('a'+i%26) {
			f.Fatalf("value %d is %q", i, got)
		}
		f.wantBulk(must(f, pages[i]), i, false, 10)
	}
}

func parallelReads(f *fixture) {
	const n = 64
	f.putBulk(n, 10)
	tr := f.begin()
	tr.Set(f.key("own"), []byte("w"))
	var readers sync.WaitGroup
	for i := range n {
		readers.Go(func() {
			name := fmt.Sprintf("%04d", i)
			if got, err := tr.Get(f.key(name)).Get(); err != nil || len(got) != 10 {
				f.Errorf("get: %q, %v", got, err)
			}
			if got, err := tr.Snapshot().Get(f.key("own")).Get(); err != nil || string(got) != "w" {
				f.Errorf("own write: %q, %v", got, err)
			}
			page, err := tr.GetRange(f.span(name, "\xff"), engine.RangeOptions{}).Get()
			if err != nil || len(page.KeyValues) != n-i+1 {
				f.Errorf("range from %s has %d keys, %v", name, len(page.KeyValues), err)
			}
			if _, err := tr.ReadVersion().Get(); err != nil {
				f.Errorf("read version: %v", err)
			}
		})
	}
	readers.Wait()
	f.commit(tr)
}

func futureAgain(f *fixture) {
	f.put("a", "1", "b", "2")
	tr := f.begin()
	value, page, version := tr.Get(f.key("a")), tr.GetRange(f.all(), engine.RangeOptions{}), tr.ReadVersion()
	var waiters sync.WaitGroup
	for range 8 {
		waiters.Go(func() {
			for range 3 {
				if got, err := value.Get(); err != nil || string(got) != "1" {
					f.Errorf("value: %q, %v", got, err)
				}
				if got, err := page.Get(); err != nil || f.text(got) != "a=1 b=2" {
					f.Errorf("page: %s, %v", f.text(got), err)
				}
				if got, err := version.Get(); err != nil || got <= 0 {
					f.Errorf("version: %d, %v", got, err)
				}
			}
		})
	}
	waiters.Wait()
	first := f.version(tr)
	f.put("a", "2")
	if again := f.version(tr); again != first {
		f.Fatalf("read version was %d and is now %d", first, again)
	}
}

func resultsAreCopies(f *fixture) {
	f.put("a", "value", "b", "value")
	tr := f.begin()
	tr.Set(f.key("c"), []byte("value"))
	for range 2 {
		for _, name := range []string{"a", "b", "c"} {
			got := must(f, tr.Get(f.key(name)))
			if string(got) != "value" {
				f.Fatalf("%s is %q", name, got)
			}
			clear(got)
		}
		page := f.wantRange(tr, f.all(), engine.RangeOptions{}, "a=value b=value c=value")
		for _, kv := range page.KeyValues {
			clear(kv.Key)
			clear(kv.Value)
		}
	}
	f.commit(tr)
	f.wantContents("a=value b=value c=value")
}

func oversizedKeyRead(f *fixture) {
	f.put("a", "1", "z", "2")
	long := "b" + strings.Repeat("x", engine.MaxKeySize)
	tr := f.begin()
	f.wantAbsent(tr, long)
	f.wantRange(tr, f.span("a", long), engine.RangeOptions{}, "a=1")
	f.wantRange(tr, f.span(long, "\xff"), engine.RangeOptions{}, "z=2")
}

func reservedKeyRead(f *fixture) {
	reserved := [][]byte{{0xff}, []byte("\xff\x00"), []byte("\xffx")}
	for _, key := range reserved {
		_, err := f.begin().Get(key).Get()
		f.wantError("get", err, engine.ErrKeyOutsideRange)
	}
	_, err := f.begin().GetRange(engine.Range{Begin: f.key("a"), End: []byte("\xff\x00")}, engine.RangeOptions{Limit: 1}).Get()
	f.wantError("range", err, engine.ErrKeyOutsideRange)
	f.put("a", "1")
	tr := f.begin()
	f.wantRange(tr.Snapshot(), engine.Range{Begin: f.key(""), End: []byte{0xff}}, engine.RangeOptions{Limit: 1}, "a=1")
}
