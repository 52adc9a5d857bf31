package engine

import (
	"bytes"
	"encoding/binary"
	"fmt"
)

// Every engine refuses the following, each with an error that names the value and
// the limit.

// keysEnd is the end of the usable keys.
var keysEnd = []byte{0xff}

// CheckReadKey returns an error if key cannot be read, nil otherwise. A key
// longer than MaxKeySize can be read: it is absent.
func CheckReadKey(key []byte) error {
	if bytes.Compare(key, keysEnd) >= 0 {
		return fmt.Errorf("key %s: %w", shown(key), ErrKeyOutsideRange)
	}
	return nil
}

// CheckKey returns an error if key cannot be written or watched.
func CheckKey(key []byte) error {
	if err := CheckReadKey(key); err != nil {
		return err
	}
	if len(key) > MaxKeySize {
		return fmt.Errorf("key of %d bytes, %s: %w", len(key), shown(key), ErrKeyTooLarge)
	}
	return nil
}

// CheckRange returns an error if r can be neither read nor cleared. A range may
// end where the keys end; bounds longer than any key are fine.
func CheckRange(r Range) error {
	for _, bound := range [][]byte{r.Begin, r.End} {
		if bytes.Compare(bound, keysEnd) > 0 {
			return fmt.Errorf("range bound %s: %w", shown(bound), ErrKeyOutsideRange)
		}
	}
	return nil
}

// CheckSet returns an error if key cannot be set to value.
func CheckSet(key, value []byte) error {
	if err := CheckKey(key); err != nil {
		return err
	}
	if len(value) > MaxValueSize {
		return fmt.Errorf("value of %d bytes for key %s: %w", len(value), shown(key), ErrValueTooLarge)
	}
	return nil
}

// CheckAtomic returns an error if op cannot be applied to key. The size of a
// versionstamped key or value includes its offset.
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

// StampPlace splits the key of OpVersionstampedKey, or the operand of
// OpVersionstampedValue, into the bytes to store and the offset of the stamp in
// them. b is a part of param. An error wraps ErrInvalidOperation.
func StampPlace(param []byte) (b []byte, offset int, err error) {
	const offsetSize = 4
	n := len(param) - offsetSize
	if n < 0 {
		return nil, 0, fmt.Errorf("%d bytes are too few for the 4-byte offset of a versionstamp: %w",
			len(param), ErrInvalidOperation)
	}
	at := binary.LittleEndian.Uint32(param[n:])
	if uint64(at)+uint64(len(Stamp{})) > uint64(n) {
		return nil, 0, fmt.Errorf("versionstamp at offset %d does not fit into %d bytes: %w", at, n, ErrInvalidOperation)
	}
	return param[:n:n], int(at), nil
}

// shown formats a key for an error message.
func shown(key []byte) string {
	const enough = 64
	if len(key) > enough {
		return fmt.Sprintf("%q and %d more bytes", key[:enough], len(key)-enough)
	}
	return fmt.Sprintf("%q", key)
}
