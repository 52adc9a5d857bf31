package enginetest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/fdbevents/fdbevents/engine"
)

// model is an in-memory engine for one goroutine. It defines what every engine
// must read and which commits conflict. It is written to be plain: it copies the
// whole database for every transaction, and keeps everything ever written.
type model struct {
	stored  map[string]string
	commits []modelCommit
}

// modelCommit is what a commit wrote, and its version.
type modelCommit struct {
	version int64
	written spans
}

// modelTransaction is a transaction of a model.
type modelTransaction struct {
	m       *model
	ended   error // why it cannot be used any more: ErrCancelled or ErrUsedDuringCommit
	final   bool  // it has committed
	invalid error // the error of the first invalid write
	unread  error // the error of a read of something unreadable

	// base is the data at the read version; nil before there is one.
	base    map[string]string
	version int64

	changes    []change
	written    spans // write conflicts
	known      spans // keys whose value the transaction knows without reading
	unreadable spans // keys that wait for the stamp, or whose value does
	reads      spans // read conflicts
	size       int64

	watches []*modelWatch
	stamp   *modelStamp
}

// change applies a write to the stored data. stamp is the commit's stamp; where
// the transaction reads its own writes, it means nothing.
type change func(values map[string]string, stamp engine.Stamp)

// firstVersion is far above anything that small numbers in values look like.
const firstVersion = 7 << 48

func newModel() *model {
	return &model{stored: map[string]string{}, commits: []modelCommit{{version: firstVersion}}}
}

func (m *model) last() int64 { return m.commits[len(m.commits)-1].version }

func (m *model) Begin(context.Context) engine.Transaction { return &modelTransaction{m: m} }
func (m *model) Prefix() []byte                           { return nil }
func (m *model) String() string                           { return "model" }
func (m *model) Close() error                             { return nil }

// answer is a future whose result is known.
type answer[T any] struct {
	value T
	err   error
}

func (a answer[T]) Get() (T, error) { return a.value, a.err }

// open chooses the read version.
func (t *modelTransaction) open() {
	if t.base == nil {
		// The version is above the last commit, so that stamps of that commit are
		// in the past.
		t.base, t.version = maps.Clone(t.m.stored), t.m.last()+1
	}
}

// view returns the data that the transaction reads.
func (t *modelTransaction) view() map[string]string {
	view := maps.Clone(t.base)
	if view == nil {
		view = map[string]string{}
	}
	for _, c := range t.changes {
		c(view, engine.Stamp{})
	}
	return view
}

func (t *modelTransaction) ReadVersion() engine.Future[int64] {
	if t.ended != nil {
		return answer[int64]{err: t.ended}
	}
	t.open()
	return answer[int64]{value: t.version}
}

func (t *modelTransaction) Get(key []byte) engine.Future[[]byte] { return t.get(key, false) }

func (t *modelTransaction) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return t.getRange(r, o, false)
}

func (t *modelTransaction) Snapshot() engine.Reader { return modelSnapshot{t} }

type modelSnapshot struct{ t *modelTransaction }

func (s modelSnapshot) Get(key []byte) engine.Future[[]byte] { return s.t.get(key, true) }

func (s modelSnapshot) GetRange(r engine.Range, o engine.RangeOptions) engine.Future[engine.Page] {
	return s.t.getRange(r, o, true)
}

func (t *modelTransaction) get(key []byte, snapshot bool) engine.Future[[]byte] {
	value, err := t.look(key, snapshot)
	return answer[[]byte]{value, err}
}

func (t *modelTransaction) look(key []byte, snapshot bool) ([]byte, error) {
	switch {
	case t.ended != nil:
		return nil, t.ended
	case engine.CheckReadKey(key) != nil:
		return nil, engine.ErrKeyOutsideRange
	case len(key) > longestRead:
		return nil, nil
	}
	own := pointSpan(key)
	if t.unreadable.meets(own) {
		t.unread = engine.ErrUnreadable
		return nil, t.unread
	}
	if !t.known.meets(own) {
		t.open()
		if !snapshot {
			t.reads = append(t.reads, own)
		}
	}
	if v, ok := t.view()[string(key)]; ok {
		return []byte(v), nil
	}
	return nil, nil
}

