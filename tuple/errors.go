package tuple

import (
	"errors"
	"fmt"
)

// What can be wrong with input; a [DecodeError] wraps one of these.
var (
	// ErrTruncated: the input ends inside an element, or where one must follow.
	ErrTruncated = errors.New("truncated")
	// ErrTypeCode: no element starts with this byte.
	ErrTypeCode = errors.New("unknown type code")
	// ErrType: a Read function met an element of another type.
	ErrType = errors.New("wrong type")
	// ErrRange: the integer does not fit the type asked for.
	ErrRange = errors.New("out of range")
)

// ErrTooDeep: tuples are nested more than MaxDepth deep. Both packing and
// reading can meet it.
var ErrTooDeep = fmt.Errorf("nested deeper than %d tuples", MaxDepth)

// What can be wrong with a tuple to pack, and with a prefix.
var (
	// ErrUnsupported: the value is of no type that a tuple can hold.
	ErrUnsupported = errors.New("unsupported value")
	// ErrTooLarge: the integer has more than 255 bytes.
	ErrTooLarge = errors.New("integer is longer than 255 bytes")
	// ErrIncomplete: the database would not know what to fill in; that takes
	// PackWithVersionstamp.
	ErrIncomplete = errors.New("versionstamp is incomplete")
	// ErrNotOneIncomplete: PackWithVersionstamp takes exactly one.
	ErrNotOneIncomplete = errors.New("need exactly one incomplete versionstamp")
	// ErrNoPrefixEnd: no key sorts after all keys with this prefix.
	ErrNoPrefixEnd = errors.New("no key follows this prefix")
)

// DecodeError says what is wrong with input, and where.
type DecodeError struct {
	// Offset is where the element at fault begins: the bytes between the start
	// of the input and its type code. Of nested tuples, it is the innermost
	// element's.
	Offset int
	// Err tells what is wrong. It wraps ErrTruncated, ErrTypeCode, ErrType,
	// ErrRange or ErrTooDeep.
	Err error
}

// Error describes the fault and gives its offset.
func (e *DecodeError) Error() string {
	return fmt.Sprintf("tuple: offset %d: %v", e.Offset, e.Err)
}

// Unwrap returns Err.
func (e *DecodeError) Unwrap() error { return e.Err }

// fault makes a DecodeError about the element at the front of the input.
func fault(sentinel error, format string, args ...any) error {
	return &DecodeError{Err: fmt.Errorf("%w: %s", sentinel, fmt.Sprintf(format, args...))}
}

// mismatch is the error of finding something else than want at the front of b.
func mismatch(b []byte, want string) error {
	if len(b) == 0 {
		return fault(ErrTruncated, "want %s, found the end", want)
	}
	if kind(b[0]) == "" {
		return fault(ErrTypeCode, "%#02x", b[0])
	}
	return fault(ErrType, "want %s, found %s", want, kind(b[0]))
}

// shifted adds to the offset of err, which came from reading the input from
// there on.
func shifted(err error, by int) error {
	var e *DecodeError
	if errors.As(err, &e) {
		e.Offset += by
	}
	return err
}
