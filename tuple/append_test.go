package tuple

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"
)

// appenders has each Append function at least once; want is what it appends.
var appenders = []struct {
	name  string
	apply func(dst []byte) []byte
	want  string
}{
	{"Nil", AppendNil, "00"},
	{"Bytes", func(dst []byte) []byte { return AppendBytes(dst, aBytes) }, "01 00ff 01 00"},
	{"BytesLong", func(dst []byte) []byte { return AppendBytes(dst, longBytes) }, "01" + hex.EncodeToString(longBytes) + "00"},
	{"String", func(dst []byte) []byte { return AppendString(dst, "stream-42") }, "02 73747265616d2d3432 00"},
	{"StringZeros", func(dst []byte) []byte { return AppendString(dst, "\x00a\x00\x00") }, "02 00ff 61 00ff 00ff 00"},
	{"IntSmall", func(dst []byte) []byte { return AppendInt(dst, 42) }, "15 2a"},
	{"IntNegative", func(dst []byte) []byte { return AppendInt(dst, math.MinInt64) }, "0c 7fffffffffffffff"},
	{"Uint", func(dst []byte) []byte { return AppendUint(dst, math.MaxUint64) }, "1c ffffffffffffffff"},
	{"Float32", func(dst []byte) []byte { return AppendFloat32(dst, -42) }, "20 3dd7ffff"},
	{"Float64", func(dst []byte) []byte { return AppendFloat64(dst, 3.14) }, "21 c0091eb851eb851f"},
	{"False", func(dst []byte) []byte { return AppendBool(dst, false) }, "26"},
	{"True", func(dst []byte) []byte { return AppendBool(dst, true) }, "27"},
	{"UUID", func(dst []byte) []byte { return AppendUUID(dst, sampleUUID) }, "30 1100aabbccddeeff1100aabbccddeeff"},
	{
		"Versionstamp",
		func(dst []byte) []byte { return AppendVersionstamp(dst, IncompleteVersionstamp(2)) },
		"33 ffffffffffffffffffff 0002",
	},
}

var (
	aBytes    = []byte{0, 1}
	longBytes = bytes.Repeat([]byte("0123456789abcdef"), 16)
	sink      []byte
)

func TestAppend(t *testing.T) {
	for _, a := range appenders {
		want := unhex(t, a.want)
		// Try a dst of every spare capacity, to make it grow at every point.
		for spare := range len(want) + 2 {
			dst := append(make([]byte, 0, 3+spare), "pre"...)
			got := a.apply(dst)
			if string(got) != "pre"+string(want) {
				t.Errorf("%s with %d bytes to spare: %x, want %x", a.name, spare, got[3:], want)
			}
		}
		got, err := Unpack(want)
		if err != nil || len(got) != 1 {
			t.Errorf("%s: Unpack(%x) = %v, %v", a.name, want, got, err)
		}
	}
}

func TestAppendAllocatesNothing(t *testing.T) {
	dst := make([]byte, 0, 1024)
	for _, a := range appenders {
		if n := testing.AllocsPerRun(100, func() { sink = a.apply(dst) }); n != 0 {
			t.Errorf("%s: %v allocations", a.name, n)
		}
	}
	whole := Tuple{"orders", int64(-7), nil, sampleUUID, true, Tuple{nil, aBytes, 2.5}, bigOf("-18446744073709551617")}
	n := testing.AllocsPerRun(100, func() {
		var err error
		if sink, err = whole.Append(dst); err != nil {
			t.Error(err)
		}
	})
	if n != 0 {
		t.Errorf("Tuple.Append: %v allocations", n)
	}
}

func BenchmarkAppend(b *testing.B) {
	dst := make([]byte, 0, 1024)
	for _, a := range appenders {
		b.Run(a.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(a.apply(dst))))
			for b.Loop() {
				sink = a.apply(dst)
			}
		})
	}
}

// An event key: tenant, stream, revision.
func BenchmarkKey(b *testing.B) {
	dst := make([]byte, 0, 256)
	b.Run("Append", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink = AppendInt(AppendString(AppendUUID(dst, sampleUUID), "stream-42"), 123_456)
		}
	})
	b.Run("Pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sink, _ = Tuple{sampleUUID, "stream-42", 123_456}.Pack()
		}
	})
	key := AppendInt(AppendString(AppendUUID(nil, sampleUUID), "stream-42"), 123_456)
	b.Run("Read", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, rest, _ := ReadUUID(key)
			_, rest, _ = ReadString(rest)
			_, rest, _ = ReadInt(rest)
			sink = rest
		}
	})
	b.Run("Unpack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := Unpack(key); err != nil {
				b.Fatal(err)
			}
		}
	})
}
