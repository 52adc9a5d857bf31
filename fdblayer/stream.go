package fdblayer

import (
	"context"
	"fmt"
	"iter"

	"github.com/fdbevents/fdbevents"
	"github.com/fdbevents/fdbevents/engine"
	"github.com/fdbevents/fdbevents/internal/layout"
)

// StreamInfo is what the store knows about a stream without reading its events.
type StreamInfo struct {
	Stream string
	// LastRevision is the revision of the newest event, or -1 if there has never been
	// one.
	LastRevision int64
	// TruncateBefore is the first revision that readers see.
	TruncateBefore int64
	// Retention further bounds what readers see.
	Retention Retention
	// Deleted is true from Delete until the next append. Tombstoned is permanent.
	Deleted, Tombstoned bool
	// Metadata belongs to the application; see SetStreamMetadata.
	Metadata []byte
}

func newStreamInfo(stream string, h layout.Head) StreamInfo {
	return StreamInfo{
		Stream:         stream,
		LastRevision:   h.Next - 1,
		TruncateBefore: h.TruncateBefore,
		Retention:      Retention{MaxAge: h.MaxAge, MaxCount: h.MaxCount},
		Deleted:        h.State == layout.StateDeleted,
		Tombstoned:     h.State == layout.StateTombstoned,
		Metadata:       h.Metadata,
	}
}

// Stream returns what the store knows about a stream. It returns ErrStreamNotFound if
// the stream has never had events and nothing, such as metadata or retention, was ever
// set for it.
func (s *Store) Stream(ctx context.Context, stream string) (info StreamInfo, err error) {
	if err := fdbevents.ValidateStreamName(stream); err != nil {
		return info, err
	}
	err = s.view(ctx, func(r Reader) error {
		value, err := r.Get(s.keys.Head(nil, stream)).Get()
		if err != nil {
			return err
		}
		if value == nil {
			return &fdbevents.NotFoundError{What: "stream", Name: stream}
		}
		h, err := layout.DecodeHead(value)
		info = newStreamInfo(stream, h)
		return err
	})
	return info, err
}

// Streams yields all streams whose name begins with prefix, in the order of their
// names. Its pages are separate transactions. It yields at most one error, as its last
// element.
func (s *Store) Streams(ctx context.Context, prefix string) iter.Seq2[StreamInfo, error] {
	return func(yield func(StreamInfo, error) bool) {
		for kv, err := range s.Door().Scan(ctx, s.keys.Heads(prefix)) {
			if err != nil {
				yield(StreamInfo{}, fmt.Errorf("listing streams: %w", err))
				return
			}
			name, err := s.keys.ParseHead(kv.Key)
			var h layout.Head
			if err == nil {
				h, err = layout.DecodeHead(kv.Value)
			}
			if err != nil {
				err = fmt.Errorf("stream %q: %w", name, err)
			}
			if !yield(newStreamInfo(name, h), err) || err != nil {
				return
			}
		}
	}
}

// SetStreamMetadata replaces the metadata that the application keeps with a stream, up
// to MaxStreamMetadata bytes; nil removes it. The stream need not have events.
func (s *Store) SetStreamMetadata(ctx context.Context, stream string, metadata []byte) error {
	if err := fdbevents.ValidateStreamName(stream); err != nil {
		return err
	}
	if len(metadata) > fdbevents.MaxStreamMetadata {
		return &fdbevents.LimitError{What: "stream metadata", Got: int64(len(metadata)), Limit: fdbevents.MaxStreamMetadata, Unit: "bytes"}
	}
	_, err := s.Transact(ctx, func(tx *Tx) error {
		return tx.changeHead(stream, func(h *layout.Head) error {
			h.Metadata = metadata
			return nil
		})
	})
	return err
}

// Events returns the number of events that readers see, not counting that some may be
// hidden by their age.
func (i StreamInfo) Events() int64 {
	if i.Deleted || i.Tombstoned {
		return 0
	}
	n := i.LastRevision + 1 - i.TruncateBefore
	if i.Retention.MaxCount > 0 {
		n = min(n, i.Retention.MaxCount)
	}
	return max(n, 0)
}

func (s *Store) readHead(r engine.Reader, stream string) (h layout.Head, err error) {
	value, err := r.Get(s.keys.Head(nil, stream)).Get()
	if err != nil {
		return h, fmt.Errorf("reading head of stream %q: %w", stream, err)
	}
	if h, err = layout.DecodeHead(value); err != nil {
		return h, fmt.Errorf("head of stream %q: %w", stream, err)
	}
	return h, nil
}
