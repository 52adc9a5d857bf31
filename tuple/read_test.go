package tuple

import (
	"bytes"
	"errors"
	"math"
	"testing"
)

// readers has each Read function, wrapped to return any.
var readers = []struct {
	name string
	kind string // as errors name it
	read func(b []byte) (any, []byte, error)
}{
	{"ReadNil", "null", func(b []byte) (any, []byte, error) { rest, err := ReadNil(b); return nil, rest, err }},
	{"ReadBytes", "byte string", func(b []byte) (any, []byte, error) { return boxed(ReadBytes(b)) }},
	{"ReadString", "string", func(b []byte) (any, []byte, error) { return boxed(ReadString(b)) }},
	{"ReadInt", "integer", func(b []byte) (any, []byte, error) { return boxed(ReadInt(b)) }},
	{"ReadUint", "integer", func(b []byte) (any, []byte, error) { return boxed(ReadUint(b)) }},
	{"ReadBigInt", "integer", func(b []byte) (any, []byte, error) { return boxed(ReadBigInt(b)) }},
	{"ReadFloat32", "float32", func(b []byte) (any, []byte, error) { return boxed(ReadFloat32(b)) }},
	{"ReadFloat64", "float64", func(b []byte) (any, []byte, error) { return boxed(ReadFloat64(b)) }},
	{"ReadBool", "bool", func(b []byte) (any, []byte, error) { return boxed(ReadBool(b)) }},
	{"ReadUUID", "UUID", func(b []byte) (any, []byte, error) { return boxed(ReadUUID(b)) }},
	{"ReadVersionstamp", "versionstamp", func(b []byte) (any, []byte, error) { return boxed(ReadVersionstamp(b)) }},
}

// TestReaders runs every reader on every single-element vector: it agrees with
// Read, or names both types, or reports that the integer does not fit.
func TestReaders(t *testing.T) {
	for _, v := range vectors {
		if len(v.tuple) != 1 {
			continue
		}
		want := v.tuple[0]
		b := unhex(t, v.hex)
		input := append(bytes.Clone(b), "rest"...)
		found := kind(b[0])

		if got, rest, err := Read(input); err != nil || string(rest) != "rest" || !identical(got, want) {
			t.Errorf("Read(%x) = %#v, %q, %v; want %#v", b, got, rest, err, want)
		}
		if rest, err := Skip(input); err != nil || string(rest) != "rest" {
			t.Errorf("Skip(%x) = %q, %v", b, rest, err)
		}
		for _, r := range readers {
			got, rest, err := r.read(input)
			switch {
			case r.kind != found:
				text := "tuple: offset 0: wrong type: want " + r.kind + ", found " + found
				if rest != nil || !errors.Is(err, ErrType) || err.Error() != text {
					t.Errorf("%s(%x) = %v, %q, %v; want %s", r.name, b, got, rest, err, text)
				}
			case errors.Is(err, ErrRange):
				big, goType := anyBig(want), "int64"
				fits := big.IsInt64()
				if r.name == "ReadUint" {
					fits, goType = big.IsUint64(), "uint64"
				}
				text := "tuple: offset 0: out of range: integer does not fit " + goType
				if fits || rest != nil || err.Error() != text {
					t.Errorf("%s(%x) = %v, %q, %v; want %s", r.name, b, got, rest, err, text)
				}
			case err != nil || string(rest) != "rest" || compareElements(got, want) != 0:
				t.Errorf("%s(%x) = %#v, %q, %v; want %#v", r.name, b, got, rest, err, want)
			}
		}
	}
}

func TestReadersAtTheEnd(t *testing.T) {
	for _, r := range readers {
		text := "tuple: offset 0: truncated: want " + r.kind + ", found the end"
		_, rest, err := r.read(nil)
		if rest != nil || !errors.Is(err, ErrTruncated) || err.Error() != text {
			t.Errorf("%s(nil) = %q, %v; want %s", r.name, rest, err, text)
		}
	}
	text := "tuple: offset 0: truncated: want an element, found the end"
	if _, _, err := Read(nil); !errors.Is(err, ErrTruncated) || err.Error() != text {
		t.Errorf("Read(nil) = %v; want %s", err, text)
	}
	if _, err := Skip(nil); !errors.Is(err, ErrTruncated) || err.Error() != text {
		t.Errorf("Skip(nil) = %v; want %s", err, text)
	}
}

