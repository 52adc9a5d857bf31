package tuple

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
)

// ReadNil reads null, as it is written outside nested tuples, from the front of
// b.
//
// This and the other Read functions read one element from the front of b and
// return the rest, which shares b's memory. When they fail, rest is nil and err
// is a [*DecodeError] whose offset counts from the start of b.
func ReadNil(b []byte) (rest []byte, err error) {
	if len(b) == 0 || b[0] != codeNil {
		return nil, mismatch(b, kind(codeNil))
	}
	return b[1:], nil
}

// ReadBytes reads a byte string. If no byte had to be unescaped, the result is a
// part of b; modifying it then modifies b.
func ReadBytes(b []byte) (v, rest []byte, err error) {
	v, escaped, rest, err := delimited(b, codeBytes)
	if escaped {
		v = unescape(v)
	}
	return v, rest, err
}

// ReadString reads a Unicode string, which may not be UTF-8; see the package
// comment.
func ReadString(b []byte) (v string, rest []byte, err error) {
	text, escaped, rest, err := delimited(b, codeString)
	if escaped {
		text = unescape(text)
	}
	return string(text), rest, err
}

// delimited reads up to the terminator of the string at the front of b. The text
// is a part of b, still escaped if escaped is set; its capacity ends with it, so
// that appending to it leaves b alone.
func delimited(b []byte, code byte) (text []byte, escaped bool, rest []byte, err error) {
	if len(b) == 0 || b[0] != code {
		return nil, false, nil, mismatch(b, kind(code))
	}
	for end := 1; ; end += 2 {
		zero := bytes.IndexByte(b[end:], terminator)
		if zero < 0 {
			return nil, false, nil, fault(ErrTruncated, "%s has no terminator", kind(code))
		}
		end += zero
		if end+1 == len(b) || b[end+1] != escape {
			return b[1:end:end], escaped, b[end+1:], nil
		}
		escaped = true
	}
}

// unescape returns a copy of text without the escape after each zero.
func unescape(text []byte) []byte {
	v := make([]byte, 0, len(text))
	for {
		zero := bytes.IndexByte(text, 0)
		if zero < 0 {
			return append(v, text...)
		}
		v = append(v, text[:zero+1]...)
		text = text[zero+2:]
	}
}

// ReadInt reads an integer. It fails with ErrRange when the integer does not fit
// int64.
func ReadInt(b []byte) (v int64, rest []byte, err error) {
	digits, negative, rest, err := integer(b)
	if err != nil {
		return 0, nil, err
	}
	u, ok := magnitude(digits, negative)
	if ok {
		v, ok = signed(u, negative)
	}
	if !ok {
		return 0, nil, fault(ErrRange, "integer does not fit int64")
	}
	return v, rest, nil
}

// ReadUint reads an integer. It fails with ErrRange when the integer does not fit
// uint64.
func ReadUint(b []byte) (v uint64, rest []byte, err error) {
	digits, negative, rest, err := integer(b)
	if err != nil {
		return 0, nil, err
	}
	v, ok := magnitude(digits, negative)
	if !ok || negative && v != 0 {
		return 0, nil, fault(ErrRange, "integer does not fit uint64")
	}
	return v, rest, nil
}

// ReadBigInt reads an integer of any size.
func ReadBigInt(b []byte) (v *big.Int, rest []byte, err error) {
	digits, negative, rest, err := integer(b)
	if err != nil {
		return nil, nil, err
	}
	return bigInt(digits, negative), rest, nil
}

