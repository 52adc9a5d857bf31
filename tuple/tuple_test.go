package tuple

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// TestPackForms has the values that are read back in another form than they were
// packed in.
func TestPackForms(t *testing.T) {
	tests := []struct {
		packed any
		hex    string
		read   any
	}{
		{int(-1), "13 fe", int64(-1)},
		{int8(math.MinInt8), "13 7f", int64(math.MinInt8)},
		{int16(math.MinInt16), "12 7fff", int64(math.MinInt16)},
		{int32(math.MinInt32), "10 7fffffff", int64(math.MinInt32)},
		{uint(7), "15 07", int64(7)},
		{uint8(math.MaxUint8), "15 ff", int64(math.MaxUint8)},
		{uint16(math.MaxUint16), "16 ffff", int64(math.MaxUint16)},
		{uint32(math.MaxUint32), "18 ffffffff", int64(math.MaxUint32)},
		{uint64(math.MaxInt64), "1c 7fffffffffffffff", int64(math.MaxInt64)},
		{big.NewInt(0), "14", int64(0)},
		{big.NewInt(1), "15 01", int64(1)},
		{big.NewInt(-1), "13 fe", int64(-1)},
		{big.NewInt(255), "15 ff", int64(255)},
		{big.NewInt(-255), "13 00", int64(-255)},
		{big.NewInt(256), "16 0100", int64(256)},
		{big.NewInt(-256), "12 feff", int64(-256)},
		{big.NewInt(-(1<<32 - 1)), "10 00000000", int64(-(1<<32 - 1))},
		{big.NewInt(math.MaxInt64), "1c 7fffffffffffffff", int64(math.MaxInt64)},
		{bigOf("9223372036854775808"), "1c 8000000000000000", uint64(1 << 63)},
		{bigOf("18446744073709551615"), "1c ffffffffffffffff", uint64(math.MaxUint64)},
		{big.NewInt(math.MinInt64 + 1), "0c 8000000000000000", int64(math.MinInt64 + 1)},
		{big.NewInt(math.MinInt64), "0c 7fffffffffffffff", int64(math.MinInt64)},
		{bigOf("-18446744073709551616"), "0b f6 feffffffffffffffff", bigOf("-18446744073709551616")},
		{[]byte(nil), "01 00", []byte{}},
		{Tuple(nil), "05 00", Tuple{}},
	}
	for _, tt := range tests {
		packed := pack(t, Tuple{tt.packed})
		if !bytes.Equal(packed, unhex(t, tt.hex)) {
			t.Errorf("%T %v packs to %x, want %s", tt.packed, tt.packed, packed, tt.hex)
		}
		got, err := Unpack(packed)
		if err != nil || !identical(got, Tuple{tt.read}) {
			t.Errorf("%T %v came back as %#v, %v; want %#v", tt.packed, tt.packed, got, err, tt.read)
		}
	}
}

// TestLongestIntegers has integers of the greatest length, with every kind of
// leading digit that a decoder might drop.
func TestLongestIntegers(t *testing.T) {
	limit := new(big.Int).Lsh(big.NewInt(1), 8*maxIntBytes)
	largest := new(big.Int).Sub(limit, big.NewInt(1))
	for _, i := range []*big.Int{largest, new(big.Int).Rsh(limit, 1), new(big.Int).Rsh(limit, 8)} {
		for _, i := range []*big.Int{i, new(big.Int).Neg(i)} {
			packed := pack(t, Tuple{i})
			if len(packed) != 2+maxIntBytes {
				t.Errorf("%d bytes, want %d", len(packed), 2+maxIntBytes)
			}
			got, err := Unpack(packed)
			if err != nil || !identical(got, Tuple{i}) {
				t.Errorf("%x came back as %#v, %v", i, got, err)
			}
		}
	}
}

func TestRoundTripRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	n := 20_000
	if testing.Short() {
		n = 2_000
	}
	for range n {
		want := generate(randomBytes(rnd, 64))
		packed := pack(t, want)
		got, err := Unpack(packed)
		if err != nil || compareTuples(got, want) != 0 {
			t.Fatalf("%#v came back as %#v, %v", want, got, err)
		}
		if again := pack(t, got); !bytes.Equal(again, packed) {
			t.Fatalf("%#v packs to %x and then to %x", want, packed, again)
		}
	}
}

