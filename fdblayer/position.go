package fdblayer

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// Position is an event's place in the store's total order. Positions of one
// store are comparable with == and Compare; they say nothing about time or
// count. The zero Position is before every event.
type Position struct {
	// stamp is the engine's 10-byte versionstamp and the 2-byte big-endian index
	// of the event in its transaction, so that byte order is log order.
	stamp [12]byte
}

// Start is before every event.
var Start = Position{}

// End is after every event.
var End = Position{[12]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}

// ParsePosition reads the text form, 24 hex digits.
func ParsePosition(text string) (Position, error) {
	var p Position
	if len(text) != 2*len(p.stamp) {
		return p, fmt.Errorf("position %q has %d characters, want 24 hex digits", text, len(text))
	}
	if _, err := hex.Decode(p.stamp[:], []byte(text)); err != nil {
		return Position{}, fmt.Errorf("position %q: want 24 hex digits: %w", text, err)
	}
	return p, nil
}

// String is the text form: 24 hex digits that sort as the positions do.
func (p Position) String() string { return hex.EncodeToString(p.stamp[:]) }

// MarshalText is the text form.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText reads the text form.
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePosition(string(text))
	return err
}

// Compare is negative when p is before q, zero when they are equal, and
// positive when p is after q.
func (p Position) Compare(q Position) int { return bytes.Compare(p.stamp[:], q.stamp[:]) }

// Before reports whether p is before q.
func (p Position) Before(q Position) bool {
	// The merge of the partitions does little else: two comparisons of integers
	// are faster than one of bytes.
	a, b := binary.BigEndian.Uint64(p.stamp[:8]), binary.BigEndian.Uint64(q.stamp[:8])
	return a < b || a == b && binary.BigEndian.Uint32(p.stamp[8:]) < binary.BigEndian.Uint32(q.stamp[8:])
}

// newPosition is the place of the event with the given index in the transaction
// that got stamp.
func newPosition(stamp engine.Stamp, index int) Position {
	var p Position
	copy(p.stamp[:], stamp[:])
	binary.BigEndian.PutUint16(p.stamp[10:], uint16(index))
	return p
}

// lastOfVersion is at or after every event that a reader at version can see.
func lastOfVersion(version int64) Position {
	p := End
	binary.BigEndian.PutUint64(p.stamp[:8], uint64(version))
	return p
}

// version is the commit version in the stamp.
func (p Position) version() int64 { return int64(binary.BigEndian.Uint64(p.stamp[:8])) }

// check refuses a position that a store at this version cannot have given out.
// End passes.
func (p Position) check(version int64) error {
	if p != End && lastOfVersion(version).Before(p) {
		return &InvalidError{What: "position", Value: p.String(), Reason: "is ahead of this store, so it must come from another one; use a position of this store, or start or end"}
	}
	return nil
}

// checkPosition refuses a position of another store, as far as that can be told.
func checkPosition(r versioned, p Position) error {
	version, err := r.ReadVersion().Get()
	if err != nil {
		return err
	}
	return p.check(version)
}

// next is the smallest position after p. End has none and returns itself.
func (p Position) next() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]++
		if p.stamp[i] != 0 {
			return p
		}
	}
	return End
}

// prev is the largest position before p. Start has none and returns itself.
func (p Position) prev() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]--
		if p.stamp[i] != 255 {
			return p
		}
	}
	return Start
}
