package tuple

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestRange(t *testing.T) {
	begin, end, err := Tuple{"a", nil}.Range([]byte("p"))
	if err != nil || string(begin) != "p\x02a\x00\x00\x00" || string(end) != "p\x02a\x00\x00\xff" {
		t.Errorf("%q, %q, %v", begin, end, err)
	}
	begin, end, err = Tuple{}.Range(nil)
	if err != nil || string(begin) != "\x00" || string(end) != "\xff" {
		t.Errorf("%q, %q, %v", begin, end, err)
	}
}

// TestRangeOwnership: the bounds and the prefix share no memory, whatever their
// capacities.
func TestRangeOwnership(t *testing.T) {
	for n := range 64 {
		prefix := append(make([]byte, 0, n+16), bytes.Repeat([]byte{'p'}, n)...)
		begin, end, err := Tuple{"a"}.Range(prefix)
		if err != nil {
			t.Fatal(err)
		}
		if begin[len(begin)-1] != 0x00 || end[len(end)-1] != 0xFF {
			t.Fatalf("prefix of %d bytes: %x, %x", n, begin, end)
		}
		clear(begin)
		if n > 0 && (prefix[0] != 'p' || end[0] != 'p') {
			t.Fatalf("prefix of %d bytes is shared", n)
		}
	}
}

func TestRangeRandom(t *testing.T) {
	rnd := rand.New(rand.NewPCG(7, 8))
	for range 10_000 {
		parent, child, other := generate(randomBytes(rnd, 24)), generate(randomBytes(rnd, 24)), generate(randomBytes(rnd, 24))
		prefix := randomBytes(rnd, rnd.IntN(3))
		begin, end, err := parent.Range(prefix)
		if err != nil {
			t.Fatal(err)
		}
		in := func(v Tuple) bool {
			key := append(slices.Clone(prefix), pack(t, v)...)
			return bytes.Compare(begin, key) <= 0 && bytes.Compare(key, end) < 0
		}
		if in(parent) {
			t.Fatalf("%#v is in its own range", parent)
		}
		if extended := slices.Concat(parent, child); in(extended) != (len(child) > 0) {
			t.Fatalf("%#v in the range of %#v: %v", extended, parent, in(extended))
		}
		extends := len(other) > len(parent) && compareTuples(parent, other[:len(parent)]) == 0
		if in(other) != extends {
			t.Fatalf("%#v in the range of %#v: %v", other, parent, in(other))
		}
	}
}

func TestPrefixEnd(t *testing.T) {
	for _, tt := range []struct{ prefix, end string }{
		{"\x00", "\x01"},
		{"ab", "ac"},
		{"a\xff", "b"},
		{"a\xfe\xff\xff", "a\xff"},
		{"\xfe\xff", "\xff"},
	} {
		prefix := []byte(tt.prefix)
		end, err := PrefixEnd(prefix)
		if err != nil || string(end) != tt.end || string(prefix) != tt.prefix {
			t.Errorf("PrefixEnd(%q) = %q, %v; want %q", tt.prefix, end, err, tt.end)
		}
	}
	for _, tt := range []struct{ prefix, text string }{
		{"", "tuple: no key follows this prefix: []"},
		{"\xff\xff", "tuple: no key follows this prefix: [ffff]"},
	} {
		end, err := PrefixEnd([]byte(tt.prefix))
		if end != nil || !errors.Is(err, ErrNoPrefixEnd) || err.Error() != tt.text {
			t.Errorf("PrefixEnd(%q) = %q, %v; want %s", tt.prefix, end, err, tt.text)
		}
	}
}