func (t *modelTransaction) getRange(r engine.Range, o engine.RangeOptions, snapshot bool) engine.Future[engine.Page] {
	asked := cut(r)
	switch {
	case t.ended != nil:
		return answer[engine.Page]{err: t.ended}
	case engine.CheckRange(r) != nil:
		return answer[engine.Page]{err: engine.ErrKeyOutsideRange}
	case asked.empty():
		return answer[engine.Page]{}
	case o.Bytes > 0 && t.unreadable.meets(asked):
		// An engine may read further ahead than the page that it returns.
		return answer[engine.Page]{err: errOpen}
	}
	page, covered, err := t.list(asked, o)
	if t.base == nil && o.Bytes > 0 && len(spans{covered}.minus(t.known)) == 0 && len(spans{asked}.minus(t.known)) > 0 {
		return answer[engine.Page]{err: errOpen} // for the same reason, the read may or may not choose a read version
	}
	if t.base == nil && len(spans{covered}.minus(t.known)) > 0 {
		t.open()
		page, covered, err = t.list(asked, o)
	}
	if err != nil {
		t.unread = err
		return answer[engine.Page]{err: err}
	}
	if !snapshot {
		t.reads = append(t.reads, spans{covered}.minus(t.known)...)
	}
	return answer[engine.Page]{value: page}
}

// list returns the contents of a range, and the part of it that had to be read.
func (t *modelTransaction) list(asked span, o engine.RangeOptions) (page engine.Page, covered span, err error) {
	covered = asked
	for _, u := range t.unreadable {
		if !u.empty() && u.begin < asked.end && asked.begin < u.end {
			err = engine.ErrUnreadable
			if o.Reverse {
				covered.begin = max(covered.begin, u.end)
			} else {
				covered.end = min(covered.end, u.begin)
			}
		}
	}
	view := t.view()
	keys := slices.Sorted(maps.Keys(view))
	if o.Reverse {
		slices.Reverse(keys)
	}
	size := 0
	for _, key := range keys {
		if !covered.holds(key) {
			continue
		}
		page.KeyValues = append(page.KeyValues, engine.KeyValue{Key: []byte(key), Value: []byte(view[key])})
		size += len(key) + len(view[key])
		if o.Limit > 0 && len(page.KeyValues) == o.Limit || o.Bytes > 0 && size >= o.Bytes {
			page.More = true
			if o.Reverse {
				covered.begin = key
			} else {
				covered.end = key + "\x00"
			}
			return page, covered, nil
		}
	}
	return page, covered, err
}

// refuse records the first error of a write, and reports whether the write is to
// be ignored.
func (t *modelTransaction) refuse(err error) bool {
	if t.ended == nil && err != nil && t.invalid == nil {
		t.invalid = err
	}
	return t.ended != nil || err != nil
}

// write adds a change of the keys in s. Afterwards the transaction knows their
// values if knows is true; otherwise it knows no more than before.
func (t *modelTransaction) write(s span, knows bool, c change) {
	t.changes = append(t.changes, c)
	t.written = append(t.written, s)
	t.size += int64(len(s.begin))
	if knows {
		t.known = append(t.known, s)
	}
}

func (t *modelTransaction) Set(key, value []byte) {
	if t.refuse(engine.CheckSet(key, value)) {
		return
	}
	t.size += int64(len(value))
	t.write(pointSpan(key), true, func(values map[string]string, _ engine.Stamp) { values[string(key)] = string(value) })
}

func (t *modelTransaction) Clear(key []byte) {
	if t.refuse(engine.CheckReadKey(key)) || len(key) > engine.MaxKeySize {
		return // no key can be this long
	}
	t.unreadable = t.unreadable.minus(spans{pointSpan(key)})
	t.write(pointSpan(key), true, func(values map[string]string, _ engine.Stamp) { delete(values, string(key)) })
}

func (t *modelTransaction) ClearRange(r engine.Range) {
	if t.refuse(engine.CheckRange(r)) || cut(r).empty() {
		return
	}
	s := cut(r)
	t.unreadable = t.unreadable.minus(spans{s})
	t.write(s, true, func(values map[string]string, _ engine.Stamp) {
		maps.DeleteFunc(values, func(key, _ string) bool { return s.holds(key) })
	})
}

