package tuple

import (
	"bytes"
	"encoding/hex"
	"math"
	"math/big"
	"strings"
	"testing"
)

// vector is a tuple and its encoding in hexadecimal; the spaces are for
// readability.
type vector struct {
	tuple Tuple
	hex   string
}

var sampleUUID = UUID{
	0x11, 0x00, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
	0x11, 0x00, 0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF,
}

// The vectors are published with FoundationDB 7.3.79: design/tuple.md,
// bindings/java TupleSerializationTest, and bindings/go tuples.golden. Each
// integer has the type in which it is read back.
var vectors = []vector{
	// design/tuple.md
	{Tuple{nil}, "00"},
	{Tuple{[]byte("foo\x00bar")}, "01 666f6f 00ff 626172 00"},
	{Tuple{"F\u00d4O\x00bar"}, "02 46 c394 4f 00ff 626172 00"},
	{Tuple{Tuple{[]byte("foo\x00bar"), nil, Tuple{}}}, "05 01 666f6f 00ff 626172 00 00ff 05 00 00"},
	{Tuple{Tuple{}}, "05 00"},
	{Tuple{int64(-5551212)}, "11 ab4b93"},
	{Tuple{float32(-42)}, "20 3dd7ffff"},

	// TupleSerializationTest: integers
	{Tuple{}, ""},
	{Tuple{int64(0)}, "14"},
	{Tuple{int64(1)}, "15 01"},
	{Tuple{int64(-1)}, "13 fe"},
	{Tuple{int64(255)}, "15 ff"},
	{Tuple{int64(-255)}, "13 00"},
	{Tuple{int64(256)}, "16 0100"},
	{Tuple{int64(-256)}, "12 feff"},
	{Tuple{int64(65536)}, "17 010000"},
	{Tuple{int64(-65536)}, "11 feffff"},
	{Tuple{int64(math.MaxInt64)}, "1c 7fffffffffffffff"},
	{Tuple{uint64(1 << 63)}, "1c 8000000000000000"},
	{Tuple{uint64(math.MaxUint64)}, "1c ffffffffffffffff"},
	{Tuple{bigOf("18446744073709551616")}, "1d 09 010000000000000000"},
	{Tuple{int64(-(1<<32 - 1))}, "10 00000000"},
	{Tuple{int64(math.MinInt64 + 2)}, "0c 8000000000000001"},
	{Tuple{int64(math.MinInt64 + 1)}, "0c 8000000000000000"},
	{Tuple{int64(math.MinInt64)}, "0c 7fffffffffffffff"},
	{Tuple{bigOf("-9223372036854775809")}, "0c 7ffffffffffffffe"},
	{Tuple{bigOf("-18446744073709551615")}, "0c 0000000000000000"},
	{Tuple{int64(0x3019)}, "16 3019"},
	{Tuple{int64(3)}, "15 03"},

	// TupleSerializationTest: floats
	{Tuple{float32(3.14)}, "20 c048f5c3"},
	{Tuple{float32(-3.14)}, "20 3fb70a3c"},
	{Tuple{3.14}, "21 c0091eb851eb851f"},
	{Tuple{-3.14}, "21 3ff6e147ae147ae0"},
	{Tuple{float32(0)}, "20 80000000"},
	{Tuple{float32(math.Copysign(0, -1))}, "20 7fffffff"},
	{Tuple{0.0}, "21 8000000000000000"},
	{Tuple{math.Copysign(0, -1)}, "21 7fffffffffffffff"},
	{Tuple{float32(math.Inf(1))}, "20 ff800000"},
	{Tuple{float32(math.Inf(-1))}, "20 007fffff"},
	{Tuple{math.Inf(1)}, "21 fff0000000000000"},
	{Tuple{math.Inf(-1)}, "21 000fffffffffffff"},
	{Tuple{math.Float32frombits(math.MaxInt32)}, "20 ffffffff"},
	{Tuple{math.Float64frombits(math.MaxInt64)}, "21 ffffffffffffffff"},
	{Tuple{math.Float32frombits(math.MaxUint32)}, "20 00000000"},
	{Tuple{math.Float64frombits(math.MaxUint64)}, "21 0000000000000000"},

	// TupleSerializationTest: strings
	{Tuple{[]byte{}}, "01 00"},
	{Tuple{[]byte{1, 2, 3}}, "01 010203 00"},
	{Tuple{[]byte{0, 0, 0, 4}}, "01 00ff 00ff 00ff 04 00"},
	{Tuple{""}, "02 00"},
	{Tuple{"hello"}, "02 68656c6c6f 00"},
	{Tuple{"\u4e2d\u6587"}, "02 e4b8ad e69687 00"},
	{Tuple{"\u03bc\u03ac\u03b8\u03b7\u03bc\u03b1"}, "02 cebc ceac ceb8 ceb7 cebc ceb1 00"},
	{Tuple{"\U0001f525"}, "02 f09f94a5 00"},
	{Tuple{"\U0001f96f"}, "02 f09fa5af 00"},
	{Tuple{"\U0001f9a5"}, "02 f09fa6a5 00"},
	{Tuple{"\U0010ffff"}, "02 f48fbfbf 00"},

	// TupleSerializationTest: nested tuples
	{Tuple{Tuple{nil}}, "05 00ff 00"},
	{Tuple{Tuple{nil, "hello"}}, "05 00ff 02 68656c6c6f 00 00"},
	{Tuple{Tuple{nil, "hell\x00"}}, "05 00ff 02 68656c6c 00ff 00 00"},
	{Tuple{Tuple{nil}, "hello"}, "05 00ff 00 02 68656c6c6f 00"},
	{
		Tuple{Tuple{nil}, "hello", []byte{1, 0}, []byte{}},
		"05 00ff 00 02 68656c6c6f 00 01 01 00ff 00 01 00",
	},

	// TupleSerializationTest: the others
	{
		Tuple{UUID{0xFF, 0xFF, 0xFF, 0xFF, 0xBA, 0x5E, 0xBA, 0x11, 0, 0, 0, 0, 0x5C, 0xA1, 0xAB, 0x1E}},
		"30 ffffffffba5eba11000000005ca1ab1e",
	},
	{Tuple{false}, "26"},
	{Tuple{true}, "27"},
	{
		Tuple{Versionstamp{[10]byte{0xAA, 0xBB, 0xCC, 0xDD, 0xEE, 0xFF, 0, 1, 2, 3}, 0}},
		"33 aabbccddeeff00010203 0000",
	},
	{
		Tuple{Versionstamp{[10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, 657}},
		"33 0102030405060708090a 0291",
	},

	// tuples.golden, shortened where elements repeat
	{
		Tuple{sampleUUID, "foobarbaz", int64(1234), nil},
		"30 1100aabbccddeeff1100aabbccddeeff 02 666f6f62617262617a 00 16 04d2 00",
	},
	{
		Tuple{sampleUUID, "github", "com", "apple", "foundationdb", "tree"},
		"30 1100aabbccddeeff1100aabbccddeeff 02 676974687562 00 02 636f6d 00" +
			"02 6170706c65 00 02 666f756e646174696f6e6462 00 02 74726565 00",
	},
	{Tuple{"nam\x00es\xffpace", "nam\x00es\xffpace"}, "02 6e616d00ff6573ff70616365 00 02 6e616d00ff6573ff70616365 00"},
	{Tuple{[]byte{0xFF, 0, 0xFF}, []byte{0xFF, 0, 0xFF}}, "01 ff00ffff 00 01 ff00ffff 00"},
	{
		Tuple{sampleUUID, bytes.Repeat([]byte{0xFF, 0, 0xFF}, 20)},
		"30 1100aabbccddeeff1100aabbccddeeff 01" + strings.Repeat("ff00ffff", 20) + "00",
	},
	{Tuple{"\x00", "\x00\xff", "\x00\x00\x00", "\xff\x00", ""}, "02 00ff 00 02 00ffff 00 02 00ff00ff00ff 00 02 ff00ff 00 02 00"},
	{
		Tuple{int64(0x4d65822107fcfd52), int64(0x78629a0f5f3f164f), int64(0x55104dc76695721d)},
		"1c 4d65822107fcfd52 1c 78629a0f5f3f164f 1c 55104dc76695721d",
	},
	{
		Tuple{math.Float32frombits(0x3EDCF198), math.Float32frombits(0xBFC3115F), math.Float32frombits(0xBEA2112B)},
		"20 bedcf198 20 403ceea0 20 415deed4",
	},
	{
		Tuple{0.34613889615489574, -1.0695454023530204, -0.8332519091897401},
		"21 bfd62723c1b6f6dd 21 400ee3245c34e7e5 21 4015560017966a87",
	},
	{
		Tuple{sampleUUID, true, sampleUUID, false},
		"30 1100aabbccddeeff1100aabbccddeeff 27 30 1100aabbccddeeff1100aabbccddeeff 26",
	},
	{
		Tuple{sampleUUID, Tuple{int64(0x7767830356aa6b86)}, nil, Tuple{[]byte("namespace")}, nil, Tuple{}, nil},
		"30 1100aabbccddeeff1100aabbccddeeff 05 1c 7767830356aa6b86 00 00" +
			"05 01 6e616d657370616365 00 00 00 05 00 00",
	},
}

func bigOf(decimal string) *big.Int {
	i, ok := new(big.Int).SetString(decimal, 10)
	if !ok {
		panic("not a decimal integer: " + decimal)
	}
	return i
}

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVectors(t *testing.T) {
	for _, v := range vectors {
		want := unhex(t, v.hex)
		packed, err := v.tuple.Pack()
		if err != nil || !bytes.Equal(packed, want) {
			t.Errorf("%#v.Pack() = %x, %v; want %x", v.tuple, packed, err, want)
		}
		unpacked, err := Unpack(want)
		if err != nil || !identical(unpacked, v.tuple) {
			t.Errorf("Unpack(%x) = %#v, %v; want %#v", want, unpacked, err, v.tuple)
		}
	}
}
