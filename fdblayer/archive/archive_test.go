package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/fdblayer/archive"
	"pgregory.net/rapid"
)

func TestWhole(t *testing.T) {
	t.Run("mem", func(t *testing.T) { testWhole(t, openStore(t)) })
	t.Run("fdb", func(t *testing.T) { testWhole(t, openStoreIn(t, openFDB(t))) })
}

func testWhole(t *testing.T, to *fdblayer.Store) {
	from := filled(t)
	big(t, from, 1, 8<<20)
	file := export(t, from, archive.Options{})
	if got := restore(t, to, file); got.Events != 11 || got.Repeats != 0 || got.Streams != 4 || got.Renumbered != 0 || got.Store != from.Stats().StoreID {
		t.Errorf("got %+v", got)
	}
	equal(t, "log", log(t, to), log(t, from))
	equal(t, "streams", seen(t, to), seen(t, from))
	verify(t, to, file)
	if got := restore(t, to, file); got.Events != 11 || got.Repeats != 11 {
		t.Errorf("again: %+v", got)
	}
	equal(t, "log", log(t, to), log(t, from))
	equal(t, "streams", seen(t, to), seen(t, from))

	// Importing again adds what was appended since.
	appendTo(t, from, "a-1", event("later"))
	appendTo(t, from, "gone", event("again"))
	if got := restore(t, to, export(t, from, archive.Options{})); got.Events != 13 || got.Repeats != 11 {
		t.Errorf("later: %+v", got)
	}
	equal(t, "log", log(t, to), log(t, from))
	equal(t, "streams", seen(t, to), seen(t, from))
}

func TestEmpty(t *testing.T) {
	to := openStore(t)
	if got := restore(t, to, export(t, openStore(t), archive.Options{})); got.Events+got.Streams != 0 {
		t.Errorf("got %+v", got)
	}
}

// TestRandom verifies that the archive of a random store makes an equal store.
func TestRandom(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		from, to := openStore(t), openStore(t)
		streams := []string{"a", "b-1", "b-2"}
		n := 0
		for range rapid.IntRange(0, 30).Draw(t, "steps") {
			stream := rapid.SampledFrom(streams).Draw(t, "stream")
			var err error
			switch rapid.SampledFrom([]string{"append", "append", "append", "large", "truncate", "retain", "metadata", "delete", "tombstone", "erase", "scavenge"}).Draw(t, "step") {
			case "append":
				ev := event(fmt.Sprint(n), rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"x", "y"}), 0, 2, rapid.ID).Draw(t, "tags")...)
				n++
				_, err = from.Append(ctx, stream, fdbevents.Any, ev)
			case "large":
				_, err = from.Append(ctx, stream, fdbevents.Any, fdbevents.EventData{Type: "large", Data: make([]byte, 200_000)})
			case "truncate":
				err = from.Truncate(ctx, stream, rapid.Int64Range(0, 3).Draw(t, "before"))
			case "retain":
				err = from.SetRetention(ctx, stream, fdblayer.Retention{MaxCount: rapid.Int64Range(0, 3).Draw(t, "count")})
			case "metadata":
				err = from.SetStreamMetadata(ctx, stream, []byte("metadata"))
			case "delete":
				err = from.Delete(ctx, stream, fdbevents.Any)
			case "tombstone":
				if rapid.IntRange(0, 4).Draw(t, "rarely") == 4 {
					err = from.Tombstone(ctx, stream, fdbevents.Any)
				}
			case "erase":
				_, err = from.Erase(ctx, id(fmt.Sprint(max(0, n-2))))
			case "scavenge":
				_, err = from.Scavenge(ctx, fdblayer.ScavengeOptions{})
			}
			var invalid *fdbevents.InvalidError
			if err != nil && !errors.Is(err, fdbevents.ErrStreamNotFound) && !errors.Is(err, fdbevents.ErrStreamDeleted) &&
				!errors.Is(err, fdbevents.ErrEventNotFound) && !errors.As(err, &invalid) {
				t.Fatalf("%v", err)
			}
		}
		file := export(t, from, archive.Options{})
		restore(t, to, file)
		equal(t, "log", log(t, to), log(t, from))
		equal(t, "streams", seen(t, to), seen(t, from))
		verify(t, to, file)
		if got := restore(t, to, file); got.Events != got.Repeats {
			t.Fatalf("again: %+v", got)
		}
		equal(t, "streams", seen(t, to), seen(t, from))
	})
}

