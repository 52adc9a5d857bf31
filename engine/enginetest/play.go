package enginetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/fdbevents/fdbevents/engine"
)

// errGone means that a transaction is too old, or that its outcome is unknown:
// the machine is slow, but the engine is not at fault.
var errGone = errors.New("transaction gone")

// player makes the calls of a program on an engine.
type player struct {
	ctx    context.Context
	engine engine.Engine
	prefix string

	slots   [maxSlots]*played
	watches map[string]engine.Watch
	// stamps are the stamps of the commits so far. Outcomes name them by rank,
	// because their bytes depend on the engine.
	stamps []engine.Stamp
}

// played is a transaction of a program.
type played struct {
	engine.Transaction
	last    error // of the last failed call
	wrote   int64 // bytes of keys and values
	stamped bool  // it sets stamped keys
	over    bool  // later writes do not count
}

// runPrefixSize is the length of the prefix of a run's keys. It is the same in
// every engine, so that the same keys meet the limits.
const runPrefixSize = 60

// runPrefix returns the prefix of a run's keys in e.
func runPrefix(e engine.Engine, run string) (string, error) {
	room := runPrefixSize - len(e.Prefix())
	if len(run) > room {
		return "", fmt.Errorf("prefix %q and %q are longer than %d bytes", e.Prefix(), run, runPrefixSize)
	}
	return string(e.Prefix()) + strings.Repeat(".", room-len(run)) + run, nil
}

// play makes all the calls. It returns an outcome for each, and finally
// everything stored. expected, if not nil, is a model's outcomes: a call whose
// outcome the model leaves open is not made. An error that wraps errGone means
// that the engine could not be compared this time.
func play(ctx context.Context, e engine.Engine, p program, run string, expected []string) (outcomes []string, err error) {
	prefix, err := runPrefix(e, run)
	if err != nil {
		return nil, err
	}
	q := &player{ctx: ctx, engine: e, prefix: prefix, watches: map[string]engine.Watch{}}
	defer func() {
		for _, t := range q.slots {
			if t != nil {
				t.Cancel()
			}
		}
		for _, w := range q.watches {
			w.Cancel()
		}
	}()
	for i, s := range p {
		hint := ""
		if i < len(expected) {
			hint = expected[i]
		}
		outcome, err := q.step(s, hint)
		if err != nil {
			return outcomes, fmt.Errorf("%s: %w", s, err)
		}
		outcomes = append(outcomes, outcome)
	}
	tr := e.Begin(ctx)
	defer tr.Cancel()
	page, err := tr.Snapshot().GetRange(engine.Range{Begin: []byte(prefix), End: []byte(prefix + "\xff")}, engine.RangeOptions{}).Get()
	if err != nil {
		return outcomes, gone(err)
	}
	return append(outcomes, q.page(page)), nil
}

// gone turns errors of a slow machine, or of its tests, into errGone. Other
// errors are outcomes, and give nil.
func gone(err error) error {
	var e engine.Error
	if errors.Is(err, errOpen) {
		return nil
	}
	if !errors.As(err, &e) || e != engine.ErrConflict && (e.Retryable() || engine.MaybeCommitted(e) && e != engine.ErrCancelled) {
		return fmt.Errorf("%w: %w", errGone, err)
	}
	return nil
}

func (q *player) key(x text) []byte {
	if x.raw {
		return []byte(x.string())
	}
	return []byte(q.prefix + x.string())
}

func (q *player) span(s step) engine.Range {
	return engine.Range{Begin: q.key(s.args[0]), End: q.key(s.args[1])}
}

// opOf has the operations by their names in programs.
var opOf = map[string]engine.Op{
	"add": engine.OpAdd, "max": engine.OpMax, "min": engine.OpMin,
	"bytemin": engine.OpByteMin, "bytemax": engine.OpByteMax, "compareclear": engine.OpCompareAndClear,
}

