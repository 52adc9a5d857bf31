package enginetest

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

func limitCases() []testCase {
	return []testCase{
		{"a transaction that is too old can neither read nor commit", transactionAge},
		{"a key has at most 10,000 bytes", keySize},
		{"a value has at most 100,000 bytes", valueSize},
		{"a transaction has at most 10,000,000 bytes", transactionSize},
		{"conflict ranges count towards the size of a transaction", conflictSize},
		{"keys from 0xff on cannot be written", reservedKeyWrite},
		{"an operation that does not exist fails the commit", unknownOp},
		{"a broken limit is not retried", limitsAreFinal},
		{"a transaction knows its approximate size", sizeGrows},
	}
}

// transactionAge waits until a read fails because of its age. There is no signal
// to wait for, so the test polls.
func transactionAge(f *fixture) {
	f.put("a", "1")
	reader, writer, blind := f.begin(), f.begin(), f.begin()
	f.wantGet(reader, "a", "1")
	f.wantGet(writer, "a", "1")
	writer.Set(f.key("b"), []byte("late"))
	blind.Set(f.key("c"), []byte("in time")) // has read nothing, so it does not age
	started := time.Now()
	look := time.NewTicker(100 * time.Millisecond)
	defer look.Stop()
	var err error
	for i := 0; err == nil; i++ {
		select {
		case <-look.C:
		case <-f.ctx.Done():
			f.Fatalf("a read still succeeds after %v", time.Since(started))
		}
		_, err = reader.Get(f.key(fmt.Sprint("other", i))).Get() // a new key each time
	}
	f.wantError("an old read", err, engine.ErrTooOld)
	if age := time.Since(started); age < engine.MaxTransactionAge-2*time.Second {
		f.Fatalf("too old after %v, want about %v", age, engine.MaxTransactionAge)
	}
	_, err = reader.GetRange(f.span("x", "y"), engine.RangeOptions{}).Get()
	f.wantError("an old range read", err, engine.ErrTooOld)
	err = writer.Commit()
	f.wantError("an old commit", err, engine.ErrTooOld)
	f.commit(blind)
	if err := writer.OnError(err); err != nil { // starts a young attempt
		f.Fatalf("OnError: %v", err)
	}
	f.wantGet(writer, "c", "in time")
	writer.Set(f.key("d"), []byte("again"))
	f.commit(writer)
	f.wantContents("a=1 c=in time d=again")
}

// wantRefusal checks that tr cannot be committed, with an error that names the
// numbers.
func (f *fixture) wantRefusal(tr engine.Transaction, target engine.Error, numbers ...int) {
	f.Helper()
	tr.Set(f.key("beside"), []byte("1"))
	err := tr.Commit()
	f.wantError("commit", err, target)
	text := strings.NewReplacer(",", "", "_", "").Replace(err.Error())
	for _, n := range numbers {
		if !strings.Contains(text, strconv.Itoa(n)) {
			f.Errorf("the error does not name %d: %v", n, err)
		}
	}
	f.wantAbsent(f.begin(), "beside")
}

// longKey returns a key of exactly n bytes.
func (f *fixture) longKey(n int) []byte {
	key := f.key("long")
	return append(key, bytes.Repeat([]byte{'k'}, n-len(key))...)
}

