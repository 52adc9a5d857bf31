package fdblayer_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
)

func TestRetryHook(t *testing.T) {
	e := storetest.NewFlakyEngine(storetest.OpenMemory(t), 1, 0)
	var why []error
	s := storetest.OpenStore(t, e, fdblayer.Options{Hooks: fdblayer.Hooks{Retry: func(err error) { why = append(why, err) }}})
	e.FailNext = func(*storetest.FlakyTransaction) error {
		e.FailNext = nil
		return engine.ErrConflict
	}
	storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e"))
	if len(why) != 1 || !errors.Is(why[0], engine.ErrConflict) {
		t.Errorf("got %v in the hook, want one conflict", why)
	}
	if st := s.Stats(); st.Retries != 1 || st.Conflicts != 1 {
		t.Errorf("got %d retries and %d conflicts in Stats, want 1 and 1", st.Retries, st.Conflicts)
	}
}

// TestTroubleHook makes the watcher's transaction fail once. The subscription goes
// on, and the error is neither lost nor hidden.
func TestTroubleHook(t *testing.T) {
	e := storetest.NewFlakyEngine(storetest.OpenMemory(t), 1, 0)
	type trouble struct {
		what string
		err  error
	}
	troubles := make(chan trouble, 100)
	var log bytes.Buffer
	s := storetest.OpenStore(t, e, fdblayer.Options{
		Logger: slog.New(slog.NewTextHandler(&log, nil)),
		Hooks:  fdblayer.Hooks{Trouble: func(what string, err error) { troubles <- trouble{what: what, err: err} }},
	})
	storetest.MustAppend(t, s, "s", fdbevents.Any, storetest.Event("e"))
	e.FailNext = func(tr *storetest.FlakyTransaction) error {
		e.FailNext = nil
		return engine.ErrInvalidOperation
	}
	for _, err := range s.Subscribe(t.Context(), fdbevents.Start, fdblayer.SubscribeOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		got := <-troubles
		if got.what != "reading the end of the log" || !errors.Is(got.err, engine.ErrInvalidOperation) {
			t.Errorf("got %q, %v in the hook, want ErrInvalidOperation from reading the end of the log", got.what, got.err)
		}
		break
	}
	if n := s.Stats().Troubles; n != 1 || !strings.Contains(log.String(), "reading the end of the log failed") {
		t.Errorf("got %d troubles in Stats, want 1; the logger got: %s", n, &log)
	}
}

func TestCloseEngine(t *testing.T) {
	for _, own := range []bool{false, true} {
		e := storetest.OpenOwnMemory(t)
		s, err := fdblayer.Open(t.Context(), e, fdblayer.Options{CloseEngine: own})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if closed := errors.Is(e.Close(), engine.ErrClosed); closed != own {
			t.Errorf("CloseEngine %t: got engine closed %t", own, closed)
		}
	}
}
