//go:build fdb

package fdbengine_test

import (
	"fmt"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/fdbengine"
)

// TestSizeIsNotBelowTheClients compares the two sizes after each step of several
// transactions.
func TestSizeIsNotBelowTheClients(t *testing.T) {
	e := cluster.Open(t)
	key := func(name string) []byte { return append(append([]byte(nil), e.Prefix()...), name...) }
	all := engine.Range{Begin: key(""), End: key("\xff")}
	await := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	steps := []func(tr engine.Transaction, name string){
		func(tr engine.Transaction, name string) { tr.Set(key(name), make([]byte, 100)) },
		func(tr engine.Transaction, name string) { tr.Set(key(name), nil) },
		func(tr engine.Transaction, name string) { tr.Clear(key(name)) },
		func(tr engine.Transaction, name string) {
			tr.ClearRange(engine.Range{Begin: key(name), End: key(name + "x")})
		},
		func(tr engine.Transaction, name string) { tr.Atomic(engine.OpAdd, key(name), make([]byte, 8)) },
		func(tr engine.Transaction, name string) {
			k := key(name)
			offset := byte(len(k))
			k = append(k, make([]byte, 10)...)
			tr.Atomic(engine.OpVersionstampedKey, append(k, offset, 0, 0, 0), make([]byte, 50))
		},
		func(tr engine.Transaction, name string) {
			tr.Atomic(engine.OpVersionstampedValue, key(name), make([]byte, 14))
		},
		func(tr engine.Transaction, name string) { tr.AddReadConflict(engine.KeyRange(key(name))) },
		func(tr engine.Transaction, name string) { tr.AddWriteConflict(all) },
	}
	reads := []func(tr engine.Transaction, name string) error{
		func(tr engine.Transaction, name string) error {
			_, err := tr.Get(key(name)).Get()
			return err
		},
		func(tr engine.Transaction, _ string) error {
			_, err := tr.GetRange(all, engine.RangeOptions{}).Get()
			return err
		},
		func(tr engine.Transaction, _ string) error {
			_, err := tr.GetRange(all, engine.RangeOptions{Limit: 3, Reverse: true}).Get()
			return err
		},
		func(tr engine.Transaction, _ string) error {
			_, err := tr.GetRange(all, engine.RangeOptions{Bytes: 100}).Get()
			return err
		},
		func(tr engine.Transaction, _ string) error {
			_, err := tr.Snapshot().GetRange(all, engine.RangeOptions{}).Get()
			return err
		},
	}
	check := func(tr engine.Transaction, what string) {
		t.Helper()
		client, err := fdbengine.ApproximateSize(tr)
		await(err)
		if own := tr.Size(); own < client || own > 3*client+200 {
			t.Errorf("after %s: size is %d, the client's is %d", what, own, client)
		}
	}
	for first := range steps {
		tr := e.Begin(t.Context())
		for i := range reads {
			await(reads[i](tr, fmt.Sprint("r", i)))
			check(tr, fmt.Sprintf("read %d", i))
		}
		for i := range steps {
			steps[(first+i)%len(steps)](tr, fmt.Sprint("w", i))
			check(tr, fmt.Sprintf("write %d", (first+i)%len(steps)))
		}
		tr.Cancel()
	}
	tr := e.Begin(t.Context())
	defer tr.Cancel()
	for i := range 50 { // the transaction's own writes cut the range into pieces
		tr.Set(key(fmt.Sprint("w", i)), nil)
	}
	await(reads[1](tr, ""))
	if own, client := tr.Size(), int64(50*(2*(2*len(key("w00"))+1)+len(key("w00")))); own < client {
		t.Errorf("size is %d, but keys and conflict ranges have at least %d bytes", own, client)
	}
}
