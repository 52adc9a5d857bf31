package layout

import (
	"time"

	"github.com/fdbevents/fdbevents"
)

const formatHead = 1

// Head is what the store keeps about a stream apart from its events.
type Head struct {
	// Next is the revision that the next event gets; 0 if there has never been one.
	Next int64
	// TruncateBefore is the first revision that readers see.
	TruncateBefore int64
	// MaxAge and MaxCount are the stream's retention and bound what readers see; 0 is
	// no bound.
	MaxAge   time.Duration
	MaxCount int64
	State    StreamState
	Metadata []byte
}

// Exists reports whether the stream has been created and has not been deleted since.
func (h Head) Exists() bool { return h.Next > 0 && h.State == StateOpen }

// Meets reports whether the stream is as e expects. A deleted stream does not exist,
// but an exact last revision still matches it.
func (h Head) Meets(e fdbevents.ExpectedRevision) bool {
	switch e {
	case fdbevents.Any:
		return true
	case fdbevents.StreamExists:
		return h.Exists()
	case fdbevents.NoStream:
		return !h.Exists()
	}
	return int64(e) == h.Next-1
}

// First returns the first revision that readers see, apart from events hidden by their
// age.
func (h Head) First() int64 {
	if h.MaxCount > 0 {
		return max(h.TruncateBefore, h.Next-h.MaxCount)
	}
	return h.TruncateBefore
}

// StreamState says whether a stream can be read and appended to.
type StreamState int64

const (
	// StateOpen is the state of a stream that was not deleted.
	StateOpen StreamState = iota
	// StateTombstoned is permanent.
	StateTombstoned
	// StateDeleted lasts until the next append.
	StateDeleted
)

// AppendHead appends the encoding of h to dst.
func AppendHead(dst []byte, h Head) []byte {
	w := beginValue(dst, formatHead, 7)
	w.int(h.Next)
	w.int(h.TruncateBefore)
	w.int(int64(h.MaxAge))
	w.int(h.MaxCount)
	w.int(int64(h.State))
	w.bytes(h.Metadata)
	return w.end()
}

// DecodeHead decodes a head. An absent head, a nil src, is a stream without events.
// h.Metadata shares src.
func DecodeHead(src []byte) (h Head, err error) {
	if src == nil {
		return h, nil
	}
	r := readValue(src, "stream head", formatHead, 7)
	h.Next = r.int()
	h.TruncateBefore = r.int()
	h.MaxAge = time.Duration(r.int())
	h.MaxCount = r.int()
	h.State = StreamState(r.int())
	h.Metadata = r.bytes()
	return h, r.end()
}
