package fdbevents

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
)

// Position is an event's place in the total order of a store's log. Positions of one
// store can be compared with == and Compare; they say nothing about time, and their
// difference is not a number of events. The zero Position is Start.
type Position struct {
	// stamp is the engine's 10-byte versionstamp followed by the event's 2-byte
	// big-endian index in its transaction, so that byte order is log order.
	stamp [12]byte
}

// Start is before every event.
var Start = Position{}

// End is after every event.
var End = Position{[12]byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}}

// ParsePosition parses the text form of a position: 24 hex digits.
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

// String returns the text form: 24 lower-case hex digits, which sort like the
// positions.
func (p Position) String() string { return hex.EncodeToString(p.stamp[:]) }

// MarshalText implements [encoding.TextMarshaler] with the text form.
func (p Position) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler]: it parses the text form.
func (p *Position) UnmarshalText(text []byte) (err error) {
	*p, err = ParsePosition(string(text))
	return err
}

// Compare returns a negative number if p is before q, zero if they are equal, and a
// positive number if p is after q.
func (p Position) Compare(q Position) int { return bytes.Compare(p.stamp[:], q.stamp[:]) }

// Before reports whether p is before q.
func (p Position) Before(q Position) bool {
	// Merging partitions does little else: two comparisons of integers are faster than
	// one of bytes.
	a, b := binary.BigEndian.Uint64(p.stamp[:8]), binary.BigEndian.Uint64(q.stamp[:8])
	return a < b || a == b && binary.BigEndian.Uint32(p.stamp[8:]) < binary.BigEndian.Uint32(q.stamp[8:])
}

// Bytes returns the binary form, whose byte order is log order. [PositionFromBytes]
// reads it.
func (p Position) Bytes() [12]byte { return p.stamp }

// PositionFromBytes returns the position with the binary form b. Any 12 bytes are a
// position, whether or not a store has reached it.
func PositionFromBytes(b [12]byte) Position { return Position{b} }

// Version returns the commit version of the transaction that wrote the event: a number
// that rises along the log, but is neither a time nor a count.
func (p Position) Version() int64 { return int64(binary.BigEndian.Uint64(p.stamp[:8])) }

// Next returns the smallest position after p, the first one that an event after p can
// have. Next of End is End.
func (p Position) Next() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]++
		if p.stamp[i] != 0 {
			return p
		}
	}
	return End
}

// Prev returns the largest position before p. Prev of Start is Start.
func (p Position) Prev() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]--
		if p.stamp[i] != 255 {
			return p
		}
	}
	return Start
}
