package tuple

import (
	"bytes"
	"errors"
	"testing"
)

func TestPackWithVersionstamp(t *testing.T) {
	complete := Versionstamp{TransactionVersion: [10]byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, UserVersion: 3}
	tests := []struct {
		name   string
		prefix string
		tuple  Tuple
		hex    string
	}{
		{"alone", "", Tuple{IncompleteVersionstamp(1)}, "33 ffffffffffffffffffff 0001 01000000"},
		{
			"after a packed prefix", "\x02prefix\x00", Tuple{IncompleteVersionstamp(1)},
			"02 707265666978 00 33 ffffffffffffffffffff 0001 09000000",
		},
		{
			"between others", "pp", Tuple{complete, IncompleteVersionstamp(0x0102), "z"},
			"7070 33 0102030405060708090a 0003 33 ffffffffffffffffffff 0102 02 7a 00 10000000",
		},
		{
			"nested", "", Tuple{"a", Tuple{nil, Tuple{IncompleteVersionstamp(5)}}},
			"02 61 00 05 00ff 05 33 ffffffffffffffffffff 0005 00 00 08000000",
		},
	}
	for _, tt := range tests {
		prefix := append(make([]byte, 0, 100), tt.prefix...)
		got, err := tt.tuple.PackWithVersionstamp(prefix)
		if want := unhex(t, tt.hex); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", tt.name, got, err, want)
		}
		if !bytes.Equal(prefix[:100][len(prefix):], make([]byte, 100-len(prefix))) {
			t.Errorf("%s: the prefix was extended in place", tt.name)
		}
	}
}

// The official Java tests have this case: a key whose end can be read as an
// offset of two bytes or of four.
func TestVersionstampOffsetOverTwoBytes(t *testing.T) {
	long := bytes.Repeat([]byte{0x7F}, 0x0100FE)
	got, err := Tuple{long, IncompleteVersionstamp(0)}.PackWithVersionstamp(nil)
	if err != nil {
		t.Fatal(err)
	}
	// 1 code + 0x0100FE + 1 terminator + 1 code
	if want := []byte{0x01, 0x01, 0x01, 0x00}; !bytes.Equal(got[len(got)-4:], want) {
		t.Errorf("offset is %x, want %x", got[len(got)-4:], want)
	}
	if got[0x010101-1] != codeVersionstamp || got[0x010101] != 0xFF {
		t.Errorf("offset points to %x", got[0x010101-1:])
	}
}

func TestPackWithVersionstampErrors(t *testing.T) {
	one, two := IncompleteVersionstamp(1), IncompleteVersionstamp(2)
	tests := []struct {
		tuple Tuple
		is    error
		text  string
	}{
		{Tuple{}, ErrNotOneIncomplete, "tuple: need exactly one incomplete versionstamp, found 0"},
		{Tuple{"a", Versionstamp{}}, ErrNotOneIncomplete, "tuple: need exactly one incomplete versionstamp, found 0"},
		{Tuple{one, two}, ErrNotOneIncomplete, "tuple: need exactly one incomplete versionstamp, found 2"},
		{Tuple{Tuple{one}, Tuple{two}}, ErrNotOneIncomplete, "tuple: need exactly one incomplete versionstamp, found 2"},
		{Tuple{one, int64(3), Tuple{two}, one}, ErrNotOneIncomplete, "tuple: need exactly one incomplete versionstamp, found 3"},
		{Tuple{one, struct{}{}}, ErrUnsupported, "tuple: element 1: unsupported value: type struct {}"},
	}
	for _, tt := range tests {
		got, err := tt.tuple.PackWithVersionstamp([]byte("p"))
		if got != nil || !errors.Is(err, tt.is) || err.Error() != tt.text {
			t.Errorf("%v: %x, %v; want %s", tt.tuple, got, err, tt.text)
		}
	}
}

// TestUnpackIncomplete: an incomplete versionstamp can be read, and stays
// incomplete.
func TestUnpackIncomplete(t *testing.T) {
	b := AppendVersionstamp(nil, IncompleteVersionstamp(7))
	got, err := Unpack(b)
	if err != nil || !identical(got, Tuple{IncompleteVersionstamp(7)}) {
		t.Errorf("%v, %v", got, err)
	}
}

func TestStrings(t *testing.T) {
	v := Versionstamp{TransactionVersion: [10]byte{0, 0, 0, 0xAA, 9: 0xDD}, UserVersion: 620}
	for _, tt := range []struct{ got, want string }{
		{v.String(), "000000aa0000000000dd:620"},
		{IncompleteVersionstamp(5).String(), "incomplete:5"},
		{sampleUUID.String(), "1100aabb-ccdd-eeff-1100-aabbccddeeff"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %s, want %s", tt.got, tt.want)
		}
	}
	if IncompleteVersionstamp(0).Complete() || !v.Complete() || !(Versionstamp{}).Complete() {
		t.Error("Complete is wrong")
	}
}