func TestPrefix(t *testing.T) {
	from, to := filled(t), openStore(t)
	file := export(t, from, archive.Options{Filter: fdbevents.InStreams("b")})
	if got := restore(t, to, file); got.Events != 4 || got.Streams != 1 {
		t.Errorf("got %+v", got)
	}
	equal(t, "streams", seen(t, to), slices.DeleteFunc(seen(t, from), func(s string) bool { return !strings.Contains(s, "Stream:b-1") }))
	verify(t, to, file)
}

// TestQuery verifies that an archive with a query holds the selected events that readers
// of the streams see, and that they get new revisions.
func TestQuery(t *testing.T) {
	from, to := filled(t), openStore(t)
	appendTo(t, from, "gone", event("again", "red"))
	query, err := fdbevents.ParseQuery("type=t-a0,t-a2,t-a3 or tag=blue or type=t-again")
	if err != nil {
		t.Fatal(err)
	}
	file := export(t, from, archive.Options{Filter: fdbevents.Filter{Query: query}})
	for i, repeats := range []int64{0, 6} {
		if got := restore(t, to, file); got.Events != 6 || got.Repeats != repeats || got.Streams != 0 || got.Renumbered != 3 {
			t.Errorf("import %d: %+v", i, got)
		}
	}
	verify(t, to, file)
	var got []string
	for ev, err := range to.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{}) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, fmt.Sprint(ev.Stream, ev.Revision, ev.Type))
	}
	equal(t, "events", got, []string{"b-10t-b1", "a-10t-a2", "b-11t-b2", "a-11t-a3", "b-12t-b3", "gone0t-again"})
}

