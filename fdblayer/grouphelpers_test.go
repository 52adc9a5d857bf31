package fdblayer_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

func newGroup(t testing.TB, s *fdblayer.Store, name string, o fdblayer.GroupOptions) *fdblayer.Group {
	t.Helper()
	g, err := fdblayer.OpenGroup(t.Context(), s, name, o)
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
func place(ev *fdbevents.Event) string { return fmt.Sprintf("%s@%d", ev.Stream, ev.Revision) }

// patience bounds what tests wait for.
const patience = 30 * time.Second
