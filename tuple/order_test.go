package tuple

import (
	"bytes"
	"cmp"
	"math"
	"math/big"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// compareTuples is the order of tuples as the package comment defines it, written
// without reference to the encoding.
func compareTuples(a, b Tuple) int {
	return slices.CompareFunc(a, b, compareElements)
}

func compareElements(a, b any) int {
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case nil:
		return 0
	case []byte:
		return bytes.Compare(a, b.([]byte))
	case string:
		return strings.Compare(a, b.(string))
	case Tuple:
		return compareTuples(a, b.(Tuple))
	case float32:
		b := b.(float32)
		// Widening keeps the order but not every NaN's payload, which matters here.
		if isNaN(a) && isNaN(b) {
			return compareNaNs(uint64(math.Float32bits(a))<<32, uint64(math.Float32bits(b))<<32)
		}
		return compareFloats(float64(a), float64(b))
	case float64:
		return compareFloats(a, b.(float64))
	case bool:
		return cmp.Compare(btoi(a), btoi(b.(bool)))
	case UUID:
		b := b.(UUID)
		return bytes.Compare(a[:], b[:])
	case Versionstamp:
		b := b.(Versionstamp)
		return cmp.Or(
			bytes.Compare(a.TransactionVersion[:], b.TransactionVersion[:]),
			cmp.Compare(a.UserVersion, b.UserVersion))
	}
	return anyBig(a).Cmp(anyBig(b))
}

func rank(v any) int {
	switch v.(type) {
	case nil:
		return 0
	case []byte:
		return 1
	case string:
		return 2
	case Tuple:
		return 3
	case float32:
		return 5
	case float64:
		return 6
	case bool:
		return 7
	case UUID:
		return 8
	case Versionstamp:
		return 9
	}
	return 4 // integers
}

func anyBig(v any) *big.Int {
	switch v := reflect.ValueOf(v); {
	case v.CanInt():
		return big.NewInt(v.Int())
	case v.CanUint():
		return new(big.Int).SetUint64(v.Uint())
	}
	return v.(*big.Int)
}

func compareFloats(a, b float64) int {
	switch {
	case isNaN(a) && isNaN(b):
		return compareNaNs(math.Float64bits(a), math.Float64bits(b))
	case isNaN(a):
		return -sign(math.Signbit(a))
	case isNaN(b):
		return sign(math.Signbit(b))
	case a == b: // perhaps zeros of different signs
		return cmp.Compare(btoi(math.Signbit(b)), btoi(math.Signbit(a)))
	}
	return cmp.Compare(a, b)
}

func isNaN[F float32 | float64](f F) bool { return math.IsNaN(float64(f)) }

func compareNaNs(a, b uint64) int {
	const mask = 1<<63 - 1
	switch negA, negB := a>>63 == 1, b>>63 == 1; {
	case negA && negB:
		return cmp.Compare(b&mask, a&mask)
	case negA:
		return -1
	case negB:
		return 1
	}
	return cmp.Compare(a, b)
}

// sign returns 1 if positive, otherwise -1.
func sign(positive bool) int { return 2*btoi(positive) - 1 }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// identical reports whether a and b have the same elements of the same types.
// Unlike reflect.DeepEqual it compares floats by their bits, so that NaNs and
// zeros are told apart.
func identical(a, b any) bool {
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	if ta, ok := a.(Tuple); ok {
		return slices.EqualFunc(ta, b.(Tuple), identical)
	}
	return compareElements(a, b) == 0
}

// checkOrder packs both tuples and compares the two orders.
func checkOrder(t testing.TB, a, b Tuple) {
	t.Helper()
	packedA, packedB := pack(t, a), pack(t, b)
	if got, want := bytes.Compare(packedA, packedB), compareTuples(a, b); got != want {
		t.Fatalf("packed order is %d, want %d:\n%#v\n%#v\n%x\n%x", got, want, a, b, packedA, packedB)
	}
}

func pack(t testing.TB, v Tuple) []byte {
	t.Helper()
	packed, err := v.Append(nil)
	if err != nil {
		t.Fatalf("%#v: %v", v, err)
	}
	return packed
}

