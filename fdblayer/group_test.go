package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// quick are settings under which lost members are noticed soon.
var quick = fdblayer.GroupOptions{LeaseTime: 400 * time.Millisecond}

// handled writes down who was handed what, and checks the order in each stream.
type handled struct {
	t  testing.TB
	mu sync.Mutex
	// acked is the next revision of each stream.
	acked map[string]int64
	total int
	// work is the streams that are being worked on.
	work map[string]bool
}

func newHandled(t testing.TB) *handled {
	return &handled{t: t, acked: make(map[string]int64), work: make(map[string]bool)}
}

// begin notes that a message was delivered. Nothing earlier of its stream may be
// unsettled, nor anything else of its stream be in work.
func (h *handled) begin(msg *fdblayer.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if want := h.acked[msg.Event.Stream]; msg.Event.Revision != want {
		h.t.Errorf("got %s, want revision %d", place(&msg.Event), want)
	}
	if h.work[msg.Event.Stream] {
		h.t.Errorf("%s was delivered while another of its stream was", place(&msg.Event))
	}
	h.work[msg.Event.Stream] = true
}

// end notes that the message is about to be settled, or was refused.
func (h *handled) end(msg *fdblayer.Message, settled bool) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.work[msg.Event.Stream] = false
	if settled {
		h.acked[msg.Event.Stream]++
		h.total++
	}
	return h.total
}

func TestGroupDeliversEachStreamInOrder(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		total := len(fill(t, a, 300)) + 300
		ctx, done := context.WithCancel(t.Context())
		defer done()
		h := newHandled(t)
		var wg sync.WaitGroup
		for i := range 3 {
			m := join(t, newGroup(t, []*fdblayer.Store{a, b}[i%2], "g", fdblayer.GroupOptions{}))
			for range 8 {
				wg.Go(func() {
					for msg, err := range m.Messages(ctx) {
						if err != nil {
							if ctx.Err() == nil {
								t.Error(err)
							}
							return
						}
						// Another lease may have delivered it before: only who
						// settles it counts.
						h.begin(msg)
						refuse := msg.Attempt == 1 && msg.Event.Revision%9 == 4
						if refuse {
							h.end(msg, false)
							nack(t, msg, fdblayer.Retry, "not yet")
							continue
						}
						n := h.end(msg, true)
						ack(t, msg)
						if n == total {
							done()
						}
					}
				})
			}
		}
		for i := range 300 {
			mustAppend(t, b, fmt.Sprint("live", i%17), fdbevents.Any, event("e"))
		}
		wg.Wait()
		eventually(t, "no lag", func() bool { i := info(t, newGroup(t, a, "g", fdblayer.GroupOptions{})); return i.Lag().N == 0 })
	})
}