// TestConflict verifies that Import refuses what does not fit, and names stream and
// revision.
func TestConflict(t *testing.T) {
	ctx := t.Context()
	file := export(t, filled(t), archive.Options{})
	for name, tt := range map[string]struct {
		prepare func(s *fdblayer.Store)
		want    string
	}{
		"other event": {func(s *fdblayer.Store) { appendTo(t, s, "a-1", event("x")) },
			`revision 0 cannot be restored: the store has another event at this revision`},
		"other revision": {func(s *fdblayer.Store) { appendTo(t, s, "a-1", event("a1", "red")) },
			`revision 0 cannot be restored: the store has another event at this revision`},
		"moved": {func(s *fdblayer.Store) { appendTo(t, s, "b-1", event("x"), event("b0", "red", "blue")) },
			`stream "b-1", revision 0 cannot be restored: the store has it as revision 1`},
		"other content": {func(s *fdblayer.Store) { appendTo(t, s, "b-1", event("b0", "red")) },
			`is already in stream "b-1" at revision 0, with tags ["red"] instead of ["red" "blue"]`},
		"not erased": {func(s *fdblayer.Store) {
			appendTo(t, s, "b-1", event("b0", "red", "blue"), event("b1", "red", "blue"), event("b2", "red", "blue"), event("b3", "red", "blue"))
		}, `at revision 3, where its data is not erased`},
		"tombstoned": {func(s *fdblayer.Store) {
			if err := s.Tombstone(ctx, "a-1", fdbevents.Any); err != nil {
				t.Fatal(err)
			}
		}, `stream "a-1": stream is permanently deleted`},
		"tombstone": {func(s *fdblayer.Store) { appendTo(t, s, "dead", event("d"), event("more")) },
			`stream "dead" cannot be restored: it is tombstoned after 1 events in the source store, but has 2 here`},
	} {
		t.Run(name, func(t *testing.T) {
			s := openStore(t)
			tt.prepare(s)
			_, err := archive.Import(ctx, s, bytes.NewReader(file), archive.ImportOptions{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if _, err := archive.Verify(ctx, s, bytes.NewReader(file), archive.ImportOptions{}); err == nil {
				t.Error("verified")
			}
		})
	}
}

// TestVerify verifies that changes since the import are found, and that erasing is allowed.
func TestVerify(t *testing.T) {
	ctx := t.Context()
	from, to := filled(t), openStore(t)
	file := export(t, from, archive.Options{})
	restore(t, to, file)
	if _, err := to.Erase(ctx, id("b0")); err != nil {
		t.Fatal(err)
	}
	appendTo(t, to, "b-1", event("more"))
	verify(t, to, file)
	if err := to.SetStreamMetadata(ctx, "b-1", []byte("other")); err != nil {
		t.Fatal(err)
	}
	var differs *archive.DifferenceError
	if _, err := archive.Verify(ctx, to, bytes.NewReader(file), archive.ImportOptions{}); !errors.As(err, &differs) ||
		err.Error() != `verifying: stream "b-1": the store has different metadata` {
		t.Errorf("got %v", err)
	}
	if _, err := archive.Verify(ctx, openStore(t), bytes.NewReader(file), archive.ImportOptions{}); !errors.As(err, &differs) || differs.Event.ID != id("a0") {
		t.Errorf("got %v", err)
	}
}

// TestImportInterrupted interrupts an import after every block and runs it again.
func TestImportInterrupted(t *testing.T) {
	from, to := openStore(t), openStore(t)
	big(t, from, 40, 100_000)
	file := export(t, from, archive.Options{})
	blocks := 0
	for done := false; !done; {
		ctx, cancel := context.WithCancelCause(t.Context())
		stop := errors.New("stop here")
		left := blocks
		got, err := archive.Import(ctx, to, bytes.NewReader(file), archive.ImportOptions{Progress: func(events, bytes int64) {
			if left--; left < 0 {
				cancel(stop)
			}
		}})
		if done = err == nil; !done && ctx.Err() == nil {
			t.Fatal(err)
		}
		if done && (got.Events != 40 || got.Repeats < 20) {
			t.Errorf("got %+v", got)
		}
		if blocks++; blocks > 10 {
			t.Fatal("the import makes no progress")
		}
		cancel(nil)
	}
	equal(t, "log", log(t, to), log(t, from))
	verify(t, to, file)
}

// TestExportWhileWriting verifies that an export leaves out what is appended meanwhile.
func TestExportWhileWriting(t *testing.T) {
	from := openStore(t)
	big(t, from, 30, 100_000)
	before := log(t, from)
	var file bytes.Buffer
	blocks := 0
	_, err := archive.Export(t.Context(), from, &file, archive.Options{Progress: func(done, total int64) {
		if total != 30 || done > total {
			t.Errorf("%d of %d", done, total)
		}
		blocks++
		appendTo(t, from, "s-1", event(fmt.Sprint(blocks)))
		if err := from.Truncate(t.Context(), "s-1", fdbevents.StreamEnd); err != nil {
			t.Error(err)
		}
	}})
	if err != nil || blocks < 3 {
		t.Fatal(blocks, err)
	}
	to := openStore(t)
	restore(t, to, file.Bytes())
	equal(t, "log", log(t, to), before)
}

func TestNewerFormat(t *testing.T) {
	file := export(t, openStore(t), archive.Options{})
	newer := archive.WithHeaderFormat(file, 2)
	_, err := archive.Import(t.Context(), openStore(t), bytes.NewReader(newer), archive.ImportOptions{})
	if !errors.Is(err, archive.ErrFormat) ||
		err.Error() != "importing: block 0 at offset 12: unknown archive format 2: this build knows format 1; use a newer fdbevents; nothing was imported" {
		t.Errorf("got %v", err)
	}
}

func TestDescribe(t *testing.T) {
	query, _ := fdbevents.ParseQuery(`tag="with space"`)
	from := filled(t)
	h, err := archive.Describe(bytes.NewReader(export(t, from, archive.Options{Filter: fdbevents.Filter{StreamPrefixes: []string{"p"}, Query: query}})))
	if err != nil || h.Store != from.Stats().StoreID || h.Filter.Query.String() != query.String() || !slices.Equal(h.Filter.StreamPrefixes, []string{"p"}) || time.Since(h.Created) > time.Minute || h.End == fdbevents.Start {
		t.Errorf("got %+v, %v", h, err)
	}
	if _, err := archive.Describe(strings.NewReader(`{"type":"x"}`)); !errors.Is(err, archive.ErrNotArchive) {
		t.Errorf("got %v", err)
	}
}
