package pebbleengine

import (
	"bytes"
	"encoding/binary"
	"fmt"

	"github.com/fdbevents/fdbevents/engine"
)

// evaluate returns what a key holds after op, given what it held before. nil
// means absent; a present value is never nil. The result may share memory with
// either argument. Source of the rules: fdbclient/Atomic.h.
func evaluate(op engine.Op, old, operand []byte) []byte {
	if operand == nil {
		operand = []byte{}
	}
	switch op {
	case engine.OpAdd:
		if len(old) == 0 || len(operand) == 0 {
			return operand
		}
		sum := make([]byte, len(operand))
		carry := 0
		for i := range operand {
			carry += int(operand[i])
			if i < len(old) {
				carry += int(old[i])
			}
			sum[i] = byte(carry)
			carry >>= 8
		}
		return sum
	case engine.OpMax:
		if fitted := fit(old, len(operand)); compareLittleEndian(fitted, operand) > 0 {
			return fitted
		}
		return operand
	case engine.OpMin:
		if old == nil {
			return operand
		}
		if fitted := fit(old, len(operand)); compareLittleEndian(fitted, operand) < 0 {
			return fitted
		}
		return operand
	case engine.OpByteMin:
		if old != nil && bytes.Compare(old, operand) < 0 {
			return old
		}
		return operand
	case engine.OpByteMax:
		if bytes.Compare(old, operand) > 0 {
			return old
		}
		return operand
	case engine.OpCompareAndClear:
		if old != nil && bytes.Equal(old, operand) {
			return nil
		}
		return old
	}
	panic(fmt.Sprintf("pebbleengine: operation %d is not an atomic operation on a value", op))
}

// fit truncates or extends a little-endian number to n bytes.
func fit(number []byte, n int) []byte {
	fitted := make([]byte, n)
	copy(fitted, number)
	return fitted
}

// compareLittleEndian compares numbers of equal length.
func compareLittleEndian(a, b []byte) int {
	for i := len(a) - 1; i >= 0; i-- {
		if a[i] != b[i] {
			return int(a[i]) - int(b[i])
		}
	}
	return 0
}

const (
	stampSize  = len(engine.Stamp{})
	offsetSize = 4
)

func makeStamp(version int64, index uint16) (s engine.Stamp) {
	binary.BigEndian.PutUint64(s[:8], uint64(version))
	binary.BigEndian.PutUint16(s[8:], index)
	return s
}
