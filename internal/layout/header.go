package layout

import (
	"fmt"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// SystemIndex is a system index that appends write. Once Ready is true, it also holds
// the events from before it was created, so readers may use it.
type SystemIndex struct {
	Name  string
	Ready bool
}

// Header describes a store. Everything but Indexes is written only once, when the store
// is created.
type Header struct {
	// ID identifies the store.
	ID         uuid.UUID
	Partitions int
	// InlineLimit is the largest record, in bytes, that is also kept in its stream
	// entry.
	InlineLimit int
	Indexes     []SystemIndex
}

// AppendHeader appends the encoding of h to dst.
func AppendHeader(dst []byte, h Header) []byte {
	w := beginValue(dst, formatStore, 5)
	w.bytes(h.ID[:])
	w.int(int64(h.Partitions))
	w.int(int64(h.InlineLimit))
	w.array(len(h.Indexes))
	for _, index := range h.Indexes {
		w.array(2)
		w.text(index.Name)
		w.bool(index.Ready)
	}
	return w.end()
}

// DecodeHeader decodes a store's header. It words unknown formats differently from the
// other decoders, because they concern the store as a whole.
func DecodeHeader(src []byte) (h Header, err error) {
	r := newValueReader(src)
	switch format, n := r.preamble(); {
	case format < formatStore:
		r.refuse(fmt.Errorf("%w %d: this build knows format %d; read the events with the fdbevents that wrote it, and append them to a new store", fdbevents.ErrFormat, format, formatStore))
	case format != formatStore || n != 5:
		r.refuse(fmt.Errorf("%w %d: this build knows format %d; use a newer fdbevents", fdbevents.ErrFormat, format, formatStore))
	}
	h.ID = r.uuid()
	h.Partitions = int(r.int())
	h.InlineLimit = int(r.int())
	for range r.count() {
		if n := r.array(); n != 2 {
			r.fail(fmt.Errorf("index of %d fields", n))
		}
		h.Indexes = append(h.Indexes, SystemIndex{Name: r.text(), Ready: r.bool()})
	}
	if h.Partitions < 1 || h.Partitions > fdbevents.MaxPartitions || h.InlineLimit < 0 {
		r.fail(fmt.Errorf("header with %d partitions, inline limit %d", h.Partitions, h.InlineLimit))
	}
	return h, r.end()
}