func TestPackErrors(t *testing.T) {
	tooLarge := new(big.Int).Lsh(big.NewInt(1), 8*maxIntBytes)
	circle := Tuple{"round", nil}
	circle[1] = circle
	type named int
	tests := []struct {
		tuple Tuple
		is    error
		text  string
	}{
		{Tuple{1, make(chan int)}, ErrUnsupported, "tuple: element 1: unsupported value: type chan int"},
		{Tuple{named(1)}, ErrUnsupported, "tuple: element 0: unsupported value: type tuple.named"},
		{Tuple{"x", Tuple{[]any{}}}, ErrUnsupported, "tuple: element 1: unsupported value: type []interface {}"},
		{Tuple{(*big.Int)(nil)}, ErrUnsupported, "tuple: element 0: unsupported value: nil *big.Int"},
		{Tuple{tooLarge}, ErrTooLarge, "tuple: element 0: integer is longer than 255 bytes: 256 bytes"},
		{Tuple{new(big.Int).Neg(tooLarge)}, ErrTooLarge, "tuple: element 0: integer is longer than 255 bytes: 256 bytes"},
		{Tuple{IncompleteVersionstamp(1)}, ErrIncomplete, "tuple: versionstamp is incomplete"},
		{Tuple{Tuple{Tuple{IncompleteVersionstamp(1)}}}, ErrIncomplete, "tuple: versionstamp is incomplete"},
		{nest(MaxDepth + 1), ErrTooDeep, "tuple: element 0: nested deeper than 1000 tuples"},
		{circle, ErrTooDeep, "tuple: element 1: nested deeper than 1000 tuples"},
	}
	for _, tt := range tests {
		packed, err := tt.tuple.Pack()
		if packed != nil || !errors.Is(err, tt.is) || err.Error() != tt.text {
			t.Errorf("Pack() = %x, %v; want %s", packed, err, tt.text)
		}
		dst := append(make([]byte, 0, 4000), "kept"...)
		if got, err := tt.tuple.Append(dst); string(got) != "kept" || !errors.Is(err, tt.is) {
			t.Errorf("Append() = %q, %v; want %s", got, err, tt.text)
		}
		if _, _, err := tt.tuple.Range(nil); !errors.Is(err, tt.is) {
			t.Errorf("Range() = %v; want %s", err, tt.text)
		}
	}
}

// nest returns a Tuple that holds the empty tuple inside depth-1 others.
func nest(depth int) Tuple {
	t := Tuple{}
	for range depth {
		t = Tuple{t}
	}
	return t
}

func TestMaxDepth(t *testing.T) {
	packed := pack(t, nest(MaxDepth))
	got, err := Unpack(packed)
	if err != nil || !identical(got, nest(MaxDepth)) {
		t.Errorf("Unpack = %v", err)
	}
	if rest, err := Skip(packed); err != nil || len(rest) != 0 {
		t.Errorf("Skip = %x, %v", rest, err)
	}
}

func TestAppendToPrefix(t *testing.T) {
	prefix := []byte("p")
	got, err := Tuple{nil, "x"}.Append(prefix)
	if err != nil || string(got) != "p\x00\x02x\x00" {
		t.Errorf("%q, %v", got, err)
	}
}

// TestUnpackCopies: the result of Unpack does not change with the buffer that it
// came from.
func TestUnpackCopies(t *testing.T) {
	want := Tuple{[]byte("abc"), []byte("a\x00c"), "abc", bigOf("-18446744073709551617"), Tuple{[]byte("x")}}
	packed := pack(t, want)
	got, err := Unpack(packed)
	if err != nil {
		t.Fatal(err)
	}
	for i := range packed {
		packed[i] = 0xEE
	}
	if !identical(got, want) {
		t.Errorf("changed to %#v", got)
	}
}

func TestPackLeavesElements(t *testing.T) {
	b := append(make([]byte, 0, 64), 0, 1, 0)
	i := bigOf("-18446744073709551617")
	pack(t, Tuple{b, i})
	if !bytes.Equal(b, []byte{0, 1, 0}) || i.Cmp(bigOf("-18446744073709551617")) != 0 {
		t.Errorf("changed to %x, %v", b, i)
	}
}

func ExampleTuple_Pack() {
	for _, t := range []Tuple{
		{"user", 41, true},
		{"user", 42},
		{"users"},
	} {
		key, err := t.Pack()
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%x\n", key)
	}
	// Output:
	// 027573657200152927
	// 027573657200152a
	// 02757365727300
}

func ExampleUnpack() {
	t, err := Unpack([]byte("\x02user\x00\x15\x2a\x05\x27\x00\xff\x00"))
	fmt.Println(t, err)

	_, err = Unpack([]byte("\x02user\x00\x16\x2a"))
	fmt.Println(err)
	// Output:
	// [user 42 [true <nil>]] <nil>
	// tuple: offset 6: truncated: integer has 1 of 2 bytes
}

// A caller whose keys all have the same shape reads one element at a time.
func ExampleReadInt() {
	key := AppendInt(AppendString(nil, "user"), 42)

	name, rest, err := ReadString(key)
	if err != nil {
		fmt.Println(err)
		return
	}
	id, rest, err := ReadInt(rest)
	fmt.Println(name, id, len(rest), err)
	// Output:
	// user 42 0 <nil>
}
