package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/google/uuid"
)

// quick are settings under which lost members are noticed soon.
var quick = fdblayer.GroupOptions{LeaseTime: 400 * time.Millisecond}

func newGroup(t testing.TB, s *fdblayer.Store, name string, o fdblayer.GroupOptions) *fdblayer.Group {
	t.Helper()
	g, err := s.Group(t.Context(), name, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// join joins until the test ends.
func join(t testing.TB, g *fdblayer.Group) *fdblayer.Member {
	t.Helper()
	m, err := g.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// patience bounds what tests wait for.
const patience = 30 * time.Second

// next takes one message.
func next(t testing.TB, m *fdblayer.Member) *fdblayer.Message {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	for msg, err := range m.Messages(ctx) {
		if err != nil {
			t.Fatal(err)
		}
		return msg
	}
	t.Fatal("the member was closed")
	return nil
}

func ack(t testing.TB, msg *fdblayer.Message) {
	t.Helper()
	if err := msg.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func nack(t testing.TB, msg *fdblayer.Message, action fdblayer.NackAction, reason string) {
	t.Helper()
	if err := msg.Nack(t.Context(), action, reason); err != nil {
		t.Fatal(err)
	}
}

func info(t testing.TB, g *fdblayer.Group) fdblayer.GroupInfo {
	t.Helper()
	i, err := g.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// eventually looks until a state is reached that no signal tells of.
func eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// place names an event for messages of tests.
func place(ev *fdblayer.Event) string { return fmt.Sprintf("%s@%d", ev.Stream, ev.Revision) }

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
			mustAppend(t, b, fmt.Sprint("live", i%17), fdblayer.Any, event("e"))
		}
		wg.Wait()
		eventually(t, "no lag", func() bool { i := info(t, newGroup(t, a, "g", fdblayer.GroupOptions{})); return i.Lag().N == 0 })
	})
}

func TestGroupSettings(t *testing.T) {
	eachStore(t, fdblayer.Options{Partitions: 3}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		orders := query(fdblayer.QueryItem{Types: []string{"Placed", "Paid"}, Tags: []string{"vip"}}, fdblayer.QueryItem{Tags: []string{"b"}})
		g := newGroup(t, s, "orders", fdblayer.GroupOptions{Query: orders, StreamPrefix: "o", From: fdblayer.End, MaxRetries: -1, MessageTimeout: time.Minute})
		want := fdblayer.GroupOptions{Query: orders, StreamPrefix: "o", From: fdblayer.End, MaxRetries: -1, MessageTimeout: time.Minute, LeaseTime: 10 * time.Second}
		if !reflect.DeepEqual(g.Options(), want) || g.Name() != "orders" {
			t.Errorf("%s: got %+v", g.Name(), g.Options())
		}
		for _, o := range []fdblayer.GroupOptions{{}, want} {
			if got := newGroup(t, s, "orders", o).Options(); !reflect.DeepEqual(got, want) {
				t.Errorf("opened with %+v: got %+v", o, got)
			}
		}
		opened, err := s.OpenGroup(ctx, "orders")
		if err != nil || !reflect.DeepEqual(opened.Options(), want) {
			t.Errorf("got %+v, %v", opened, err)
		}
		for _, tt := range []struct {
			name    string
			o       fdblayer.GroupOptions
			message string
		}{
			{"orders", fdblayer.GroupOptions{Query: query(fdblayer.QueryItem{Types: []string{"Paid"}})}, `group query "{[{[Paid] []}]}": the group was created with "{[{[Placed Paid] [vip]} {[] [b]}]}", which cannot change; leave it out, reset the group's position, or delete the group and create it anew`},
			{"orders", fdblayer.GroupOptions{StreamPrefix: "p"}, `group stream prefix "p": the group was created with "o", which cannot change; `},
			{"orders", fdblayer.GroupOptions{From: firstPosition}, `group starting position "000000000000000000000001": the group was created with "ffff`},
			{"orders", fdblayer.GroupOptions{MaxRetries: 3}, `group retries "3": the group was created with "0"`},
			{"orders", fdblayer.GroupOptions{MessageTimeout: time.Second}, `group message time-out "1s": the group was created with "1m0s"`},
			{"orders", fdblayer.GroupOptions{LeaseTime: time.Second}, `group lease time "1s": the group was created with "10s"`},
			{"", fdblayer.GroupOptions{}, `group name "": must not be empty`},
			{"a\nb", fdblayer.GroupOptions{}, `group name "a\nb": must not have control characters (found U+000A)`},
			{strings.Repeat("x", 257), fdblayer.GroupOptions{}, "group name: 257 bytes, limit 256"},
			{"new", fdblayer.GroupOptions{LeaseTime: -1}, `lease time "-1ns": want 0 for the default, or at least 10ms`},
			{"new", fdblayer.GroupOptions{MessageTimeout: time.Millisecond}, `message time-out "1ms": want 0 for the default, or at least 10ms`},
			{"new", fdblayer.GroupOptions{StreamPrefix: "\x00"}, `stream prefix "\x00": must not have control`},
			{"new", fdblayer.GroupOptions{Query: query(fdblayer.QueryItem{Tags: []string{""}})}, `tag in query "": must not be empty`},
			{"new", fdblayer.GroupOptions{Query: query(make([]fdblayer.QueryItem, 40_000)...)}, " bytes, limit 90000"},
			{"new", fdblayer.GroupOptions{From: ahead}, "is ahead of this store, so it must come from another one"},
		} {
			_, err := s.Group(ctx, tt.name, tt.o)
			if err == nil || !strings.Contains(err.Error(), tt.message) || !strings.HasPrefix(err.Error(), fmt.Sprintf("consumer group %q: ", tt.name)) {
				t.Errorf("%q %+v: got %v, want %s", tt.name, tt.o.LeaseTime, err, tt.message)
			}
			invalid, limit := (*fdblayer.InvalidError)(nil), (*fdblayer.LimitError)(nil)
			if !errors.As(err, &invalid) && !errors.As(err, &limit) {
				t.Errorf("%v is neither an InvalidError nor a LimitError", err)
			}
		}
		if _, err := s.OpenGroup(ctx, "new"); !errors.Is(err, fdblayer.ErrGroupNotFound) || err.Error() != `consumer group "new": consumer group not found` {
			t.Errorf("got %v", err)
		}
		newGroup(t, s, "another", fdblayer.GroupOptions{})
		newGroup(t, s, "order", fdblayer.GroupOptions{})
		var names []string
		for info, err := range s.Groups(ctx) {
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
var ahead = func() fdblayer.Position {
	p, err := fdblayer.ParsePosition("7f0000000000000000000000")
	if err != nil {
		panic(err)
	}
	return p
}()

// firstPosition is a position before every event, other than Start.
var firstPosition = func() (p fdblayer.Position) {
	if err := p.UnmarshalText([]byte("000000000000000000000001")); err != nil {
		panic(err)
	}
	return p
}()

func TestGroupSelects(t *testing.T) {
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		write := func() {
			mustAppend(t, s, "order-1", fdblayer.Any, tagged("paid", "vip"), tagged("paid"), tagged("placed", "vip"))
			mustAppend(t, s, "stock-1", fdblayer.Any, tagged("paid", "vip"))
		}
		write()
		o := fdblayer.GroupOptions{StreamPrefix: "order-", Query: query(fdblayer.QueryItem{Types: []string{"paid"}, Tags: []string{"vip"}})}
		all := newGroup(t, s, "all", o)
		o.From = fdblayer.End
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

// TestGroupSettles is the life of messages of one stream and another.
func TestGroupSettles(t *testing.T) {
	eachStore(t, fdblayer.Options{Partitions: 2}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		mustAppend(t, s, "s", fdblayer.Any, event("0"), event("1"), event("2"), event("3"), event("4"))
		g := newGroup(t, s, "g", fdblayer.GroupOptions{MaxRetries: 2})
		m := join(t, g)
		expect := func(revision int64, attempt int, replayed bool) *fdblayer.Message {
			t.Helper()
			msg := next(t, m)
			if msg.Event.Revision != revision || msg.Attempt != attempt || msg.Replayed != replayed {
				t.Fatalf("got %s, attempt %d, replayed %v; want revision %d, attempt %d, %v", place(&msg.Event), msg.Attempt, msg.Replayed, revision, attempt, replayed)
			}
			return msg
		}
		begin := time.Now()
		msg := expect(0, 1, false)
		if err := msg.Nack(ctx, 0, ""); err == nil || !strings.Contains(err.Error(), `nack action "0": want Retry, Park or Skip`) {
			t.Errorf("got %v", err)
		}
		nack(t, msg, fdblayer.Retry, "busy")
		nack(t, expect(0, 2, false), fdblayer.Retry, "still busy")
		ack(t, expect(0, 3, false))
		if took := time.Since(begin); took < 300*time.Millisecond {
			t.Errorf("two retries after %v", took)
		}
		nack(t, expect(1, 1, false), fdblayer.Park, "no such customer "+strings.Repeat("ü", fdblayer.MaxReason))
		nack(t, expect(2, 1, false), fdblayer.Skip, "")
		for attempt := 1; attempt <= 3; attempt++ {
			nack(t, expect(3, attempt, false), fdblayer.Retry, "never works")
		}
		msg = expect(4, 1, false)
		for _, again := range []func() error{func() error { return msg.Ack(ctx) }, func() error { return msg.Nack(ctx, fdblayer.Park, "") }} {
			ack := msg.Ack(ctx)
			err := again()
			if !errors.Is(err, fdblayer.ErrSettled) || err.Error() != fmt.Sprintf(`settling message at position %s of consumer group "g": message is settled already; ack or nack each message once`, msg.Event.Position) {
				t.Errorf("after %v: got %v", ack, err)
			}
		}
		var parked []string
		for p, err := range g.Parked(ctx) {
			if err != nil {
				t.Fatal(err)
			}
			parked = append(parked, fmt.Sprint(place(&p.Event), " ", p.Attempts, " ", p.Reason[:min(16, len(p.Reason))]))
			if len(p.Reason) > fdblayer.MaxReason || !utf8.ValidString(p.Reason) || p.Time.Before(begin.Add(-time.Second)) {
				t.Errorf("got %+v", p)
			}
		}
		if want := []string{"s@1 1 no such customer", "s@3 3 failed 3 times: "}; !slices.Equal(parked, want) {
			t.Errorf("parked are %q", parked)
		}
		i := info(t, g)
		if i.Parked().N != 2 || i.Lag().N != 0 {
			t.Errorf("parked %v, lag %v", i.Parked(), i.Lag())
		}
		if n, err := g.Replay(ctx); n != 2 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		if n, err := g.Replay(ctx); n != 0 || err != nil {
			t.Errorf("replayed %d again, %v", n, err)
		}
		nack(t, expect(1, 1, true), fdblayer.Retry, "")
		ack(t, expect(1, 2, true))
		nack(t, expect(3, 1, true), fdblayer.Park, "again")
		if n, err := g.Replay(ctx); n != 1 || err != nil {
			t.Errorf("replayed %d, %v", n, err)
		}
		ack(t, expect(3, 1, true))
		if i = info(t, g); i.Parked().N != 0 || i.Lag().N != 0 {
			t.Errorf("parked %v, lag %v", i.Parked(), i.Lag())
		}
	})
}

// TestGroupReplaysMany is more than is replayed at a time, by another member, and
// from events of which each is in its own stream.
func TestGroupReplaysMany(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		const n = 700
		var appends []fdblayer.StreamAppend
		for i := range n {
			appends = append(appends, to(fmt.Sprint("s", i), event("e")))
		}
		if _, err := a.AppendMany(ctx, appends...); err != nil {
			t.Fatal(err)
		}
		g := newGroup(t, a, "g", fdblayer.GroupOptions{})
		work := func(m *fdblayer.Member, replayed bool, settle func(*fdblayer.Message) error) {
			t.Helper()
			ctx, cancel := context.WithCancel(ctx)
			defer cancel()
			var left atomic.Int64
			left.Store(n)
			var wg sync.WaitGroup
			for range 32 {
				wg.Go(func() {
					for msg, err := range m.Messages(ctx) {
						if err != nil {
							return
						}
						if msg.Replayed != replayed {
							t.Errorf("%s: replayed is %v", place(&msg.Event), msg.Replayed)
						}
						if err := settle(msg); err != nil {
							t.Error(err)
						}
						if left.Add(-1) == 0 {
							cancel()
						}
					}
				})
			}
			wg.Wait()
			m.Close()
		}
		work(join(t, g), false, func(msg *fdblayer.Message) error { return msg.Nack(ctx, fdblayer.Park, "later") })
		m := join(t, newGroup(t, b, "g", fdblayer.GroupOptions{}))
		if moved, err := g.Replay(ctx); moved != n || err != nil {
			t.Fatalf("replayed %d, %v", moved, err)
		}
		work(m, true, func(msg *fdblayer.Message) error { return msg.Ack(ctx) })
		for p, err := range g.Parked(ctx) {
			t.Errorf("parked is %+v, %v", p, err)
		}
		for p, x := range info(t, g).Partitions {
			if x.Replaying.N > 0 {
				t.Errorf("partition %d: %v to be replayed", p, x.Replaying)
			}
		}
	})
}

func TestGroupMessageTimeout(t *testing.T) {
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		mustAppend(t, s, "s", fdblayer.Any, event("0"), event("1"))
		g := newGroup(t, s, "g", fdblayer.GroupOptions{MessageTimeout: 50 * time.Millisecond, MaxRetries: 1})
		m := join(t, g)
		late := next(t, m)
		again := next(t, m)
		if place(&again.Event) != "s@0" || again.Attempt != 2 {
			t.Errorf("got %s, attempt %d", place(&again.Event), again.Attempt)
		}
		if err := late.Ack(t.Context()); !errors.Is(err, fdblayer.ErrMessageTimeout) {
			t.Errorf("got %v", err)
		}
		if msg := next(t, m); place(&msg.Event) != "s@1" {
			t.Errorf("got %s", place(&msg.Event))
		} else {
			ack(t, msg)
		}
		if err := again.Nack(t.Context(), fdblayer.Retry, ""); !errors.Is(err, fdblayer.ErrMessageTimeout) {
			t.Errorf("got %v", err)
		}
		for p, err := range g.Parked(t.Context()) {
			if err != nil || place(&p.Event) != "s@0" || p.Attempts != 2 || p.Reason != "failed 2 times: not settled within 50ms" {
				t.Errorf("parked is %+v, %v", p, err)
			}
		}
	})
}

