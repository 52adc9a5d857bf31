package enginetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer/engine"
)

func modelCases() []testCase {
	return []testCase{
		{"one random transaction after another does as the model", randomAlone},
		{"random transactions side by side do as the model", randomTogether},
	}
}

func randomAlone(f *fixture)    { f.random(1, 60, 25) }
func randomTogether(f *fixture) { f.random(4, 3000, 7) }

// errGone tells that a transaction is too old, or that its fate is not known:
// the machine is slow, and the test no worse.
var errGone = errors.New("transaction gone")

// pair is a transaction of the engine and the same of the model.
type pair struct {
	tr   engine.Transaction
	twin *modelTransaction
	// began is where in the trace.
	began int
}

// walk is a random test under way.
type walk struct {
	f     *fixture
	rnd   *rand.Rand
	keys  []string
	m     *model
	trace []string
	began int // where in trace the transaction began that did the last step

	committed, refused int
}

// random takes steps in up to open transactions at a time; each commits after
// about length steps. With one at a time, steps counts transactions.
func (f *fixture) random(open, steps, length int) {
	seed := f.harness.Seed
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	keys := []string{"\x00", "a", "a\x00", "a\xff", "ab", "c", "c\x00\x00", "d", "da", "\xfe"}
	for i := range 16 {
		keys = append(keys, fmt.Sprintf("e%02d", i))
	}
	slices.Sort(keys)
	w := &walk{f: f, rnd: rand.New(rand.NewPCG(seed, 0)), keys: keys, m: newModel(keys)}
	defer func() {
		if f.Failed() {
			for _, line := range w.trace[w.began:] {
				f.Log(line)
			}
			f.Logf("Harness.Seed %d repeats this", seed)
		}
	}()
	pairs := make([]*pair, open)
	if open == 1 {
		steps *= length
	}
	for range steps {
		slot := w.rnd.IntN(open)
		p := pairs[slot]
		if p == nil {
			p = &pair{f.engine.Begin(f.ctx), w.m.begin(), len(w.trace)}
			defer p.tr.Cancel()
			if _, err := p.tr.ReadVersion().Get(); err != nil {
				f.Fatalf("read version: %v", err)
			}
			w.note(slot, "begin")
			pairs[slot] = p
		}
		w.began = p.began
		var err error
		if w.rnd.IntN(length) == 0 {
			pairs[slot] = nil
			err = w.finish(slot, p)
		} else {
			err = w.step(slot, p)
		}
		if errors.Is(err, errGone) {
			f.Logf("a transaction was abandoned: %v", err)
			p.tr.Cancel()
			pairs[slot] = nil
		} else if err != nil {
			f.Fatal(err)
		}
	}
	f.Logf("%d transactions committed, %d refused", w.committed, w.refused)
}

// note keeps what was done, to be shown after a failure.
func (w *walk) note(slot int, format string, values ...any) {
	w.trace = append(w.trace, fmt.Sprintf("%d: ", slot)+fmt.Sprintf(format, values...))
}

func (w *walk) key() string { return w.keys[w.rnd.IntN(len(w.keys))] }

// bounds is a range, mostly of few keys, now and then of many, or the wrong way
// round. Few keys let transactions meet in single places.
func (w *walk) bounds() (begin, end string) {
	if w.rnd.IntN(4) > 0 {
		i := w.rnd.IntN(len(w.keys))
		return w.keys[i], w.keys[min(i+w.rnd.IntN(4), len(w.keys)-1)]
	}
	begin, end = w.key(), w.key()
	switch w.rnd.IntN(4) {
	case 0:
		begin = ""
	case 1:
		end = "\xff"
	}
	return begin, end
}

func (w *walk) value() string {
	b := make([]byte, w.rnd.IntN(4))
	for i := range b {
		b[i] = byte(w.rnd.IntN(3)) * 127
	}
	return string(b)
}

// gone turns errors of a slow machine into errGone.
func gone(err error) error {
	if errors.Is(err, engine.ErrTooOld) || errors.Is(err, engine.ErrFutureVersion) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return err
}

