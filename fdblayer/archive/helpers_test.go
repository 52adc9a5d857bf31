package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/engine/pebbleengine"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"github.com/fdbevents/fdbevents/fdblayer/check"
	"github.com/google/uuid"
)

// tester is what testing.TB and rapid.T have in common.
type tester interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
	Cleanup(func())
}

// openStore opens a new store in memory, which is checked and closed when the test ends.
func openStore(t tester) *fdblayer.Store {
	t.Helper()
	e, err := pebbleengine.OpenMemory()
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() { e.Close() })
	return openStoreIn(t, e)
}

func openStoreIn(t tester, e engine.Engine) *fdblayer.Store {
	t.Helper()
	ctx := context.Background()
	s, err := fdblayer.Open(ctx, e, fdblayer.Options{Partitions: 2})
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		report, err := check.Run(ctx, s, check.Options{})
		if err != nil || !report.OK() {
			t.Errorf("check: %v, %q", err, report.Problems)
		}
		s.Close()
	})
	return s
}

func id(name string) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)) }

func event(name string, tags ...string) fdbevents.EventData {
	return fdbevents.EventData{ID: id(name), Type: "t-" + name, Tags: tags, Data: []byte(name), Metadata: []byte("m-" + name),
		Created: time.Unix(1_700_000_000, 7).UTC()}
}

func appendTo(t tester, s *fdblayer.Store, stream string, events ...fdbevents.EventData) {
	t.Helper()
	if _, err := s.Append(context.Background(), stream, fdbevents.Any, events...); err != nil {
		t.Fatalf("%v", err)
	}
}

// filled returns a store with a few events of each kind.
func filled(t tester) *fdblayer.Store {
	t.Helper()
	ctx := context.Background()
	s := openStore(t)
	for i := range 4 {
		appendTo(t, s, "a-1", event(fmt.Sprint("a", i), "red"))
		appendTo(t, s, "b-1", event(fmt.Sprint("b", i), "red", "blue"))
	}
	appendTo(t, s, "gone", event("g"))
	appendTo(t, s, "dead", event("d"))
	for _, err := range []error{
		s.Truncate(ctx, "a-1", 2),
		s.SetStreamMetadata(ctx, "b-1", []byte("about b")),
		s.SetRetention(ctx, "b-1", fdblayer.Retention{MaxCount: 3, MaxAge: 100 * 365 * 24 * time.Hour}),
		s.Delete(ctx, "gone", fdbevents.Any),
		s.Tombstone(ctx, "dead", fdbevents.Any),
	} {
		if err != nil {
			t.Fatalf("%v", err)
		}
	}
	if _, err := s.Erase(ctx, id("b3")); err != nil {
		t.Fatalf("%v", err)
	}
	return s
}

// big appends n events of random bytes, which do not compress.
func big(t tester, s *fdblayer.Store, n, size int) {
	t.Helper()
	source := rand.NewChaCha8([32]byte{})
	for i := range n {
		data := make([]byte, size)
		_, _ = source.Read(data)
		appendTo(t, s, fmt.Sprint("s-", i%3), fdbevents.EventData{Type: "big", Data: data})
	}
}

func export(t tester, s *fdblayer.Store, o archive.Options) []byte {
	t.Helper()
	var file bytes.Buffer
	summary, err := archive.Export(context.Background(), s, &file, o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	if summary.Bytes != int64(file.Len()) {
		t.Errorf("%d bytes, not %d", file.Len(), summary.Bytes)
	}
	return file.Bytes()
}

func restore(t tester, s *fdblayer.Store, file []byte) archive.Imported {
	t.Helper()
	done, err := archive.Import(context.Background(), s, bytes.NewReader(file), archive.ImportOptions{})
	if err != nil {
		t.Fatalf("%v", err)
	}
	return done
}

// log returns all events, without their positions.
func log(t tester, s *fdblayer.Store) []string {
	t.Helper()
	var all []string
	for ev, err := range s.ReadAll(context.Background(), fdbevents.Start, fdblayer.ReadOptions{}) {
		if err != nil {
			t.Fatalf("%v", err)
		}
		all = append(all, text(ev))
	}
	return all
}

func text(ev fdbevents.Event) string {
	ev.Position = fdbevents.Start
	if len(ev.Data) > 100 {
		ev.Data = fmt.Appendf(nil, "%d bytes %x", len(ev.Data), ev.Data[:20])
	}
	return fmt.Sprintf("%+v", ev)
}

// seen returns what readers of the streams see, and the settings of the streams.
func seen(t tester, s *fdblayer.Store) []string {
	t.Helper()
	ctx := context.Background()
	var all []string
	for info, err := range s.Streams(ctx, "") {
		if err != nil {
			t.Fatalf("%v", err)
		}
		if fmt.Sprint(info) == fmt.Sprint(fdblayer.StreamInfo{Stream: info.Stream, LastRevision: -1}) {
			continue // it has nothing but a name
		}
		all = append(all, fmt.Sprintf("%+v", info))
		for ev, err := range s.ReadStream(ctx, info.Stream, 0, fdblayer.ReadOptions{}) {
			switch {
			case errors.Is(err, fdbevents.ErrStreamNotFound), errors.Is(err, fdbevents.ErrStreamDeleted):
				all = append(all, err.Error())
			case err != nil:
				t.Fatalf("%v", err)
			default:
				all = append(all, text(ev))
			}
		}
	}
	return all
}

func equal(t tester, what string, got, want []string) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		g, w := "nothing", "nothing"
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Fatalf("%s: %d instead of %d; number %d is\n%s\nwant\n%s", what, len(got), len(want), i, g, w)
		}
	}
}

func verify(t tester, s *fdblayer.Store, file []byte) {
	t.Helper()
	if _, err := archive.Verify(context.Background(), s, bytes.NewReader(file), archive.ImportOptions{}); err != nil {
		t.Errorf("%v", err)
	}
}

var _ tester = testing.TB(nil)