// owners counts the partitions of each member; those that nobody has are under
// the zero UUID.
func owners(i fdblayer.GroupInfo) map[uuid.UUID]int {
	out := make(map[uuid.UUID]int)
	for _, p := range i.Partitions {
		out[p.Owner]++
	}
	return out
}

func TestGroupRebalances(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		fill(t, a, 100)
		o := quick
		o.MessageTimeout = time.Minute
		g, h := newGroup(t, a, "g", o), newGroup(t, b, "g", o)
		await := func(want ...int) {
			t.Helper()
			eventually(t, fmt.Sprint("shares of ", want), func() bool {
				got := slices.Sorted(maps.Values(owners(info(t, g))))
				return slices.Equal(got, want)
			})
		}
		first := join(t, g)
		await(8)
		// What the first has in work, it keeps until that is settled.
		var held []*fdblayer.Message
		for range 10 {
			held = append(held, next(t, first))
		}
		working := make(map[int]bool)
		for _, msg := range held {
			working[msg.Partition] = true
		}
		second := join(t, h)
		if len(working) <= 4 {
			await(4, 4)
		}
		for _, msg := range held {
			ack(t, msg)
		}
		await(4, 4)
		third := join(t, g)
		await(2, 3, 3)
		before := owners(info(t, g))
		fourth := join(t, h)
		await(2, 2, 2, 2)
		// Sticky: nobody who gave one up got another.
		for id, n := range before {
			if now := owners(info(t, g))[id]; now > n {
				t.Errorf("member %s has %d partitions, had %d", id, now, n)
			}
		}
		// Whoever leaves, is taken over at once; the lease time has nothing to do
		// with it.
		second.Close()
		await(2, 3, 3)
		third.Crash()
		await(4, 4)
		fourth.Crash()
		await(8)
		if got := owners(info(t, g))[first.ID()]; got != 8 {
			t.Errorf("the first member has %d partitions", got)
		}
		if i := info(t, g); len(i.Members) != 1 {
			t.Errorf("members are %v", i.Members)
		}
		many := []*fdblayer.Member{first}
		for i := range 9 {
			many = append(many, join(t, []*fdblayer.Group{g, h}[i%2]))
		}
		await(1, 1, 1, 1, 1, 1, 1, 1)
		for _, m := range many {
			m.Close()
		}
		if got := owners(info(t, g)); got[uuid.Nil] != 8 {
			t.Errorf("in the end the owners are %v", got)
		}
	})
}

