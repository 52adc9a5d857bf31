package fdblayer_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
	"github.com/fdbevents/fdbevents/internal/storetest"
	"github.com/google/uuid"
)

// revisions returns the revisions that a read of a stream yields, or its error.
func revisions(t *testing.T, s *fdblayer.Store, stream string, o fdblayer.ReadOptions) string {
	t.Helper()
	from := fdbevents.StreamStart
	if o.Backward {
		from = fdbevents.StreamEnd
	}
	var out []int64
	for ev, err := range s.ReadStream(t.Context(), stream, from, o) {
		if err != nil {
			return err.Error()
		}
		out = append(out, ev.Revision)
	}
	return strings.Trim(fmt.Sprint(out), "[]")
}

func wantRevisions(t *testing.T, s *fdblayer.Store, what, want string) {
	t.Helper()
	if got := revisions(t, s, "s", fdblayer.ReadOptions{}); got != want {
		t.Errorf("%s: got %q, want %q", what, got, want)
	}
	words := strings.Fields(want)
	if slices.Reverse(words); strings.Contains(want, "stream") {
		words = strings.Fields(want) // an error
	}
	if got := revisions(t, s, "s", fdblayer.ReadOptions{Backward: true}); got != strings.Join(words, " ") {
		t.Errorf("%s, backward: got %q, want %q", what, got, strings.Join(words, " "))
	}
}

func logged(t *testing.T, s *fdblayer.Store) (revisions []int64) {
	for _, ev := range storetest.Collect(t, s.ReadAll(t.Context(), fdbevents.Start, fdblayer.ReadOptions{})) {
		revisions = append(revisions, ev.Revision)
	}
	return revisions
}

// scavenge scavenges the store. It checks how many events go and which stay in the log,
// and that readers of the stream see no difference.
func scavenge(t *testing.T, s *fdblayer.Store, events int64, log ...int64) {
	t.Helper()
	before := revisions(t, s, "s", fdblayer.ReadOptions{})
	report, err := s.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
	if err != nil || report.Events != events {
		t.Errorf("scavenge: got %+v, %v, want %d events", report, err, events)
	}
	wantRevisions(t, s, "after scavenging", before)
	if got := logged(t, s); !slices.Equal(got, log) {
		t.Errorf("after scavenging: got revisions %d in the log, want %d", got, log)
	}
	storetest.CheckStore(t, s)
}

