package tuple

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/big"
	"math/bits"
	"slices"
)

// AppendNil appends null as it is written outside nested tuples.
func AppendNil(dst []byte) []byte { return append(dst, codeNil) }

// AppendBytes appends a byte string. A nil b is the empty string.
func AppendBytes(dst, b []byte) []byte {
	dst = append(dst, codeBytes)
	start := len(dst)
	return terminate(append(dst, b...), start)
}

// AppendString appends a Unicode string; see the package comment on strings that
// are not UTF-8.
func AppendString(dst []byte, s string) []byte {
	dst = append(dst, codeString)
	start := len(dst)
	return terminate(append(dst, s...), start)
}

// terminate escapes the zero bytes of dst[start:] and appends the terminator.
// Zeros are rare, so callers copy the text as a whole first; terminate spreads it
// out, from the back, only if there are any.
func terminate(dst []byte, start int) []byte {
	zeros := bytes.Count(dst[start:], []byte{0})
	if zeros == 0 {
		return append(dst, terminator)
	}
	from := len(dst) - 1
	dst = slices.Grow(dst, zeros+1)[:len(dst)+zeros]
	for to := len(dst) - 1; from < to; from-- {
		if dst[from] == 0 {
			dst[to] = escape
			to--
		}
		dst[to] = dst[from]
		to--
	}
	return append(dst, terminator)
}

// AppendInt appends an integer.
func AppendInt(dst []byte, i int64) []byte {
	if i >= 0 {
		return AppendUint(dst, uint64(i))
	}
	// -math.MinInt64 is itself, and as a uint64 that is the magnitude we want.
	magnitude := uint64(-i)
	n := byteLen(magnitude)
	return appendLow(append(dst, byte(codeIntZero-n)), ^magnitude, n)
}

// AppendUint appends an integer. Up to math.MaxInt64 it is the same as
// AppendInt.
func AppendUint(dst []byte, u uint64) []byte {
	n := byteLen(u)
	return appendLow(append(dst, byte(codeIntZero+n)), u, n)
}

// byteLen is the number of bytes that u needs, 0 for 0.
func byteLen(u uint64) int { return (bits.Len64(u) + 7) / 8 }

// appendLow appends the n low bytes of u, most significant first.
func appendLow(dst []byte, u uint64, n int) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], u)
	return append(dst, b[8-n:]...)
}

// AppendBigInt appends an integer. It fails with ErrTooLarge when the magnitude
// of i has more than 255 bytes, and with ErrUnsupported when i is nil, and then
// returns dst unchanged.
func AppendBigInt(dst []byte, i *big.Int) ([]byte, error) {
	if i == nil {
		return dst, fmt.Errorf("%w: nil *big.Int", ErrUnsupported)
	}
	n := (i.BitLen() + 7) / 8
	if n > maxIntBytes {
		return dst, fmt.Errorf("%w: %d bytes", ErrTooLarge, n)
	}
	negative := i.Sign() < 0
	switch {
	case n > 8 && negative:
		dst = append(dst, codeBigNegative, ^byte(n))
	case n > 8:
		dst = append(dst, codeBigPositive, byte(n))
	case negative:
		dst = append(dst, byte(codeIntZero-n))
	default:
		dst = append(dst, byte(codeIntZero+n))
	}
	start := len(dst)
	dst = slices.Grow(dst, n)[:start+n]
	i.FillBytes(dst[start:])
	if negative {
		complement(dst[start:])
	}
	return dst, nil
}

// complement flips all bits: negative integers are stored in one's complement, so
// that the larger magnitude sorts first.
func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// AppendFloat32 appends a 32-bit float.
func AppendFloat32(dst []byte, f float32) []byte {
	const sign = 1 << 31
	u := math.Float32bits(f)
	if u&sign != 0 {
		u = ^u
	} else {
		u |= sign
	}
	return binary.BigEndian.AppendUint32(append(dst, codeFloat32), u)
}

// AppendFloat64 appends a 64-bit float.
func AppendFloat64(dst []byte, f float64) []byte {
	const sign = 1 << 63
	u := math.Float64bits(f)
	if u&sign != 0 {
		u = ^u
	} else {
		u |= sign
	}
	return binary.BigEndian.AppendUint64(append(dst, codeFloat64), u)
}

// AppendBool appends false or true.
func AppendBool(dst []byte, v bool) []byte {
	if v {
		return append(dst, codeTrue)
	}
	return append(dst, codeFalse)
}

// AppendUUID appends a UUID.
func AppendUUID(dst []byte, u [16]byte) []byte {
	return append(append(dst, codeUUID), u[:]...)
}

// AppendVersionstamp appends a versionstamp, complete or not. The transaction
// version of an incomplete one begins at offset len(dst)+1 of the result; the
// database needs that offset to fill it in. See [Tuple.PackWithVersionstamp].
func AppendVersionstamp(dst []byte, v Versionstamp) []byte {
	dst = append(append(dst, codeVersionstamp), v.TransactionVersion[:]...)
	return binary.BigEndian.AppendUint16(dst, v.UserVersion)
}