// TestGroupFencing has a member go silent with messages in its hands.
func TestGroupFencing(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		for i := range 20 {
			mustAppend(t, a, fmt.Sprint("s", i), fdblayer.Any, event("0"), event("1"))
		}
		g := newGroup(t, a, "g", quick)
		silent := join(t, g)
		held := make(map[string]*fdblayer.Message)
		for range 20 {
			msg := next(t, silent)
			held[msg.Event.Stream] = msg
		}
		kept := held["s0"]
		delete(held, "s0")
		ack(t, kept)
		silent.Freeze()
		other := join(t, newGroup(t, b, "g", quick))
		// All that was held comes again, before what follows it. The word of the
		// silent member does not count any more.
		for range 39 {
			msg := next(t, other)
			if before := held[msg.Event.Stream]; before != nil && msg.Event.Revision == 0 {
				if msg.Epoch <= before.Epoch || msg.Partition != before.Partition {
					t.Errorf("%s: epoch %d after %d", place(&msg.Event), msg.Epoch, before.Epoch)
				}
				settle := func() error { return before.Ack(ctx) }
				if len(held)%2 == 0 {
					settle = func() error { return before.Nack(ctx, fdblayer.Park, "") }
				}
				for range 2 {
					if err := settle(); !errors.Is(err, fdblayer.ErrLeaseLost) {
						t.Errorf("%s: got %v", place(&msg.Event), err)
					}
				}
				delete(held, msg.Event.Stream)
			} else if msg.Event.Revision != 1 {
				t.Errorf("got %s", place(&msg.Event))
			}
			ack(t, msg)
		}
		if len(held) > 0 {
			t.Errorf("%d were not delivered again", len(held))
		}
		for p, err := range g.Parked(ctx) {
			t.Errorf("parked is %+v, %v", p, err)
		}
		eventually(t, "the silent member to know", func() bool { n, _ := silent.Held(); return n == 0 })
	})
}

