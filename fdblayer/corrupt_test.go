package fdblayer

import (
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// TestCorruptRecordIsAnErrorToReaders checks that readers get an error: never silence,
// never another event.
func TestCorruptRecordIsAnErrorToReaders(t *testing.T) {
	ctx := t.Context()
	e := openMemory(t)
	s := openStore(t, e, Options{InlineLimit: -1})
	r, err := s.Append(ctx, "a", fdbevents.Any, fdbevents.EventData{Type: "x"})
	if err != nil {
		t.Fatal(err)
	}
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		tr.Set(s.Door().Keys().Slot(nil, s.Door().PartitionOf("a"), r.Position), []byte("not a record"))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	want := "event at position " + r.Position.String() + ": stored record is corrupt: no checksum at its end"
	for name, events := range map[string]func(func(fdbevents.Event, error) bool){
		"log":    s.ReadAll(ctx, fdbevents.Start, ReadOptions{}),
		"stream": s.ReadStream(ctx, "a", 0, ReadOptions{}),
	} {
		n := 0
		for _, err := range events {
			if n++; err == nil || !strings.HasSuffix(err.Error(), want) {
				t.Errorf("%s: got %v, want %q", name, err, want)
			}
		}
		if n != 1 {
			t.Errorf("%s: got %d results, want one error", name, n)
		}
	}
}

// TestCorruptRecordEndsLiveSubscriptions checks that a live subscription does not wait
// forever behind a record that nobody can read.
func TestCorruptRecordEndsLiveSubscriptions(t *testing.T) {
	ctx := t.Context()
	e := openMemory(t)
	s := openStore(t, e, Options{Partitions: 1})
	live := make(chan struct{})
	ended := make(chan error, 1)
	fellBehind := 0
	go func() {
		o := SubscribeOptions{CaughtUp: func() { close(live) }, FellBehind: func() { fellBehind++ }}
		for _, err := range s.Subscribe(ctx, fdbevents.Start, o) {
			ended <- err
		}
	}()
	<-live
	if err := engine.Run(ctx, e, func(tr engine.Transaction, _ error) error {
		version, err := tr.ReadVersion().Get()
		if err != nil {
			return err
		}
		at := layout.LastOfVersion(version).Next()
		tr.Set(s.Door().Keys().Slot(nil, 0, at), []byte("not a record"))
		tr.Set(s.Door().Keys().Doorbell(nil, 0), layout.AppendDoorbell(nil, at))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, fdbevents.ErrCorrupt) || fellBehind != 1 {
		t.Errorf("got %v after falling behind %d times, want ErrCorrupt after once", err, fellBehind)
	}
}

func TestStoreAheadOfTheDatabase(t *testing.T) {
	e := openMemory(t)
	s := openStore(t, e, Options{Partitions: 2})
	ring := func(version uint64) {
		var stamp engine.Stamp
		binary.BigEndian.PutUint64(stamp[:], version)
		if err := engine.Run(t.Context(), e, func(tr engine.Transaction, _ error) error {
			tr.Set(s.Door().Keys().Doorbell(nil, 1), layout.AppendDoorbell(nil, layout.NewPosition(stamp, 0)))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	ring(1 << 60)
	_, err := Open(t.Context(), e, Options{})
	var ahead *fdbevents.AheadError
	if !errors.As(err, &ahead) || ahead.Last.Version() != 1<<60 ||
		!strings.HasSuffix(err.Error(), `its keys were copied from another database. On FoundationDB, run: fdbcli --exec "advanceversion 1152921504606846977"`) {
		t.Errorf("got %v, want an AheadError that says how to advance the database", err)
	}
	ring(1)
	openStore(t, e, Options{})
}
