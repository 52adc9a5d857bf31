package fdblayer

import (
	"fmt"

	"github.com/google/uuid"
)

// systemIndex says that appends write a system index, and when it is ready that
// readers may use it, because the events before it was created are in it, too.
type systemIndex struct {
	name  string
	ready bool
}

// header describes a store. All but its indexes is written once.
type header struct {
	id          uuid.UUID
	partitions  int
	inlineLimit int
	indexes     []systemIndex
}

func appendHeader(dst []byte, h header) []byte {
	w := beginValue(dst, formatStore, 5)
	w.bytes(h.id[:])
	w.int(int64(h.partitions))
	w.int(int64(h.inlineLimit))
	w.array(len(h.indexes))
	for _, index := range h.indexes {
		w.array(2)
		w.text(index.name)
		w.bool(index.ready)
	}
	return w.end()
}

// decodeHeader refuses other formats in its own words: they are about the store as a
// whole.
func decodeHeader(src []byte) (h header, err error) {
	r := newValueReader(src)
	switch format, n := r.preamble(); {
	case format < formatStore:
		r.refuse(fmt.Errorf("%w %d: this build knows format %d; read the events with the fdbevents that made it, and append them to a new store", ErrFormat, format, formatStore))
	case format != formatStore || n != 5:
		r.refuse(fmt.Errorf("%w %d: this build knows format %d; use a newer fdbevents", ErrFormat, format, formatStore))
	}
	h.id = r.uuid()
	h.partitions = int(r.int())
	h.inlineLimit = int(r.int())
	for range r.count() {
		if n := r.array(); n != 2 {
			r.fail(fmt.Errorf("index of %d fields", n))
		}
		h.indexes = append(h.indexes, systemIndex{name: r.text(), ready: r.bool()})
	}
	if h.partitions < 1 || h.partitions > MaxPartitions || h.inlineLimit < 0 {
		r.fail(fmt.Errorf("header with %d partitions, inline limit %d", h.partitions, h.inlineLimit))
	}
	return h, r.end()
}