// step makes one call.
func (q *player) step(s step, hint string) (string, error) {
	if hint == errOpen.Error() {
		return hint, nil
	}
	if s.verb == "await" {
		return q.await(s.args[0].string())
	}
	t := q.slots[s.slot]
	if t == nil || s.verb == "begin" {
		if t != nil {
			t.Cancel()
		}
		t = &played{Transaction: q.engine.Begin(q.ctx)}
		q.slots[s.slot] = t
	}
	var reader engine.Reader = t
	if s.snapshot {
		reader = t.Snapshot()
	}
	switch s.verb {
	case "begin":
	case "get":
		value, err := reader.Get(q.key(s.args[0])).Get()
		if err != nil {
			return t.failed(err)
		}
		if value == nil {
			return "absent", nil
		}
		return q.show(value), nil
	case "range":
		page, err := reader.GetRange(q.span(s), engine.RangeOptions{Limit: s.limit, Bytes: s.bytes, Reverse: s.reverse}).Get()
		if err != nil {
			return t.failed(err)
		}
		return q.page(page), nil
	case "set":
		key, value := q.key(s.args[0]), []byte(s.args[1].string())
		t.Set(key, value)
		t.count(engine.CheckSet(key, value), len(key)+len(value))
	case "clear":
		t.Clear(q.key(s.args[0]))
	case "clearrange":
		t.ClearRange(q.span(s))
	case "stampkey":
		before, after := q.key(s.args[0]), s.args[1].string()
		key := append(append(append(before, make([]byte, len(engine.Stamp{}))...), after...), le(uint64(len(before)), 4)...)
		t.Atomic(engine.OpVersionstampedKey, key, []byte(s.args[2].string()))
		t.stamped = true
	case "stampvalue":
		t.Atomic(engine.OpVersionstampedValue, q.key(s.args[0]), stampable(s.args[1].string(), s.args[2].string()))
	case "readconflict":
		t.AddReadConflict(q.span(s))
	case "writeconflict":
		t.AddWriteConflict(q.span(s))
	case "watch":
		name := s.args[1].string()
		if w := q.watches[name]; w != nil {
			w.Cancel()
		}
		q.watches[name] = t.Watch(q.key(s.args[0]))
		// Some engines read in the background, and would choose their read version
		// late.
		const reads = "reads"
		if m, ok := t.Transaction.(*modelTransaction); ok && m.base != nil && m.ended == nil || hint == reads {
			if _, err := t.ReadVersion().Get(); err != nil {
				return t.failed(err)
			}
			return reads, nil
		}
	case "version":
		version, err := t.ReadVersion().Get()
		if err != nil {
			return t.failed(err)
		}
		return q.version(version), nil
	case "size":
		if size := t.Size(); size < t.wrote {
			return fmt.Sprintf("size %d for %d bytes", size, t.wrote), nil
		}
	case "commit":
		return q.commit(t)
	case "cancel":
		t.over = true
		t.Cancel()
	case "onerror":
		last := t.last
		if last == nil {
			last = engine.ErrConflict
		}
		if err := t.OnError(last); err != nil {
			return t.failed(err)
		}
		*t = played{Transaction: t.Transaction}
		return "again", nil
	default:
		key, operand := q.key(s.args[0]), []byte(s.args[1].string())
		t.Atomic(opOf[s.verb], key, operand)
		t.count(engine.CheckSet(key, operand), len(key)+len(operand))
	}
	return "", nil
}

// count adds n to the bytes that the transaction has written, unless the write
// was refused.
func (t *played) count(refusal error, n int) {
	if refusal == nil && !t.over {
		t.wrote += int64(n)
	}
}

// failed returns the outcome of a failed call.
func (t *played) failed(err error) (string, error) {
	t.last = err
	return code(err), gone(err)
}

func code(err error) string {
	var e engine.Error
	if errors.As(err, &e) {
		return "error " + strconv.Itoa(int(e))
	}
	return err.Error()
}

// version describes a read version by its rank: how many commits it sees.
func (q *player) version(version int64) string {
	sees := 0
	for _, s := range q.stamps {
		if stampVersion(s) <= version {
			sees++
		}
	}
	return fmt.Sprintf("sees %d commits", sees)
}

// commit commits t and describes its stamp.
func (q *player) commit(t *played) (string, error) {
	stamp := t.Versionstamp()
	err := t.Commit()
	if errors.Is(err, errOpen) {
		return err.Error(), nil
	}
	t.over = true
	if err != nil {
		return t.failed(err)
	}
	s, err := stamp.Get()
	if err != nil {
		return "committed, stamp: " + code(err), gone(err)
	}
	if n := len(q.stamps); n > 0 && bytes.Compare(s[:], q.stamps[n-1][:]) <= 0 {
		return fmt.Sprintf("committed, stamp %x after %x", s, q.stamps[n-1]), nil
	}
	q.stamps = append(q.stamps, s)
	if t.stamped {
		// The next read version must be above this stamp, not equal to it: that
		// decides what a transaction that sets stamped keys can still read.
		bump := q.engine.Begin(q.ctx)
		defer bump.Cancel()
		bump.Set([]byte(q.prefix+"\xffbump"), nil)
		if err := bump.Commit(); err != nil {
			return "", fmt.Errorf("%w: %w", errGone, err)
		}
	}
	return fmt.Sprintf("committed %d", len(q.stamps)), nil
}

// await reports whether a watch has fired.
func (q *player) await(name string) (string, error) {
	w := q.watches[name]
	if w == nil {
		return "", nil
	}
	err := w.Wait(q.ctx)
	switch {
	case err == nil:
		return "fired", nil
	case errors.Is(err, errOpen):
		return err.Error(), nil
	case q.ctx.Err() != nil:
		return "hangs", nil
	}
	return "failed", nil // not always for the same reason
}

func (q *player) page(page engine.Page) string {
	var b strings.Builder
	for _, kv := range page.KeyValues {
		fmt.Fprintf(&b, "%s=%s ", q.show(bytes.TrimPrefix(kv.Key, []byte(q.prefix))), q.show(kv.Value))
	}
	if page.More {
		b.WriteString("and more")
	}
	return strings.TrimSuffix(b.String(), " ")
}

// show formats b for people, with stamps by their rank.
func (q *player) show(b []byte) string {
	for i, s := range q.stamps {
		if before, after, ok := bytes.Cut(b, s[:]); ok {
			return fmt.Sprintf("%s<%d>%s", q.show(before), i+1, q.show(after))
		}
	}
	if len(b) > 60 {
		return fmt.Sprintf("%q...(%d bytes, %08x)", b[:10], len(b), crc32.ChecksumIEEE(b))
	}
	return strconv.QuoteToASCII(string(b))
}
