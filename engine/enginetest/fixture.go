package enginetest

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/engine"
)

// patience bounds every test: what has not happened by then never will.
const patience = time.Minute

// fixture is one test and its engine. Tests name keys by short strings; the
// fixture adds the engine's prefix and removes it again.
type fixture struct {
	*testing.T
	ctx      context.Context
	harness  Harness
	instance Instance
	engine   engine.Engine
	prefix   string
}

// newFixture opens an engine and closes it when t ends.
func newFixture(t *testing.T, h Harness) *fixture {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	instance := h.Open(t)
	t.Cleanup(func() { _ = instance.Engine.Close() }) // may be closed already
	return &fixture{
		T: t, ctx: ctx, harness: h, instance: instance, engine: instance.Engine,
		prefix: string(instance.Engine.Prefix()),
	}
}

// each runs a case of a table as a subtest with its own keys.
func (f *fixture) each(name string, run func(f *fixture)) {
	f.T.Run(name, func(t *testing.T) {
		sub := *f
		sub.T = t
		sub.prefix = f.prefix + "<" + name + ">"
		run(&sub)
	})
}

// on returns the same test on another engine with the same keys.
func (f *fixture) on(e engine.Engine) *fixture {
	other := *f
	other.engine = e
	f.Cleanup(func() { _ = e.Close() })
	return &other
}

// key returns the key with that name.
func (f *fixture) key(name string) []byte { return []byte(f.prefix + name) }

// span returns the range between two names.
func (f *fixture) span(begin, end string) engine.Range {
	return engine.Range{Begin: f.key(begin), End: f.key(end)}
}

// all returns the range of all keys of the test.
func (f *fixture) all() engine.Range { return f.span("", "\xff") }

// begin starts a transaction and cancels it when the test ends.
func (f *fixture) begin() engine.Transaction { return f.beginUnder(f.ctx) }

// beginUnder starts a transaction under ctx.
func (f *fixture) beginUnder(ctx context.Context) engine.Transaction {
	tr := f.engine.Begin(ctx)
	f.Cleanup(tr.Cancel)
	return tr
}

// beginAt starts a transaction and chooses its read version.
func (f *fixture) beginAt() engine.Transaction {
	f.Helper()
	tr := f.begin()
	f.version(tr)
	return tr
}

// version returns the read version of tr.
func (f *fixture) version(tr engine.Transaction) int64 {
	f.Helper()
	return must(f, tr.ReadVersion())
}

// write commits the writes that fn makes.
func (f *fixture) write(fn func(tr engine.Transaction)) {
	f.Helper()
	err := engine.Run(f.ctx, f.engine, func(tr engine.Transaction, _ error) error {
		fn(tr)
		return nil
	})
	if err != nil {
		f.Fatalf("write: %v", err)
	}
}

// put commits pairs of name and value.
func (f *fixture) put(pairs ...string) {
	f.Helper()
	f.write(func(tr engine.Transaction) {
		for i := 0; i < len(pairs); i += 2 {
			tr.Set(f.key(pairs[i]), []byte(pairs[i+1]))
		}
	})
}

// commit commits tr, which must succeed.
func (f *fixture) commit(tr engine.Transaction) {
	f.Helper()
	if err := tr.Commit(); err != nil {
		f.Fatalf("commit: %v", err)
	}
}

// must awaits a read that must succeed.
func must[T any](f *fixture, future engine.Future[T]) T {
	f.Helper()
	value, err := future.Get()
	if err != nil {
		f.Fatalf("read: %v", err)
	}
	return value
}

// await waits for something that must happen.
func (f *fixture) await(what string, done <-chan struct{}) {
	f.Helper()
	select {
	case <-done:
	case <-f.ctx.Done():
		f.Fatalf("%s did not happen in %v", what, patience)
	}
}

// start runs fn in a goroutine and returns a channel that is closed when fn ends.
func (f *fixture) start(fn func()) <-chan struct{} {
	done := make(chan struct{})
	go func() {
		defer close(done)
		fn()
	}()
	return done
}