// TestGroupMemberJoinsAgain when others took it for dead.
func TestGroupMemberJoinsAgain(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		g := newGroup(t, a, "g", quick)
		m := join(t, g)
		old := m.ID()
		m.Freeze()
		other := join(t, newGroup(t, b, "g", quick))
		eventually(t, "the other member to have all", func() bool { return owners(info(t, g))[other.ID()] == 8 })
		m.Thaw()
		eventually(t, "both to have half", func() bool {
			got := owners(info(t, g))
			return got[other.ID()] == 4 && got[m.ID()] == 4
		})
		if m.ID() == old {
			t.Error("it has the same id as before")
		}
		mustAppend(t, a, "s", fdblayer.Any, event("0"))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var wg sync.WaitGroup
		for _, m := range []*fdblayer.Member{m, other} {
			wg.Go(func() {
				for msg, err := range m.Messages(ctx) {
					if err == nil {
						ack(t, msg)
						cancel()
					}
				}
			})
		}
		wg.Wait()
	})
}

func TestGroupPause(t *testing.T) {
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		mustAppend(t, s, "s", fdblayer.Any, event("0"), event("1"))
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
	eachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		var at []fdblayer.Position
		for i := range 5 {
			at = append(at, mustAppend(t, s, "s", fdblayer.Any, event(fmt.Sprint(i))).Position)
		}
		g := newGroup(t, s, "g", fdblayer.GroupOptions{})
		m := join(t, g)
		ack(t, next(t, m))
		nack(t, next(t, m), fdblayer.Retry, "")
		reset := func(to fdblayer.Position) {
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
				if !errors.Is(err, fdblayer.ErrLeaseLost) {
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
		if err := held.Ack(ctx); !errors.Is(err, fdblayer.ErrLeaseLost) {
			t.Errorf("got %v", err)
		}
		work(3)
		reset(fdblayer.Start)
		for i := range at {
			work(int64(i))
		}
		reset(at[0])
		reset(fdblayer.End)
		i := info(t, g)
		if lag := i.Lag(); lag.N != 0 {
			t.Errorf("lag %v", lag)
		}
		mustAppend(t, s, "s", fdblayer.Any, event("5"))
		work(5)
		err := g.Reset(ctx, ahead)
		if invalid := (*fdblayer.InvalidError)(nil); !errors.As(err, &invalid) || err.Error() != `resetting consumer group "g": position "7f0000000000000000000000": is ahead of this store, so it must come from another one; use a position of this store, or start or end` {
			t.Errorf("got %v", err)
		}
		mustAppend(t, s, "s", fdblayer.Any, event("6"))
		work(6)
	})
}

