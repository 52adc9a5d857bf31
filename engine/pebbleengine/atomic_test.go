package pebbleengine

import (
	"bytes"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

func TestEvaluate(t *testing.T) {
	b := func(b ...byte) []byte { return append([]byte{}, b...) }
	for _, c := range []struct {
		name         string
		op           engine.Op
		old, operand []byte
		want         []byte
	}{
		{"add", engine.OpAdd, b(1, 2), b(3, 4), b(4, 6)},
		{"add carries", engine.OpAdd, b(0xff, 0), b(1, 0), b(0, 1)},
		{"add wraps", engine.OpAdd, b(0xff), b(1), b(0)},
		{"add to absent", engine.OpAdd, nil, b(5, 0), b(5, 0)},
		{"add to longer", engine.OpAdd, b(1, 1, 1), b(1), b(2)},
		{"add to shorter", engine.OpAdd, b(0xff), b(1, 0), b(0, 1)},
		{"add nothing", engine.OpAdd, b(1), b(), b()},
		{"max", engine.OpMax, b(1, 2), b(9, 1), b(1, 2)},
		{"max of operand", engine.OpMax, b(1, 2), b(0, 3), b(0, 3)},
		{"max of absent", engine.OpMax, nil, b(0, 0), b(0, 0)},
		{"max cuts", engine.OpMax, b(7, 9), b(6), b(7)},
		{"max extends", engine.OpMax, b(7), b(6, 0), b(7, 0)},
		{"max of nothing", engine.OpMax, b(7), b(), b()},
		{"min", engine.OpMin, b(1, 2), b(9, 1), b(9, 1)},
		{"min of old", engine.OpMin, b(1, 2), b(0, 3), b(1, 2)},
		{"min of absent", engine.OpMin, nil, b(4), b(4)},
		{"min of empty", engine.OpMin, b(), b(4), b(0)},
		{"min extends", engine.OpMin, b(7), b(0, 1), b(7, 0)},
		{"byte min", engine.OpByteMin, b(1, 2), b(1), b(1)},
		{"byte min of old", engine.OpByteMin, b(1), b(1, 0), b(1)},
		{"byte min of absent", engine.OpByteMin, nil, b(9), b(9)},
		{"byte min of empty", engine.OpByteMin, b(), b(9), b()},
		{"byte max", engine.OpByteMax, b(1, 2), b(1), b(1, 2)},
		{"byte max of absent", engine.OpByteMax, nil, b(), b()},
		{"compare and clear", engine.OpCompareAndClear, b(1), b(1), nil},
		{"compare and clear of other", engine.OpCompareAndClear, b(1), b(1, 0), b(1)},
		{"compare and clear of absent", engine.OpCompareAndClear, nil, b(1), nil},
		{"compare and clear of absent with nothing", engine.OpCompareAndClear, nil, b(), nil},
		{"compare and clear of empty", engine.OpCompareAndClear, b(), nil, nil},
	} {
		got := evaluate(c.op, c.old, c.operand)
		if !bytes.Equal(got, c.want) || (got == nil) != (c.want == nil) {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}
}
