package pebbleengine

import (
	"bytes"
	"fmt"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// checkMutation says why a write of one key cannot be made. The offset of a
// versionstamp counts in the size of its key or value.
func checkMutation(m mutation) error {
	if err := checkKey(m.key); err != nil {
		return err
	}
	if len(m.value) > engine.MaxValueSize {
		return fmt.Errorf("value of %d bytes for %s: %w", len(m.value), printable(m.key), engine.ErrValueTooLarge)
	}
	var err error
	switch m.op {
	case engine.OpVersionstampedKey:
		_, _, err = stampOffset(m.key)
	case engine.OpVersionstampedValue:
		_, _, err = stampOffset(m.value)
	}
	return err
}

// checkKey says why a key cannot be written or watched.
func checkKey(key []byte) error {
	if err := checkReadKey(key); err != nil {
		return err
	}
	if len(key) > engine.MaxKeySize {
		return fmt.Errorf("key of %d bytes: %w", len(key), engine.ErrKeyTooLarge)
	}
	return nil
}

// checkReadKey says why a key cannot be read. One that is too long is merely
// absent.
func checkReadKey(key []byte) error {
	if bytes.Compare(key, keyLimit) >= 0 {
		return fmt.Errorf("key %s: %w", printable(key), engine.ErrKeyOutsideRange)
	}
	return nil
}

// checkRange says why a range can be neither read nor cleared. It may end, and
// even begin, where the user's keys do.
func checkRange(r engine.Range) error {
	for _, bound := range [][]byte{r.Begin, r.End} {
		if bytes.Compare(bound, keyLimit) > 0 {
			return fmt.Errorf("range bound %s: %w", printable(bound), engine.ErrKeyOutsideRange)
		}
	}
	return nil
}

// shorten cuts bounds that are longer than any key can be: the range holds the
// same possible keys.
func shorten(r engine.Range) engine.Range {
	if len(r.Begin) > engine.MaxKeySize+1 {
		r.Begin = r.Begin[:engine.MaxKeySize+1]
	}
	if len(r.End) > engine.MaxKeySize+1 {
		r.End = r.End[:engine.MaxKeySize+1]
	}
	return r
}

func rangeSize(r engine.Range) int64 { return int64(len(r.Begin) + len(r.End)) }

// printable is a key in an error message.
func printable(key []byte) string {
	const enough = 64
	if len(key) > enough {
		return fmt.Sprintf("%q and %d bytes more", key[:enough], len(key)-enough)
	}
	return fmt.Sprintf("%q", key)
}