func TestGroupSettings(t *testing.T) {
	eachHealthyStore(t, fdblayer.Options{Partitions: 3}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		orders := query(fdbevents.QueryItem{Types: []string{"Placed", "Paid"}, Tags: []string{"vip"}}, fdbevents.QueryItem{Tags: []string{"b"}})
		g := newGroup(t, s, "orders", fdblayer.GroupOptions{Filter: fdbevents.Filter{StreamPrefixes: []string{"o"}, Query: orders}, From: fdbevents.End, MaxRetries: -1, MessageTimeout: time.Minute})
		want := fdblayer.GroupOptions{Filter: fdbevents.Filter{StreamPrefixes: []string{"o"}, Query: orders}, From: fdbevents.End, MaxRetries: -1, MessageTimeout: time.Minute, LeaseTime: 10 * time.Second}
		if !reflect.DeepEqual(g.Options(), want) || g.Name() != "orders" {
			t.Errorf("%s: got %+v", g.Name(), g.Options())
		}
		for _, o := range []fdblayer.GroupOptions{{}, want} {
			if got := newGroup(t, s, "orders", o).Options(); !reflect.DeepEqual(got, want) {
				t.Errorf("opened with %+v: got %+v", o, got)
			}
		}
		opened, err := fdblayer.LookupGroup(ctx, s, "orders")
		if err != nil || !reflect.DeepEqual(opened.Options(), want) {
			t.Errorf("got %+v, %v", opened, err)
		}
		for _, tt := range []struct {
			name    string
			o       fdblayer.GroupOptions
			message string
		}{
			{"orders", fdblayer.GroupOptions{Filter: fdbevents.Filter{Query: query(fdbevents.QueryItem{Types: []string{"Paid"}})}}, `group query "type=Paid": the group was created with "type=Placed,Paid tag=vip or tag=b", which cannot change; leave it out, reset the group's position, or delete the group and create it anew`},
			{"orders", fdblayer.GroupOptions{Filter: fdbevents.InStreams("p")}, `group stream prefix "p": the group was created with "o", which cannot change; `},
			{"orders", fdblayer.GroupOptions{From: firstPosition}, `group starting position "000000000000000000000001": the group was created with "ffff`},
			{"orders", fdblayer.GroupOptions{MaxRetries: 3}, `group retries "3": the group was created with "0"`},
			{"orders", fdblayer.GroupOptions{MessageTimeout: time.Second}, `group message time-out "1s": the group was created with "1m0s"`},
			{"orders", fdblayer.GroupOptions{LeaseTime: time.Second}, `group lease time "1s": the group was created with "10s"`},
			{"", fdblayer.GroupOptions{}, `group name "": must not be empty`},
			{"a\nb", fdblayer.GroupOptions{}, `group name "a\nb": must not have control characters (found U+000A)`},
			{strings.Repeat("x", 257), fdblayer.GroupOptions{}, "group name: 257 bytes, limit 256"},
			{"new", fdblayer.GroupOptions{LeaseTime: -1}, `lease time "-1ns": want 0 for the default, or at least 10ms`},
			{"new", fdblayer.GroupOptions{MessageTimeout: time.Millisecond}, `message time-out "1ms": want 0 for the default, or at least 10ms`},
			{"new", fdblayer.GroupOptions{Filter: fdbevents.InStreams("\x00")}, `stream prefix "\x00": must not have control`},
			{"new", fdblayer.GroupOptions{Filter: fdbevents.Filter{Query: query(fdbevents.QueryItem{Tags: []string{""}})}}, `tag in query "": must not be empty`},
			{"new", fdblayer.GroupOptions{Filter: fdbevents.Filter{Query: query(make([]fdbevents.QueryItem, 40_000)...)}}, " bytes, limit 90000"},
			{"new", fdblayer.GroupOptions{From: ahead}, "is ahead of this store, so it must come from another one"},
		} {
			_, err := fdblayer.OpenGroup(ctx, s, tt.name, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.message) || !strings.HasPrefix(err.Error(), fmt.Sprintf("consumer group %q: ", tt.name)) {
				t.Errorf("%q %+v: got %v, want %s", tt.name, tt.o.LeaseTime, err, tt.message)
			}
			invalid, limit := (*fdbevents.InvalidError)(nil), (*fdbevents.LimitError)(nil)
			if !errors.As(err, &invalid) && !errors.As(err, &limit) {
				t.Errorf("%v is neither an InvalidError nor a LimitError", err)
			}
		}
		if _, err := fdblayer.LookupGroup(ctx, s, "new"); !errors.Is(err, fdbevents.ErrGroupNotFound) || err.Error() != `consumer group "new" not found` {
			t.Errorf("got %v", err)
		}
		newGroup(t, s, "another", fdblayer.GroupOptions{})
		newGroup(t, s, "order", fdblayer.GroupOptions{})
		var names []string
		for info, err := range fdblayer.ListGroups(ctx, s) {
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, info.Name)
			if len(info.Partitions) != 3 || info.Paused || len(info.Members) != 0 {
				t.Errorf("got %+v", info)
			}
		}
		if !slices.Equal(names, []string{"another", "order", "orders"}) {
			t.Errorf("groups are %q", names)
		}
	})
}

// ahead is a position that no test's store has come to.
var ahead = func() fdbevents.Position {
	p, err := fdbevents.ParsePosition("7f0000000000000000000000")
	if err != nil {
		panic(err)
	}
	return p
}()

// firstPosition is a position before every event, other than Start.
var firstPosition = func() (p fdbevents.Position) {
	if err := p.UnmarshalText([]byte("000000000000000000000001")); err != nil {
		panic(err)
	}
	return p
}()

func TestGroupSelects(t *testing.T) {
	eachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		write := func() {
			mustAppend(t, s, "order-1", fdbevents.Any, tagged("paid", "vip"), tagged("paid"), tagged("placed", "vip"))
			mustAppend(t, s, "stock-1", fdbevents.Any, tagged("paid", "vip"))
		}
		write()
		o := fdblayer.GroupOptions{Filter: fdbevents.Filter{StreamPrefixes: []string{"order-"}, Query: query(fdbevents.QueryItem{Types: []string{"paid"}, Tags: []string{"vip"}})}}
		all := newGroup(t, s, "all", o)
		o.From = fdbevents.End
		fresh := newGroup(t, s, "fresh", o)
		write()
		for _, tt := range []struct {
			g    *fdblayer.Group
			want []string
		}{{all, []string{"order-1@0", "order-1@3"}}, {fresh, []string{"order-1@3"}}} {
			i := info(t, tt.g)
			if got := i.Lag(); got.N != int64(len(tt.want)) || got.More {
				t.Errorf("%s: lag %v, want %d", i.Name, got, len(tt.want))
			}
			m := join(t, tt.g)
			for _, want := range tt.want {
				msg := next(t, m)
				if got := place(&msg.Event); got != want || msg.Attempt != 1 || msg.Replayed {
					t.Errorf("got %s, attempt %d, want %s", got, msg.Attempt, want)
				}
				ack(t, msg)
			}
			i = info(t, tt.g)
			if got := i.Lag(); got != (fdblayer.Count{}) {
				t.Errorf("%s: lag %v in the end", i.Name, got)
			}
		}
	})
}

