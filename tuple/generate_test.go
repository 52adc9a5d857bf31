package tuple

import (
	"math"
	"math/big"
)

// generate makes a tuple from seed, the same one for the same seed. A small
// change of the seed tends to make a small change of the tuple, and values that
// the encoding treats specially are frequent.
func generate(seed []byte) Tuple {
	return (&source{seed}).tuple(0)
}

// source hands out the bytes of a seed, then zeros.
type source struct{ seed []byte }

func (s *source) byte() byte {
	if len(s.seed) == 0 {
		return 0
	}
	b := s.seed[0]
	s.seed = s.seed[1:]
	return b
}

func (s *source) tuple(depth int) Tuple {
	t := Tuple{}
	for range s.byte() % 5 {
		t = append(t, s.element(depth))
	}
	return t
}

func (s *source) element(depth int) any {
	switch s.byte() % 16 {
	case 0:
		return nil
	case 1, 2:
		return s.bytes(int(s.byte() % 6))
	case 3:
		return string(s.bytes(int(s.byte() % 6)))
	case 4:
		return []string{"", "a", "a\x00", "ab", "\u00e9", "\U0001f525"}[s.byte()%6]
	case 5, 6:
		if depth < 4 {
			return s.tuple(depth + 1)
		}
		return Tuple{}
	case 7:
		return int64(s.bits())
	case 8:
		return s.bits()
	case 9:
		return s.smallInt()
	case 10:
		i := new(big.Int).SetBytes(s.bytes(int(s.byte() % 20)))
		if s.byte()%2 == 0 {
			i.Neg(i)
		}
		if s.byte()%16 == 0 {
			i.Lsh(i, uint(maxIntBytes*8-i.BitLen()))
		}
		return i
	case 11:
		return []float32{
			float32(math.Copysign(0, -1)), 0, 1, -1, float32(math.Inf(1)), float32(math.Inf(-1)),
			math.Float32frombits(uint32(s.bits())), math.Float32frombits(uint32(s.bits()) | 0x7F800000),
		}[s.byte()%8]
	case 12:
		return []float64{
			math.Copysign(0, -1), 0, 1, -1, math.Inf(1), math.Inf(-1),
			math.Float64frombits(s.bits()), math.Float64frombits(s.bits() | 0x7FF<<52),
		}[s.byte()%8]
	case 13:
		return s.byte()%2 == 0
	case 14:
		return UUID(s.bytes(16))
	}
	v := Versionstamp{TransactionVersion: [10]byte(s.bytes(10)), UserVersion: uint16(s.bits())}
	v.TransactionVersion[0] &= 0x7F // complete
	return v
}

// bytes favours the bytes that need escaping, or look like it.
func (s *source) bytes(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = s.byte()
		if b[i] < 0xA0 {
			b[i] = []byte{0x00, 0x00, 0xFF, 0xFF, 0x01, 0xFE, 0x7F, 0x80}[b[i]%8]
		}
	}
	return b
}

// bits returns a number of up to eight significant bytes.
func (s *source) bits() (u uint64) {
	for _, b := range s.bytes(int(s.byte() % 9)) {
		u = u<<8 | uint64(b)
	}
	return u
}

// smallInt returns a value of any of the smaller built-in integer types.
func (s *source) smallInt() any {
	u := s.bits()
	switch s.byte() % 8 {
	case 0:
		return int(u)
	case 1:
		return int8(u)
	case 2:
		return int16(u)
	case 3:
		return int32(u)
	case 4:
		return uint(u)
	case 5:
		return uint8(u)
	case 6:
		return uint16(u)
	}
	return uint32(u)
}
