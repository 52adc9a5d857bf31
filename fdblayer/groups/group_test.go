package groups_test

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
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

// quick are settings under which silent members are noticed soon.
var quick = groups.Options{LeaseTime: 400 * time.Millisecond}

// handled records the messages that consumers were handed, and checks the order in each
// stream.
type handled struct {
	t  testing.TB
	mu sync.Mutex
	// acked is the next revision of each stream.
	acked map[string]int64
	total int
	// work has the streams that a consumer works on.
	work map[string]bool
}

func newHandled(t testing.TB) *handled {
	return &handled{t: t, acked: make(map[string]int64), work: make(map[string]bool)}
}

// begin notes that a message was delivered. All earlier messages of its stream must be
// settled, and no other may be worked on.
func (h *handled) begin(msg *groups.Message) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if want := h.acked[msg.Event.Stream]; msg.Event.Revision != want {
		h.t.Errorf("got %s, want revision %d", storetest.Place(&msg.Event), want)
	}
	if h.work[msg.Event.Stream] {
		h.t.Errorf("%s was delivered while another of its stream was", storetest.Place(&msg.Event))
	}
	h.work[msg.Event.Stream] = true
}

// end notes that the message is about to be settled, or was refused.
func (h *handled) end(msg *groups.Message, settled bool) int {
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
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		total := len(storetest.Fill(t, a, 300)) + 300
		ctx, done := context.WithCancel(t.Context())
		defer done()
		h := newHandled(t)
		var wg sync.WaitGroup
		for i := range 3 {
			m := storetest.Join(t, storetest.NewGroup(t, []*fdblayer.Store{a, b}[i%2], "g", groups.Options{}))
			for range 8 {
				wg.Go(func() {
					for msg, err := range m.Messages(ctx) {
						if err != nil {
							if ctx.Err() == nil {
								t.Error(err)
							}
							return
						}
						// Another lease may have delivered the message before; only the
						// settlement counts.
						h.begin(msg)
						refuse := msg.Attempt == 1 && msg.Event.Revision%9 == 4
						if refuse {
							h.end(msg, false)
							storetest.Nack(t, msg, groups.Retry, "not yet")
							continue
						}
						n := h.end(msg, true)
						storetest.Ack(t, msg)
						if n == total {
							done()
						}
					}
				})
			}
		}
		for i := range 300 {
			storetest.MustAppend(t, b, fmt.Sprint("live", i%17), fdbevents.Any, storetest.Event("e"))
		}
		wg.Wait()
		storetest.Eventually(t, "no lag", func() bool {
			i := storetest.GroupInfo(t, storetest.NewGroup(t, a, "g", groups.Options{}))
			return i.Lag().N == 0
		})
	})
}