func (t *modelTransaction) Atomic(op engine.Op, key, operand []byte) {
	if t.refuse(engine.CheckAtomic(op, key, operand)) {
		return
	}
	t.size += int64(len(operand))
	switch op {
	case engine.OpVersionstampedKey:
		begin, end := bytes.Clone(key), bytes.Clone(key)
		bare, at, _ := engine.StampPlace(key)
		lowest := modelStampOf(t.version)
		copy(begin[at:], lowest[:])
		copy(end[at:], "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")
		s := span{string(begin[:len(bare)]), string(end[:len(bare)]) + "\x00"}
		t.unreadable = append(t.unreadable, s)
		t.changes = append(t.changes, func(values map[string]string, stamp engine.Stamp) {
			if stamp != (engine.Stamp{}) {
				values[string(stampedWith(key, stamp))] = string(operand)
			}
		})
		// Only the commit knows the key that is written.
		t.size += int64(len(key))
		t.written = append(t.written, span{string(key), string(key)})
	case engine.OpVersionstampedValue:
		t.unreadable = append(t.unreadable, pointSpan(key))
		t.write(pointSpan(key), true, func(values map[string]string, stamp engine.Stamp) {
			values[string(key)] = string(stampedWith(operand, stamp))
		})
	default:
		t.write(pointSpan(key), false, func(values map[string]string, _ engine.Stamp) {
			var before []byte
			if v, ok := values[string(key)]; ok {
				before = []byte(v)
			}
			if after := applyOp(op, before, operand); after == nil {
				delete(values, string(key))
			} else {
				values[string(key)] = string(after)
			}
		})
	}
}

func stampedWith(param []byte, stamp engine.Stamp) []byte {
	b, at, _ := engine.StampPlace(param)
	b = bytes.Clone(b)
	copy(b[at:], stamp[:])
	return b
}

func (t *modelTransaction) AddReadConflict(r engine.Range) {
	if t.refuse(engine.CheckRange(r)) || cut(r).empty() {
		return
	}
	t.reads = append(t.reads, spans{cut(r)}.minus(t.known)...)
}

func (t *modelTransaction) AddWriteConflict(r engine.Range) {
	if t.refuse(engine.CheckRange(r)) || cut(r).empty() {
		return
	}
	t.written = append(t.written, cut(r))
}

func (t *modelTransaction) Size() int64 { return t.size }

// conflict returns an error if something that was read has been written since.
func (t *modelTransaction) conflict() error {
	var open error
	for _, c := range t.m.commits {
		if c.version < t.version {
			continue
		}
		for _, r := range t.reads {
			if c.written.meets(r) {
				return engine.ErrConflict
			}
		}
		for _, w := range t.watches {
			key := pointSpan([]byte(w.key))
			switch {
			case !w.read || !c.written.meets(key):
			case t.written[w.before:].meets(key):
				open = errOpen // the watch may or may not have read before the write
			default:
				return engine.ErrConflict
			}
		}
	}
	return open
}

func (t *modelTransaction) Commit() error {
	if t.ended != nil {
		return t.ended
	}
	err := cmp.Or(t.invalid, t.unread)
	if err == nil && len(t.written) > 0 && t.base != nil {
		err = t.conflict()
	}
	if err == errOpen {
		return err
	}
	t.ended = engine.ErrUsedDuringCommit
	if err != nil {
		t.failWatches(err)
		if t.stamp != nil {
			t.stamp.err = err
		}
		return err
	}
	t.final = true
	for _, w := range t.watches {
		w.armed = true
	}
	if len(t.written) == 0 {
		return nil
	}
	version := t.m.last() + 2 // leaves room for a read version between commits
	stamp := modelStampOf(version)
	if t.stamp != nil {
		t.stamp.value, t.stamp.err = stamp, nil
	}
	before := maps.Clone(t.m.stored)
	for _, c := range t.changes {
		c(t.m.stored, stamp)
	}
	written := t.written
	for key := range t.m.stored { // among them the stamped ones
		if _, ok := before[key]; !ok {
			written = append(written, pointSpan([]byte(key)))
		}
	}
	t.m.commits = append(t.m.commits, modelCommit{version, written})
	return nil
}

func modelStampOf(version int64) (s engine.Stamp) {
	binary.BigEndian.PutUint64(s[:8], uint64(version))
	return s
}

// modelStamp is resolved by the commit.
type modelStamp answer[engine.Stamp]

func (s *modelStamp) Get() (engine.Stamp, error) { return s.value, s.err }

func (t *modelTransaction) Versionstamp() engine.Future[engine.Stamp] {
	if t.ended != nil {
		return &modelStamp{err: t.ended}
	}
	if t.stamp == nil {
		t.stamp = &modelStamp{err: engine.ErrNoCommitVersion}
	}
	return t.stamp
}