func keySize(f *fixture) {
	const most = engine.MaxKeySize
	fits, over := f.longKey(most), f.longKey(most+1)
	f.write(func(tr engine.Transaction) { tr.Set(fits, []byte("1")) })
	if got := must(f, f.begin().Get(fits)); string(got) != "1" {
		f.Fatalf("the longest key reads as %q", got)
	}
	page := must(f, f.begin().GetRange(f.all(), engine.RangeOptions{}))
	if len(page.KeyValues) != 1 || !bytes.Equal(page.KeyValues[0].Key, fits) {
		f.Fatalf("a range does not find the longest key: %s", f.text(page))
	}
	f.write(func(tr engine.Transaction) { tr.Atomic(engine.OpByteMax, fits, []byte("2")) })
	f.write(func(tr engine.Transaction) { tr.ClearRange(engine.KeyRange(fits)) })
	f.wantContents("")

	tr := f.begin()
	tr.Set(over, nil)
	f.wantRefusal(tr, engine.ErrKeyTooLarge, most, most+1)
	tr = f.begin()
	tr.Atomic(engine.OpAdd, over, []byte{1})
	f.wantRefusal(tr, engine.ErrKeyTooLarge, most, most+1)

	// The offset counts towards the size of a versionstamped key.
	stamped := func(n int) []byte {
		key := f.longKey(n - 14)
		return append(key, stampable("", "")[:10:10]...)
	}
	tr = f.begin()
	tr.Atomic(engine.OpVersionstampedKey, append(stamped(most), le(uint64(most-14), 4)...), nil)
	f.commit(tr)
	tr = f.begin()
	tr.Atomic(engine.OpVersionstampedKey, append(stamped(most+1), le(uint64(most-13), 4)...), nil)
	f.wantRefusal(tr, engine.ErrKeyTooLarge, most, most+1)
}

func valueSize(f *fixture) {
	const most = engine.MaxValueSize
	fits := bytes.Repeat([]byte{'v'}, most)
	over := append(bytes.Clone(fits), 'v')
	f.write(func(tr engine.Transaction) { tr.Set(f.key("set"), fits) })
	f.write(func(tr engine.Transaction) { tr.Atomic(engine.OpByteMax, f.key("atomic"), fits) })
	for _, name := range []string{"set", "atomic"} {
		if got := must(f, f.begin().Get(f.key(name))); !bytes.Equal(got, fits) {
			f.Fatalf("the largest value reads as %d bytes", len(got))
		}
	}
	room := most - 14
	stamped := func(room int) []byte {
		return append(bytes.Repeat([]byte{'v'}, room), stampable("", "")[:10:10]...)
	}
	f.write(func(tr engine.Transaction) { // the offset counts
		tr.Atomic(engine.OpVersionstampedValue, f.key("stamped"), append(stamped(room), le(uint64(room), 4)...))
	})
	if got := must(f, f.begin().Get(f.key("stamped"))); len(got) != most-4 {
		f.Fatalf("the largest stamped value reads as %d bytes", len(got))
	}

	tr := f.begin()
	tr.Set(f.key("over"), over)
	f.wantRefusal(tr, engine.ErrValueTooLarge, most, most+1)
	tr = f.begin()
	tr.Atomic(engine.OpByteMin, f.key("over"), over)
	f.wantRefusal(tr, engine.ErrValueTooLarge, most, most+1)
	tr = f.begin()
	tr.Atomic(engine.OpVersionstampedValue, f.key("over"), append(stamped(room+1), le(uint64(room+1), 4)...))
	f.wantRefusal(tr, engine.ErrValueTooLarge, most, most+1)
}

func transactionSize(f *fixture) {
	value := bytes.Repeat([]byte{'v'}, engine.MaxValueSize)
	fill := func(tr engine.Transaction, n int) {
		for i := range n {
			tr.Set(f.key(fmt.Sprintf("%03d", i)), value)
		}
	}
	fits, over := f.begin(), f.begin()
	fill(fits, 90)
	f.commit(fits)
	fill(over, 101)
	if size := over.Size(); size <= engine.MaxTransactionSize {
		f.Fatalf("101 values of 100,000 bytes have size %d", size)
	}
	f.wantRefusal(over, engine.ErrTransactionTooLarge, engine.MaxTransactionSize)
	page := must(f, f.begin().GetRange(f.span("08", "\xff"), engine.RangeOptions{}))
	if len(page.KeyValues) != 10 { // 080 to 089
		f.Fatalf("%d of the last keys are there, want 10", len(page.KeyValues))
	}
	f.write(func(tr engine.Transaction) { tr.ClearRange(f.all()) })
}

func conflictSize(f *fixture) {
	ranges := func(tr engine.Transaction, add func(engine.Range), n int) {
		for i := range n {
			key := f.longKey(8000)
			copy(key[len(key)-8:], fmt.Sprintf("%08d", i))
			add(engine.KeyRange(key))
		}
	}
	reads, writes := f.beginAt(), f.begin()
	ranges(reads, reads.AddReadConflict, 700) // twice 8,000 bytes each
	f.wantRefusal(reads, engine.ErrTransactionTooLarge, engine.MaxTransactionSize)
	ranges(writes, writes.AddWriteConflict, 700)
	f.wantRefusal(writes, engine.ErrTransactionTooLarge, engine.MaxTransactionSize)
}