// integer returns the base-256 digits, most significant first, of the integer at
// the front of b. They are complemented if it is negative.
func integer(b []byte) (digits []byte, negative bool, rest []byte, err error) {
	if len(b) == 0 || !isInteger(b[0]) {
		return nil, false, nil, mismatch(b, kind(codeIntZero))
	}
	code, n, start := b[0], 0, 1
	switch {
	case code != codeBigNegative && code != codeBigPositive:
		n = int(code) - codeIntZero
		if n < 0 {
			n = -n
		}
	case len(b) == 1:
		return nil, false, nil, fault(ErrTruncated, "integer has no length")
	case code == codeBigNegative:
		n, start = int(^b[1]), 2
	default:
		n, start = int(b[1]), 2
	}
	if have := len(b) - start; have < n {
		return nil, false, nil, fault(ErrTruncated, "integer has %d of %d bytes", have, n)
	}
	return b[start : start+n], code < codeIntZero, b[start+n:], nil
}

// magnitude returns the absolute value of an integer, if it fits. Leading zeros
// may make digits longer than the value needs.
func magnitude(digits []byte, negative bool) (u uint64, ok bool) {
	var zero byte
	if negative {
		zero = 0xFF
	}
	for len(digits) > 8 {
		if digits[0] != zero {
			return 0, false
		}
		digits = digits[1:]
	}
	for _, d := range digits {
		u = u<<8 | uint64(d^zero)
	}
	return u, true
}

// signed applies the sign to a magnitude, if the result fits.
func signed(u uint64, negative bool) (v int64, ok bool) {
	if negative {
		return -int64(u), u <= 1<<63
	}
	return int64(u), u <= math.MaxInt64
}

func bigInt(digits []byte, negative bool) *big.Int {
	if !negative {
		return new(big.Int).SetBytes(digits)
	}
	digits = bytes.Clone(digits)
	complement(digits)
	v := new(big.Int).SetBytes(digits)
	return v.Neg(v)
}

// ReadFloat32 reads a 32-bit float.
func ReadFloat32(b []byte) (v float32, rest []byte, err error) {
	raw, rest, err := fixed(b, codeFloat32, 4)
	if err != nil {
		return 0, nil, err
	}
	const sign = 1 << 31
	u := binary.BigEndian.Uint32(raw)
	if u&sign != 0 {
		u &^= sign
	} else {
		u = ^u
	}
	return math.Float32frombits(u), rest, nil
}

// ReadFloat64 reads a 64-bit float.
func ReadFloat64(b []byte) (v float64, rest []byte, err error) {
	raw, rest, err := fixed(b, codeFloat64, 8)
	if err != nil {
		return 0, nil, err
	}
	const sign = 1 << 63
	u := binary.BigEndian.Uint64(raw)
	if u&sign != 0 {
		u &^= sign
	} else {
		u = ^u
	}
	return math.Float64frombits(u), rest, nil
}

// ReadBool reads false or true.
func ReadBool(b []byte) (v bool, rest []byte, err error) {
	if len(b) == 0 || b[0] != codeFalse && b[0] != codeTrue {
		return false, nil, mismatch(b, kind(codeTrue))
	}
	return b[0] == codeTrue, b[1:], nil
}

// ReadUUID reads a UUID.
func ReadUUID(b []byte) (v UUID, rest []byte, err error) {
	raw, rest, err := fixed(b, codeUUID, len(v))
	copy(v[:], raw)
	return v, rest, err
}

// ReadVersionstamp reads a versionstamp, complete or not.
func ReadVersionstamp(b []byte) (v Versionstamp, rest []byte, err error) {
	raw, rest, err := fixed(b, codeVersionstamp, versionstampSize)
	if err != nil {
		return v, nil, err
	}
	n := copy(v.TransactionVersion[:], raw)
	v.UserVersion = binary.BigEndian.Uint16(raw[n:])
	return v, rest, nil
}

// fixed returns the size bytes that follow code at the front of b.
func fixed(b []byte, code byte, size int) (raw, rest []byte, err error) {
	if len(b) == 0 || b[0] != code {
		return nil, nil, mismatch(b, kind(code))
	}
	if have := len(b) - 1; have < size {
		return nil, nil, fault(ErrTruncated, "%s has %d of %d bytes", kind(code), have, size)
	}
	return b[1 : 1+size], b[1+size:], nil
}
