package storetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
)

func NewGroup(t testing.TB, s *fdblayer.Store, name string, o groups.Options) *groups.Group {
	t.Helper()
	g, err := groups.Open(t.Context(), s, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// join joins until the test ends.
func Join(t testing.TB, g *groups.Group) *groups.Member {
	t.Helper()
	m, err := g.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// next takes one message.
func NextMessage(t testing.TB, m *groups.Member) *groups.Message {
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

func Ack(t testing.TB, msg *groups.Message) {
	t.Helper()
	if err := msg.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func Nack(t testing.TB, msg *groups.Message, action groups.NackAction, reason string) {
	t.Helper()
	if err := msg.Nack(t.Context(), action, reason); err != nil {
		t.Fatal(err)
	}
}

func GroupInfo(t testing.TB, g *groups.Group) groups.Info {
	t.Helper()
	i, err := g.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// eventually looks until a state is reached that no signal tells of.
func Eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

// place names an event for messages of tests.
func Place(ev *fdbevents.Event) string { return fmt.Sprintf("%s@%d", ev.Stream, ev.Revision) }

// patience bounds what tests wait for.
const patience = 30 * time.Second
