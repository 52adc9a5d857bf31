package fdblayer

import (
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// Data is a key-value space inside a store, reached from a transaction. Keys are
// any bytes, up to about 9,000 of them; values have up to 100,000 bytes. It sees
// its own writes. Slices handed in must not be modified afterwards.
type Data struct {
	tx  *Tx
	all engine.Range
}

// Get reads a key, nil when it is absent. The transaction is run again if
// another one writes the key meanwhile.
func (d *Data) Get(key []byte) ([]byte, error) { return d.tx.tr.Get(d.key(key)).Get() }

// GetRange reads keys in [r.Begin, r.End) in order, and so that the transaction
// is run again if another one changes the range meanwhile. A nil End is the end
// of the space.
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

// ClearRange removes the keys in [r.Begin, r.End); a nil End is the end of the
// space.
func (d *Data) ClearRange(r engine.Range) {
	d.tx.write().ClearRange(d.keys(r))
}

// Add adds to the 8-byte little-endian integer at key, without reading it: two
// transactions that add do not get in each other's way.
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
