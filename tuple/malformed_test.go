package tuple

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

// Most of these are the malformed sequences of the official Java tests. Their
// strings that are not UTF-8 are missing: they are well-formed here.
var malformed = []struct {
	hex    string
	is     error
	offset int
	text   string
}{
	{"01 deadc0de", ErrTruncated, 0, "truncated: byte string has no terminator"},
	{"01 dead 00ff c0de", ErrTruncated, 0, "truncated: byte string has no terminator"},
	{"01 dead 00ff", ErrTruncated, 0, "truncated: byte string has no terminator"},
	{"01", ErrTruncated, 0, "truncated: byte string has no terminator"},
	{"02 68656c6c6f", ErrTruncated, 0, "truncated: string has no terminator"},
	{"02 68656c 00ff 6c6f", ErrTruncated, 0, "truncated: string has no terminator"},
	{"02", ErrTruncated, 0, "truncated: string has no terminator"},
	{"05", ErrTruncated, 0, "truncated: nested tuple has no terminator"},
	{"05 00ff", ErrTruncated, 0, "truncated: nested tuple has no terminator"},
	{"05 02 68656c6c6f 00", ErrTruncated, 0, "truncated: nested tuple has no terminator"},
	{"05 02 68656c6c6f 00 00ff 02 7468657265 00", ErrTruncated, 0, "truncated: nested tuple has no terminator"},
	{"15", ErrTruncated, 0, "truncated: integer has 0 of 1 bytes"},
	{"16 01", ErrTruncated, 0, "truncated: integer has 1 of 2 bytes"},
	{"12 01", ErrTruncated, 0, "truncated: integer has 1 of 2 bytes"},
	{"0c", ErrTruncated, 0, "truncated: integer has 0 of 8 bytes"},
	{"1d", ErrTruncated, 0, "truncated: integer has no length"},
	{"0b", ErrTruncated, 0, "truncated: integer has no length"},
	{"1d 09 0102030405060708", ErrTruncated, 0, "truncated: integer has 8 of 9 bytes"},
	{"0b f6 0102030405060708", ErrTruncated, 0, "truncated: integer has 8 of 9 bytes"},
	{"1d ff", ErrTruncated, 0, "truncated: integer has 0 of 255 bytes"},
	{"0b 00", ErrTruncated, 0, "truncated: integer has 0 of 255 bytes"},
	{"20 010203", ErrTruncated, 0, "truncated: float32 has 3 of 4 bytes"},
	{"21 01020304050607", ErrTruncated, 0, "truncated: float64 has 7 of 8 bytes"},
	{"30 0102030405060708090a0b0c0d0e", ErrTruncated, 0, "truncated: UUID has 14 of 16 bytes"},
	{"33 0102030405060708090a0b", ErrTruncated, 0, "truncated: versionstamp has 11 of 12 bytes"},
	{"ff", ErrTypeCode, 0, "unknown type code: 0xff"},
	{"03", ErrTypeCode, 0, "unknown type code: 0x03"},
	{"00 ff", ErrTypeCode, 1, "unknown type code: 0xff"},

	// Offsets are of the innermost element.
	{"02 61 00 15 01 16 01", ErrTruncated, 5, "truncated: integer has 1 of 2 bytes"},
	{"14 05 14 05 00ff 1e 00 00", ErrTypeCode, 6, "unknown type code: 0x1e"},
	{"14 05 14 05 00ff 15 01", ErrTruncated, 3, "truncated: nested tuple has no terminator"},
	{"14 05 14 05 00ff 15 01 00", ErrTruncated, 1, "truncated: nested tuple has no terminator"},
	{"05 05 00ff 20 00 00", ErrTruncated, 4, "truncated: float32 has 2 of 4 bytes"},
	{"14" + strings.Repeat("05", MaxDepth+1), ErrTooDeep, MaxDepth + 1, "nested deeper than 1000 tuples"},
	{strings.Repeat("05", 50_000), ErrTooDeep, MaxDepth, "nested deeper than 1000 tuples"},
}