// wantError checks that err is target.
func (f *fixture) wantError(what string, err, target error) {
	f.Helper()
	if !errors.Is(err, target) {
		f.Fatalf("%s: error is %v, want %v", what, err, target)
	}
}

// wantGet checks the value that a read of a key gives.
func (f *fixture) wantGet(r engine.Reader, name, want string) {
	f.Helper()
	got := must(f, r.Get(f.key(name)))
	if got == nil {
		f.Fatalf("%s is absent, want %s", shown(name), shown(want))
	}
	if string(got) != want {
		f.Fatalf("%s is %s, want %s", shown(name), shown(string(got)), shown(want))
	}
}

// wantAbsent checks that a key is absent.
func (f *fixture) wantAbsent(r engine.Reader, name string) {
	f.Helper()
	if got := must(f, r.Get(f.key(name))); got != nil {
		f.Fatalf("%s is %s, want it absent", shown(name), shown(string(got)))
	}
}

// wantRange checks the contents of a range, in the form "a=1 b=2".
func (f *fixture) wantRange(r engine.Reader, g engine.Range, o engine.RangeOptions, want string) engine.Page {
	f.Helper()
	page := must(f, r.GetRange(g, o))
	if got := f.text(page); got != want {
		f.Fatalf("range %s to %s with %+v is %q, want %q", shown(f.name(g.Begin)), shown(f.name(g.End)), o, got, want)
	}
	return page
}

// wantContents checks all committed data, in the form "a=1 b=2".
func (f *fixture) wantContents(want string) {
	f.Helper()
	f.wantRange(f.begin().Snapshot(), f.all(), engine.RangeOptions{}, want)
}

// name returns the name of a key.
func (f *fixture) name(key []byte) string { return strings.TrimPrefix(string(key), f.prefix) }

// text writes a page as "a=1 b=2".
func (f *fixture) text(page engine.Page) string {
	var b strings.Builder
	for i, kv := range page.KeyValues {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(shown(f.name(kv.Key)) + "=" + shown(string(kv.Value)))
	}
	return b.String()
}

// shown returns s with unprintable characters escaped, and shortened if it is
// long.
func shown(s string) string {
	if len(s) > 60 {
		return fmt.Sprintf("%s... (%d bytes)", shown(s[:40]), len(s))
	}
	quoted := strconv.QuoteToASCII(s)
	return quoted[1 : len(quoted)-1]
}

// le returns n as a little-endian operand of the given length.
func le(n uint64, length int) string {
	b := make([]byte, length)
	for i := range b {
		b[i] = byte(n)
		n >>= 8
	}
	return string(b)
}

// stampable returns before, room for a stamp, after, and at the end the offset
// that OpVersionstampedKey and OpVersionstampedValue expect.
func stampable(before, after string) []byte {
	return []byte(before + strings.Repeat("\x00", len(engine.Stamp{})) + after + le(uint64(len(before)), 4))
}

// stampKey sets a key that consists of before, the stamp and after.
func (f *fixture) stampKey(tr engine.Transaction, before, after, value string) {
	tr.Atomic(engine.OpVersionstampedKey, stampable(f.prefix+before, after), []byte(value))
}

// stampValue sets a key to before, the stamp and after.
func (f *fixture) stampValue(tr engine.Transaction, name, before, after string) {
	tr.Atomic(engine.OpVersionstampedValue, f.key(name), stampable(before, after))
}

// commitStamped commits tr and returns its stamp.
func (f *fixture) commitStamped(tr engine.Transaction) engine.Stamp {
	f.Helper()
	stamp := tr.Versionstamp()
	f.commit(tr)
	return must(f, stamp)
}

// stampVersion returns the commit version in a stamp.
func stampVersion(s engine.Stamp) int64 {
	var v int64
	for _, b := range s[:8] {
		v = v<<8 | int64(b)
	}
	return v
}