func (t *modelTransaction) OnError(err error) error {
	switch {
	case t.final:
		return engine.ErrUsedDuringCommit
	case errors.Is(t.ended, engine.ErrCancelled):
		return t.ended
	case !engine.Retryable(err):
		return err
	}
	t.failWatches(err)
	*t = modelTransaction{m: t.m}
	return nil
}

func (t *modelTransaction) Cancel() {
	if !t.final && t.ended != engine.ErrCancelled {
		t.failWatches(engine.ErrCancelled)
		t.ended = engine.ErrCancelled
	}
}

func (t *modelTransaction) failWatches(err error) {
	for _, w := range t.watches {
		w.err = err
		if t.written[w.before:].meets(pointSpan([]byte(w.key))) {
			w.err = errOpen // it may have fired for that write
		}
	}
	t.watches = nil
}

// modelWatch is a watch of a model.
type modelWatch struct {
	m     *model
	key   string
	saw   string
	there bool // whether the key was present when the watch saw it
	// before is how many writes the transaction had made before the watch; read is
	// whether the watch looked at the stored data.
	before int
	read   bool
	armed  bool
	err    error
}

// errOpen is a model's answer where engines are free, for example about whether a
// watch has fired.
var errOpen = errors.New("free")

func (t *modelTransaction) Watch(key []byte) engine.Watch {
	w := &modelWatch{m: t.m, key: string(key)}
	if t.ended != nil {
		w.err = t.ended
		return w
	}
	if w.err = engine.CheckKey(key); w.err != nil {
		return w
	}
	unread := t.unread
	w.read = !t.known.meets(pointSpan(key)) && !t.unreadable.meets(pointSpan(key))
	if w.read {
		t.open()
	}
	value, err := t.look(key, true)
	t.unread = unread // a failed watch does not fail the commit
	w.saw, w.there, w.err, w.before = string(value), value != nil, err, len(t.written)
	if err == nil {
		t.watches = append(t.watches, w)
	}
	return w
}

func (w *modelWatch) Wait(context.Context) error {
	if w.err != nil {
		return w.err
	}
	now, there := w.m.stored[w.key]
	if w.armed && (there != w.there || now != w.saw) {
		return nil
	}
	return errOpen
}

func (w *modelWatch) Cancel() {}

// span is the keys from begin up to, but not including, end.
type span struct{ begin, end string }

func pointSpan(key []byte) span { return span{string(key), string(key) + "\x00"} }

func (s span) holds(key string) bool { return s.begin <= key && key < s.end }

func (s span) empty() bool { return s.begin >= s.end }

// longestRead is the longest key that FoundationDB looks up. Longer bounds are
// truncated.
const longestRead = engine.MaxKeySize + 8

func cut(r engine.Range) span {
	return span{string(r.Begin[:min(len(r.Begin), longestRead+1)]), string(r.End[:min(len(r.End), longestRead+1)])}
}

// spans are a set of keys, in any order and with repetitions.
type spans []span

func (s spans) meets(other span) bool {
	return slices.ContainsFunc(s, func(x span) bool { return !x.empty() && x.begin < other.end && other.begin < x.end })
}

// minus returns s without the keys of out.
func (s spans) minus(out spans) spans {
	left := slices.Clone(s)
	for _, o := range out {
		var next spans
		for _, x := range left {
			before, after := span{x.begin, min(x.end, o.begin)}, span{max(x.begin, o.end), x.end}
			if o.begin >= o.end {
				before, after = x, span{}
			}
			for _, part := range []span{before, after} {
				if part.begin < part.end {
					next = append(next, part)
				}
			}
		}
		left = next
	}
	slices.SortFunc(left, func(a, b span) int { return strings.Compare(a.begin, b.begin) })
	return left
}

// applyOp returns the result of an atomic operation on a value; nil means absent.
func applyOp(op engine.Op, value, operand []byte) []byte {
	result := bytes.Clone(operand)
	if result == nil {
		result = []byte{}
	}
	// fitted is the value at the operand's length.
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

// compareNumbers compares little-endian numbers of equal length.
func compareNumbers(a, b []byte) int {
	a, b = bytes.Clone(a), bytes.Clone(b)
	slices.Reverse(a)
	slices.Reverse(b)
	return strings.Compare(string(a), string(b))
}