func TestGroupSettings(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 3}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		orders := storetest.Query(fdbevents.QueryItem{Types: []string{"Placed", "Paid"}, Tags: []string{"vip"}}, fdbevents.QueryItem{Tags: []string{"b"}})
		g := storetest.NewGroup(t, s, "orders", groups.Options{Filter: fdbevents.Filter{StreamPrefixes: []string{"o"}, Query: orders}, From: fdbevents.End, MaxRetries: -1, MessageTimeout: time.Minute})
		want := groups.Options{Filter: fdbevents.Filter{StreamPrefixes: []string{"o"}, Query: orders}, From: fdbevents.End, MaxRetries: -1, MessageTimeout: time.Minute, LeaseTime: 10 * time.Second}
		if !reflect.DeepEqual(g.Options(), want) || g.Name() != "orders" {
			t.Errorf("%s: got %+v", g.Name(), g.Options())
		}
		for _, o := range []groups.Options{{}, want} {
			if got := storetest.NewGroup(t, s, "orders", o).Options(); !reflect.DeepEqual(got, want) {
				t.Errorf("opened with %+v: got %+v", o, got)
			}
		}
		opened, err := groups.Lookup(ctx, s, "orders")
		if err != nil || !reflect.DeepEqual(opened.Options(), want) {
			t.Errorf("got %+v, %v", opened, err)
		}
		for _, tt := range []struct {
			name    string
			o       groups.Options
			message string
		}{
			{"orders", groups.Options{Filter: fdbevents.Filter{Query: storetest.Query(fdbevents.QueryItem{Types: []string{"Paid"}})}}, `group query "type=Paid": the group was created with "type=Placed,Paid tag=vip or tag=b", which cannot change; leave it out, reset the group's position, or delete the group and create it anew`},
			{"orders", groups.Options{Filter: fdbevents.InStreams("p")}, `group stream prefix "p": the group was created with "o", which cannot change; `},
			{"orders", groups.Options{From: firstPosition}, `group starting position "000000000000000000000001": the group was created with "ffff`},
			{"orders", groups.Options{MaxRetries: 3}, `group retries "3": the group was created with "0"`},
			{"orders", groups.Options{MessageTimeout: time.Second}, `group message timeout "1s": the group was created with "1m0s"`},
			{"orders", groups.Options{LeaseTime: time.Second}, `group lease time "1s": the group was created with "10s"`},
			{"", groups.Options{}, `group name "": must not be empty`},
			{"a\nb", groups.Options{}, `group name "a\nb": must not have control characters (found U+000A)`},
			{strings.Repeat("x", 257), groups.Options{}, "group name: 257 bytes, limit 256"},
			{"new", groups.Options{LeaseTime: -1}, `lease time "-1ns": want 0 for the default, or at least 10ms`},
			{"new", groups.Options{MessageTimeout: time.Millisecond}, `message timeout "1ms": want 0 for the default, or at least 10ms`},
			{"new", groups.Options{Filter: fdbevents.InStreams("\x00")}, `stream prefix "\x00": must not have control`},
			{"new", groups.Options{Filter: fdbevents.Filter{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{""}})}}, `tag in query "": must not be empty`},
			{"new", groups.Options{Filter: fdbevents.Filter{Query: storetest.Query(make([]fdbevents.QueryItem, 40_000)...)}}, " bytes, limit 90000"},
			{"new", groups.Options{From: ahead}, "is ahead of this store, so it must come from another one"},
		} {
			_, err := groups.Open(ctx, s, tt.name, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.message) || !strings.HasPrefix(err.Error(), fmt.Sprintf("consumer group %q: ", tt.name)) {
				t.Errorf("%q %+v: got %v, want %s", tt.name, tt.o.LeaseTime, err, tt.message)
			}
			invalid, limit := (*fdbevents.InvalidError)(nil), (*fdbevents.LimitError)(nil)
			if !errors.As(err, &invalid) && !errors.As(err, &limit) {
				t.Errorf("%v is neither an InvalidError nor a LimitError", err)
			}
		}
		if _, err := groups.Lookup(ctx, s, "new"); !errors.Is(err, fdbevents.ErrGroupNotFound) || err.Error() != `consumer group "new" not found` {
			t.Errorf("got %v", err)
		}
		storetest.NewGroup(t, s, "another", groups.Options{})
		storetest.NewGroup(t, s, "order", groups.Options{})
		var names []string
		for info, err := range groups.List(ctx, s) {
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

// ahead is a position that no test's store has reached.
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
	storetest.EachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		write := func() {
			storetest.MustAppend(t, s, "order-1", fdbevents.Any, storetest.Tagged("paid", "vip"), storetest.Tagged("paid"), storetest.Tagged("placed", "vip"))
			storetest.MustAppend(t, s, "stock-1", fdbevents.Any, storetest.Tagged("paid", "vip"))
		}
		write()
		o := groups.Options{Filter: fdbevents.Filter{StreamPrefixes: []string{"order-"}, Query: storetest.Query(fdbevents.QueryItem{Types: []string{"paid"}, Tags: []string{"vip"}})}}
		all := storetest.NewGroup(t, s, "all", o)
		o.From = fdbevents.End
		fresh := storetest.NewGroup(t, s, "fresh", o)
		write()
		for _, tt := range []struct {
			g    *groups.Group
			want []string
		}{{all, []string{"order-1@0", "order-1@3"}}, {fresh, []string{"order-1@3"}}} {
			i := storetest.GroupInfo(t, tt.g)
			if got := i.Lag(); got.N != int64(len(tt.want)) || got.More {
				t.Errorf("%s: lag %v, want %d", i.Name, got, len(tt.want))
			}
			m := storetest.Join(t, tt.g)
			for _, want := range tt.want {
				msg := storetest.NextMessage(t, m)
				if got := storetest.Place(&msg.Event); got != want || msg.Attempt != 1 || msg.Replayed {
					t.Errorf("got %s, attempt %d, want %s", got, msg.Attempt, want)
				}
				storetest.Ack(t, msg)
			}
			i = storetest.GroupInfo(t, tt.g)
			if got := i.Lag(); got != (groups.Count{}) {
				t.Errorf("%s: lag %v in the end", i.Name, got)
			}
		}
	})
}

