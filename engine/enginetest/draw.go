package enginetest

import (
	"fmt"
	"math/rand/v2"

	"github.com/fdbevents/fdbevents/engine"
)

// maxSlots is the largest number of transactions that a program has open at one
// time.
const maxSlots = 4

// drawer makes a random program.
type drawer struct {
	*rand.Rand
	watches int
}

// drawProgram returns the program of a seed.
func drawProgram(seed uint64, steps int) program {
	d := &drawer{Rand: rand.New(rand.NewPCG(seed, 1))}
	slots := 1 + d.IntN(maxSlots)
	length := 4 + d.IntN(12) // approximate length of a transaction
	p := make(program, steps)
	for i := range p {
		p[i] = d.step(length)
		p[i].slot = d.IntN(slots)
	}
	return p
}

// keyNames are few and close together, so that transactions meet. Only keys in
// stampedNames get values with stamps: the result of an atomic operation on a
// stamp depends on the engine's versions.
var (
	keyNames     = []string{"", "\x00", "a", "a\x00", "a\xff", "ab", "c", "c\x00\x00", "d", "da", "e0", "e1", "e2", "e3", "e4", "\xfe"}
	stampedNames = []string{"s1", "s2"}
	// prefixNames begin stamped keys.
	prefixNames = []string{"p", "q"}
	boundNames  = []string{"p", "p\xff", "q", "q\xff", "r", "s", "s1", "s2", "s2\x00", "\xff"}
)

func one[T any](d *drawer, from []T) T { return from[d.IntN(len(from))] }

func (d *drawer) key() text {
	switch d.IntN(60) {
	case 0:
		return text{unit: "k", times: engine.MaxKeySize - runPrefixSize + d.IntN(3) - 1} // at the limit
	case 1:
		return text{unit: one(d, []string{"\xff", "\xff\x01", "\xff\xff"}), times: 1, raw: true}
	}
	return word(one(d, keyNames))
}

// anyKey may return a key whose value has a stamp.
func (d *drawer) anyKey() text {
	if d.IntN(6) == 0 {
		return word(one(d, stampedNames))
	}
	return d.key()
}

func (d *drawer) value() text {
	if d.IntN(80) == 0 {
		return text{unit: "v", times: engine.MaxValueSize + d.IntN(3) - 1}
	}
	b := make([]byte, d.IntN(4))
	for i := range b {
		b[i] = byte(d.IntN(3)) * 127
	}
	return word(string(b))
}

func (d *drawer) bounds() []text {
	bound := func() text {
		switch d.IntN(40) {
		case 0:
			return text{unit: "\xff\x00", times: 1, raw: true} // beyond the last possible key
		case 1:
			return text{unit: "k", times: engine.MaxKeySize - runPrefixSize + d.IntN(16)}
		}
		if d.IntN(3) == 0 {
			return word(one(d, boundNames))
		}
		return word(one(d, keyNames))
	}
	switch d.IntN(4) {
	case 0:
		return []text{bound(), bound()} // perhaps inverted
	case 1:
		return []text{word(""), word("\xff")}
	}
	i := d.IntN(len(keyNames))
	return []text{word(keyNames[i]), word(keyNames[min(i+d.IntN(4), len(keyNames)-1)])}
}

// step returns a random call. A transaction has about length calls.
func (d *drawer) step(length int) step {
	if d.IntN(length) == 0 {
		switch d.IntN(12) {
		case 0:
			return step{verb: "cancel"}
		case 1, 2:
			return step{verb: "onerror"}
		default:
			return step{verb: "commit"}
		}
	}
	s := step{snapshot: d.IntN(3) == 0}
	switch n := d.IntN(100); {
	case n < 14:
		return step{verb: "set", args: []text{d.anyKey(), d.value()}}
	case n < 20:
		return step{verb: "clear", args: []text{d.anyKey()}}
	case n < 26:
		return step{verb: "clearrange", args: d.bounds()}
	case n < 42:
		verb := one(d, []string{"add", "max", "min", "bytemin", "bytemax", "compareclear"})
		return step{verb: verb, args: []text{d.key(), d.value()}}
	case n < 43: // operations whose result is the same for every stamp
		return step{verb: one(d, []string{"bytemin", "bytemax", "compareclear"}), args: []text{word(one(d, stampedNames)), word("\xff")}}
	case n < 47:
		return step{verb: "stampkey", args: []text{word(one(d, prefixNames)), word(one(d, []string{"", "x"})), d.value()}}
	case n < 51:
		return step{verb: "stampvalue", args: []text{word(one(d, stampedNames)), word(one(d, []string{"", "w"})), word(one(d, []string{"", "x"}))}}
	case n < 56:
		return step{verb: "readconflict", args: d.bounds()}
	case n < 60:
		return step{verb: "writeconflict", args: d.bounds()}
	case n < 62:
		return step{verb: "version"}
	case n < 63:
		return step{verb: "size"}
	case n < 64:
		return step{verb: "begin"}
	case n < 68:
		d.watches++
		return step{verb: "watch", args: []text{d.anyKey(), word(fmt.Sprint("w", d.watches))}}
	case n < 72:
		return step{verb: "await", args: []text{word(fmt.Sprint("w", 1+d.IntN(d.watches+1)))}}
	case n < 85:
		s.verb, s.args = "get", []text{d.anyKey()}
	default:
		s.verb, s.args = "range", d.bounds()
		s.reverse = d.IntN(2) == 0
		if d.IntN(2) == 0 {
			s.limit = 1 + d.IntN(6)
		}
		if d.IntN(3) == 0 {
			s.bytes = 1 + d.IntN(300)
		}
	}
	return s
}
