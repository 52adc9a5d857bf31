package tuple

import (
	"errors"
	"fmt"
)

// The faults of input; a [DecodeError] wraps one of these.
var (
	// ErrTruncated: the input ends inside an element, or where an element must
	// follow.
	ErrTruncated = errors.New("truncated")
	// ErrTypeCode: no element starts with this byte.
	ErrTypeCode = errors.New("unknown type code")
	// ErrType: a Read function found an element of another type.
	ErrType = errors.New("wrong type")
	// ErrRange: the integer does not fit the requested type.
	ErrRange = errors.New("out of range")
)

// ErrTooDeep: tuples are nested more than MaxDepth deep. Both packing and reading
// can return it.
var ErrTooDeep = fmt.Errorf("nested deeper than %d tuples", MaxDepth)

// The faults of a tuple to pack, or of a prefix.
var (
	// ErrUnsupported: a tuple cannot hold a value of this type.
	ErrUnsupported = errors.New("unsupported value")
	// ErrTooLarge: the integer has more than 255 bytes.
	ErrTooLarge = errors.New("integer is longer than 255 bytes")
	// ErrIncomplete: the database would not know where to fill in the
	// versionstamp; use PackWithVersionstamp.
	ErrIncomplete = errors.New("versionstamp is incomplete")
	// ErrNotOneIncomplete: PackWithVersionstamp takes exactly one incomplete
	// versionstamp.
	ErrNotOneIncomplete = errors.New("need exactly one incomplete versionstamp")
	// ErrNoPrefixEnd: no key sorts after all keys with this prefix.
	ErrNoPrefixEnd = errors.New("no key follows this prefix")
)

// DecodeError says what is wrong with input, and where.
type DecodeError struct {
	// Offset is where the faulty element begins: the number of bytes between the
	// start of the input and its type code. In nested tuples it is the innermost
	// element.
	Offset int
	// Err says what is wrong. It wraps ErrTruncated, ErrTypeCode, ErrType,
	// ErrRange or ErrTooDeep.
	Err error
}

// Error returns the fault and its offset.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("tuple: offset %d: %v", e.Offset, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// fault returns a DecodeError about the element at the front of the input.
func fault(sentinel error, format string, args ...any) error {
	return &DecodeError{Err: fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))}
}

// mismatch returns the error for finding something other than want at the front
// of b.
func mismatch(b []byte, want string) error {
	if len(b) == 0 {
		return fault(ErrTruncated, "want %s, found the end", want)
	}
	if kind(b[0]) == "" {
		return fault(ErrTypeCode, "%#02x", b[0])
	}
	return fault(ErrType, "want %s, found %s", want, kind(b[0]))
}

// shifted adds by to the offset of err, which came from reading the input from
// that offset on.
func shifted(err error, by int) error {
	var e *DecodeError
	if errors.As(err, &e) {
		e.Offset += by
	}
	return err
}