func TestGroupDelete(t *testing.T) {
	eachEngine2(t, func(t *testing.T, a, b *fdblayer.Store) {
		ctx := t.Context()
		mustAppend(t, a, "s", fdblayer.Any, event("0"), event("1"))
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
		if !errors.Is(ends, fdblayer.ErrGroupDeleted) || ends.Error() != `consumer group "g": consumer group was deleted; open it again` {
			t.Errorf("got %v", ends)
		}
		if err := msg.Ack(ctx); err == nil {
			t.Error("it was acknowledged to a group that is gone")
		}
		m.Close()
		for range a.Groups(ctx) {
			t.Error("it is still there")
		}
		g := newGroup(t, b, "g", fdblayer.GroupOptions{StreamPrefix: "s"})
		for what, call := range map[string]func() error{
			"resetting":             func() error { return old.Reset(ctx, fdblayer.Start) },
			"pausing":               func() error { return old.Pause(ctx) },
			"deleting":              func() error { return old.Delete(ctx) },
			"looking at":            func() error { _, err := old.Info(ctx); return err },
			"joining":               func() error { _, err := old.Join(ctx); return err },
			"replaying what is par": func() error { _, err := old.Replay(ctx); return err },
		} {
			if err := call(); !errors.Is(err, fdblayer.ErrGroupDeleted) || !strings.HasPrefix(err.Error(), what) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		m = join(t, g)
		if msg := next(t, m); place(&msg.Event) != "s@0" || msg.Attempt != 1 {
			t.Errorf("got %s", place(&msg.Event))
		}
	})
}

// TestGroupCheckpointPassesWhatIsNotSelected, so that a new member does not read
// it again.
func TestGroupCheckpointPassesWhatIsNotSelected(t *testing.T) {
	eachStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		g := newGroup(t, s, "g", fdblayer.GroupOptions{StreamPrefix: "mine", LeaseTime: quick.LeaseTime})
		join(t, g)
		last := mustAppend(t, s, "other", fdblayer.Any, event("0"), event("1"))
		eventually(t, "the checkpoint to move", func() bool { return !info(t, g).Partitions[0].Checkpoint.Before(last.Position) })
	})
}

