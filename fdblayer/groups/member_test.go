package groups_test

import (
	"context"
	"errors"
	"runtime"
	"sync"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/groups"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

// TestGroupMissesNothingAtTheSeam appends while the only member begins to follow.
func TestGroupMissesNothingAtTheSeam(t *testing.T) {
	storetest.EachHealthyStore(t, fdblayer.Options{Partitions: 1}, func(t *testing.T, s *fdblayer.Store) {
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		for i := range 60 {
			var appending sync.WaitGroup
			appending.Go(func() { storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e")) })
			m := storetest.Join(t, g)
			if msg := storetest.NextMessage(t, m); msg.Event.Revision != int64(i) {
				t.Fatalf("round %d: got %s", i, storetest.Place(&msg.Event))
			} else {
				storetest.Ack(t, msg)
			}
			if err := m.Close(); err != nil {
				t.Error(err)
			}
			appending.Wait()
		}
	})
}

// wait consumes messages without settling them. It returns a channel of the errors, which
// is closed when Messages ends.
func wait(ctx context.Context, m *groups.Member) chan error {
	ended := make(chan error, 1)
	go func() {
		defer close(ended)
		for _, err := range m.Messages(ctx) {
			if err != nil { // not a message
				ended <- err
			}
		}
	}()
	return ended
}

// TestGroupEnds tries all ways in which waiting for a message ends.
func TestGroupEnds(t *testing.T) {
	storetest.EachHealthyEngine(t, func(t *testing.T, e storetest.EngineT) {
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{})
		if err != nil {
			t.Fatal(err)
		}
		g := storetest.NewGroup(t, s, "g", groups.Options{})
		m := storetest.Join(t, g)
		ctx, cancel := context.WithCancelCause(t.Context())
		ended := wait(ctx, m)
		own := errors.New("enough")
		cancel(own)
		if err := <-ended; !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"))
		msg := storetest.NextMessage(t, m)
		if err := msg.Ack(ctx); !errors.Is(err, own) {
			t.Errorf("got %v, want the context's cause", err)
		}
		if err := msg.Ack(t.Context()); err != nil {
			t.Errorf("after an Ack that did not begin: %v", err)
		}
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("1"))
		msg = storetest.NextMessage(t, m)
		ended = wait(t.Context(), m)
		if err := errors.Join(m.Close(), m.Close()); err != nil {
			t.Error(err)
		}
		if err, more := <-ended; more {
			t.Errorf("got %v after Close", err)
		}
		if err := msg.Ack(t.Context()); !refused(err) {
			t.Errorf("got %v", err)
		}
		if i := storetest.GroupInfo(t, g); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after Close, members are %v, owners %v", i.Members, owners(i))
		}
		// Closing the store closes its members, too, and they give their leases up.
		m = storetest.Join(t, g)
		ended = wait(t.Context(), m)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; !errors.Is(err, fdbevents.ErrClosed) {
			t.Errorf("got %v", err)
		}
		for what, call := range map[string]func() error{
			"Join":  func() error { _, err := g.Join(t.Context()); return err },
			"Group": func() error { _, err := groups.Open(t.Context(), s, "g", groups.Options{}); return err },
			"Info":  func() error { _, err := g.Info(t.Context()); return err },
		} {
			if err := call(); !errors.Is(err, fdbevents.ErrClosed) {
				t.Errorf("%s: got %v", what, err)
			}
		}
		after := storetest.OpenStore(t, e, fdblayer.Options{})
		if i := storetest.GroupInfo(t, storetest.NewGroup(t, after, "g", groups.Options{})); len(i.Members) > 0 || owners(i)[uuid.Nil] != 8 {
			t.Errorf("after the store's Close, members are %v, owners %v", i.Members, owners(i))
		}
	})
}

// TestGroupLeavesNoGoroutines is not parallel, so that goroutines of other tests do not
// count.
func TestGroupLeavesNoGoroutines(t *testing.T) {
	s := storetest.OpenStore(t, storetest.OpenMemory(t), fdblayer.Options{})
	g := storetest.NewGroup(t, s, "g", groups.Options{})
	before := runtime.NumGoroutine()
	for range 5 {
		a, b := storetest.Join(t, g), storetest.Join(t, g)
		storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("0"))
		a.Close()
		storetest.Ack(t, storetest.NextMessage(t, b))
		b.Close()
	}
	// The store's watcher ends by itself, after its last subscriber.
	storetest.Eventually(t, "goroutines to end", func() bool { return runtime.NumGoroutine() <= before })
}
