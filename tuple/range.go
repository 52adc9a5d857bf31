package tuple

import (
	"bytes"
	"fmt"
	"slices"
)

// Range returns the bounds of the keys that consist of prefix, the encoding of t,
// and at least one more element: begin <= key < end. The key of t itself is not
// among them. The caller owns both bounds; prefix is copied. Range fails as Pack
// does.
func (t Tuple) Range(prefix []byte) (begin, end []byte, err error) {
	// No element sorts before null, 0x00, and none begins with 0xFF.
	begin, err = t.Append(bytes.Clone(prefix))
	if err != nil {
		return nil, nil, err
	}
	end = append(slices.Clip(begin), 0xFF)
	return append(begin, 0x00), end, nil
}

// PrefixEnd returns the first key that sorts after every key that begins with
// prefix. If prefix is empty, or all its bytes are 0xFF, no key does and the
// error is ErrNoPrefixEnd. The caller owns the result.
func PrefixEnd(prefix []byte) ([]byte, error) {
	for i := len(prefix) - 1; i >= 0; i-- {
		if prefix[i] != 0xFF {
			end := bytes.Clone(prefix[:i+1])
			end[i]++
			return end, nil
		}
	}
	return nil, fmt.Errorf("tuple: %w: [%x]", ErrNoPrefixEnd, prefix)
}