// TestGroupStuckStream holds one stream up, longer than others may run ahead.
func TestGroupStuckStream(t *testing.T) {
	eachStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		mustAppend(t, s, "stuck", fdblayer.Any, event("0"), event("1"))
		for i := range 50 {
			events := make([]fdblayer.NewEvent, 60)
			for j := range events {
				events[j] = event("e")
			}
			mustAppend(t, s, fmt.Sprint("s", i), fdblayer.Any, events...)
		}
		g := newGroup(t, s, "g", fdblayer.GroupOptions{})
		m := join(t, g)
		stuck := next(t, m)
		if place(&stuck.Event) != "stuck@0" {
			t.Fatalf("got %s", place(&stuck.Event))
		}
		ctx, done := context.WithCancel(t.Context())
		defer done()
		var wg sync.WaitGroup
		var freed atomic.Bool
		var settled atomic.Int64
		for range 50 {
			wg.Go(func() {
				for msg, err := range m.Messages(ctx) {
					if err != nil {
						return
					}
					if msg.Event.Stream == "stuck" && !freed.Load() {
						t.Errorf("%s overtakes", place(&msg.Event))
					}
					ack(t, msg)
					if settled.Add(1) == 3001 {
						done()
					}
				}
			})
		}
		var ahead int
		eventually(t, "the others to run ahead", func() bool {
			_, known := m.Held()
			ahead = info(t, g).Partitions[0].Ahead
			return ahead >= 1024 && known == 2
		})
		if ahead > 2500 || settled.Load() == 3000 {
			t.Errorf("%d events are settled ahead of the checkpoint", ahead)
		}
		freed.Store(true)
		ack(t, stuck)
		wg.Wait()
		if x := info(t, g).Partitions[0]; x.Ahead != 0 || x.Lag.N != 0 {
			t.Errorf("in the end %+v", x)
		}
	})
}