// TestOrder compares all pairs of a list ordered by hand, so it checks
// compareTuples too.
func TestOrder(t *testing.T) {
	nan32 := func(bits uint32) float32 { return math.Float32frombits(bits) }
	nan64 := math.Float64frombits
	negZero := math.Copysign(0, -1)
	ordered := []Tuple{
		{},
		{nil},
		{nil, nil},
		{nil, []byte{}},
		{[]byte{}},
		{[]byte{}, nil},
		{[]byte{}, "z"},
		{[]byte{0}},
		{[]byte{0}, nil},
		{[]byte{0, 0}},
		{[]byte{0, 1}},
		{[]byte{0, 0xFF}},
		{[]byte{1}},
		{[]byte{0xFF}},
		{[]byte{0xFF, 0}},
		{""},
		{"", nil},
		{"\x00"},
		{"\x00\xff"},
		{"a"},
		{"a", int64(1)},
		{"a\x00"},
		{"ab"},
		{"\u03bc"},
		{"\ufb49"},
		{"\U0001f525"},
		{Tuple{}},
		{Tuple{}, nil},
		{Tuple{nil}},
		{Tuple{nil}, nil},
		{Tuple{nil, nil}},
		{Tuple{nil, []byte{}}},
		{Tuple{[]byte{}}},
		{Tuple{Tuple{}}},
		{Tuple{Tuple{nil}}},
		{Tuple{int64(0)}},
		{Tuple{int64(0), nil}},
		{new(big.Int).Neg(new(big.Int).Lsh(big.NewInt(1), 2039))},
		{bigOf("-18446744073709551617")},
		{bigOf("-18446744073709551616")},
		{bigOf("-18446744073709551615")},
		{bigOf("-9223372036854775809")},
		{int64(math.MinInt64)},
		{int64(math.MinInt64 + 1)},
		{int64(-256)},
		{int64(-255)},
		{int64(-1)},
		{int64(0)},
		{int64(0), nil},
		{int64(1)},
		{int64(255)},
		{int64(256)},
		{int64(math.MaxInt64)},
		{uint64(math.MaxInt64 + 1)},
		{uint64(math.MaxUint64)},
		{bigOf("18446744073709551616")},
		{new(big.Int).Lsh(big.NewInt(1), 2039)},
		{nan32(0xFFFFFFFF)},
		{nan32(0xFFC00001)},
		{nan32(0xFFC00000)},
		{float32(math.Inf(-1))},
		{float32(-1)},
		{float32(-math.SmallestNonzeroFloat32)},
		{float32(negZero)},
		{float32(0)},
		{float32(math.SmallestNonzeroFloat32)},
		{float32(1)},
		{float32(math.Inf(1))},
		{nan32(0x7FC00000)},
		{nan32(0x7FC00001)},
		{nan64(0xFFF8000000000001)},
		{nan64(0xFFF8000000000000)},
		{math.Inf(-1)},
		{-1.0},
		{negZero},
		{0.0},
		{1.0},
		{math.Inf(1)},
		{nan64(0x7FF8000000000000)},
		{nan64(0x7FF8000000000001)},
		{false},
		{false, true},
		{true},
		{UUID{}},
		{UUID{15: 1}},
		{UUID{0: 0x80}},
		{Versionstamp{}},
		{Versionstamp{UserVersion: 1}},
		{Versionstamp{UserVersion: 0x0100}},
		{Versionstamp{TransactionVersion: [10]byte{9: 1}}},
		{Versionstamp{TransactionVersion: [10]byte{0: 0x80}}},
	}
	for i, a := range ordered {
		for j, b := range ordered {
			if got, want := compareTuples(a, b), cmp.Compare(i, j); got != want {
				t.Errorf("order of %#v and %#v is %d, want %d", a, b, got, want)
			}
			checkOrder(t, a, b)
		}
	}
}

// TestOrderRandom compares random tuples. Half of them are a small change of the
// other: tuples with nothing in common are ordered by their first element.
func TestOrderRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	n := 50_000
	if testing.Short() {
		n = 5_000
	}
	var differ int
	for range n {
		seedA := randomBytes(rnd, 48)
		seedB := randomBytes(rnd, 48)
		if rnd.IntN(2) == 0 {
			seedB = slices.Clone(seedA)
			seedB[rnd.IntN(len(seedB))] = byte(rnd.Uint32())
		}
		a, b := generate(seedA), generate(seedB)
		differ += btoi(compareTuples(a, b) != 0)
		checkOrder(t, a, b)
	}
	if differ < n/2 {
		t.Errorf("only %d of %d pairs differ", differ, n)
	}
}

func randomBytes(rnd *rand.Rand, n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func FuzzOrder(f *testing.F) {
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		seed := randomBytes(rnd, 32)
		near := slices.Clone(seed)
		near[rnd.IntN(len(near))]++
		f.Add(seed, near)
	}
	f.Fuzz(func(t *testing.T, seedA, seedB []byte) {
		a, b := generate(seedA), generate(seedB)
		checkOrder(t, a, b)
		for _, v := range []Tuple{a, b} {
			unpacked, err := Unpack(pack(t, v))
			if err != nil || compareTuples(unpacked, v) != 0 {
				t.Fatalf("%#v came back as %#v, %v", v, unpacked, err)
			}
		}
	})
}
