package engine

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	long, longer := bytes.Repeat([]byte{'k'}, MaxKeySize), bytes.Repeat([]byte{'k'}, MaxKeySize+1)
	large, larger := make([]byte, MaxValueSize), make([]byte, MaxValueSize+1)
	room := make([]byte, 14)
	for _, c := range []struct {
		name string
		got  error
		want error
		says string
	}{
		{"the longest key", CheckSet(long, nil), nil, ""},
		{"a longer key", CheckSet(longer, nil), ErrKeyTooLarge, "10001"},
		{"the empty key", CheckSet(nil, nil), nil, ""},
		{"reading a longer key", CheckReadKey(longer), nil, ""},
		{"reading a reserved key", CheckReadKey([]byte("\xffx")), ErrKeyOutsideRange, `"\xffx"`},
		{"the last key", CheckKey([]byte("\xfe\xff\xff")), nil, ""},
		{"a reserved key", CheckKey([]byte("\xff")), ErrKeyOutsideRange, `"\xff"`},
		{"the largest value", CheckSet([]byte("a"), large), nil, ""},
		{"a larger value", CheckSet([]byte("a"), larger), ErrValueTooLarge, "100001"},
		{"a larger value's key", CheckSet([]byte("name"), larger), ErrValueTooLarge, "name"},
		{"a larger operand", CheckAtomic(OpAdd, []byte("a"), larger), ErrValueTooLarge, "100001"},
		{"an unknown operation", CheckAtomic(3, []byte("a"), nil), ErrInvalidOperation, "3"},
		{"a stamped key", CheckAtomic(OpVersionstampedKey, room, nil), nil, ""},
		{"a stamped value", CheckAtomic(OpVersionstampedValue, []byte("a"), room), nil, ""},
		{"a stamped key without room", CheckAtomic(OpVersionstampedKey, room[1:], nil), ErrInvalidOperation, "9 bytes"},
		{"a stamped value without offset", CheckAtomic(OpVersionstampedValue, []byte("a"), nil), ErrInvalidOperation, "0 bytes"},
		{"all keys", CheckRange(Range{End: []byte{0xff}}), nil, ""},
		{"more than all keys", CheckRange(Range{End: []byte("\xff\x00")}), ErrKeyOutsideRange, `"\xff\x00"`},
		{"a range of reserved keys", CheckRange(Range{Begin: []byte("\xffa")}), ErrKeyOutsideRange, `"\xffa"`},
		{"a range with long bounds", CheckRange(Range{Begin: longer, End: append(longer, 'k')}), nil, ""},
	} {
		if !errors.Is(c.got, c.want) || (c.want == nil) != (c.got == nil) {
			t.Errorf("%s: %v, want %v", c.name, c.got, c.want)
		} else if c.got != nil && (!strings.Contains(c.got.Error(), c.says) || len(c.got.Error()) > 400) {
			t.Errorf("%s: %v is long or does not say %s", c.name, c.got, c.says)
		}
	}
}

func TestStampPlace(t *testing.T) {
	ten := "0123456789"
	for _, c := range []struct {
		param  string
		offset int // -1 is an error
	}{
		{ten + "\x00\x00\x00\x00", 0},
		{"ab" + ten + "cd\x02\x00\x00\x00", 2},
		{"ab" + ten + "\x02\x00\x00\x00", 2},
		{"ab" + ten + "\x03\x00\x00\x00", -1},
		{ten + "\x00\x00\x00\x80", -1},
		{ten + "\xff\xff\xff\xff", -1},
		{ten + "\xff\xff\xff\x7f", -1},
		{"abc", -1},
		{"", -1},
	} {
		b, offset, err := StampPlace([]byte(c.param))
		switch {
		case c.offset < 0 && !errors.Is(err, ErrInvalidOperation):
			t.Errorf("%q: %v", c.param, err)
		case c.offset >= 0 && (err != nil || offset != c.offset || string(b) != c.param[:len(c.param)-4]):
			t.Errorf("%q: %q, %d, %v", c.param, b, offset, err)
		}
	}
}

func TestRange(t *testing.T) {
	key := []byte("key")
	r := KeyRange(key)
	if r.Empty() || !r.Contains(key) || r.Contains([]byte("key\x00")) || r.Contains([]byte("ke")) {
		t.Errorf("the range of a single key is %q to %q", r.Begin, r.End)
	}
	if _ = append(r.Begin, 'x'); !r.Contains(key) {
		t.Error("begin and end share memory that an append overwrites")
	}
	for _, r := range []Range{{}, {Begin: key, End: key}, {Begin: key, End: []byte("a")}, {Begin: key}} {
		if !r.Empty() || r.Contains(key) {
			t.Errorf("%q to %q is not empty", r.Begin, r.End)
		}
	}
	if r := (Range{End: []byte{0}}); r.Empty() || !r.Contains(nil) {
		t.Error("the range does not contain the empty key")
	}
}
