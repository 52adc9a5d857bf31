package layout

import (
	"encoding/binary"
	"fmt"

	"github.com/fdbevents/fdbevents"
)

// Entries, id entries, marks and doorbells begin with a position. Their encoders have
// two forms.
//
// AppendStampedX appends the operand of a versionstamped value, for the event with the
// given index in its transaction. The engine fills in the first 10 bytes of the
// position and cuts off the last 4 bytes of the operand, which say where to put them.
//
// AppendX appends the value itself, with a position that is known.

const (
	positionSize = 12
	// stampOffsetSize is the number of bytes that endStamped appends.
	stampOffsetSize = 4
)

// beginStamped begins an operand. The caller appends what follows the position and
// calls endStamped.
func beginStamped(dst []byte, index int) []byte {
	dst = append(dst, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
	return binary.BigEndian.AppendUint16(dst, uint16(index))
}

func endStamped(dst []byte) []byte { return append(dst, 0, 0, 0, 0) }

// splitStamped splits a stored value into the position that it begins with and the
// rest.
func splitStamped(src []byte) (at fdbevents.Position, rest []byte, err error) {
	if len(src) < positionSize {
		return at, nil, corrupt(fmt.Errorf("stamped value of %d bytes", len(src)))
	}
	return fdbevents.PositionFromBytes([positionSize]byte(src)), src[positionSize:], nil
}
