package pebbleengine

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/fdbevents/fdbevents/engine"
)

// smallKeys returns all keys of one or two letters from a to d, in order.
func smallKeys() (keys [][]byte) {
	for a := byte('a'); a < 'e'; a++ {
		keys = append(keys, []byte{a})
		for b := byte('a'); b < 'e'; b++ {
			keys = append(keys, []byte{a, b})
		}
	}
	return keys
}

func randomRange(rnd *rand.Rand, keys [][]byte) engine.Range {
	a, b := rnd.IntN(len(keys)), rnd.IntN(len(keys)+1)
	r := engine.Range{Begin: keys[min(a, b)], End: []byte("e")}
	if b := max(a, b); b < len(keys) {
		r.End = keys[b]
	}
	return r
}

// TestOverlayAgainstModel applies random writes to an overlay, and to a map of
// what is known about each key.
func TestOverlayAgainstModel(t *testing.T) {
	keys := smallKeys()
	for seed := range uint64(300) {
		rnd := rand.New(rand.NewPCG(seed, 1))
		var o overlay
		model := make(map[string]*node)
		for _, key := range keys {
			model[string(key)] = &node{key: key}
		}
		for range 30 {
			key := keys[rnd.IntN(len(keys))]
			n := model[string(key)]
			switch rnd.IntN(8) {
			case 0, 1:
				value := []byte{byte(rnd.IntN(256))}
				o.apply(mutation{op: opSet, key: key, value: value}, 0)
				if n.at != unreadable {
					*n = node{key: key, at: written, value: value}
				}
			case 2:
				o.apply(mutation{op: opClear, key: key}, 0)
				*n = node{key: key, at: cleared}
			case 3:
				r := randomRange(rnd, keys)
				o.apply(mutation{op: opClearRange, key: r.Begin, value: r.End}, 0)
				for _, key := range keys {
					if r.Contains(key) {
						*model[string(key)] = node{key: key, at: cleared}
					}
				}
			case 4:
				param := append(bytes.Clone(key), make([]byte, stampSize+offsetSize)...)
				param[len(key)+stampSize] = byte(len(key))
				o.apply(mutation{op: engine.OpVersionstampedKey, key: param}, 0)
				r := stampedKeys(param, 0)
				for _, key := range keys {
					if r.Contains(key) {
						*model[string(key)] = node{key: key, at: unreadable}
					}
				}
			case 5:
				o.apply(mutation{op: engine.OpVersionstampedValue, key: key}, 0)
				*n = node{key: key, at: unreadable}
			default:
				m := mutation{op: engine.OpAdd, key: key, value: []byte{byte(rnd.IntN(256))}}
				if rnd.IntN(3) == 0 {
					m = mutation{op: engine.OpCompareAndClear, key: key, value: n.value}
				}
				o.apply(m, 0)
				switch n.at {
				case unreadable:
				case written, cleared:
					n.at, n.value = written, evaluate(m.op, n.value, m.value)
					if n.value == nil {
						n.at = cleared
					}
				default:
					n.at, n.ops = dependent, append(n.ops, m)
				}
			}
		}
		check := func(got node, want *node) {
			if got.at != want.at || !bytes.Equal(got.value, want.value) || !bytes.Equal(got.resolve([]byte{7}), want.resolve([]byte{7})) {
				t.Fatalf("seed %d: key %q is %+v, want %+v", seed, want.key, got, want)
			}
		}
		for _, key := range keys {
			check(o.lookup(key), model[string(key)])
		}
		for range 20 {
			r := randomRange(rnd, keys)
			if r.Empty() {
				continue
			}
			segments := o.segments(r)
			if !bytes.Equal(segments[0].Begin, r.Begin) || !bytes.Equal(segments[len(segments)-1].End, r.End) {
				t.Fatalf("seed %d: segments of %q do not cover it: %+v", seed, r, segments)
			}
			for i, s := range segments {
				if s.Empty() || i > 0 && !bytes.Equal(s.Begin, segments[i-1].End) {
					t.Fatalf("seed %d: segments of %q have gaps: %+v", seed, r, segments)
				}
				for _, key := range keys {
					if s.Contains(key) {
						check(s.node, model[string(key)])
					}
				}
			}
		}
	}
}

func TestStampedKeys(t *testing.T) {
	param := []byte("p..........s\x01\x00\x00\x00")
	r := stampedKeys(param, 0x0102)
	want := engine.Range{
		Begin: []byte("p\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00s"),
		End:   []byte("p\xff\xff\xff\xff\xff\xff\xff\xff\xff\xffs\x00"),
	}
	if !bytes.Equal(r.Begin, want.Begin) || !bytes.Equal(r.End, want.End) {
		t.Errorf("range is %q, want %q", r, want)
	}
	if r := stampedKeys([]byte("..........\x00\x00\x00\x00"), 0); !bytes.Equal(r.End, keyLimit) {
		t.Errorf("range ends at %q, beyond the user's keys", r.End)
	}
}
