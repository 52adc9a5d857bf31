package fdblayer_test

import (
	"context"

	"fmt"

	"sync"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents/fdblayer"
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