func TestStreamLifetime(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{InlineLimit: 100}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		add := func(expected fdbevents.ExpectedRevision, n int) {
			t.Helper()
			for range n {
				ev := storetest.Tagged("e", "x")
				ev.Data = make([]byte, 60*(1+len(logged(t, s))%3)) // some in the stream, some only in the log
				storetest.MustAppend(t, s, "s", expected, ev)
				expected = fdbevents.Any
			}
		}
		add(fdbevents.NoStream, 6)

		storetest.OK(t, s.Truncate(ctx, "s", 2))
		wantRevisions(t, s, "truncated", "2 3 4 5")
		storetest.OK(t, s.Truncate(ctx, "s", 1))
		wantRevisions(t, s, "truncated at a hidden revision", "2 3 4 5")
		err := s.Truncate(ctx, "s", 7)
		if err == nil || err.Error() != `truncating: truncate before revision "7": the next revision of stream "s" is 6; want 0 to that, or fdbevents.StreamEnd for all` {
			t.Errorf("truncated past the end: got %v", err)
		}
		if got := logged(t, s); len(got) != 6 {
			t.Errorf("before scavenging: got revisions %d in the log, want 6", got)
		}
		scavenge(t, s, 2, 2, 3, 4, 5)
		scavenge(t, s, 0, 2, 3, 4, 5)

		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxCount: 3}))
		wantRevisions(t, s, "max count", "3 4 5")
		add(fdbevents.Any, 1)
		wantRevisions(t, s, "max count and one more event", "4 5 6")
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{}))
		wantRevisions(t, s, "no max count, before scavenging", "2 3 4 5 6")
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxCount: 2}))
		scavenge(t, s, 3, 5, 6)
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{}))
		wantRevisions(t, s, "no max count, after scavenging", "5 6")
		if info, err := s.Stream(ctx, "s"); err != nil || info.TruncateBefore != 5 || info.Events() != 2 || info.LastRevision != 6 {
			t.Errorf("got %+v, %v, want revisions 5 and 6", info, err)
		}

		var wrong *fdbevents.WrongExpectedRevisionError
		if err := s.Delete(ctx, "s", 4); !errors.As(err, &wrong) || wrong.Actual != 6 {
			t.Errorf("got %v, want a WrongExpectedRevisionError with Actual 6", err)
		}
		storetest.OK(t, s.Delete(ctx, "s", 6))
		wantRevisions(t, s, "deleted", `stream "s" not found`)
		if _, err := s.Append(ctx, "s", fdbevents.StreamExists, storetest.Event("e")); !errors.As(err, &wrong) || wrong.Actual != -1 {
			t.Errorf("got %v, want a WrongExpectedRevisionError with Actual -1", err)
		}
		if err := s.Delete(ctx, "s", fdbevents.Any); !errors.Is(err, fdbevents.ErrStreamNotFound) {
			t.Errorf("got %v, want ErrStreamNotFound", err)
		}
		if got := logged(t, s); len(got) != 2 {
			t.Errorf("before scavenging: got revisions %d in the log, want 2", got)
		}
		add(fdbevents.NoStream, 2)
		wantRevisions(t, s, "created again", "7 8")
		scavenge(t, s, 2, 7, 8)
		storetest.OK(t, s.Truncate(ctx, "s", fdbevents.StreamEnd))
		wantRevisions(t, s, "all truncated", "")
		add(8, 1)
		wantRevisions(t, s, "one event after all were truncated", "9")

		storetest.OK(t, s.Tombstone(ctx, "s", 9))
		for _, err := range []error{
			s.Tombstone(ctx, "s", fdbevents.Any), s.Delete(ctx, "s", fdbevents.Any), s.Truncate(ctx, "s", 1),
			s.SetRetention(ctx, "s", fdblayer.Retention{}), s.SetStreamMetadata(ctx, "s", nil),
		} {
			if !errors.Is(err, fdbevents.ErrStreamDeleted) {
				t.Errorf("got %v, want ErrStreamDeleted", err)
			}
		}
		_, err = s.Append(ctx, "s", fdbevents.Any, storetest.Event("e"))
		if !errors.Is(err, fdbevents.ErrStreamDeleted) || err.Error() != `stream "s": stream is permanently deleted` {
			t.Errorf("append to a tombstoned stream: got %v, want ErrStreamDeleted", err)
		}
		wantRevisions(t, s, "tombstoned", `stream "s": stream is permanently deleted`)
		scavenge(t, s, 3)
		following, stop := context.WithCancel(ctx)
		gone := 0
		for ev := range s.Subscribe(following, fdbevents.Start, fdblayer.SubscribeOptions{CaughtUp: stop, Scavenged: func(n int) { gone += n }}) {
			if ev.Type != "" {
				t.Errorf("got %+v, want no event", ev)
			}
		}
		if gone != 10 {
			t.Errorf("got %d scavenged events reported to a subscription, want 10", gone)
		}
		if report := storetest.CheckStore(t, s); report.IDs != 7 || report.Tags != 0 {
			// Seven events were scavenged before the tombstone, and their ids stay.
			t.Errorf("got %+v, want 7 ids and no tags", report)
		}
		storetest.OK(t, s.Tombstone(ctx, "never", fdbevents.NoStream))
	})
}

func TestMaxAge(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		now := time.Now()
		for _, minutes := range []time.Duration{90, 80, 50, 70, 10, 1} {
			ev := storetest.Event("e")
			ev.Created = now.Add(-minutes * time.Minute)
			storetest.MustAppend(t, s, "s", fdbevents.Any, ev)
		}
		storetest.OK(t, s.SetRetention(t.Context(), "s", fdblayer.Retention{MaxAge: time.Hour}))
		wantRevisions(t, s, "an hour", "2 4 5")
		scavenge(t, s, 2, 2, 3, 4, 5) // revisions stay dense
		storetest.OK(t, s.SetRetention(t.Context(), "s", fdblayer.Retention{MaxAge: 5 * time.Minute, MaxCount: 2}))
		wantRevisions(t, s, "five minutes", "5")
		scavenge(t, s, 3, 5)
		err := s.SetRetention(t.Context(), "s", fdblayer.Retention{MaxAge: -1})
		if err == nil || err.Error() != `setting retention: max age "-1ns": want 0 for no limit, or more` {
			t.Errorf("negative max age: got %v", err)
		}
	})
}

