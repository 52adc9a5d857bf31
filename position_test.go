package fdbevents

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestPositionText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) (p Position) {
			return PositionFromBytes([12]byte(rapid.SliceOfN(rapid.Byte(), 12, 12).Draw(t, name)))
		}
		p, q := draw("p"), draw("q")
		if got, err := ParsePosition(p.String()); err != nil || got != p {
			t.Fatalf("got %s, %v from the text of a position, want that position", got, err)
		}
		if got := PositionFromBytes(p.Bytes()); got != p {
			t.Fatalf("got %s from the bytes of %s, want that position", got, p)
		}
		if p.Compare(q) != strings.Compare(p.String(), q.String()) {
			t.Fatalf("%s and %s do not sort as their texts do", p, q)
		}
		if p.Before(q) != (p.Compare(q) < 0) {
			t.Fatalf("%s before %s: got %v, want what Compare says", p, q, p.Before(q))
		}
		if p != End && (!p.Before(p.Next()) || p.Next().Prev() != p) {
			t.Fatalf("next of %s: got %s, want the position right after it", p, p.Next())
		}
	})
	for text, message := range map[string]string{
		"":                         `position "" has 0 characters, want 24 hex digits`,
		"12":                       `position "12" has 2 characters, want 24 hex digits`,
		"00000000000000000000000g": `position "00000000000000000000000g": want 24 hex digits: encoding/hex: invalid byte: U+0067 'g'`,
	} {
		if _, err := ParsePosition(text); err == nil || err.Error() != message {
			t.Errorf("%q: got %v, want %q", text, err, message)
		}
	}
}

// FuzzPosition checks that a parsed position formats as the text that it came from,
// and that positions sort as their texts do.
func FuzzPosition(f *testing.F) {
	f.Add("000102030405060708090a0b", "ffffffffffffffffffffffff")
	f.Add("", "00")
	f.Fuzz(func(t *testing.T, a, b string) {
		p, err := ParsePosition(a)
		if err != nil {
			return
		}
		if p.String() != strings.ToLower(a) {
			t.Errorf("%q: got %s, want the same digits", a, p)
		}
		q, err := ParsePosition(b)
		if err != nil {
			return
		}
		order := strings.Compare(p.String(), q.String())
		if p.Compare(q) != order || p.Before(q) != (order < 0) {
			t.Errorf("%s and %s do not sort as their texts do", p, q)
		}
		if order < 0 && (q.Before(p.Next()) || q.Prev().Before(p)) {
			t.Errorf("%s is before %s: got next %s and previous %s, want the next at most the second and the previous at least the first", p, q, p.Next(), q.Prev())
		}
	})
}