// TestUnusualIntegers has the forms that are never written but that all official
// decoders accept.
func TestUnusualIntegers(t *testing.T) {
	for _, v := range []vector{
		{Tuple{int64(1)}, "16 0001"},
		{Tuple{int64(0)}, "15 00"},
		{Tuple{int64(0)}, "16 0000"},
		{Tuple{int64(0)}, "13 ff"},
		{Tuple{int64(-1)}, "12 fffe"},
		{Tuple{int64(-1)}, "0c fffffffffffffffe"},
		{Tuple{int64(1)}, "1c 0000000000000001"},
		{Tuple{int64(0)}, "1d 00"},
		{Tuple{int64(5)}, "1d 01 05"},
		{Tuple{int64(0)}, "0b ff"},
		{Tuple{int64(-5)}, "0b fe fa"},
		{Tuple{int64(5)}, "1d 0a 00000000000000000005"},
		{Tuple{uint64(math.MaxUint64)}, "1d 09 00ffffffffffffffff"},
		{Tuple{int64(math.MinInt64)}, "0b f6 ff7fffffffffffffff"},
		{Tuple{bigOf("-9223372036854775809")}, "0b f6 ff7ffffffffffffffe"},
		{Tuple{bigOf("18446744073709551616")}, "1d 0a 00010000000000000000"},
	} {
		b := unhex(t, v.hex)
		got, err := Unpack(b)
		if err != nil || !identical(got, v.tuple) {
			t.Errorf("Unpack(%x) = %#v, %v; want %#v", b, got, err, v.tuple)
		}
		if i, _, err := ReadBigInt(b); err != nil || i.Cmp(anyBig(v.tuple[0])) != 0 {
			t.Errorf("ReadBigInt(%x) = %v, %v; want %v", b, i, err, v.tuple[0])
		}
		if i := anyBig(v.tuple[0]); i.IsUint64() {
			if got, _, err := ReadUint(b); err != nil || got != i.Uint64() {
				t.Errorf("ReadUint(%x) = %v, %v; want %v", b, got, err, i)
			}
		}
		if i, ok := v.tuple[0].(int64); ok {
			if got, _, err := ReadInt(b); err != nil || got != i {
				t.Errorf("ReadInt(%x) = %v, %v; want %v", b, got, err, i)
			}
		}
	}
}

// TestReadBytesOwnership: ReadBytes shares memory only with the text itself, and
// only when nothing is escaped.
func TestReadBytesOwnership(t *testing.T) {
	plain := []byte("\x01abc\x00rest")
	v, rest, err := ReadBytes(plain)
	if err != nil || &v[0] != &plain[1] || cap(v) != 3 {
		t.Errorf("%q, capacity %d, %v; want the input itself", v, cap(v), err)
	}
	if _ = append(v, 'X'); string(rest) != "rest" || plain[4] != 0 {
		t.Errorf("appending changed the input: %q", plain)
	}

	escaped := []byte("\x01a\x00\xffc\x00rest")
	v, rest, err = ReadBytes(escaped)
	if err != nil || string(v) != "a\x00c" || string(rest) != "rest" {
		t.Errorf("%q, %q, %v", v, rest, err)
	}
	if clear(v); string(escaped) != "\x01a\x00\xffc\x00rest" {
		t.Errorf("clearing the copy changed the input: %q", escaped)
	}

	if v, _, err = ReadBytes([]byte("\x01\x00")); err != nil || v == nil || len(v) != 0 {
		t.Errorf("%#v, %v; want empty and not nil", v, err)
	}
}

func TestReadAllocatesNothing(t *testing.T) {
	key := pack(t, Tuple{[]byte("abc"), int64(-300), sampleUUID, Versionstamp{}, 1.5, float32(2), true, nil, uint64(1 << 63)})
	nested := pack(t, Tuple{Tuple{"a", nil, Tuple{"b\x00", 1}, nil}, bigOf("18446744073709551616")})
	n := testing.AllocsPerRun(100, func() {
		_, rest, err1 := ReadBytes(key)
		_, rest, err2 := ReadInt(rest)
		_, rest, err3 := ReadUUID(rest)
		_, rest, err4 := ReadVersionstamp(rest)
		_, rest, err5 := ReadFloat64(rest)
		_, rest, err6 := ReadFloat32(rest)
		_, rest, err7 := ReadBool(rest)
		rest, err8 := ReadNil(rest)
		_, rest, err9 := ReadUint(rest)
		if len(rest) != 0 {
			t.Error(err1, err2, err3, err4, err5, err6, err7, err8, err9)
		}
		rest, err := Skip(nested)
		if err == nil {
			rest, err = Skip(rest)
		}
		if err != nil || len(rest) != 0 {
			t.Error(rest, err)
		}
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	text := []byte("\x02a string that is too long to be kept without allocation\x00")
	if n := testing.AllocsPerRun(100, func() { _, sink, _ = ReadString(text) }); n > 1 {
		t.Errorf("ReadString: %v allocations", n)
	}
}