func TestMalformed(t *testing.T) {
	for _, tt := range malformed {
		b := unhex(t, tt.hex)
		got, err := Unpack(b)
		var e *DecodeError
		if got != nil || !errors.As(err, &e) {
			t.Errorf("Unpack(%x) = %v, %v", b, got, err)
			continue
		}
		if !errors.Is(err, tt.is) || e.Offset != tt.offset || e.Err.Error() != tt.text {
			t.Errorf("Unpack(%x): offset %d, %v; want offset %d, %s", b, e.Offset, e.Err, tt.offset, tt.text)
		}
		if skipped := skipAll(b); skipped == nil || skipped.Error() != err.Error() {
			t.Errorf("%x: Skip says %v, Unpack %v", b, skipped, err)
		}
	}
}

func TestDecodeErrorText(t *testing.T) {
	_, err := Unpack([]byte("\x02a\x00\x16\x01"))
	if want := "tuple: offset 3: truncated: integer has 1 of 2 bytes"; err == nil || err.Error() != want {
		t.Errorf("%v; want %s", err, want)
	}
}

// skipAll does what Unpack does, without the result.
func skipAll(b []byte) error {
	for rest := b; len(rest) > 0; {
		next, err := Skip(rest)
		if err != nil {
			return shifted(err, len(b)-len(rest))
		}
		rest = next
	}
	return nil
}

// No proper prefix of an element is an element, unless the cut is before an
// escape: the zero left there cannot be told from a terminator.
func TestTruncatedRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(9, 10))
	for range 2_000 {
		v := Tuple{(&source{randomBytes(rnd, 48)}).element(0)}
		packed := pack(t, v)
		for n := range packed {
			if n > 0 && packed[n-1] == 0 && packed[n] == escape {
				continue
			}
			if _, _, err := Read(packed[:n]); !errors.Is(err, ErrTruncated) {
				t.Fatalf("%#v: Read(%x) = %v", v, packed[:n], err)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	for _, v := range vectors {
		f.Add(unhex(f, v.hex))
	}
	for _, m := range malformed {
		f.Add(unhex(f, m.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		input := bytes.Clone(b)
		unpacked, err := Unpack(input)
		if !bytes.Equal(input, b) {
			t.Fatalf("the input %x was changed to %x", b, input)
		}
		if skipped := skipAll(b); (skipped == nil) != (err == nil) || err != nil && skipped.Error() != err.Error() {
			t.Fatalf("Skip says %v, Unpack %v", skipped, err)
		}
		for _, r := range readers {
			v, rest, err := r.read(b)
			if err != nil || len(unpacked) == 0 {
				continue
			}
			if compareElements(v, unpacked[0]) != 0 || !bytes.HasSuffix(b, rest) {
				t.Fatalf("%s = %#v, %x; want %#v", r.name, v, rest, unpacked[0])
			}
		}
		if err != nil {
			var e *DecodeError
			if !errors.As(err, &e) || e.Offset < 0 || e.Offset >= len(b) || unpacked != nil {
				t.Fatalf("Unpack = %v, %v", unpacked, err)
			}
			return
		}
		// Incomplete versionstamps can be read, but only packer packs them.
		p := packer{}
		if err := p.tuple(unpacked); err != nil {
			t.Fatalf("%#v does not pack: %v", unpacked, err)
		}
		if _, err := unpacked.Pack(); (err == nil) != (p.incomplete == 0) {
			t.Fatalf("%#v: Pack fails with %v", unpacked, err)
		}
		if len(p.buf) > len(b) {
			t.Fatalf("%x packs again to %x, which is longer", b, p.buf)
		}
		again, err := Unpack(p.buf)
		if err != nil || !identical(again, unpacked) {
			t.Fatalf("%#v came back as %#v, %v", unpacked, again, err)
		}
	})
}
