package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// What every engine refuses, each with an error that names value and limit.

// keysEnd is the end of the keys that can be used.
var keysEnd = []byte{0xff}

// CheckReadKey says why a key cannot be read. One that is longer than
// MaxKeySize can: it is absent.
func CheckReadKey(key []byte) error {
	if bytes.Compare(key, keysEnd) >= 0 {
		return fmt.Errorf("key %s: %w", shown(key), ErrKeyOutsideRange)
	}
	return nil
}

// CheckKey says why a key cannot be written or watched.
func CheckKey(key []byte) error {
	if err := CheckReadKey(key); err != nil {
		return err
	}
	if len(key) > MaxKeySize {
		return fmt.Errorf("key of %d bytes, %s: %w", len(key), shown(key), ErrKeyTooLarge)
	}
	return nil
}

// CheckRange says why a range can be neither read nor cleared. It may end where
// the keys end; bounds longer than any key are fine.
func CheckRange(r Range) error {
	for _, bound := range [][]byte{r.Begin, r.End} {
		if bytes.Compare(bound, keysEnd) > 0 {
			return fmt.Errorf("bound of a range %s: %w", shown(bound), ErrKeyOutsideRange)
		}
	}
	return nil
}

// CheckSet says why a key cannot be set to a value.
func CheckSet(key, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueSize {
		return fmt.Errorf("value of %d bytes for key %s: %w", len(value), shown(key), ErrValueTooLarge)
	}
	return nil
}

// CheckAtomic says why an operation cannot be applied to a key. Of a
// versionstamped key or value, the size includes the offset.
func CheckAtomic(op Op, key, operand []byte) error {
	if err := CheckSet(key, operand); err != nil {
		return err
	}
	switch op {
	case OpAdd, OpMax, OpMin, OpByteMin, OpByteMax, OpCompareAndClear:
		return nil
	case OpVersionstampedKey:
		_, _, err := StampPlace(key)
		return err
	case OpVersionstampedValue:
		_, _, err := StampPlace(operand)
		return err
	}
	return fmt.Errorf("atomic operation %d does not exist: %w", int(op), ErrInvalidOperation)
}

// StampPlace takes the key of OpVersionstampedKey, or the operand of
// OpVersionstampedValue, apart: the bytes, and the offset of the stamp in them.
func StampPlace(param []byte) (b []byte, offset int, err error) {
	const offsetSize = 4
	n := len(param) - offsetSize
	if n < 0 {
		return nil, 0, fmt.Errorf("%d bytes have no room for the 4 bytes of a versionstamp's offset: %w",
			len(param), ErrInvalidOperation)
	}
	at := binary.LittleEndian.Uint32(param[n:])
	if uint64(at)+uint64(len(Stamp{})) > uint64(n) {
		return nil, 0, fmt.Errorf("versionstamp at offset %d does not fit into %d bytes: %w", at, n, ErrInvalidOperation)
	}
	return param[:n:n], int(at), nil
}

// shown is a key in an error message.
func shown(key []byte) string {
	const enough = 64
	if len(key) > enough {
		return fmt.Sprintf("%q and %d bytes more", key[:enough], len(key)-enough)
	}
	return fmt.Sprintf("%q", key)
}