func reservedKeyWrite(f *fixture) {
	for _, write := range []func(tr engine.Transaction, key []byte){
		func(tr engine.Transaction, key []byte) { tr.Set(key, []byte("1")) },
		func(tr engine.Transaction, key []byte) { tr.Clear(key) },
		func(tr engine.Transaction, key []byte) { tr.Atomic(engine.OpAdd, key, []byte{1}) },
		func(tr engine.Transaction, key []byte) {
			tr.ClearRange(engine.Range{Begin: key, End: append(bytes.Clone(key), 0)})
		},
	} {
		for _, key := range []string{"\xff", "\xffa"} {
			tr := f.begin()
			write(tr, []byte(key))
			f.wantRefusal(tr, engine.ErrKeyOutsideRange)
		}
	}
	tr := f.begin() // 0xff itself may end a range; the range includes keys of others, so it is only read
	tr.AddReadConflict(engine.Range{Begin: f.key("z"), End: []byte{0xff}})
	f.commit(tr)
	f.wantContents("")
}

func unknownOp(f *fixture) {
	for _, op := range []engine.Op{-1, 0, 1, 3, 99} {
		tr := f.begin()
		tr.Set(f.key("a"), []byte("1"))
		tr.Atomic(op, f.key("b"), []byte("1"))
		err := tr.Commit()
		var e engine.Error
		if err == nil || !errors.As(err, &e) || e.Retryable() {
			f.Fatalf("commit with operation %d: %v", op, err)
		}
	}
	f.wantContents("")
}

func limitsAreFinal(f *fixture) {
	for _, broken := range []func(tr engine.Transaction){
		func(tr engine.Transaction) { tr.Set(f.longKey(engine.MaxKeySize+1), nil) },
		func(tr engine.Transaction) { tr.Set(f.key("a"), make([]byte, engine.MaxValueSize+1)) },
		func(tr engine.Transaction) { tr.Atomic(engine.OpVersionstampedValue, f.key("a"), nil) },
	} {
		attempts := 0
		err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
			attempts++
			broken(tr)
			return nil
		})
		var e engine.Error
		if attempts != 1 || !errors.As(err, &e) || e.Retryable() || engine.MaybeCommitted(err) {
			f.Fatalf("%d attempts, %v", attempts, err)
		}
	}
}

func sizeGrows(f *fixture) {
	tr := f.beginAt()
	empty := tr.Size()
	if empty < 0 || empty > 1000 {
		f.Fatalf("an empty transaction has %d bytes", empty)
	}
	last := empty
	grown := func(what string, least int64) {
		f.Helper()
		size := tr.Size()
		if size < last+least || size > last+10*least+1000 {
			f.Fatalf("%s of at least %d bytes grew the transaction from %d to %d", what, least, last, size)
		}
		last = size
	}
	tr.Set(f.key("a"), make([]byte, 10_000))
	grown("a set", 10_000)
	tr.Atomic(engine.OpByteMax, f.key("b"), make([]byte, 5_000))
	grown("an atomic operation", 5_000)
	f.stampKey(tr, "log/", "", strings.Repeat("x", 5000))
	grown("a stamped key", 5_000)
	tr.Clear(f.longKey(1000))
	grown("a clear", 1_000)
	tr.ClearRange(engine.KeyRange(f.longKey(1000)))
	grown("a clear range", 1_000)
	tr.AddReadConflict(engine.KeyRange(f.longKey(3000)))
	grown("a read conflict", 3_000)
	tr.AddWriteConflict(engine.KeyRange(append(f.longKey(3000), 'x')))
	grown("a write conflict", 3_000)
	if err := tr.OnError(engine.ErrConflict); err != nil {
		f.Fatalf("OnError: %v", err)
	}
	if size := tr.Size(); size > empty+100 {
		f.Fatalf("after OnError the transaction has %d bytes", size)
	}
}
