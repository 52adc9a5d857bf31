package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/fdblayer"
)

// DifferenceError reports the first event or stream of an archive that is missing from a
// store or differs there.
type DifferenceError struct {
	// Event is the event as the archive has it. If the difference is in a stream's
	// settings, only Stream is set.
	Event fdbevents.Event
	// Reason says what differs.
	Reason string
}

func (e *DifferenceError) Error() string {
	if e.Event.Type == "" {
		return fmt.Sprintf("stream %q: %s", e.Event.Stream, e.Reason)
	}
	return fmt.Sprintf("event %s of stream %q, revision %d in the archive: %s", e.Event.ID, e.Event.Stream, e.Event.Revision, e.Reason)
}

// Verify reads an archive and a store side by side and compares them. All events of the
// archive must be in the store, in the archive's order, with the same ids and contents,
// and with the same revisions if the archive holds whole streams. The settings of streams
// must match, too. The store may have more events, and may have erased some since. Verify
// returns how many events it compared.
//
// Errors: *DifferenceError, and the errors of Import.
func Verify(ctx context.Context, store *fdblayer.Store, r io.Reader, o ImportOptions) (int64, error) {
	in, err := newReader(r)
	if err != nil {
		return 0, fmt.Errorf("verifying: %w", err)
	}
	defer in.close()
	next, stop := iter.Pull2(store.ReadAll(ctx, fdbevents.Start, fdblayer.ReadOptions{Filter: in.header.Filter}))
	defer stop()
	for {
		c, err := in.next()
		if errors.Is(err, io.EOF) {
			return in.seen.events, nil
		}
		if err != nil {
			return 0, fmt.Errorf("verifying: %w", err)
		}
		for i := range c.events {
			if err := find(next, &c.events[i], in.header.whole()); err != nil {
				return 0, fmt.Errorf("verifying: %w", err)
			}
		}
		for i := range c.streams {
			if err := compareStream(ctx, store, &c.streams[i]); err != nil {
				return 0, fmt.Errorf("verifying: %w", err)
			}
		}
		if o.Progress != nil {
			o.Progress(in.seen.events, in.frames.offset)
		}
	}
}

// find looks for want among the next events of the store, and compares the two.
func find(next func() (fdbevents.Event, error, bool), want *fdbevents.Event, revisions bool) error {
	for {
		got, err, ok := next()
		if err != nil {
			return err
		}
		if !ok {
			return &DifferenceError{*want, "it is not in the store, or not in the order of the archive"}
		}
		if got.ID != want.ID || got.Stream != want.Stream {
			continue
		}
		if reason := difference(&got, want, revisions); reason != "" {
			return &DifferenceError{*want, reason}
		}
		return nil
	}
}

func difference(got, want *fdbevents.Event, revisions bool) string {
	differs := func(what string) string { return "the store has a different " + what }
	switch {
	case revisions && got.Revision != want.Revision:
		return fmt.Sprintf("the store has it as revision %d", got.Revision)
	case got.Type != want.Type:
		return differs("type")
	case got.ContentType != want.ContentType:
		return differs("content type")
	case !slices.Equal(got.Tags, want.Tags):
		return differs("list of tags")
	case !got.Created.Equal(want.Created):
		return differs("creation time")
	case got.Erased:
		return ""
	case want.Erased:
		return "the store has its data, but the archive has it erased"
	case !bytes.Equal(got.Data, want.Data):
		return "the store has different data"
	case !bytes.Equal(got.Metadata, want.Metadata):
		return "the store has different metadata"
	}
	return ""
}

func compareStream(ctx context.Context, store *fdblayer.Store, want *fdblayer.StreamInfo) error {
	got, err := store.Stream(ctx, want.Stream)
	if err != nil {
		return err
	}
	reason := ""
	switch {
	case got.Tombstoned != want.Tombstoned:
		reason = "only one of archive and store has it tombstoned"
	case got.Tombstoned:
	case got.Retention != want.Retention:
		reason = "the store has a different retention"
	case !bytes.Equal(got.Metadata, want.Metadata):
		reason = "the store has different metadata"
	case want.Deleted && !got.Deleted && got.LastRevision <= want.LastRevision:
		reason = "it is not deleted in the store"
	case got.TruncateBefore < min(want.TruncateBefore, got.LastRevision+1):
		reason = fmt.Sprintf("the store has it truncated only before revision %d", got.TruncateBefore)
	}
	if reason != "" {
		return &DifferenceError{fdbevents.Event{Stream: want.Stream}, reason}
	}
	return nil
}
