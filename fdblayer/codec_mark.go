package fdblayer

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// mark is the last transaction that a marker committed.
type mark struct {
	number uint64
	at     Position
}

func appendMark(dst []byte, m mark) []byte {
	return binary.AppendUvarint(appendPositionBytes(dst, m.at), m.number)
}

func appendStampedMark(dst []byte, number uint64) []byte {
	return endStamped(binary.AppendUvarint(beginStamped(dst, 0), number))
}

func decodeMark(src []byte) (m mark, err error) {
	at, rest, err := splitStamped(src)
	if err != nil {
		return m, err
	}
	number, n := binary.Uvarint(rest)
	if n != len(rest) || n <= 0 {
		return m, corrupt(errors.New("mark without a number"))
	}
	return mark{number: number, at: at}, nil
}

// appendDoorbell encodes the transaction of the event at a position: as in the
// stamped form, the index is 0.
func appendDoorbell(dst []byte, at Position) []byte {
	return appendPositionBytes(dst, newPosition(stampOf(at), 0))
}

func appendStampedDoorbell(dst []byte) []byte { return endStamped(beginStamped(dst, 0)) }

// decodeDoorbell returns the position of the last transaction.
func decodeDoorbell(src []byte) (at Position, err error) {
	at, rest, err := splitStamped(src)
	if err == nil && len(rest) > 0 {
		err = corrupt(fmt.Errorf("doorbell of %d bytes", len(src)))
	}
	return at, err
}

// appendCounter encodes a counter, or what the engine's OpAdd adds to one. Nobody
// here decodes it: the engine counts, the application reads.
func appendCounter(dst []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(dst, uint64(n))
}
