package layout

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/fdbevents/fdbevents"
)

// Mark is the value of a marker's key: the Number of the last transaction that the
// marker committed, and its position.
type Mark struct {
	Number uint64
	At     fdbevents.Position
}

// AppendMark appends the encoding of m to dst.
func AppendMark(dst []byte, m Mark) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, m.At), m.Number)
}

// AppendStampedMark appends the operand that stores the mark of a marker's transaction
// with the given number.
func AppendStampedMark(dst []byte, number uint64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, 0), number))
}

// DecodeMark decodes a mark.
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

// AppendDoorbell appends the value of a doorbell whose partition's last commit wrote
// the event at a position. As in the stamped form, the index is 0.
func AppendDoorbell(dst []byte, at fdbevents.Position) []byte {
	return appendPositionBytes(dst, NewPosition(StampOf(at), 0))
}

// AppendStampedDoorbell appends the operand that rings a doorbell: it stores the stamp
// of the transaction.
func AppendStampedDoorbell(dst []byte) []byte { return endStamped(beginStamped(dst, 0)) }

// DecodeDoorbell returns the position of the last transaction that rang the doorbell.
func DecodeDoorbell(src []byte) (at fdbevents.Position, err error) {
	at, rest, err := splitStamped(src)
	if err == nil && len(rest) > 0 {
		err = corrupt(fmt.Errorf("doorbell of %d bytes", len(src)))
	}
	return at, err
}

// AppendCounter appends a counter, or the number that the engine's OpAdd adds to one.
// Nothing here decodes it: the engine counts and the application reads.
func AppendCounter(dst []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}
