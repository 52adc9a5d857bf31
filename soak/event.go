package main

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"

	"github.com/fdbevents/fdbevents"
	"github.com/google/uuid"
)

// ident names an event of a run by its writer and its number among the writer's
// events. The event's ID follows from it, so that anybody can send the event again at
// any time.
type ident struct{ writer, seq uint32 }

func (id ident) String() string { return fmt.Sprintf("event %d of writer %d", id.seq, id.writer) }

// kind is what the checker knows about an event in addition to its place.
type kind uint8

const (
	// plain events must be there once; nothing else is known about them.
	plain kind = iota
	// claim events have the number of a claim, which only one of them may win.
	claim
	// chained events have the number of a chain in the upper half of number, and in the
	// lower half how many events of the chain their writer knew: all that come before.
	chained
	// counted events are counted in a key, in the same transaction.
	counted
	// fleeting events are in streams that are truncated and deleted.
	fleeting
	// nameless events get their IDs from the store and are never sent again.
	nameless
)

// body is the data of an event.
type body struct {
	ident
	// index is the event's place in its append, of count events.
	index, count uint8
	kind         kind
	number       uint64
}

// bodySize is the size in bytes of a body without padding; a checksum follows.
const bodySize = 4 + 4 + 1 + 1 + 1 + 8

func (b body) encode(padding int) []byte {
	data := make([]byte, 0, bodySize+padding+4)
	data = binary.BigEndian.AppendUint32(data, b.writer)
	data = binary.BigEndian.AppendUint32(data, b.seq)
	data = append(data, b.index, b.count, byte(b.kind))
	data = binary.BigEndian.AppendUint64(data, b.number)
	for i := range padding {
		data = append(data, byte(uint32(i)*b.seq+b.writer))
	}
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(data))
}

func decodeBody(data []byte) (b body, err error) {
	n := len(data) - 4
	if n < bodySize {
		return b, fmt.Errorf("its data has %d bytes, want at least %d", len(data), bodySize+4)
	}
	if got, want := crc32.ChecksumIEEE(data[:n]), binary.BigEndian.Uint32(data[n:]); got != want {
		return b, fmt.Errorf("the checksum of its data is %08x, want %08x", got, want)
	}
	return body{
		ident:  ident{binary.BigEndian.Uint32(data), binary.BigEndian.Uint32(data[4:])},
		index:  data[8],
		count:  data[9],
		kind:   kind(data[10]),
		number: binary.BigEndian.Uint64(data[11:]),
	}, nil
}

// newEvent makes the event that a body describes. It depends only on its arguments, so
// that sending it again sends the same event.
func newEvent(seed uint64, b body, tags ...string) fdbevents.EventData {
	return fdbevents.EventData{ID: eventID(seed, b.ident), Type: "Soaked", Tags: tags, Data: b.encode(padding(seed, b.ident))}
}

// padding makes most events small, some too large to be kept in the stream's entry, and
// a few larger than the value of one key.
func padding(seed uint64, id ident) int {
	switch n := draws(seed, id).IntN(20_000); {
	case n == 0:
		return 200_000
	case n < 100:
		return 3_000
	default:
		return n % 200
	}
}

func eventID(seed uint64, id ident) (out uuid.UUID) {
	rng := draws(seed+1, id)
	binary.BigEndian.PutUint64(out[:8], rng.Uint64())
	binary.BigEndian.PutUint64(out[8:], rng.Uint64())
	return out
}

// draws returns the random numbers that belong to an event.
func draws(seed uint64, id ident) *rand.Rand {
	return rand.New(rand.NewPCG(seed, uint64(id.writer)<<32|uint64(id.seq)))
}
