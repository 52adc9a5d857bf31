package fdbevents

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
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

// Bytes is the binary form: byte order is log order. [PositionFromBytes] reads it.
func (p Position) Bytes() [12]byte { return p.stamp }

// PositionFromBytes is the position of a binary form. Any 12 bytes are one, whether or
// not a store has come to it.
func PositionFromBytes(b [12]byte) Position { return Position{b} }

// Version is the commit version of the transaction that wrote the event: a number that
// rises with the log, and is neither a time nor a count.
func (p Position) Version() int64 { return int64(binary.BigEndian.Uint64(p.stamp[:8])) }

// Next is the smallest position after p: what comes after an event begins there. End
// has none and returns itself.
func (p Position) Next() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]++
		if p.stamp[i] != 0 {
			return p
		}
	}
	return End
}

// Prev is the largest position before p. Start has none and returns itself.
func (p Position) Prev() Position {
	for i := len(p.stamp) - 1; i >= 0; i-- {
		p.stamp[i]--
		if p.stamp[i] != 255 {
			return p
		}
	}
	return Start
}