// TestOvertakenReaders checks that readers overtaken by truncation get an error that
// says what they missed, and do not skip it in silence.
func TestOvertakenReaders(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		// Enough for more than a few pages.
		const n = 60
		for range n {
			storetest.MustAppend(t, s, "s", fdbevents.Any, fdbevents.EventData{Type: "e", Data: make([]byte, 300_000)})
		}
		overtake := func(what string, events func(func(fdbevents.Event, error) bool), end int64, change func(), first int64) {
			t.Helper()
			i := 0
			var truncated *fdbevents.TruncatedError
			for ev, err := range events {
				if err != nil {
					if !errors.As(err, &truncated) || truncated.First != first {
						t.Errorf("%s: got %v, want a TruncatedError whose first revision is %d", what, err, first)
					}
					break
				}
				if i == 0 {
					change()
				}
				if i++; ev.Revision == end {
					break
				}
			}
			if truncated == nil || i == 0 {
				t.Errorf("%s: got %d events, want some, and then an error", what, i)
			}
		}
		all := fdblayer.ReadOptions{}
		overtake("reading", s.ReadStream(ctx, "s", 0, all), n-1, func() { storetest.OK(t, s.Truncate(ctx, "s", 40)) }, 40)
		overtake("subscribing", s.SubscribeStream(ctx, "s", -1, fdblayer.SubscribeOptions{}), n-1, func() {
			storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxCount: 1}))
		}, n-1)
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{}))
		overtake("reading backward", s.ReadStream(ctx, "s", fdbevents.StreamEnd, fdblayer.ReadOptions{Backward: true}), 40, func() { storetest.OK(t, s.Truncate(ctx, "s", n-2)) }, n-2)

		// Subscriptions that resume.
		for _, err := range s.SubscribeStream(ctx, "s", 50, fdblayer.SubscribeOptions{}) {
			if err == nil || err.Error() != `stream "s" was truncated before it was read: revision 51 is gone; the first one left is 58` {
				t.Errorf("after revision 50: got %v, want a TruncatedError", err)
			}
			break
		}
		for ev, err := range s.SubscribeStream(ctx, "s", 57, fdblayer.SubscribeOptions{}) {
			if err != nil || ev.Revision != 58 {
				t.Errorf("got revision %d, %v, want 58", ev.Revision, err)
			}
			break
		}
		// A subscription from the start of the stream misses nothing.
		for ev, err := range s.SubscribeStream(ctx, "s", -1, fdblayer.SubscribeOptions{}) {
			if err != nil || ev.Revision != 58 {
				t.Errorf("got revision %d, %v, want 58", ev.Revision, err)
			}
			break
		}
	})
}

func TestOvertakenByAge(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		for i := range 30 {
			ev := fdbevents.EventData{Type: "e", Data: make([]byte, 300_000), Created: time.Now().Add(-time.Duration(60-i) * time.Minute)}
			storetest.MustAppend(t, s, "s", fdbevents.Any, ev)
		}
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxAge: 10 * time.Hour}))
		var err error
		n := 0
		for _, err = range s.ReadStream(ctx, "s", 0, fdblayer.ReadOptions{}) {
			if err != nil {
				break
			}
			if n++; n == 1 {
				// The test does not wait for the events to age: it lowers the bound.
				storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxAge: time.Second}))
			}
		}
		// All events were older than a second already when the reader read its last
		// page, so it is not overtaken.
		if err != nil || n == 30 {
			t.Errorf("got %d events, %v, want fewer than 30 and no error", n, err)
		}
		storetest.OK(t, s.SetRetention(ctx, "s", fdblayer.Retention{MaxAge: 40 * time.Minute}))
		for _, err = range s.SubscribeStream(ctx, "s", 5, fdblayer.SubscribeOptions{}) {
			break
		}
		var truncated *fdbevents.TruncatedError
		if !errors.As(err, &truncated) || truncated.Revision != 6 || truncated.First < 20 {
			t.Errorf("a subscription that resumes too late: got %v, want a TruncatedError at revision 6", err)
		}
	})
}