// step does one random thing in p and checks what it reads.
func (w *walk) step(slot int, p *pair) error {
	key, value := w.key(), w.value()
	begin, end := w.bounds()
	snapshot := w.rnd.IntN(3) == 0
	var reader engine.Reader = p.tr
	if snapshot {
		reader = p.tr.Snapshot()
	}
	switch w.rnd.IntN(14) {
	case 0, 1:
		w.note(slot, "set %q %q", key, value)
		p.tr.Set(w.f.key(key), []byte(value))
		p.twin.set(key, value)
	case 2:
		w.note(slot, "clear %q", key)
		p.tr.Clear(w.f.key(key))
		p.twin.clear(key)
	case 3:
		w.note(slot, "clear range %q %q", begin, end)
		p.tr.ClearRange(w.f.span(begin, end))
		p.twin.clearRange(begin, end)
	case 4, 5, 6:
		ops := []engine.Op{engine.OpAdd, engine.OpMax, engine.OpMin, engine.OpByteMin, engine.OpByteMax, engine.OpCompareAndClear}
		op := ops[w.rnd.IntN(len(ops))]
		w.note(slot, "%s %q %q", opNames[op], key, value)
		p.tr.Atomic(op, w.f.key(key), []byte(value))
		p.twin.atomic(op, key, value)
	case 7:
		w.note(slot, "read conflict %q %q", begin, end)
		p.tr.AddReadConflict(w.f.span(begin, end))
		p.twin.addReadConflict(begin, end)
	case 8:
		w.note(slot, "write conflict %q %q", begin, end)
		p.tr.AddWriteConflict(w.f.span(begin, end))
		p.twin.addWriteConflict(begin, end)
	case 9, 10:
		w.note(slot, "get %q, snapshot %v", key, snapshot)
		got, err := reader.Get(w.f.key(key)).Get()
		if err != nil {
			return gone(err)
		}
		want := p.twin.get(key, snapshot)
		if (got == nil) != (want == nil) || string(got) != string(want) {
			return fmt.Errorf("%d: %q is %#v, want %#v", slot, key, got, want)
		}
	default:
		o := engine.RangeOptions{Reverse: w.rnd.IntN(2) == 0}
		if w.rnd.IntN(2) == 0 {
			o.Limit = 1 + w.rnd.IntN(6)
		}
		if w.rnd.IntN(3) == 0 {
			o.Bytes = 1 + w.rnd.IntN(30)
		}
		w.note(slot, "range %q %q %+v, snapshot %v", begin, end, o, snapshot)
		return w.checkRange(slot, p, reader, begin, end, o, snapshot)
	}
	return nil
}

// checkRange reads a range and compares.
func (w *walk) checkRange(slot int, p *pair, reader engine.Reader, begin, end string, o engine.RangeOptions, snapshot bool) error {
	page, err := reader.GetRange(w.f.span(begin, end), o).Get()
	if err != nil {
		return gone(err)
	}
	want, whole := p.twin.list(begin, end, o.Limit, o.Reverse)
	got := make([]string, len(page.KeyValues))
	for i, kv := range page.KeyValues {
		got[i] = w.f.name(kv.Key)
		if i >= len(want) || got[i] != want[i] || string(kv.Value) != p.twin.view[want[i]] {
			return fmt.Errorf("%d: range is %s, want %q of %q", slot, w.f.text(page), want, p.twin.view)
		}
	}
	cut := len(got) < len(want) // by the byte bound
	if cut && (o.Bytes == 0 || bytesOf(page) < o.Bytes) {
		return fmt.Errorf("%d: range is %s, want %q of %q", slot, w.f.text(page), want, p.twin.view)
	}
	more := cut || !whole
	atBound := o.Limit > 0 && len(got) == o.Limit || o.Bytes > 0 && bytesOf(page) >= o.Bytes
	if page.More != more && (more || !atBound) {
		return fmt.Errorf("%d: range %s: more is %v", slot, w.f.text(page), page.More)
	}
	if !snapshot {
		p.twin.readRange(begin, end, got, more, o, atBound)
	}
	return nil
}

// finish commits or cancels p and checks the outcome and what is stored then.
func (w *walk) finish(slot int, p *pair) error {
	if w.rnd.IntN(10) == 0 {
		w.note(slot, "cancel")
		p.tr.Cancel()
		return nil
	}
	must, may := p.twin.conflicts()
	err := p.tr.Commit()
	w.note(slot, "commit: %v", err)
	switch {
	case errors.Is(err, engine.ErrConflict):
		w.refused++
		if !may {
			return fmt.Errorf("%d: %w, and nothing that it read was written", slot, err)
		}
	case engine.MaybeCommitted(err):
		w.f.Skipf("the model cannot follow: %v", err)
	case err != nil:
		return gone(err)
	case must:
		return fmt.Errorf("%d: committed, and something that it read was written", slot)
	default:
		w.committed++
		p.twin.commit()
	}
	stored := &pair{tr: w.f.engine.Begin(w.f.ctx), twin: w.m.begin()}
	defer stored.tr.Cancel()
	if err := w.checkRange(slot, stored, stored.tr.Snapshot(), "", "\xff", engine.RangeOptions{}, true); err != nil {
		return fmt.Errorf("after a commit: %w", err)
	}
	return nil
}
