package enginetest

import (
	"bytes"
	"slices"
	"sort"
	"strings"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

// model is a database of a few keys in memory, whose transactions say what an
// engine must read and which commits conflict. It is written for plainness: it
// copies the whole database for every transaction.
type model struct {
	keys    []string          // all that are used and one in each gap between, in order
	stored  map[string]string // what is committed
	commits []map[string]bool // the keys that each commit wrote
}

// change is a write, as it applies to the value that a key has; nil is absent.
type change struct {
	key  string
	then func(value []byte) []byte
}

// modelTransaction is a transaction of a model.
type modelTransaction struct {
	m       *model
	since   int               // commits before its read version
	view    map[string]string // what it reads
	changes []change
	written map[string]bool // write conflicts
	own     map[string]bool // keys whose value it knows without reading
	reads   map[string]bool // read conflicts
	perhaps map[string]bool // read conflicts that an engine may have or not
}

// newModel makes a model of these keys. One more key stands for each gap before,
// between and after them: it is never set, but ranges hold it, and conflict in
// it.
func newModel(used []string) *model {
	keys := []string{""}
	for _, key := range used {
		keys = append(keys, key, key+"\x00")
	}
	slices.Sort(keys)
	return &model{keys: slices.Compact(keys), stored: map[string]string{}}
}

// begin starts a transaction whose read version is now.
func (m *model) begin() *modelTransaction {
	view := make(map[string]string, len(m.stored))
	for k, v := range m.stored {
		view[k] = v
	}
	return &modelTransaction{
		m: m, since: len(m.commits), view: view,
		written: map[string]bool{}, own: map[string]bool{}, reads: map[string]bool{}, perhaps: map[string]bool{},
	}
}

// within lists the keys in [begin, end).
func (m *model) within(begin, end string) []string {
	if begin >= end {
		return nil
	}
	return m.keys[sort.SearchStrings(m.keys, begin):sort.SearchStrings(m.keys, end)]
}

// apply makes a change now and at the commit.
func (t *modelTransaction) apply(c change) {
	t.changes = append(t.changes, c)
	t.written[c.key] = true
	c.to(t.view)
}

func (c change) to(values map[string]string) {
	var before []byte
	if v, ok := values[c.key]; ok {
		before = []byte(v)
	}
	if after := c.then(before); after == nil {
		delete(values, c.key)
	} else {
		values[c.key] = string(after)
	}
}

func (t *modelTransaction) set(key, value string) {
	t.apply(change{key, func([]byte) []byte { return []byte(value) }})
	t.own[key] = true
}

func (t *modelTransaction) clear(key string) {
	t.apply(change{key, func([]byte) []byte { return nil }})
	t.own[key] = true
}

func (t *modelTransaction) clearRange(begin, end string) {
	for _, key := range t.m.within(begin, end) {
		t.clear(key)
	}
}

func (t *modelTransaction) atomic(op engine.Op, key, operand string) {
	t.apply(change{key, func(value []byte) []byte { return applyOp(op, value, []byte(operand)) }})
}

// read adds a key to the read conflicts.
func (t *modelTransaction) read(key string) {
	if !t.own[key] {
		t.reads[key] = true
	}
}

// get reads a key; nil is absent.
func (t *modelTransaction) get(key string, snapshot bool) []byte {
	if !snapshot {
		t.read(key)
	}
	if v, ok := t.view[key]; ok {
		return []byte(v)
	}
	return nil
}

// list is the keys that a range read with the limit returns.
func (t *modelTransaction) list(begin, end string, limit int, reverse bool) (keys []string, all bool) {
	for _, key := range t.m.within(begin, end) {
		if _, ok := t.view[key]; ok {
			keys = append(keys, key)
		}
	}
	if reverse {
		slices.Reverse(keys)
	}
	if limit > 0 && len(keys) > limit {
		return keys[:limit], false
	}
	return keys, true
}

// readRange adds what a range read returned to the read conflicts: everything,
// or all up to the last of its keys when a bound cut the rest. What is beyond
// that key may count or not when no key was there, or when the bound was in
// bytes.
func (t *modelTransaction) readRange(begin, end string, returned []string, more bool, o engine.RangeOptions, atBound bool) {
	within := t.m.within(begin, end)
	for _, key := range within {
		beyond := false
		if (more || atBound) && len(returned) > 0 {
			last := returned[len(returned)-1]
			beyond = !o.Reverse && key > last || o.Reverse && key < last
		}
		switch {
		case !beyond:
			t.read(key)
		case (!more || o.Bytes > 0) && !t.own[key]:
			t.perhaps[key] = true
		}
	}
}

// addReadConflict adds a range to the read conflicts.
func (t *modelTransaction) addReadConflict(begin, end string) {
	for _, key := range t.m.within(begin, end) {
		t.read(key)
	}
}

// addWriteConflict adds a range to the write conflicts.
func (t *modelTransaction) addWriteConflict(begin, end string) {
	for _, key := range t.m.within(begin, end) {
		t.written[key] = true
	}
}

// conflicts says whether the commit must and whether it may conflict.
func (t *modelTransaction) conflicts() (must, may bool) {
	if len(t.written) == 0 {
		return false, false
	}
	for _, commit := range t.m.commits[t.since:] {
		for key := range commit {
			must = must || t.reads[key]
			may = may || t.reads[key] || t.perhaps[key]
		}
	}
	return must, may
}

// commit makes the changes to what is stored now.
func (t *modelTransaction) commit() {
	if len(t.written) == 0 {
		return
	}
	for _, c := range t.changes {
		c.to(t.m.stored)
	}
	t.m.commits = append(t.m.commits, t.written)
}

// applyOp is what an atomic operation makes of a value; nil is absent.
func applyOp(op engine.Op, value, operand []byte) []byte {
	result := bytes.Clone(operand)
	if result == nil {
		result = []byte{}
	}
	// fitted is the value with the operand's length.
	fitted := make([]byte, len(operand))
	copy(fitted, value)
	switch op {
	case engine.OpAdd:
		carry := 0
		for i := range result {
			sum := int(result[i]) + int(fitted[i]) + carry
			result[i], carry = byte(sum), sum>>8
		}
	case engine.OpMax:
		if compareNumbers(fitted, operand) > 0 {
			return fitted
		}
	case engine.OpMin:
		if value != nil && compareNumbers(fitted, operand) < 0 {
			return fitted
		}
	case engine.OpByteMin:
		if value != nil && bytes.Compare(value, operand) < 0 {
			return value
		}
	case engine.OpByteMax:
		if value != nil && bytes.Compare(value, operand) > 0 {
			return value
		}
	case engine.OpCompareAndClear:
		if value == nil || bytes.Equal(value, operand) {
			return nil
		}
		return value
	}
	return result
}

// compareNumbers compares little-endian numbers of the same length.
func compareNumbers(a, b []byte) int {
	a, b = bytes.Clone(a), bytes.Clone(b)
	slices.Reverse(a)
	slices.Reverse(b)
	return strings.Compare(string(a), string(b))
}
