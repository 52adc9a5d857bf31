package fdblayer

import (
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Data is a key-value space inside a store, reached from a transaction. It is as
// short-lived as its Tx, and like it not safe for concurrent use. Keys are arbitrary
// bytes, up to about 9,000 of them; values have up to 100,000 bytes. Reads see the
// transaction's own writes. The caller must not modify the slices that it passes in
// afterwards.
type Data struct {
	tx *Tx
	// all is the range of the space; each key begins with all.Begin.
	all engine.Range
}

// Get returns the value of a key, or nil if the key does not exist. If another
// transaction writes the key before this one commits, this one is run again.
func (d *Data) Get(key []byte) ([]byte, error) { return d.tx.tr.Get(d.key(key)).Get() }

// GetRange reads keys in [r.Begin, r.End), in order. A nil r.End is the end of the
// space. If another transaction changes the range before this one commits, this one is
// run again.
func (d *Data) GetRange(r engine.Range, o engine.RangeOptions) (engine.Page, error) {
	page, err := d.tx.tr.GetRange(d.keys(r), o).Get()
	for i := range page.KeyValues {
		kv := &page.KeyValues[i]
		kv.Key = kv.Key[len(d.all.Begin):]
	}
	return page, err
}

// Set writes a key.
func (d *Data) Set(key, value []byte) {
	d.tx.write().Set(d.key(key), value)
}

// Clear removes a key.
func (d *Data) Clear(key []byte) {
	d.tx.write().Clear(d.key(key))
}

// ClearRange removes the keys in [r.Begin, r.End). A nil r.End is the end of the space.
func (d *Data) ClearRange(r engine.Range) {
	d.tx.write().ClearRange(d.keys(r))
}

// Add adds delta to the 8-byte little-endian integer stored at key, without reading it,
// so that transactions that add do not conflict with one another. An absent integer is
// 0.
func (d *Data) Add(key []byte, delta int64) {
	d.tx.write().Atomic(engine.OpAdd, d.key(key), layout.AppendCounter(nil, delta))
}

func (d *Data) key(key []byte) []byte {
	prefix := d.all.Begin
	return append(prefix[:len(prefix):len(prefix)], key...)
}

func (d *Data) keys(r engine.Range) engine.Range {
	if r.End == nil {
		return engine.Range{Begin: d.key(r.Begin), End: d.all.End}
	}
	return engine.Range{Begin: d.key(r.Begin), End: d.key(r.End)}
}