func TestErase(t *testing.T) {
	storetest.EachStore(t, fdblayer.Options{}, func(t *testing.T, s *fdblayer.Store) {
		ctx := t.Context()
		var want []fdbevents.Event
		for i, size := range []int{10, 5_000, 200_000} { // in its stream, in its slot, in chunks
			ev := storetest.EventWithID("signed up", fmt.Sprint(i))
			ev.Tags, ev.Data, ev.Metadata = []string{"person:1"}, make([]byte, size), []byte("m")
			storetest.MustAppend(t, s, "s", fdbevents.Any, ev)
			storetest.MustAppend(t, s, fmt.Sprint("copy", i), fdbevents.Any, ev)
			erased, err := s.Erase(ctx, ev.ID)
			if err != nil || len(erased) != 2 || !erased[0].Erased || erased[0].Data != nil || erased[0].Metadata != nil {
				t.Errorf("got %+v, %v, want 2 erased events", erased, err)
			}
			if again, err := s.Erase(ctx, ev.ID); err != nil || len(again) != 2 || again[1].Position != erased[1].Position {
				t.Errorf("erased again: got %+v, %v, want the same 2 events", again, err)
			}
			if r, err := s.Append(ctx, "s", fdbevents.Any, ev); err != nil || !r.Repeat || r.LastRevision != int64(i) {
				t.Errorf("appending an erased event again: got %+v, %v, want a repeat", r, err)
			}
			want = append(want, erased...)
		}
		inStream := storetest.Collect(t, s.ReadStream(ctx, "s", 0, fdblayer.ReadOptions{}))
		inLog := storetest.Collect(t, s.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: fdbevents.Filter{Query: storetest.Query(fdbevents.QueryItem{Tags: []string{"person:1"}})}}))
		if len(inStream) != 3 || len(inLog) != len(want) {
			t.Fatalf("got %d events in the stream and %d in the log", len(inStream), len(inLog))
		}
		for _, ev := range slices.Concat(inStream, inLog) {
			if !ev.Erased || ev.Type != "signed up" || len(ev.Data)+len(ev.Metadata) > 0 || len(ev.Tags) != 1 {
				t.Errorf("got %+v, want an erased event with its type and tag", ev)
			}
		}
		if _, err := s.Erase(ctx, uuid.New()); !errors.Is(err, fdbevents.ErrEventNotFound) {
			t.Errorf("got %v, want ErrEventNotFound", err)
		}
		storetest.OK(t, s.Delete(ctx, "s", fdbevents.Any))
		if _, err := s.Scavenge(ctx, fdblayer.ScavengeOptions{}); err != nil {
			t.Error(err)
		}
		if erased, err := s.Erase(ctx, inStream[0].ID); err != nil || len(erased) != 1 || erased[0].Stream != "copy0" {
			t.Errorf("got %+v, %v, want only the event of copy0", erased, err)
		}
	})
}

// TestScavengeBesideWriters scavenges while others append, and is interrupted again and
// again.
func TestScavengeBesideWriters(t *testing.T) {
	storetest.EachStorePair(t, func(t *testing.T, a, b *fdblayer.Store) {
		const streams, rounds = 5, 40
		name := func(i int) string { return fmt.Sprint("stream", i) }
		for i := range streams {
			storetest.OK(t, a.SetRetention(t.Context(), name(i), fdblayer.Retention{MaxCount: 10}))
		}
		writing, stop := context.WithCancel(t.Context())
		written := make(chan map[string]int64, streams)
		for i := range streams {
			go func() {
				last := int64(-1)
				for range rounds {
					events := make([]fdbevents.EventData, 20)
					for j := range events {
						events[j] = storetest.Tagged("e", "x", fmt.Sprint("y", j))
					}
					r, err := a.Append(t.Context(), name(i), fdbevents.ExpectedRevision(last), events...)
					if err != nil {
						t.Errorf("append: %v", err)
					}
					last = r.LastRevision
				}
				written <- map[string]int64{name(i): last}
			}()
		}
		go func() {
			for range streams {
				for stream, last := range <-written {
					if last != 20*rounds-1 {
						t.Errorf("stream %s: got last revision %d", stream, last)
					}
				}
			}
			stop()
		}()
		var removed int64
		for i := 0; writing.Err() == nil; i++ {
			ctx, cancel := context.WithCancel(t.Context())
			o := fdblayer.ScavengeOptions{}
			if i%2 == 0 {
				o.Progress = func(done, total int64) {
					if done == int64(i%streams) {
						cancel()
					}
				}
			}
			report, err := b.Scavenge(ctx, o)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			removed += report.Events
			cancel()
		}
		report, err := b.Scavenge(t.Context(), fdblayer.ScavengeOptions{})
		storetest.OK(t, err)
		removed += report.Events
		if want := int64(streams * (20*rounds - 10)); removed != want {
			t.Errorf("got %d events removed, want %d", removed, want)
		}
		if n := len(logged(t, b)); n != 10*streams {
			t.Errorf("got %d events in the log, want %d", n, 10*streams)
		}
		for i := range streams {
			if info, err := b.Stream(t.Context(), name(i)); err != nil || info.TruncateBefore != 20*rounds-10 || info.LastRevision != 20*rounds-1 {
				t.Errorf("got %+v, %v, want the last 10 events", info, err)
			}
		}
	})
}
