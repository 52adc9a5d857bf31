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

// NewGroup opens a consumer group, and creates it if necessary.
func NewGroup(t testing.TB, s *fdblayer.Store, name string, o groups.Options) *groups.Group {
	t.Helper()
	g, err := groups.Open(t.Context(), s, name, o)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

// Join joins a group until the test ends.
func Join(t testing.TB, g *groups.Group) *groups.Member {
	t.Helper()
	m, err := g.Join(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m
}

// NextMessage returns the next message of a member.
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

// Ack acknowledges a message.
func Ack(t testing.TB, msg *groups.Message) {
	t.Helper()
	if err := msg.Ack(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// Nack refuses a message.
func Nack(t testing.TB, msg *groups.Message, action groups.NackAction, reason string) {
	t.Helper()
	if err := msg.Nack(t.Context(), action, reason); err != nil {
		t.Fatal(err)
	}
}

// GroupInfo returns the state of a group.
func GroupInfo(t testing.TB, g *groups.Group) groups.Info {
	t.Helper()
	i, err := g.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// Eventually polls until a state is reached that nothing signals.
func Eventually(t testing.TB, what string, reached func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !reached(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out waiting for %s", what)
		}
	}
}

// Place names an event in the messages of tests.
func Place(ev *fdbevents.Event) string { return fmt.Sprintf("%s@%d", ev.Stream, ev.Revision) }

// patience is how long tests wait for something to happen.
const patience = 30 * time.Second
