package pebbleengine

import (
	"bytes"

	"github.com/fdbevents/fdbevents/engine"
	"github.com/tidwall/btree"
)

// overlay is what a transaction's own writes make of the database below them. It
// divides the key space at its nodes: a node says what is known about its key,
// and about the keys between it and the next node. Nothing is known before the
// first node. The zero value is an overlay without writes.
type overlay struct {
	nodes *btree.BTreeG[*node]
}

// knowledge is what the transaction's own writes say about a key.
type knowledge uint8

const (
	// unmodified: the key is as in the database.
	unmodified knowledge = iota
	// cleared: the key is absent.
	cleared
	// written: the key has a value.
	written
	// dependent: the value is the database's value after some operations.
	dependent
	// unreadable: the value, or the key itself, waits for a versionstamp.
	unreadable
)

type node struct {
	key   []byte
	at    knowledge  // of key
	after knowledge  // of the keys up to the next node; unmodified, cleared or unreadable
	value []byte     // when at is written; not nil
	ops   []mutation // when at is dependent; append-only, shared with readers
}

func (o *overlay) empty() bool { return o.nodes == nil }

// floor returns the node with the greatest key at or before key, or nil.
func (o *overlay) floor(key []byte) (found *node) {
	o.nodes.Descend(&node{key: key}, func(n *node) bool {
		found = n
		return false
	})
	return found
}

// lookup returns what is known about key.
func (o *overlay) lookup(key []byte) node {
	if o.empty() {
		return node{key: key}
	}
	n := o.floor(key)
	switch {
	case n == nil:
		return node{key: key}
	case bytes.Equal(n.key, key):
		return *n
	default:
		return node{key: key, at: n.after, after: n.after}
	}
}

// split makes sure that there is a node at key.
func (o *overlay) split(key []byte) *node {
	n := o.floor(key)
	if n != nil && bytes.Equal(n.key, key) {
		return n
	}
	fresh := &node{key: key}
	if n != nil {
		fresh.at, fresh.after = n.after, n.after
	}
	o.nodes.Set(fresh)
	return fresh
}

// cover replaces what is known about all keys in r.
func (o *overlay) cover(r engine.Range, k knowledge) {
	if r.Empty() {
		return
	}
	o.split(r.End)
	var inside []*node
	o.nodes.Ascend(&node{key: r.Begin}, func(n *node) bool {
		if bytes.Compare(n.key, r.End) >= 0 {
			return false
		}
		inside = append(inside, n)
		return true
	})
	for _, n := range inside {
		o.nodes.Delete(n)
	}
	o.nodes.Set(&node{key: r.Begin, at: k, after: k})
}

// apply adds a write. version is the read version that the transaction had when
// it made the write, or 0 if it had none: its own stamp cannot be lower.
func (o *overlay) apply(m mutation, version int64) {
	if o.empty() {
		less := func(a, b *node) bool { return bytes.Compare(a.key, b.key) < 0 }
		o.nodes = btree.NewBTreeGOptions(less, btree.Options{NoLocks: true})
	}
	switch m.op {
	case opClearRange:
		o.cover(engine.Range{Begin: m.key, End: m.value}, cleared)
	case opClear:
		n := o.split(m.key)
		n.at, n.value, n.ops = cleared, nil, nil
	case engine.OpVersionstampedKey:
		o.cover(stampedKeys(m.key, version), unreadable)
	case engine.OpVersionstampedValue:
		n := o.split(m.key)
		n.at, n.value, n.ops = unreadable, nil, nil
	default:
		o.split(m.key).change(m)
	}
}

// change applies a set or an atomic operation to the node's key. An unreadable
// key stays so, as in FoundationDB: only a clear makes it readable again.
func (n *node) change(m mutation) {
	switch {
	case n.at == unreadable:
	case m.op == opSet:
		n.at, n.value, n.ops = written, m.value, nil
		if n.value == nil {
			n.value = []byte{}
		}
	case n.at == written || n.at == cleared:
		n.value = evaluate(m.op, n.value, m.value)
		n.at = written
		if n.value == nil {
			n.at = cleared
		}
	default:
		n.at = dependent
		n.ops = append(n.ops, m)
	}
}

// resolve returns the value of a dependent key whose value in the database is
// base.
func (n *node) resolve(base []byte) []byte {
	for _, m := range n.ops {
		base = evaluate(m.op, base, m.value)
	}
	return base
}

// segment is a part of the key space about which the same is known throughout.
type segment struct {
	engine.Range
	node // its key is Begin; its at holds for the whole range
}

// segments divides r. Written and dependent segments are one key long.
func (o *overlay) segments(r engine.Range) []segment {
	first := segment{Range: r, node: o.lookup(r.Begin)}
	if o.empty() {
		return []segment{first}
	}
	var out []segment
	add := func(s segment) {
		if s.Empty() {
			return
		}
		if last := len(out) - 1; last >= 0 && out[last].at == s.at && s.at != written && s.at != dependent {
			out[last].End = s.End
			return
		}
		out = append(out, s)
	}
	// addNode adds the key of n, and the keys after it up to end.
	addNode := func(n node, end []byte) {
		if n.at == n.after {
			add(segment{Range: engine.Range{Begin: n.key, End: end}, node: n})
			return
		}
		own := engine.KeyRange(n.key)
		add(segment{Range: own, node: n})
		add(segment{Range: engine.Range{Begin: own.End, End: end}, node: node{key: own.End, at: n.after, after: n.after}})
	}
	previous := first.node
	o.nodes.Ascend(&node{key: r.Begin}, func(n *node) bool {
		if bytes.Compare(n.key, r.End) >= 0 {
			return false
		}
		if !bytes.Equal(n.key, r.Begin) {
			addNode(previous, n.key)
		}
		previous = *n
		return true
	})
	addNode(previous, r.End)
	return out
}

// stampedKeys returns the range in which the key of a versionstamped set will be:
// from the stamp of version up to the highest stamp.
func stampedKeys(param []byte, version int64) engine.Range {
	key, offset, err := engine.StampPlace(param)
	if err != nil {
		return engine.Range{} // refused where the write was made
	}
	lowest := makeStamp(version, 0)
	begin := bytes.Clone(key)
	copy(begin[offset:], lowest[:])
	end := append(bytes.Clone(key), 0)
	for i := range stampSize {
		end[offset+i] = 0xFF
	}
	if bytes.Compare(end, keyLimit) > 0 {
		end = keyLimit
	}
	return engine.Range{Begin: begin, End: end}
}

// keyLimit is the first key that users cannot use.
var keyLimit = []byte{0xFF}