func TestGroupPause(t *testing.T) {
	eachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		mustAppend(t, s, "s", fdbevents.Any, event("0"), event("1"))
		g := newGroup(t, s, "g", fdblayer.GroupOptions{})
		m := join(t, g)
		msg := next(t, m)
		if err := g.Pause(ctx); err != nil {
			t.Fatal(err)
		}
		if !info(t, g).Paused {
			t.Error("it is not paused")
		}
		eventually(t, "the member to pause", m.Paused)
		ack(t, msg)
		some, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		for msg, err := range m.Messages(some) {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %+v, %v", msg, err)
			}
		}
		if err := g.Resume(ctx); err != nil {
			t.Fatal(err)
		}
		if msg := next(t, m); place(&msg.Event) != "s@1" {
			t.Errorf("got %s", place(&msg.Event))
		}
	})
}

func TestGroupReset(t *testing.T) {
	eachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		var at []fdbevents.Position
		for i := range 5 {
			at = append(at, mustAppend(t, s, "s", fdbevents.Any, event(fmt.Sprint(i))).Position)
		}
		g := newGroup(t, s, "g", fdblayer.GroupOptions{})
		m := join(t, g)
		ack(t, next(t, m))
		nack(t, next(t, m), fdblayer.Retry, "")
		reset := func(to fdbevents.Position) {
			t.Helper()
			if err := g.Reset(ctx, to); err != nil {
				t.Fatal(err)
			}
		}
		// A member goes on for a moment with what it had; it cannot settle that.
		work := func(revision int64) {
			t.Helper()
			msg := next(t, m)
			for err := msg.Ack(ctx); err != nil; err = msg.Ack(ctx) {
				if !refused(err) {
					t.Fatal(err)
				}
				msg = next(t, m)
			}
			if msg.Event.Revision != revision || msg.Attempt != 1 {
				t.Fatalf("got %s, attempt %d, want revision %d", place(&msg.Event), msg.Attempt, revision)
			}
		}
		held := next(t, m)
		reset(at[2])
		if err := held.Ack(ctx); !refused(err) {
			t.Errorf("got %v", err)
		}
		work(3)
		reset(fdbevents.Start)
		for i := range at {
			work(int64(i))
		}
		reset(at[0])
		reset(fdbevents.End)
		i := info(t, g)
		if lag := i.Lag(); lag.N != 0 {
			t.Errorf("lag %v", lag)
		}
		mustAppend(t, s, "s", fdbevents.Any, event("5"))
		work(5)
		err := g.Reset(ctx, ahead)
		if invalid := (*fdbevents.InvalidError)(nil); !errors.As(err, &invalid) || err.Error() != `resetting consumer group "g": position "7f0000000000000000000000": is ahead of this store, so it must come from another one; use a position of this store, or start or end` {
			t.Errorf("got %v", err)
		}
		mustAppend(t, s, "s", fdbevents.Any, event("6"))
		work(6)
	})
}

func TestGroupDelete(t *testing.T) {
	eachHealthyEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		mustAppend(t, a, "s", fdbevents.Any, event("0"), event("1"))
		old := newGroup(t, a, "g", fdblayer.GroupOptions{})
		m := join(t, newGroup(t, b, "g", fdblayer.GroupOptions{}))
		nack(t, next(t, m), fdblayer.Park, "")
		msg := next(t, m)
		if err := old.Delete(ctx); err != nil {
			t.Fatal(err)
		}
		var ends error
		for _, err := range m.Messages(ctx) {
			ends = err
		}
		if !errors.Is(ends, fdbevents.ErrGroupDeleted) || ends.Error() != `consumer group "g": consumer group was deleted; open it again` {
			t.Errorf("got %v", ends)
		}
		if err := msg.Ack(ctx); !errors.Is(err, fdbevents.ErrGroupDeleted) {
			t.Errorf("acknowledged to a group that is gone: got %v", err)
		}
		m.Close()
		for range fdblayer.ListGroups(ctx, a) {
			t.Error("it is still there")
		}
		g := newGroup(t, b, "g", fdblayer.GroupOptions{Filter: fdbevents.InStreams("s")})
		for what, call := range map[string]func() error{
			"resetting":             func() error { return old.Reset(ctx, fdbevents.Start) },
			"pausing":               func() error { return old.Pause(ctx) },
			"deleting":              func() error { return old.Delete(ctx) },
			"looking at":            func() error { _, err := old.Info(ctx); return err },
			"joining":               func() error { _, err := old.Join(ctx); return err },
			"replaying what is par": func() error { _, err := old.Replay(ctx); return err },
		} {
			if err := call(); !errors.Is(err, fdbevents.ErrGroupDeleted) || !strings.HasPrefix(err.Error(), what) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		m = join(t, g)
		if msg := next(t, m); place(&msg.Event) != "s@0" || msg.Attempt != 1 {
			t.Errorf("got %s", place(&msg.Event))
		}
	})
}

// refused reports whether a settlement was refused because the lease was lost. If
// the outcome of its first attempt was unknown, that is all that can be said.
func refused(err error) bool {
	return errors.Is(err, fdbevents.ErrLeaseLost) || errors.Is(err, fdbevents.ErrSettleUnknown)
}