// TestGroupLag counts up to a bound.
func TestGroupLag(t *testing.T) {
	eachStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		all, some := newGroup(t, s, "all", fdblayer.GroupOptions{}), newGroup(t, s, "some", fdblayer.GroupOptions{StreamPrefix: "s3"})
		events := make([]fdblayer.NewEvent, 2000)
		for i := range events {
			events[i] = event("e")
		}
		for i := range 6 {
			if i == 5 {
				for _, want := range []string{"10000", "2000"} {
					i := info(t, map[string]*fdblayer.Group{"10000": all, "2000": some}[want])
					if got := i.Lag().String(); got != want {
						t.Errorf("lag %s, want %s", got, want)
					}
				}
			}
			mustAppend(t, s, fmt.Sprint("s", i), fdblayer.Any, events...)
		}
		for _, want := range []string{"10000+", "2000+"} {
			i := info(t, map[string]*fdblayer.Group{"10000+": all, "2000+": some}[want])
			if got := i.Lag().String(); got != want {
				t.Errorf("lag %s, want %s", got, want)
			}
		}
	})
}

// TestGroupEnds is all ways in which waiting for a message ends.
func TestGroupEnds(t *testing.T) {
	eachEngine(t, func(t *testing.T, e engineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		g := newGroup(t, s, "g", fdblayer.GroupOptions{})
		m := join(t, g)
		wait := func(ctx context.Context, m *fdblayer.Member) chan error {
			ended := make(chan error, 1)
			go func() {
				defer close(ended)
				for _, err := range m.Messages(ctx) {
					ended <- err
				}
			}()
			return ended
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := wait(ctx, m)
		own := errors.New("enough")
		cancel(own)
		if err := <-ended; !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		mustAppend(t, s, "s", fdblayer.Any, event("0"))
		msg := next(t, m)
		if err := msg.Ack(ctx); !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		if err := msg.Ack(t.Context()); err != nil {
			t.Errorf("after an Ack that did not begin: %v", err)
		}
		mustAppend(t, s, "s", fdblayer.Any, event("1"))
		msg = next(t, m)
		ended = wait(t.Context(), m)
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		if err, more := <-ended; more {
			t.Errorf("got %v after Close", err)
		}
		if err := msg.Ack(t.Context()); !errors.Is(err, fdblayer.ErrLeaseLost) {
			t.Errorf("got %v", err)
		}
		if i := info(t, g); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after Close, members are %v, owners %v", i.Members, owners(i))
		}
		// Closing the store closes members too, and they leave in order.
		m = join(t, g)
		ended = wait(t.Context(), m)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, fdblayer.ErrClosed) {
			t.Errorf("got %v", err)
		}
		for what, call := range map[string]func() error{
			"Join":  func() error { _, err := g.Join(t.Context()); return err },
			"Group": func() error { _, err := s.Group(t.Context(), "g", fdblayer.GroupOptions{}); return err },
			"Info":  func() error { _, err := g.Info(t.Context()); return err },
		} {
			if err := call(); !errors.Is(err, fdblayer.ErrClosed) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		after := openStore(t, e, fdblayer.Options{})
		if i := info(t, newGroup(t, after, "g", fdblayer.GroupOptions{})); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after the store's Close, members are %v, owners %v", i.Members, owners(i))
		}
	})
}

// TestGroupLeavesNoGoroutines: it is not parallel, so that those of other tests
// do not count.
func TestGroupLeavesNoGoroutines(t *testing.T) {
	s := openStore(t, openMemory(t), fdblayer.Options{})
	g := newGroup(t, s, "g", fdblayer.GroupOptions{})
	before := runtime.NumGoroutine()
	for range 5 {
		a, b := join(t, g), join(t, g)
		mustAppend(t, s, "s", fdblayer.Any, event("0"))
		a.Close()
		ack(t, next(t, b))
		b.Close()
	}
	// The watcher ends on its own, after its last subscriber.
	eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}
