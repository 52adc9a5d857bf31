package layout

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
)

// mark is the last transaction that a marker committed.
type Mark struct {
	Number uint64
	At     fdbevents.Position
}

func AppendMark(dst []byte, m Mark) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, m.At), m.Number)
}

func AppendStampedMark(dst []byte, number uint64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, 0), number))
}

func DecodeMark(src []byte) (m Mark, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return m, err
	}
	number, n := binary.Uvarint(rest)
	if n != len(rest) || n <= 0 {
		return m, corrupt(errors.New("mark without a number"))
	}
	return Mark{Number: number, At: at}, nil
}

// appendDoorbell encodes the transaction of the event at a position: as in the
// stamped form, the index is 0.
func AppendDoorbell(dst []byte, at fdbevents.Position) []byte {
	return appendPositionBytes(dst, NewPosition(StampOf(at), 0))
}

func AppendStampedDoorbell(dst []byte) []byte { return endStamped(beginStamped(dst, 0)) }

// decodeDoorbell returns the position of the last transaction.
func DecodeDoorbell(src []byte) (at fdbevents.Position, err error) {
	at, rest, err := splitStamped(src)
	if err == nil && len(rest) > 0 {
		err = corrupt(fmt.Errorf("doorbell of %d bytes", len(src)))
	}
	return at, err
}

// appendCounter encodes a counter, or what the engine's OpAdd adds to one. Nobody
// here decodes it: the engine counts, the application reads.
func AppendCounter(dst []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}