func TestGroupPause(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		m := storetest.Join(t, g)
		msg := storetest.NextMessage(t, m)
		if err := g.Pause(ctx); err != nil {
			t.Fatal(err)
		}
		if !storetest.GroupInfo(t, g).Paused {
			t.Error("it is not paused")
		}
		storetest.Eventually(t, "the member to pause", m.Paused)
		storetest.Ack(t, msg)
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
		if msg := storetest.NextMessage(t, m); storetest.Place(&msg.Event) != "s@1" {
			t.Errorf("got %s", storetest.Place(&msg.Event))
		}
	})
}

func TestGroupReset(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		var at []fdbevents.Position
		for i := range 5 {
			at = append(at, storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event(fmt.Sprint(i))).Position)
		}
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		m := storetest.Join(t, g)
		storetest.Ack(t, storetest.NextMessage(t, m))
		storetest.Nack(t, storetest.NextMessage(t, m), groups.Retry, "")
		reset := func(to fdbevents.Position) {
			t.Helper()
			if err := g.Reset(ctx, to); err != nil {
				t.Fatal(err)
			}
		}
		// For a moment, a member still delivers messages from before the reset. It cannot
		// settle them.
		work := func(revision int64) {
			t.Helper()
			msg := storetest.NextMessage(t, m)
			for err := msg.Ack(ctx); err != nil; err = msg.Ack(ctx) {
				if !refused(err) {
					t.Fatal(err)
				}
				msg = storetest.NextMessage(t, m)
			}
			if msg.Event.Revision != revision || msg.Attempt != 1 {
				t.Fatalf("got %s, attempt %d, want revision %d", storetest.Place(&msg.Event), msg.Attempt, revision)
			}
		}
		held := storetest.NextMessage(t, m)
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
		i := storetest.GroupInfo(t, g)
		if lag := i.Lag(); lag.N != 0 {
			t.Errorf("lag %v", lag)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("5"))
		work(5)
		err := g.Reset(ctx, ahead)
		if invalid := (*fdbevents.InvalidError)(nil); !errors.As(err, &invalid) || err.Error() != `resetting consumer group "g": position "7f0000000000000000000000": is ahead of this store, so it must come from another one; use a position of this store, or start or end` {
			t.Errorf("got %v", err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("6"))
		work(6)
	})
}

func TestGroupDelete(t *testing.T) {
	storetest.EachHealthyStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		storetest.MustAppend(t, a, "s", fdbevents.Any, storetest.Event("0"), storetest.Event("1"))
		old := storetest.NewGroup(t, a, "g", groups.Options{})
		m := storetest.Join(t, storetest.NewGroup(t, b, "g", groups.Options{}))
		storetest.Nack(t, storetest.NextMessage(t, m), groups.Park, "")
		msg := storetest.NextMessage(t, m)
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
		for range groups.List(ctx, a) {
			t.Error("it is still there")
		}
		g := storetest.NewGroup(t, b, "g", groups.Options{Filter: fdbevents.InStreams("s")})
		for what, call := range map[string]func() error{
			"resetting":             func() error { return old.Reset(ctx, fdbevents.Start) },
			"pausing":               func() error { return old.Pause(ctx) },
			"deleting":              func() error { return old.Delete(ctx) },
			"looking at":            func() error { _, err := old.Info(ctx); return err },
			"joining":               func() error { _, err := old.Join(ctx); return err },
			"replaying parked mess": func() error { _, err := old.Replay(ctx); return err },
		} {
			if err := call(); !errors.Is(err, fdbevents.ErrGroupDeleted) || !strings.HasPrefix(err.Error(), what) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		m = storetest.Join(t, g)
		if msg := storetest.NextMessage(t, m); storetest.Place(&msg.Event) != "s@0" || msg.Attempt != 1 {
			t.Errorf("got %s", storetest.Place(&msg.Event))
		}
	})
}

// refused reports whether a settlement was refused because the lease was lost. When the
// outcome of its first attempt was unknown, the error can only say that.
func refused(err error) bool {
	return errors.Is(err, fdbevents.ErrLeaseLost) || errors.Is(err, fdbevents.ErrSettleUnknown)
}
